"""Kernels that look up the nested grids of the ground: height, slope, and the first meeting with a ray.

Height is bilinear between the points of the finest grid that holds a place; grids are stitched when they are
baked (`ground_bake`), so that the surface has no gaps. A ray walks from block to block (8 x 8 cells): over a
block whose peak it stays above in one stride, else in steps that the block's steepest slope allows, which
never passes through what it should meet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dreamplate.compiled import scalar

__all__ = ["ground_height", "ground_hit", "ground_shadow", "ground_slope", "level_of"]

BLOCK = 8
"""Cells along a side of a block."""


@scalar
def level_of(x: Any, z: Any, margin: Any, g: Any) -> Any:
    """Return the finest level that holds a place and ``margin`` cells around it; if none: their number."""
    far = max(abs(x), abs(z))
    cell = g.cell
    half = g.heights.shape[1] // 2 - margin
    level = 0
    levels = g.heights.shape[0]
    while level < levels and far >= half * cell:
        cell *= 2.0
        level += 1
    return level


@scalar
def _bilinear(x: Any, z: Any, cell: Any, grid: Any) -> Any:
    half = grid.shape[0] // 2
    u = x / cell + half
    v = z / cell + half
    i = int(u)
    j = int(v)
    u -= i
    v -= j
    a = float(grid[j, i])
    c = float(grid[j + 1, i])
    low = a + u * (float(grid[j, i + 1]) - a)
    return low + v * (c + u * (float(grid[j + 1, i + 1]) - c) - low)


@scalar
def ground_height(x: Any, z: Any, g: Any) -> Any:
    """Return the height of the ground at a place, as rays meet it."""
    level = level_of(x, z, 0, g)
    if level >= g.heights.shape[0]:
        return g.outer
    return _bilinear(x, z, g.cell * (1 << level), g.heights[level])


@scalar
def ground_slope(x: Any, z: Any, g: Any) -> Any:
    """Return how height grows along x and z: differences across the points around, bilinear between them."""
    level = level_of(x, z, 2, g)
    if level >= g.heights.shape[0]:
        return 0.0, 0.0
    grid = g.heights[level]
    cell = g.cell * (1 << level)
    half = grid.shape[0] // 2
    u = x / cell + half
    v = z / cell + half
    i = int(u)
    j = int(v)
    u -= i
    v -= j
    right = 0.0
    up = 0.0
    for row in range(2):
        for column in range(2):
            share = (u if column else 1.0 - u) * (v if row else 1.0 - v)
            r = j + row
            c = i + column
            right += share * (float(grid[r, c + 1]) - float(grid[r, c - 1]))
            up += share * (float(grid[r + 1, c]) - float(grid[r - 1, c]))
    return right / (2.0 * cell), up / (2.0 * cell)


@scalar
def _leave(ox: Any, oz: Any, ix: Any, iz: Any, px: Any, pz: Any, side: Any, origin: Any) -> Any:
    """Return the t at which a ray leaves the square of a lattice that holds (px, pz)."""
    i = math.floor((px - origin) / side)
    j = math.floor((pz - origin) / side)
    edge_x = origin + (i + (1.0 if ix > 0.0 else 0.0)) * side
    edge_z = origin + (j + (1.0 if iz > 0.0 else 0.0)) * side
    return min((edge_x - ox) * ix, (edge_z - oz) * iz)


@scalar
def _refine(
    ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any, t0: Any, f0: Any, t1: Any, f1: Any, g: Any
) -> Any:
    """Return where a ray enters the ground between t0 (above) and t1 (below): regula falsi, Illinois."""
    t = t1
    for _ in range(8):
        t = t0 + (t1 - t0) * f0 / (f0 - f1)
        f = oy + t * dy - ground_height(ox + t * dx, oz + t * dz, g)
        if abs(f) < 1e-4 + 2e-7 * t:
            break
        if f > 0.0:
            t0 = t
            f0 = f
            f1 *= 0.5
        else:
            t1 = t
            f1 = f
            f0 *= 0.5
    return t


@scalar
def _inverse(d: Any) -> Any:
    return 1.0 / d if abs(d) > 1e-12 else (1e12 if d >= 0.0 else -1e12)


@scalar
def ground_hit(ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any, t_min: Any, t_max: Any, g: Any) -> Any:
    """Return the t at which a ray first meets the ground; inf if it does not between ``t_min`` and ``t_max``.

    Args:
        ox: Origin of the ray.
        oy: Likewise.
        oz: Likewise.
        dx: Its direction, a unit vector.
        dy: Likewise.
        dz: Likewise.
        t_min: Metres from which to look; a ray that is below the ground there meets it there.
        t_max: Metres up to which to look.
        g: The ground (`GroundData`).
    """
    levels = g.heights.shape[0]
    half = g.heights.shape[1] // 2
    ix = _inverse(dx)
    iz = _inverse(dz)
    flat = (dx * dx + dz * dz) ** 0.5
    t = t_min
    px = ox + t * dx
    pz = oz + t * dz
    py = oy + t * dy
    last_t = t
    last_f = py - ground_height(px, pz, g)
    if last_f <= 0.0:
        return t if t < t_max else np.inf
    while t < t_max:
        px = ox + t * dx
        pz = oz + t * dz
        py = oy + t * dy
        level = level_of(px, pz, 0, g)
        if level >= levels:
            break
        if dy >= 0.0 and py > g.top:
            return np.inf
        cell = g.cell * (1 << level)
        side = BLOCK * cell
        origin = -half * cell
        i = min(max(int((px - origin) / side), 0), g.blocks.shape[2] - 1)
        j = min(max(int((pz - origin) / side), 0), g.blocks.shape[1] - 1)
        leave = max(_leave(ox, oz, ix, iz, px, pz, side, origin), t) + 1e-3 * cell
        peak = float(g.blocks[level, j, i])
        end_y = oy + leave * dy
        if min(py, end_y) > peak:
            t = leave
            last_t = t
            last_f = 1e30
            continue
        rate = float(g.blocks[levels + level, j, i]) * flat - dy
        grid = g.heights[level]
        met = False
        if last_f > 1e29:
            last_t = t
            last_f = py - _bilinear(px, pz, cell, grid)
            if last_f <= 0.0:
                return t if t < t_max else np.inf
        while True:
            t = leave if rate <= 0.0 else min(last_t + max(last_f / rate, 0.3 * cell), leave)
            f = oy + t * dy - ground_height(ox + t * dx, oz + t * dz, g)
            if f <= 0.0:
                met = True
                break
            last_t = t
            last_f = f
            if t >= leave:
                break
        if met:
            t = _refine(ox, oy, oz, dx, dy, dz, last_t, last_f, t, f, g)
            return t if t < t_max else np.inf
    if t >= t_max or dy >= 0.0:
        return np.inf
    t = max((g.outer - oy) / dy, t)
    return t if t < t_max else np.inf


@scalar
def ground_shadow(ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any, t_max: Any, g: Any) -> Any:
    """Return how much of a light in direction (dx, dy, dz) is seen over the ground, 0 to 1, with soft edges.

    The light is a disc of about 1.4 degrees across; the nearest miss of the ray decides.
    """
    levels = g.heights.shape[0]
    half = g.heights.shape[1] // 2
    soft = 0.024
    ix = _inverse(dx)
    iz = _inverse(dz)
    flat = (dx * dx + dz * dz) ** 0.5
    level = level_of(ox, oz, 0, g)
    if level >= levels:
        return 1.0
    bias = 0.4 * g.cell * (1 << level)
    t = bias
    oy += 0.06 * bias
    seen = 1.0
    steps = 0
    while t < t_max and steps < 160:
        steps += 1
        px = ox + t * dx
        pz = oz + t * dz
        py = oy + t * dy
        level = level_of(px, pz, 0, g)
        if level >= levels or (dy >= 0.0 and py - soft * t > g.top):
            break
        cell = g.cell * (1 << level)
        side = BLOCK * cell
        origin = -half * cell
        i = min(max(int((px - origin) / side), 0), g.blocks.shape[2] - 1)
        j = min(max(int((pz - origin) / side), 0), g.blocks.shape[1] - 1)
        peak = float(g.blocks[level, j, i])
        leave = max(_leave(ox, oz, ix, iz, px, pz, side, origin), t) + 1e-3 * cell
        low = min(py, oy + leave * dy)
        if low > peak + soft * leave:
            t = leave
            continue
        f = py - _bilinear(px, pz, cell, g.heights[level])
        seen = min(seen, 0.5 + f / (soft * t))
        if seen <= 0.0:
            return 0.0
        rate = float(g.blocks[levels + level, j, i]) * flat - dy + soft
        stride = leave - t
        if rate > 0.0:
            stride = min(stride, max(f / rate, (0.45 + 0.01 * steps) * cell))
        t += stride
    seen = min(max(seen, 0.0), 1.0)
    return seen * seen * (3.0 - 2.0 * seen)
