"""Signed distances of houses, barns and churches: ``(distance, part)`` of a point in the shape's own axes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.shapes import block, nearest_of, pick, ridge, span
from dreamplate.scenes.world.kernels.shapes_numbers import (
    DARK,
    GLASS,
    METAL,
    PAINT,
    ROOF,
    SLATE,
    STONE,
    STRIPE,
    TRIM,
    WALL,
    WOOD,
)

__all__ = ["barn", "chimney_of", "church", "house"]


@scalar
def house_sizes(seed: Any) -> Any:
    """Return a house's half width, half depth, height of its walls, slope and top of its roof."""
    a = 4.2 + 0.4 * ((seed >> 4) & 3)
    b = 3.4 + 0.25 * ((seed >> 6) & 3)
    h = 5.4 if (seed & 3) == 0 else 2.9
    slope = 0.8 + 0.1 * ((seed >> 8) & 3)
    return a, b, h, slope, h + slope * b + 0.15


@scalar
def chimney_of(seed: Any) -> Any:
    """Return where the smoke of a house leaves it: x, y, z."""
    a, _, _, _, top = house_sizes(seed)
    side = 1.0 if (seed >> 11) & 1 else -1.0
    return side * (a - 1.5), top + 0.75, 0.8


@scalar
def house(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A house of one or two storeys: gabled or hipped roof, chimney, door, windows, perhaps a wing."""
    a, b, h, slope, top = house_sizes(seed)
    ax = abs(x)
    az = abs(z)
    away = max(ax - 6.6, az - 6.9, y - top - 1.2)
    if away > 1.0:
        return away, WALL
    hipped = (seed >> 2) & 3 == 1
    roof = ridge(az, y, top, slope)
    if hipped:
        roof = max(roof, ridge(max(ax - a + b, 0.0), y, top, slope))
    d = max(ax - a, az - b, -3.0 - y, roof + 0.12)
    part = WALL
    if y < 0.45:
        part = STONE
    # Windows: two cells along z, three along x, one or two up; the middle one of the front is the door.
    column = min(max(math.floor(x / 2.5 + 0.5), -1), 1)
    u = abs(x - 2.5 * column)
    floor = 0.0
    if h > 4.0:
        floor = min(max(math.floor((y - 1.6) / 2.5 + 0.5), 0.0), 1.0)
    v = y - 1.6 - 2.5 * floor
    door = column == 0 and z < 0.0 and floor == 0.0
    if door:
        hole = max(u - 0.55, abs(y - 1.0) - 1.1)
        pane = max(hole, az - b + 0.12)
        frame = hole
    else:
        hole = max(u - 0.52, abs(v) - 0.66)
        pane = max(hole, az - b + 0.14)
        frame = hole
    d = max(d, -max(hole, b - 0.2 - az))
    if frame < 0.1 and az > ax - a + b:
        part = TRIM
    elif (seed >> 12) & 1 and not door and az > ax - a + b and abs(v) < 0.68 and u < 1.05:
        part = STRIPE
    glass = GLASS
    if door:
        glass = PAINT
    elif u < 0.045 or abs(v - 0.1) < 0.045:
        glass = TRIM
    d, part = pick(d, part, pane, glass)
    w = abs(az - 1.6)
    hole = max(w - 0.5, abs(v) - 0.66)
    d = max(d, -max(hole, a - 0.2 - ax))
    if hole < 0.1 and ax - a > az - b and part == WALL:
        part = TRIM
    glass = GLASS
    if w < 0.045 or abs(v - 0.1) < 0.045:
        glass = TRIM
    d, part = pick(d, part, max(hole, ax - a + 0.14), glass)
    tiles = max(roof, -roof - 0.2, az - b - 0.5, ax - a - (0.5 if hipped else 0.35))
    d, part = pick(d, part, tiles, ROOF)
    if (seed >> 9) & 1:
        d, part = _wing(d, part, x, y, z, seed, b, h)
    cx, cy, cz = chimney_of(seed)
    chimney = max(abs(x - cx) - 0.38, abs(z - cz) - 0.34, y - cy, h - y)
    d, part = pick(d, part, chimney, STONE)
    d, part = pick(d, part, max(abs(x - cx) - 0.48, abs(z - cz) - 0.44, abs(y - cy + 0.2) - 0.1), STONE)
    step = max(ax - 1.0, abs(z + b + 0.4) - 0.5, y - 0.12, -1.0 - y)
    return pick(d, part, step, STONE)


@scalar
def _wing(d: Any, part: Any, x: Any, y: Any, z: Any, seed: Any, b: Any, h: Any) -> Any:
    """A gabled wing towards the front."""
    x -= 2.5 if (seed >> 10) & 1 else -2.5
    ax = abs(x)
    front = -z - b - 1.6
    roof = ridge(ax, y, h + 1.0 * 1.75 + 0.1, 1.0)
    wall = max(ax - 1.75, front, z, -3.0 - y, roof + 0.12)
    own = STONE if y < 0.45 else WALL
    floor = 0.0
    if h > 4.0:
        floor = min(max(math.floor((y - 1.6) / 2.5 + 0.5), 0.0), 1.0)
    v = y - 1.6 - 2.5 * floor
    hole = max(ax - 0.75, abs(v) - 0.68)
    wall = max(wall, -max(hole, -front - 0.2))
    if hole < 0.1 and front > -0.25:
        own = TRIM
    d, part = pick(d, part, wall, own)
    bar = ax < 0.045 or abs(ax - 0.4) < 0.03 or abs(v - 0.1) < 0.045
    d, part = pick(d, part, max(hole, front + 0.14, z), TRIM if bar else GLASS)
    tiles = max(roof, -roof - 0.2, ax - 2.15, front - 0.35, z - 0.3)
    return pick(d, part, tiles, ROOF)


@scalar
def barn(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A barn with a gambrel roof and a large door in its front gable; some have a silo."""
    ax = abs(x)
    d = max(ax - 8.6, abs(z) - 8.0, y - 10.6)
    if d > 1.0:
        return d, WALL
    steep = ridge(ax - 5.0, y, 4.3, 1.7)
    flat = ridge(ax, y, 8.2, 0.5)
    roof = max(steep, flat)
    d = max(ax - 4.8, abs(z) - 6.8, -3.0 - y, roof + 0.15)
    part = WALL
    front = -z - 6.8
    if front > -0.3:
        gate = max(ax - 1.7, y - 3.3)
        loft = max(ax - 0.7, abs(y - 5.6) - 0.8)
        edge = min(gate, loft)
        cross = abs(abs(y - 1.7) - ax) < 0.16 or ax < 0.08
        if edge < -0.02:
            part = TRIM if (edge > -0.2 or (gate < 0.0 and cross)) else PAINT
        elif abs(ax - 4.72) < 0.12:
            part = TRIM
    elif abs(ax - 4.8) < 0.2 and abs(y - 1.9) < 0.55:
        w = abs(nearest_of(z, 3.2, -1.0, 1.0))
        if w < 0.6:
            part = GLASS if w < 0.5 and abs(y - 1.9) < 0.45 and w > 0.04 else TRIM
    d, part = pick(d, part, max(roof, -roof - 0.22, abs(z) - 7.2, 3.9 - y), ROOF)
    if seed & 1:
        rho = math.sqrt((x - 6.6) * (x - 6.6) + (z - 3.0) * (z - 3.0))
        d, part = pick(d, part, max(rho - 1.7, y - 8.4, -3.0 - y), METAL)
        dome = math.sqrt(rho * rho + (y - 8.4) * (y - 8.4)) - 1.72
        d, part = pick(d, part, max(dome, 8.2 - y), SLATE)
    return d, part


@scalar
def church(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A church: nave, choir, and a tower with a spire and a cross above its front."""
    ax = abs(x)
    d = max(ax - 5.4, abs(z) - 12.5, y - 27.6)
    if d > 1.0:
        return d, WALL
    roof = ridge(ax, y, 10.6, 1.15)
    d = max(ax - 4.0, span(z, -6.0, 9.0), -3.0 - y, roof + 0.12)
    rho = math.sqrt(x * x + (z - 9.0) * (z - 9.0))
    d = min(d, max(rho - 3.0, 8.0 - z, y - 5.0, -3.0 - y))
    part = WALL
    w = abs(nearest_of(z - 1.5, 3.4, -2.0, 2.0))
    rise = max(y - 3.6, 0.0)
    arch = max(math.sqrt(w * w + rise * rise) - 0.5, 1.5 - y)
    d = max(d, -max(arch, 3.8 - ax))
    if arch < 0.14 and span(z, -6.0, 9.0) < -0.3:
        part = TRIM
    bar = w < 0.05 or abs(y - 2.6) < 0.04
    d, part = pick(d, part, max(arch, ax - 3.84, abs(z - 1.5) - 7.3), TRIM if bar else GLASS)
    tiles = max(roof, -roof - 0.22, ax - 4.5, span(z, -6.0, 9.35))
    d, part = pick(d, part, tiles, ROOF)
    apse = (y - 7.6 + 0.8 * rho) / 1.2806
    d, part = pick(d, part, max(apse, rho - 3.3, 7.0 - z, 4.8 - y), ROOF)
    # The tower and its spire.
    tz = z + 8.0
    az = abs(tz)
    wide = max(ax, az)
    height = 15.0 + 1.0 * (seed & 1)
    tower = max(wide - 2.6, y - height, -3.0 - y)
    own = TRIM if (abs(y - height + 0.2) < 0.2 or abs(y - 9.5) < 0.12) else WALL
    u = min(ax, az)
    rise = max(y - height + 2.3, 0.0)
    bell = max(math.sqrt(u * u + rise * rise) - 0.75, height - 4.4 - y)
    tower = max(tower, -max(bell, 2.1 - wide))
    if bell < 0.0:
        own = DARK
    rise = max(y - 2.1, 0.0)
    gate = math.sqrt(x * x + rise * rise) - 0.95
    if tz < -2.4:
        if gate < 0.0:
            own = WOOD
        elif gate < 0.28:
            own = TRIM
        else:
            rose = math.sqrt(x * x + (y - 6.8) * (y - 6.8))
            if rose < 1.0:
                own = GLASS if rose < 0.85 and rose > 0.15 else TRIM
    d, part = pick(d, part, tower, own)
    spire = (y - height - 9.0 + 3.15 * wide) / 3.305
    d, part = pick(d, part, max(spire, height - y), SLATE if (seed >> 1) & 1 else ROOF)
    cross = min(
        block(x, y - height - 9.5, tz, 0.07, 0.9, 0.07), block(x, y - height - 9.8, tz, 0.42, 0.07, 0.07)
    )
    return pick(d, part, cross, METAL)
