"""Fields on planes: a feature for every pair of coordinates, multiplied; the torch reference.

Fridovich-Keil et al., "K-Planes", 2023, sections 3.1-3.2. With three coordinates these are three planes of
space; a fourth, time, adds three planes of space against time, which at value 1 leave a place as it is at
all times.

A level's planes are in the order of ``plane_pairs``; plane ``(i, j)`` is ``(1, features, resolution j,
resolution i)``: coordinate i runs along the last axis, and in planes of time, time along the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "draw_planes",
    "plane_features",
    "plane_pairs",
    "second_difference",
    "time_deviation",
    "time_smoothness",
    "total_variation",
    "variation",
]

Planes = Sequence[Tensor]
_SPACE = 3


def plane_pairs(dimensions: int) -> list[tuple[int, int]]:
    """Return the pairs of coordinates, in order."""
    return list(combinations(range(dimensions), 2))


def draw_planes(
    resolution: Sequence[int], features: int, scales: Sequence[int], draws: torch.Generator
) -> list[list[Tensor]]:
    """Return fresh planes of every level: space uniform in 0.1-0.5, time 1.

    Args:
        resolution: Points along each coordinate (3 or 4 of them).
        features: Channels.
        scales: Factor of each level on the three resolutions of space; time keeps its own.
        draws: CPU generator.
    """
    levels = []
    for scale in scales:
        sizes = [size * scale for size in resolution[:_SPACE]] + list(resolution[_SPACE:])
        level = []
        for i, j in plane_pairs(len(sizes)):
            shape = (1, features, sizes[j], sizes[i])
            drawn = 0.1 + 0.4 * torch.rand(shape, generator=draws)
            level.append(torch.ones(shape) if j == _SPACE else drawn)
        levels.append(level)
    return levels


def plane_features(
    points: Float[Tensor, "n d"], levels: Sequence[Planes], *, concatenate: bool
) -> Float[Tensor, "n wide"]:
    """Return the features of points.

    Args:
        points: Coordinates -1 to 1, corner points at both ends; beyond, the border's values hold.
        levels: Planes by level.
        concatenate: Levels side by side, else added.
    """
    found = []
    for planes in levels:
        product: Tensor | None = None
        for pair, plane in zip(plane_pairs(points.shape[1]), planes, strict=True):
            values = F.grid_sample(
                plane,
                points[None, :, None, list(pair)],
                mode="bilinear",
                padding_mode="border",
                align_corners=True,
            )[0, :, :, 0].T
            product = values if product is None else product * values
        assert product is not None
        found.append(product)
    return torch.cat(found, dim=1) if concatenate else torch.stack(found).sum(0)


def variation(plane: Float[Tensor, "1 c h w"]) -> Float[Tensor, ""]:
    """Return twice the mean squared difference of neighbours, down plus across."""
    down = (plane[:, :, 1:] - plane[:, :, :-1]).square().mean()
    across = (plane[..., 1:] - plane[..., :-1]).square().mean()
    return 2 * (down + across)


def second_difference(plane: Float[Tensor, "1 c h w"]) -> Float[Tensor, ""]:
    """Return the mean squared second difference down the rows: along time, in a plane of time."""
    return (plane[:, :, 2:] - 2 * plane[:, :, 1:-1] + plane[:, :, :-2]).square().mean()


def total_variation(levels: Sequence[Planes]) -> Float[Tensor, ""]:
    """Return the variation of all planes of all levels; those of space count twice, as in the reference."""
    total = levels[0][0].new_zeros(())
    for planes in levels:
        for plane, timed in zip(planes, _timed(len(planes)), strict=True):
            total = total + (1 if timed else 2) * variation(plane)
    return total


def time_smoothness(levels: Sequence[Planes]) -> Float[Tensor, ""]:
    """Return the second differences along time of all planes of time; 0 without time."""
    return _over_time(levels, second_difference)


def time_deviation(levels: Sequence[Planes]) -> Float[Tensor, ""]:
    """Return the mean distance of the planes of time from 1: how much moves."""
    return _over_time(levels, lambda plane: (1 - plane).abs().mean())


def _over_time(levels: Sequence[Planes], measure: Callable[[Tensor], Tensor]) -> Tensor:
    total = levels[0][0].new_zeros(())
    for planes in levels:
        for plane, timed in zip(planes, _timed(len(planes)), strict=True):
            if timed:
                total = total + measure(plane)
    return total


def _timed(planes: int) -> list[bool]:
    dimensions = _SPACE if planes == len(plane_pairs(_SPACE)) else _SPACE + 1
    return [j == _SPACE for _, j in plane_pairs(dimensions)]
