"""NeRF networks from weight files: ours, the original program's and the PyTorch program's."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from dreamplate.errors import ModelError
from dreamplate.fields.nerf_net import NerfNet
from dreamplate.models.find import find_weights, is_path

__all__ = ["load_networks"]

_FINE = "model_fine_"
_COARSE = "model_"


def load_networks(name: str) -> tuple[NerfNet, NerfNet | None]:
    """Return the coarse network and the fine one (None where there is only one, which then serves for both).

    The original program keeps its two networks in two files, ``model_200000.npy`` and
    ``model_fine_200000.npy``; either may be named, the other is looked for beside it.

    Args:
        name: A model of the store, or a file.

    Raises:
        ModelError: There is no such model or file, or only the fine network's file is there.
        CheckpointError: A file is damaged, hostile or does not fit; the message names the tensor.
    """
    state, _ = find_weights(name, "nerf")
    parts = _parts(state)
    if "coarse" in parts:
        return NerfNet.from_state(parts["coarse"]), _built(parts.get("fine"))
    one = parts["network"]
    if not is_path(name):
        return NerfNet.from_state(one), None
    path = Path(name).expanduser()
    if path.name.startswith(_FINE):
        other = path.with_name(re.sub(f"^{_FINE}", _COARSE, path.name))
        if not other.exists():
            raise ModelError(f"{path}: is the fine network; the coarse one, {other.name}, is not beside it")
        return NerfNet.from_state(_alone(other)), NerfNet.from_state(one)
    other = path.with_name(re.sub(f"^{_COARSE}", _FINE, path.name))
    fine = _alone(other) if other != path and other.exists() else None
    return NerfNet.from_state(one), _built(fine)


def _alone(path: Path) -> dict[str, Tensor]:
    parts = _parts(find_weights(str(path), "nerf")[0])
    if "network" not in parts:
        raise ModelError(
            f"{path}: holds {' and '.join(parts)} networks; one alone is needed beside the other file"
        )
    return parts["network"]


def _parts(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        part, _, inner = name.partition(".")
        parts.setdefault(part, {})[inner] = tensor
    return parts


def _built(state: dict[str, Tensor] | None) -> NerfNet | None:
    return None if state is None else NerfNet.from_state(state)
