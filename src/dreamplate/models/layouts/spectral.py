"""Spectral normalisation in checkpoints: ``weight_orig`` and two vectors become one weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["fold"]


def fold(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Divide each ``weight_orig`` by its spectral norm, as its stored vectors give it.

    Raises:
        CheckpointError: A vector is missing or does not fit, or a norm is zero or no number.
    """
    folded: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stem, _, last = name.rpartition(".")
        if last == "weight_orig":
            folded[f"{stem}.weight"] = _over_norm(state, stem, tensor)
        elif last not in ("weight_u", "weight_v") or f"{stem}.weight_orig" not in state:
            folded[name] = tensor
    return folded


def _over_norm(state: Mapping[str, Tensor], stem: str, tensor: Tensor) -> Tensor:
    matrix = tensor.float().flatten(1) if tensor.dim() > 1 else tensor.float()[:, None]
    vectors = []
    for part, length in (("weight_u", matrix.shape[0]), ("weight_v", matrix.shape[1])):
        found = state.get(f"{stem}.{part}")
        if found is None or found.shape != (length,):
            what = "is missing" if found is None else f"has shape {tuple(found.shape)}, not ({length},)"
            raise CheckpointError(
                f"tensor {f'{stem}.{part}'!r} {what}; use a complete, unmodified checkpoint"
            )
        vectors.append(found.float())
    norm = float(vectors[0] @ matrix @ vectors[1])
    if not 0 < abs(norm) < float("inf"):
        raise CheckpointError(f"the spectral norm of {stem!r} is {norm}; the checkpoint is damaged")
    return tensor.float() / norm
