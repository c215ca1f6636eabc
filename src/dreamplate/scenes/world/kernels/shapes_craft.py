"""Signed distances of boats and vehicles: ``(distance, part)`` of a point in the shape's own axes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.shapes import block, cord, pick, rod, span
from dreamplate.scenes.world.kernels.shapes_numbers import (
    DARK,
    GLASS,
    HEADLIGHT,
    METAL,
    PAINT,
    SAILS,
    STRIPE,
    TAILLIGHT,
    TRIM,
    TYRE,
    WOOD,
)

__all__ = ["boat", "bus", "car", "rowboat", "truck"]


@scalar
def boat(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A sailing boat: hull, cabin, mast, mainsail and jib; the water's surface is at y = 0."""
    ax = abs(x)
    away = max(ax - 1.9, abs(z) - 5.0, y - 12.2)
    if away > 1.0:
        return away, PAINT
    u = z / 4.4 if z < 0.0 else z * 0.14
    w = 1.4 * (1.0 - u * u)
    share = min(max((y + 0.8) / 1.7, 0.0), 1.0)
    deck = 0.75 + 0.026 * (z - 0.5) * (z - 0.5)
    side = (ax - w * (0.45 + 0.55 * share)) * 0.74
    hull = max(side, (y - deck) * 0.94, -0.85 - y + 0.03 * z * z, z - 3.5)
    part = PAINT
    if y > deck - 0.3:
        part = STRIPE
    if y > deck - 0.05:
        part = WOOD
    elif y < 0.12:
        part = DARK
    d = hull
    if y > deck - 0.2:
        hold = max(side + 0.14, deck - 0.12 - y, z - 3.35)
        d = max(d, -hold)
    cabin = max(ax - 0.78 + 0.16 * max(y - 0.8, 0.0), span(z, -1.6, 1.0), y - 1.45, 0.3 - y) * 0.98
    own = TRIM
    if abs(y - 1.12) < 0.15 and abs(abs(z + 0.3) - 0.55) < 0.4 and ax > 0.6:
        own = GLASS
    d, part = pick(d, part, cabin, own)
    tall = 11.2 - 0.5 * ((seed >> 2) & 1)
    d, part = pick(d, part, rod(x, y - 0.5, z + 0.7, tall - 0.5, 0.075), WOOD)
    d, part = pick(d, part, cord(x, y, z, 0.0, 2.05, -0.7, 0.12, 2.05, 3.4, 0.06), WOOD)
    # Mainsail: below the line from its foot's end to the mast's head, bellied towards +X.
    up = (y - 2.15) / (tall - 2.7)
    back = (z + 0.62) / 3.9
    line = (back + up - 1.0) * 3.5
    edge = max(line, -0.62 - z, 2.15 - y)
    sheet = edge
    if edge < 0.3:
        within = max(up, 0.0) * max(1.0 - up, 0.0) * 1.2 + 0.25
        belly = 1.5 * max(back, 0.0) * max(1.0 - back - 0.6 * up, 0.0) * within * 2.2
        sheet = max((abs(x - belly) - 0.03) * 0.6, edge)
    own = SAILS
    if seed & 1 and math.floor(y * 0.8) % 2 == 0:
        own = STRIPE
    d, part = pick(d, part, sheet, own)
    # Jib: from the bow to the mast's head and back to the foot of the mast.
    up = (y - 1.2) / (tall - 2.4)
    fore = -0.85 - z
    line = (fore / 3.4 + up - 1.0) * 3.2
    edge = max(line, 0.25 - fore + 0.12 * (y - 1.2), 1.2 + 0.06 * fore - y)
    edge *= 0.9
    sheet = edge
    if edge < 0.3:
        belly = 0.35 * max(1.0 - up, 0.0) * max(1.0 - fore / 3.4, 0.0) + 0.06
        sheet = max((abs(x - belly) - 0.03) * 0.8, edge)
    return pick(d, part, sheet, SAILS)


@scalar
def rowboat(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A rowing boat with thwarts and oars."""
    ax = abs(x)
    u = z / 2.15
    w = 0.78 * (1.0 - 0.55 * u * u - (0.4 * u * u if z < 0.0 else 0.0))
    share = min(max((y + 0.25) / 0.7, 0.0), 1.0)
    rim = 0.36 + 0.07 * z * z * (1.2 if z < 0.0 else 0.6)
    side = (ax - w * (0.6 + 0.4 * share)) * 0.72
    hull = max(side, (y - rim) * 0.9, -0.28 - y + 0.04 * z * z, abs(z) - 2.1)
    hold = max(side + 0.07, -0.1 - y, abs(z) - 1.95)
    d = max(hull, -hold)
    part = WOOD if side > -0.06 and y < rim - 0.09 else STRIPE
    if side > -0.02 and y < rim - 0.09:
        part = PAINT
    seat = max(abs(y - 0.2) - 0.03, side, min(abs(z - 0.2), abs(z - 1.3), abs(z + 1.0)) - 0.14)
    d, part = pick(d, part, seat, WOOD)
    d, part = pick(d, part, cord(ax, y, z, 0.35, 0.55, -0.1, 2.3, -0.1, 0.7, 0.035), WOOD)
    blade = cord(ax, y, z, 1.9, 0.03, 0.57, 2.3, -0.1, 0.7, 0.085)
    return pick(d, part, blade, WOOD if seed & 1 else TRIM)


@scalar
def _wheel(ax: Any, y: Any, z: Any, inner: Any, outer: Any, radius: Any) -> Any:
    """A wheel about an axis along X at height ``radius``; returns its distance and part."""
    u = y - radius
    r = math.sqrt(u * u + z * z)
    part = METAL if r < radius * 0.6 and r > radius * 0.12 else TYRE
    return max(r - radius, inner - ax, ax - outer), part


@scalar
def car(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A car: a hatchback, a saloon, an estate or a van by the seed; its bonnet is at -Z."""
    ax = abs(x)
    kind = seed & 3
    away = max(ax - 1.1, abs(z) - 2.3, y - 2.2)
    if away > 0.6:
        return away, PAINT
    # Sides lean in towards the top; the lower body is a rounded box.
    high = 0.92 - 0.05 * max(-z - 0.6, 0.0) - 0.03 * max(z - 1.2, 0.0)
    body = block(x, y - 0.5 * (high + 0.3), z, 0.74, 0.5 * (high - 0.3) - 0.12, 1.98) - 0.13
    arch = math.sqrt((abs(z) - 1.32) * (abs(z) - 1.32) + (y - 0.33) * (y - 0.33)) - 0.41
    d = max(body, -max(arch, 0.55 - ax))
    part = PAINT
    if y < 0.38:
        part = DARK
    elif arch < 0.04:
        part = TYRE
    elif z < -1.9:
        if abs(ax - 0.6) < 0.17 and abs(y - 0.66) < 0.09:
            part = HEADLIGHT
        elif ax < 0.36 and abs(y - 0.6) < 0.1:
            part = DARK
        elif abs(y - 0.44) < 0.05:
            part = METAL
    elif z > 1.98:
        if abs(ax - 0.66) < 0.13 and abs(y - 0.72) < 0.11:
            part = TAILLIGHT
        elif ax < 0.26 and abs(y - 0.66) < 0.07:
            part = TRIM
    elif ax > 0.8 and abs(y - 0.76) < 0.02 and abs(z - 0.75) < 0.1:
        part = METAL
    roof = 1.46
    front = -0.95
    back = 1.85
    lean = 0.5
    if kind == 1:
        back = 1.45
        lean = 1.1
    elif kind == 2:
        back = 2.0
        lean = 0.2
    elif kind == 3:
        roof = 1.95
        front = -1.5
        back = 2.05
        lean = 0.1
    t = y - 0.85
    fore = (front + 0.95 * t - z) * 0.72
    aft = (z - back + lean * t) / math.sqrt(1.0 + lean * lean)
    flank = (ax - 0.83 + 0.3 * t) * 0.955
    top = y - roof + 0.02 * (z - 0.4) * (z - 0.4)
    cabin = max(fore, aft, flank, top * 0.97, 0.6 - y)
    own = PAINT
    if 0.93 < y < roof - 0.11:
        # Glass in front and behind, and on the sides between the pillars.
        if flank < -0.07 and (fore > -0.06 or (aft > -0.06 and kind != 3)):
            own = GLASS
        elif flank > -0.05 and fore < -0.09 and aft < -0.1:
            pillar = abs(z - 0.32)
            if pillar > 0.05 and (kind != 3 or z < 0.35) and abs(z - 1.28) > (0.06 if kind == 2 else 0.0):
                own = GLASS
    d, part = pick(d, part, cabin, own)
    d, part = pick(d, part, block(ax - 0.98, y - 1.0, z + 0.72, 0.1, 0.06, 0.05), PAINT)
    wheel, own = _wheel(ax, y, abs(z) - 1.32, 0.62, 0.85, 0.33)
    return pick(d, part, wheel, own)


@scalar
def truck(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A lorry: a cab in front and a box or a tarpaulin behind."""
    ax = abs(x)
    away = max(ax - 1.6, abs(z) - 4.8, y - 3.7)
    if away > 0.6:
        return away, PAINT
    cab = block(x, y - 1.6, z + 3.5, 1.0, 0.98, 0.78) - 0.15
    cab = max(cab, (-z - 4.42 + 0.22 * max(y - 1.5, 0.0)) * 0.97)
    part = PAINT
    if 1.6 < y < 2.42 and ((z < -4.1 and ax < 0.98) or (ax > 1.0 and abs(z + 3.65) < 0.45)):
        part = GLASS
    if z < -4.2:
        if abs(ax - 0.85) < 0.18 and abs(y - 0.85) < 0.11:
            part = HEADLIGHT
        elif ax < 0.6 and abs(y - 1.12) < 0.18:
            part = DARK
    if y < 0.65:
        part = DARK
    d = cab
    load = block(x, y - 2.15, z - 1.0, 1.2, 1.2, 3.4) - 0.04
    own = STRIPE
    if seed & 1:
        own = TRIM if abs(y - 2.0) > 0.35 else STRIPE
    if z > 4.3:
        own = METAL if ax < 0.04 or ax > 1.12 or y > 3.25 else TRIM
    d, part = pick(d, part, load, own)
    d, part = pick(d, part, block(x, y - 0.75, z, 0.9, 0.16, 4.25), DARK)
    if z > 4.0:
        lights = block(ax - 0.95, y - 0.78, z - 4.35, 0.2, 0.1, 0.06)
        d, part = pick(d, part, lights, TAILLIGHT)
    near = min(max(z, -3.4), 3.6)
    near = z + 3.4 if near < -0.4 else (z - 2.3 if z < 2.85 else z - 3.4)
    wheel, own = _wheel(ax, y, near, 0.85, 1.2, 0.5)
    return pick(d, part, wheel, own)


@scalar
def bus(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A bus with a band of windows."""
    ax = abs(x)
    away = max(ax - 1.6, abs(z) - 5.3, y - 3.4)
    if away > 0.6:
        return away, PAINT
    d = block(x, y - 1.72, z, 1.05, 1.12, 4.8) - 0.2
    part = PAINT
    if y < 0.72:
        part = DARK
    elif y > 2.72:
        part = TRIM
    elif 1.5 < y < 2.55:
        if z < -4.85:
            part = GLASS if ax < 1.1 else PAINT
        elif z > 4.85:
            part = GLASS if ax < 0.9 and y > 1.7 else PAINT
        elif ax > 1.15 and abs(z) < 4.6:
            bar = z / 1.35
            part = DARK if abs(bar - math.floor(bar) - 0.5) > 0.46 else GLASS
    elif abs(y - 1.15) < 0.12:
        part = STRIPE
    if abs(z) > 4.9 and abs(ax - 0.9) < 0.18 and abs(y - 0.95) < 0.11:
        part = HEADLIGHT if z < 0.0 else TAILLIGHT
    if x > 1.1 and abs(z + 4.0) < 0.5 and 0.6 < y < 2.5:
        part = GLASS if abs(z + 4.0) > 0.04 else DARK
    arch = z + 3.2 if z < 0.0 else z - 2.9
    d = max(d, -max(math.sqrt(arch * arch + (y - 0.48) * (y - 0.48)) - 0.6, 0.8 - ax))
    wheel, own = _wheel(ax, y, arch, 0.85, 1.22, 0.48)
    return pick(d, part, wheel, own)
