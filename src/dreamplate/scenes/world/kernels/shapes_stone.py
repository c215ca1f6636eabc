"""Signed distances of castles, towers, lighthouses and pyramids: ``(distance, part)`` in the shape's axes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import noise2
from dreamplate.scenes.world.kernels.shapes import bound, cone, nearest_of, pick, ridge, span
from dreamplate.scenes.world.kernels.shapes_numbers import (
    DARK,
    GLASS,
    GLOW,
    METAL,
    ROOF,
    SAND,
    STONE,
    STRIPE,
    TRIM,
    WALL,
    WOOD,
)

__all__ = ["castle", "lighthouse", "pyramid", "tower"]


@scalar
def _crown(rho: Any, x: Any, y: Any, z: Any, radius: Any, top: Any, merlons: Any) -> Any:
    """A round tower's upper end: a wider ring with merlons on it, hollow above."""
    ring = max(rho - radius, top - 1.9 - y, y - top - 0.9)
    if ring > 0.8:
        return ring
    turn = math.atan2(z, x) * merlons / (2.0 * math.pi)
    turn -= math.floor(turn + 0.5)
    gap = (0.25 - abs(turn)) * 2.0 * math.pi * radius / merlons * 0.7
    # Above `top` stand only merlons; inside lies a floor below it.
    hollow = max(rho - radius + 0.55, top - 0.7 - y)
    return max(ring, -hollow, min(gap, y - top))


@scalar
def _spike(rho: Any, y: Any, radius: Any, low: Any, height: Any) -> Any:
    """A pointed round roof."""
    slope = height / radius
    return max((y - low - height + slope * rho) / math.sqrt(1.0 + slope * slope), low - y)


@scalar
def _slit(u: Any, y: Any, top: Any) -> Any:
    """Return whether a point of a tower's face, u beside its middle, is in a window."""
    v = nearest_of(y - 4.0, 4.2, 0.0, 5.0)
    return abs(u) < 0.32 and abs(v) < 0.8 and y < top - 2.6


@scalar
def castle(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A castle: curtain wall with battlements, towers at its corners, a gate in front, a keep inside."""
    ax = abs(x)
    az = abs(z)
    d = max(max(ax, az) - 26.9, y - 38.5)
    if d > 2.0:
        return d, STONE
    part = STONE
    wide = max(ax, az)
    along = min(ax, az)
    d = max(abs(wide - 22.0) - 1.2, y - 8.6, -9.5 - y)
    gap = max(abs(nearest_of(along, 2.4, -20.0, 20.0)) - 0.55, 9.4 - y)
    d = min(d, max(abs(wide - 23.0) - 0.4, y - 10.4, 8.0 - y, -gap))
    # Towers at the corners.
    cx = ax - 22.0
    cz = az - 22.0
    corner = (1 if x > 0.0 else 0) + (2 if z > 0.0 else 0)
    bits = seed >> (2 * corner)
    radius = 3.7 + 0.5 * (bits & 1)
    top = 13.0 + 2.5 * ((bits >> 1) & 1)
    pointed = (seed >> 8) & 3 != 0
    rho = max(abs(cx), abs(cz)) if (seed >> 10) & 3 == 3 else math.sqrt(cx * cx + cz * cz)
    other = bound(rho, y, radius, -9.5, top)
    own = STONE
    if _slit(min(abs(cx), abs(cz)), y, top):
        own = GLASS
    d, part = pick(d, part, other, own)
    if pointed:
        d, part = pick(d, part, bound(rho, y, radius + 0.25, top - 0.8, top), TRIM)
        d, part = pick(d, part, _spike(rho, y, radius + 0.55, top, 6.8), ROOF)
    else:
        d, part = pick(d, part, _crown(rho, cx, y, cz, radius + 0.5, top + 0.6, 9.0), STONE)
    d, part = _gate(d, part, x, ax, y, z, seed)
    return _keep(d, part, x, y, z - 4.0, seed)


@scalar
def _gate(d: Any, part: Any, x: Any, ax: Any, y: Any, z: Any, seed: Any) -> Any:
    """Two towers and a block between them around an arched way through the front wall."""
    near = max(ax - 8.6, abs(z + 22.5) - 4.6, y - 19.0)
    if near > d:
        return d, part
    house = max(ax - 4.6, span(z, -24.6, -19.4), -9.5 - y, y - 11.0)
    rise = max(y - 3.0, 0.0)
    way = math.sqrt(x * x + rise * rise) - 2.1
    own = STONE
    if 0.0 < way < 0.6 and y > 0.0:
        own = TRIM
    d = max(d, -max(way, abs(z + 22.0) - 3.0, -0.3 - y))
    house = max(house, -max(way, -0.3 - y))
    gap = max(abs(nearest_of(x, 1.8, -3.0, 3.0)) - 0.4, 11.4 - y)
    house = min(house, max(abs(max(ax, abs(z + 22.0) + 2.0) - 4.3) - 0.3, y - 12.2, 10.0 - y, -gap))
    d, part = pick(d, part, house, own)
    d, part = pick(d, part, max(way + 0.02, abs(z + 21.6) - 0.15, -0.3 - y), WOOD)
    cx = ax - 5.6
    cz = z + 23.2
    rho = math.sqrt(cx * cx + cz * cz)
    own = GLASS if _slit(min(abs(cx), abs(cz)), y, 12.4) else STONE
    d, part = pick(d, part, bound(rho, y, 2.5, -9.5, 12.4), own)
    if (seed >> 8) & 3 != 0:
        return pick(d, part, _spike(rho, y, 2.95, 12.4, 5.6), ROOF)
    return pick(d, part, _crown(rho, cx, y, cz, 2.9, 13.2, 7.0), STONE)


@scalar
def _keep(d: Any, part: Any, x: Any, y: Any, z: Any, seed: Any) -> Any:
    """The keep: a square one with turrets and a steep roof, or a round one."""
    ax = abs(x)
    az = abs(z)
    near = max(ax, az) - 10.6
    if near > d:
        return d, part
    if (seed >> 12) & 1:
        rho = math.sqrt(x * x + z * z)
        own = GLASS if _slit(nearest_of(min(ax, az), 2.6, 0.0, 1.0), y, 21.0) else STONE
        d, part = pick(d, part, cone(rho, y, 8.2, 7.6, -9.5, 20.5), own)
        if (seed >> 8) & 3 != 0:
            d, part = pick(d, part, bound(rho, y, 8.0, 19.4, 20.5), TRIM)
            return pick(d, part, _spike(rho, y, 8.6, 20.5, 12.5), ROOF)
        return pick(d, part, _crown(rho, x, y, z, 8.3, 21.5, 17.0), STONE)
    wide = max(ax, az)
    along = min(ax, az)
    own = GLASS if _slit(nearest_of(along, 3.2, 0.0, 2.0), y, 20.0) else STONE
    d, part = pick(d, part, max(wide - 8.0, -9.5 - y, y - 19.0), own)
    gap = max(abs(nearest_of(along, 1.9, -9.0, 9.0)) - 0.45, 20.0 - y)
    d, part = pick(d, part, max(abs(wide - 8.1) - 0.4, y - 21.0, 18.4 - y, -gap), STONE)
    d, part = pick(d, part, max(ridge(wide, y, 27.0, 1.2), wide - 6.4, 18.0 - y), ROOF)
    cx = ax - 8.0
    cz = az - 8.0
    rho = math.sqrt(cx * cx + cz * cz)
    own = GLASS if _slit(min(abs(cx), abs(cz)), y, 23.5) else STONE
    d, part = pick(d, part, bound(rho, y, 1.9, -9.5, 23.5), own)
    return pick(d, part, _spike(rho, y, 2.35, 23.5, 6.0), ROOF)


@scalar
def tower(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A round tower of stone: with battlements, with a pointed roof, or a ruin."""
    rho = math.sqrt(x * x + z * z)
    style = seed & 3
    high = 26.0 if style == 2 else 18.5
    d = bound(rho, y, 5.5, -4.0, high)
    if d > 1.0:
        return d, STONE
    top = 14.0 + 0.6 * ((seed >> 2) & 3)
    own = STONE
    v = nearest_of(y - 4.2, 4.0, 0.0, 2.0)
    u = min(abs(x), abs(z))
    if u < 0.34 and abs(v) < 0.75:
        own = GLASS
    elif u < 0.5 and abs(v) < 0.95:
        own = TRIM
    rise = max(y - 1.6, 0.0)
    gate = math.sqrt(x * x + rise * rise) - 0.85
    if z < 0.0:
        if gate < 0.0:
            own = WOOD
        elif gate < 0.3:
            own = TRIM
        elif gate < 0.8 and own != STONE:
            own = STONE
    body = cone(rho, y, 4.5, 3.8, -4.0, top)
    if style == 3:
        hollow = max(rho - 2.9, 3.0 - y)
        edge = top - 5.5 + 2.6 * x / max(rho, 3.0) + 1.6 * noise2(x * 0.7, z * 0.7, seed)
        body = max(body, -hollow, (y - edge) * 0.42)
        return body * 0.84, (DARK if rho < 3.0 else own)
    d, part = body, own
    if style == 2:
        d, part = pick(d, part, bound(rho, y, 4.15, top - 0.8, top), TRIM)
        return pick(d, part, _spike(rho, y, 4.6, top, 8.0), ROOF)
    d, part = pick(d, part, cone(rho, y, 3.8, 4.7, top - 2.0, top - 1.0), TRIM)
    return pick(d, part, _crown(rho, x, y, z, 4.7, top + 0.8, 11.0), STONE)


@scalar
def lighthouse(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A lighthouse: a tapering striped tower, gallery, lantern and dome, and the keeper's hut beside it."""
    rho = math.sqrt(x * x + z * z)
    top = 18.5 + 1.0 * (seed & 1)
    d = cone(rho, y, 3.5, 2.1, -4.0, top)
    part = WALL
    if (seed >> 1) & 1:
        if math.floor(y / 3.9 + 100.0) % 2 == 1:
            part = STRIPE
    else:  # a stripe that winds up
        turn = math.atan2(z, x) / (2.0 * math.pi) + y / 8.5
        if turn - math.floor(turn) < 0.42:
            part = STRIPE
    v = nearest_of(y - 4.5, 5.0, 0.0, 2.0)
    if abs(x) < 0.32 and abs(v) < 0.6:
        part = GLASS
    if z < 0.0 and abs(x) < 0.6 and y < 2.1:
        part = WOOD
    d, part = pick(d, part, cone(rho, y, 4.3, 3.9, -4.0, 0.7), STONE)
    u = y - top
    d, part = pick(d, part, cone(rho, u, 2.2, 2.9, -0.7, 0.0), TRIM)
    d, part = pick(d, part, bound(rho, u, 3.05, 0.0, 0.25), METAL)
    rail = max(abs(rho - 2.9) - 0.04, min(abs(u - 1.2), abs(u - 0.75)) - 0.04)
    d, part = pick(d, part, rail, METAL)
    turn = nearest_of(math.atan2(z, x), math.pi / 6.0, -6.0, 6.0) * max(rho, 0.5)
    d, part = pick(d, part, max(abs(rho - 2.9) - 0.05, abs(turn) * 0.8 - 0.05, span(u, 0.0, 1.24)), METAL)
    pane = METAL if abs(turn) < 0.07 or abs(u - 1.6) < 0.05 else GLOW
    d, part = pick(d, part, bound(rho, u, 1.35, 0.0, 0.7), TRIM)
    d, part = pick(d, part, bound(rho, u, 1.3, 0.6, 2.6), pane)
    d, part = pick(d, part, bound(rho, u, 1.6, 2.6, 2.8), ROOF)
    dome = max(math.sqrt(rho * rho + (u - 2.7) * (u - 2.7) * 0.8) - 1.5, 2.7 - u)
    d, part = pick(d, part, dome, ROOF)
    d, part = pick(d, part, bound(rho, u, 0.07, 4.0, 5.6), METAL)
    return _hut(d, part, x - 6.4, y, z - 1.0)


@scalar
def _hut(d: Any, part: Any, x: Any, y: Any, z: Any) -> Any:
    """A small gabled house."""
    ax = abs(x)
    az = abs(z)
    if max(ax - 3.2, az - 2.9, y - 5.2) > d:
        return d, part
    roof = ridge(az, y, 4.8, 0.85)
    own = WALL
    hole = max(abs(ax - 1.3) - 0.45, abs(y - 1.6) - 0.55)
    if az > 2.0 and hole < 0.1:
        own = GLASS if hole < 0.0 and abs(y - 1.65) > 0.04 and abs(ax - 1.3) > 0.04 else TRIM
    if z < -2.0 and ax < 0.5 and y < 2.0:
        own = WOOD
    d, part = pick(d, part, max(ax - 2.7, az - 2.2, -3.0 - y, roof + 0.1), own)
    return pick(d, part, max(roof, -roof - 0.2, ax - 3.0, az - 2.6), ROOF)


@scalar
def pyramid(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A pyramid of 60 by 38 metres: of blocks in fine courses, or of seven high steps with a stair."""
    wide = max(abs(x), abs(z))
    if seed & 3 == 0:
        stair = max(abs(x) - 3.0, (y - 46.2 - 1.25 * z) * 0.62, y - 36.4, z, -6.0 - y)
        own = TRIM if abs(x) > 2.4 else SAND
        d = ridge(wide, y, 45.2, 5.2 / 3.9)  # touches all edges
        if d > 0.6:
            return pick(d, SAND, stair, own)
        number = math.floor(y / 5.2)
        d = 1e9
        for i in range(-1, 2):
            step = min(max(number + i, 0.0), 6.0)
            low = -6.0 if step == 0.0 else 5.2 * step
            d = min(d, max(wide - 30.0 + 3.9 * step, y - 5.2 * (step + 1.0), low - y))
        d, part = pick(d, SAND, stair, own)
        d = min(d, max(wide - 3.4, 36.0 - y, y - 38.6, -max(abs(x) - 1.0, y - 38.0)))
        return d, part
    d = ridge(wide, y, 38.0, 38.0 / 30.0)
    if d > 1.0:
        return d - 0.3, SAND
    course = 0.5
    if fine == 0:
        course = y / 1.1
        course -= math.floor(course)
    d = max(d + 0.25 * (1.0 - course), wide - 30.0, -6.0 - y) * 0.88  # every course stands back, as blocks do
    part = SAND
    if (seed >> 2) & 1 and y > 29.0:
        part = TRIM
    hole = max(abs(x) - 1.6 + 0.25 * max(y - 4.0, 0.0), abs(y - 4.0) - 2.5, 23.5 + z)
    if hole < 0.5 and z < 0.0:
        part = DARK if hole < 0.2 else TRIM
    return max(d, -hole), part
