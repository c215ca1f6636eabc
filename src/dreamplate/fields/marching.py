"""Marching rays through occupied space: packed intervals, the same at every run and on any number of threads.

``march`` runs the kernel of ``kernels/march.py`` on the CPU and on CUDA; elsewhere, and as oracle in the
tests, its twin ``march_twin`` looks at every step of every ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from dreamplate.fields.morton import morton_codes

__all__ = ["Marched", "Stride", "march", "march_twin"]


@dataclass(frozen=True)
class Stride:
    """How long steps are.

    Attributes:
        least: Shortest step, and the only one where ``cone`` is 0.
        cone: Length of a step per distance from the ray's origin.
        most: Longest step.
        limit: Most samples of a ray.
    """

    least: float
    cone: float = 0.0
    most: float = float("inf")
    limit: int = 4096


@dataclass(frozen=True)
class Marched:
    """Intervals along rays, packed: ``offsets`` ``(n + 1,)`` int64, ``starts`` and ``ends`` ``(m,)``."""

    offsets: Tensor
    starts: Tensor
    ends: Tensor


def march(
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    nears: Float[Tensor, " n"],
    fars: Float[Tensor, " n"],
    bits: UInt8[Tensor, "levels bytes"],
    stride: Stride,
    jitter: Float[Tensor, " n"] | None = None,
) -> Marched:
    """Return the steps whose middles lie in occupied cells.

    Args:
        origins: In the space of the grid: the cube -1..1 at level 0, twice as wide at each further one.
        directions: Unit vectors.
        nears: Where rays begin.
        fars: Where they end, at the latest where they leave the grid.
        bits: Occupied or not, eight cells a byte, Morton order, by level; cells per axis are a power of two,
            at least 8.
        stride: Lengths of steps.
        jitter: Share of a step by which each ray's first one is shifted; 0 when None.
    """
    if origins.device.type not in ("cpu", "cuda"):
        return march_twin(origins, directions, nears, fars, bits, stride, jitter)
    from dreamplate.fields.kernels.launch import arrays, gpu_launch
    from dreamplate.fields.kernels.march import march_ray, march_rays

    count = len(origins)
    fars = _leaving(origins, directions, fars, len(bits))
    shift = torch.zeros_like(nears) if jitter is None else jitter
    rays = [value.detach().contiguous() for value in (origins, directions, nears, fars, shift)]
    given = [
        *arrays(*rays, bits.contiguous().flatten()),
        _side(bits),
        len(bits),
        np.float32(stride.least),
        np.float32(min(stride.most, 1e30)),
        np.float32(stride.cone),
        stride.limit,
    ]
    counts = torch.zeros(count, dtype=torch.int64, device=origins.device)
    offsets = torch.zeros(count + 1, dtype=torch.int64, device=origins.device)
    starts = ends = origins.new_empty(0)
    for fill in (False, True):
        if fill:
            torch.cumsum(counts, 0, out=offsets[1:])
            total = int(offsets[-1])
            starts, ends = origins.new_empty(total), origins.new_empty(total)
        more = arrays(offsets, counts, starts, ends)
        if origins.device.type == "cpu":
            march_rays(count, fill, *given, *more)
        else:
            gpu_launch(march_ray, count, fill, *given, *more)
    return Marched(offsets, starts, ends)


def march_twin(
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    nears: Float[Tensor, " n"],
    fars: Float[Tensor, " n"],
    bits: UInt8[Tensor, "levels bytes"],
    stride: Stride,
    jitter: Float[Tensor, " n"] | None = None,
) -> Marched:
    """Do what ``march`` does by looking at all steps of all rays, in plain torch."""

    def step_at(t: Tensor) -> Tensor:
        return (t * stride.cone).clamp(stride.least, max(stride.most, stride.least))

    fars = _leaving(origins, directions, fars, len(bits))
    t = nears + (0 if jitter is None else jitter) * step_at(nears)
    held, starts, ends = [], [], []
    while bool((t < fars).any()):
        step = step_at(t)
        end = torch.minimum(t + step, fars)
        middle = (t + end) * 0.5
        inside = occupied(origins + middle[:, None] * directions, bits, step)
        held.append(inside & (t < fars))
        starts.append(t)
        ends.append(end)
        t = t + step
    if not held:
        empty = origins.new_empty(0)
        return Marched(torch.zeros(len(origins) + 1, dtype=torch.int64, device=origins.device), empty, empty)
    kept = torch.stack(held, 1)
    kept = kept & (kept.cumsum(1) <= stride.limit)
    offsets = torch.cat([kept.new_zeros(1, dtype=torch.int64), kept.sum(1).cumsum(0)])
    return Marched(offsets, torch.stack(starts, 1)[kept], torch.stack(ends, 1)[kept])


def occupied(
    points: Float[Tensor, "n 3"], bits: UInt8[Tensor, "levels bytes"], step: Float[Tensor, " n"]
) -> Tensor:
    """Return whether the cells that points lie in are occupied.

    Looked up at the finest level that reaches a point and whose
    cells are no smaller than the step; False outside all levels.
    """
    levels, side = len(bits), _side(bits)
    reach = points.abs().amax(1)
    level = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for lower in range(levels):
        wide, cell = 2.0**lower, 2.0 * 2**lower / side
        level[(level == lower) & ((reach >= wide) | ((cell < step) & (lower + 1 < levels)))] += 1
    inside = level < levels
    level = level.clamp_max(levels - 1)
    size = (2.0**level)[:, None]
    cells = ((points + size) / (2 * size / side)).long().clamp(0, side - 1)
    codes = morton_codes(cells)
    return inside & ((bits[level, codes >> 3] >> (codes & 7)) & 1).bool()


def _leaving(origins: Tensor, directions: Tensor, fars: Tensor, levels: int) -> Tensor:
    """Return where rays end or leave the outermost cube, whichever comes first."""
    wide = torch.where(directions < 0, -(2.0 ** (levels - 1)), 2.0 ** (levels - 1))
    safe = torch.where(directions.abs() < 1e-9, 1e-9, directions.abs())
    leave = ((wide - origins) * directions.sign() / safe).masked_fill(directions == 0, torch.inf).amin(1)
    return torch.minimum(fars, leave)


def _side(bits: Tensor) -> int:
    """Return cells per axis of a bit field."""
    side: int = round((bits.shape[1] * 8) ** (1 / 3))
    return side
