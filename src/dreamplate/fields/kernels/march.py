"""Kernel of marching: the steps along a ray that lie in occupied cells of nested grids.

One item is one ray, walked twice: counted, then written. Space is the cube -1..1 at level 0 and twice as
wide at each further level; every level has as many cells, a bit each, in Morton order. (Müller et al.,
2022, appendix E.)

Steps stand at the same places whether cells between them are empty or not, so skipping changes nothing
that is seen: a ray's samples are a subset of its even steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["march_ray", "march_rays"]


@scalar
def _spread(value: Any) -> Any:
    value = (value | value << 16) & 0x030000FF
    value = (value | value << 8) & 0x0300F00F
    value = (value | value << 4) & 0x030C30C3
    return (value | value << 2) & 0x09249249


def march_ray(
    ray: Any,
    fill: Any,
    origins: Any,
    directions: Any,
    nears: Any,
    fars: Any,
    jitter: Any,
    bits: Any,
    resolution: Any,
    levels: Any,
    least: Any,
    most: Any,
    cone: Any,
    limit: Any,
    offsets: Any,
    counts: Any,
    starts: Any,
    ends: Any,
) -> None:
    """Walk one ray.

    Args:
        ray: Number of the ray.
        fill: Write the samples, else count them.
        origins: ``(n, 3)`` in the space of the grid.
        directions: ``(n, 3)`` unit vectors.
        nears: ``(n,)`` where rays begin.
        fars: ``(n,)`` where they end; finite.
        jitter: ``(n,)`` share of a step, 0-1, by which the first step is shifted.
        bits: Occupied or not, eight cells a byte, level after level.
        resolution: Cells per axis, a power of two, at least 8.
        levels: How many nested grids.
        least: Shortest step.
        most: Longest step.
        cone: Length of a step per distance.
        limit: Most samples of a ray.
        offsets: ``(n + 1,)`` where to write (fill).
        counts: ``(n,)`` how many there are (not fill).
        starts: Where each sample begins (fill).
        ends: Where it ends (fill).
    """
    zero = np.float32(0)
    half = np.float32(0.5)
    one = np.float32(1)
    two = np.float32(2)
    slack = np.float32(1e-5)
    ox = origins[ray, 0]
    oy = origins[ray, 1]
    oz = origins[ray, 2]
    dx = directions[ray, 0]
    dy = directions[ray, 1]
    dz = directions[ray, 2]
    far = fars[ray]
    t = nears[ray]
    t += jitter[ray] * min(max(t * cone, least), most)
    found = 0
    place = offsets[ray] if fill else 0
    while t < far and found < limit:
        step = min(max(t * cone, least), most)
        end = min(t + step, far)
        middle = (t + end) * half
        px = ox + middle * dx
        py = oy + middle * dy
        pz = oz + middle * dz
        reach = max(abs(px), abs(py), abs(pz))
        wide = one
        level = 0
        cell = two / np.float32(resolution)
        while level < levels and (reach >= wide or (cell < step and level + 1 < levels)):
            level += 1
            wide = wide * two
            cell = cell * two
        if level == levels:
            t = t + step
            continue
        ix = min(max(np.int64((px + wide) / cell), 0), resolution - 1)
        iy = min(max(np.int64((py + wide) / cell), 0), resolution - 1)
        iz = min(max(np.int64((pz + wide) / cell), 0), resolution - 1)
        code = _spread(ix) | _spread(iy) << 1 | _spread(iz) << 2
        code += level * resolution * resolution * resolution
        eight = np.int64(bits[code >> 3])
        if (eight >> (code & 7)) & 1:
            if fill:
                starts[place + found] = t
                ends[place + found] = end
            found += 1
            t = t + step
            continue
        side = cell  # of what is empty: the cell, or all eight cells of the byte
        if eight == 0:
            side = cell * two
            ix = ix >> 1
            iy = iy >> 1
            iz = iz >> 1
        leave = far
        if abs(dx) > slack:
            leave = min(leave, (np.float32(ix) * side + (side if dx > zero else zero) - wide - ox) / dx)
        if abs(dy) > slack:
            leave = min(leave, (np.float32(iy) * side + (side if dy > zero else zero) - wide - oy) / dy)
        if abs(dz) > slack:
            leave = min(leave, (np.float32(iz) * side + (side if dz > zero else zero) - wide - oz) / dz)
        leave = leave - slack * (one + abs(leave))  # steps near the border are looked at one by one
        t = t + step
        step = min(max(t * cone, least), most)
        while t + step < leave and (step <= cell or level + 1 == levels):
            t = t + step
            step = min(max(t * cone, least), most)
    if not fill:
        counts[ray] = found


_march = scalar(march_ray)


@parallel
def march_rays(
    count: Any,
    fill: Any,
    origins: Any,
    directions: Any,
    nears: Any,
    fars: Any,
    jitter: Any,
    bits: Any,
    resolution: Any,
    levels: Any,
    least: Any,
    most: Any,
    cone: Any,
    limit: Any,
    offsets: Any,
    counts: Any,
    starts: Any,
    ends: Any,
) -> None:
    """Loop of ``march_ray``."""
    for ray in prange(count):
        _march(
            ray,
            fill,
            origins,
            directions,
            nears,
            fars,
            jitter,
            bits,
            resolution,
            levels,
            least,
            most,
            cone,
            limit,
            offsets,
            counts,
            starts,
            ends,
        )
