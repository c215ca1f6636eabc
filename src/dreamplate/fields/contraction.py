"""All of space in a bounded one: the unit ball stays as it is, everything beyond is squeezed into a shell.

Barron et al., "Mip-NeRF 360", 2022, equation 10 (Euclidean norm); the maximum norm, as in nerfstudio and
K-Planes, makes the bounded space a cube of half side 2, which grids can cover.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Norm", "contract", "normalise", "uncontract"]

Norm = Literal["max", "euclidean"]


def contract(points: Float[Tensor, "*n d"], norm: Norm = "max") -> Float[Tensor, "*n d"]:
    """Return ``x`` where its norm is at most 1 and ``(2 - 1 / |x|) x / |x|`` beyond; infinity comes to 2."""
    size = _norm(points, norm)
    safe = size.clamp_min(1)
    return torch.where(size <= 1, points, (2 - 1 / safe) * (points / safe))


def uncontract(points: Float[Tensor, "*n d"], norm: Norm = "max") -> Float[Tensor, "*n d"]:
    """Undo ``contract``; points of norm 2 and more come to infinity."""
    size = _norm(points, norm)
    safe = size.clamp_min(1)
    return torch.where(size <= 1, points, points / (safe * (2 - safe).clamp_min(0)))


def normalise(points: Float[Tensor, "*n d"], box: Float[Tensor, "2 d"]) -> Float[Tensor, "*n d"]:
    """Return points with the box's corners at -1 and 1."""
    return 2 * (points - box[0]) / (box[1] - box[0]) - 1


def _norm(points: Tensor, norm: Norm) -> Tensor:
    if norm == "max":
        return points.abs().amax(-1, keepdim=True)
    return points.square().sum(-1, keepdim=True).sqrt()
