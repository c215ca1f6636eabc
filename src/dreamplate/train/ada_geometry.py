"""Geometry of adaptive discriminator augmentation: one matrix for each picture.

All matrices lead from a pixel of the result to where it comes from, in pixels from the picture's centre, x
before y, as rows of homogeneous coordinates. They are made on the CPU in double precision: they are tiny, and
decide how much has to be computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dreamplate.train.ada_steps import Ranges

__all__ = ["inverse_of", "linear", "shift"]

Size = tuple[int, int]


def shift(x: Tensor, y: Tensor) -> Tensor:
    """Return matrices ``(n, 3, 3)`` that add ``(x, y)``."""
    found = torch.eye(3, dtype=torch.float64).repeat(len(x), 1, 1)
    found[:, 0, 2], found[:, 1, 2] = x, y
    return found


def linear(xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor) -> Tensor:
    """Return matrices ``(n, 3, 3)`` with this linear part and no shift."""
    found = torch.eye(3, dtype=torch.float64).repeat(len(xx), 1, 1)
    found[:, 0, 0], found[:, 0, 1], found[:, 1, 0], found[:, 1, 1] = xx, xy, yx, yy
    return found


def _scale(x: Tensor, y: Tensor) -> Tensor:
    return linear(x, torch.zeros_like(x), torch.zeros_like(x), y)


def _turn(angle: Tensor) -> Tensor:
    return linear(angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def _mirror(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    side = 1 - 2 * (2 * draw[:, 0]).floor()
    return _scale(side, torch.ones_like(side))


def _quarter(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    turns = (4 * draw[:, 0]).floor()
    # Exact entries: whole positions stay whole, and need no resampling.
    return _turn(turns * (math.pi / 2)).round()


def _whole(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    share = (2 * draw - 1) * ranges.xint
    return shift(-(share[:, 0] * size[1]).round(), -(share[:, 1] * size[0]).round())


def _size(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    factor = torch.exp2(-draw[:, 0] * ranges.scale)
    return _scale(factor, factor)


def _stretch(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    factor = torch.exp2(draw[:, 0] * ranges.aniso)
    return _scale(1 / factor, factor)


def _rotation(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    return _turn((2 * draw[:, 0] - 1) * (math.pi * ranges.rotate))


def _fraction(draw: Tensor, size: Size, ranges: Ranges) -> Tensor:
    return shift(-draw[:, 0] * ranges.xfrac * size[1], -draw[:, 1] * ranges.xfrac * size[0])


_INVERSES: dict[str, Callable[[Tensor, Size, Ranges], Tensor]] = {
    "xflip": _mirror,
    "rotate90": _quarter,
    "xint": _whole,
    "scale": _size,
    "rotate_before": _rotation,
    "aniso": _stretch,
    "rotate_after": _rotation,
    "xfrac": _fraction,
}
"""Step → matrix from its draws, in the order in which pictures go through them."""


def inverse_of(drawn: Mapping[str, Tensor], size: Size, ranges: Ranges) -> Tensor | None:
    """Return matrices ``(n, 3, 3)`` from the result's pixels to the picture's; None where nothing moves.

    Args:
        drawn: ``(n, numbers)`` for each step that is taken, by name; see ``ada_steps``.
        size: Height and width.
        ranges: How far steps go.
    """
    total: Tensor | None = None
    for name, inverse in _INVERSES.items():
        if name in drawn:
            step = inverse(drawn[name].double().cpu(), size, ranges)
            total = step if total is None else total @ step
    return total
