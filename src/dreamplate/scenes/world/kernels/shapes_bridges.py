"""Signed distances of bridges: ``(distance, part)`` of a point in the shape's own axes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.shapes import nearest_of, pick, span
from dreamplate.scenes.world.kernels.shapes_numbers import METAL, PAINT, ROPE, SLATE, STONE, TRIM

__all__ = ["bridge", "suspension"]


@scalar
def bridge(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A humped stone bridge of three arches along X, with parapets; its ends come down to the banks."""
    ax = abs(x)
    az = abs(z)
    d = max(ax - 22.4, az - 3.5, y - 8.0)
    if d > 1.5:
        return d, STONE
    road = 6.6 - 0.0125 * ax * ax
    top = (y - road) * 0.86
    d = max(top, az - 2.9, ax - 22.0, -9.0 - y)
    if seed & 1:
        u = ax
        rise = max(y - 0.2, 0.0)
        arch = math.sqrt(u * u + rise * rise) - 5.0
        u = ax - 11.2
        rise = max(y + 0.4, 0.0)
        arch = min(arch, math.sqrt(u * u + rise * rise) - 3.7)
    else:
        u = abs(ax - 6.3)
        rise = max(y + 0.3, 0.0)
        arch = math.sqrt(u * u + rise * rise) - 4.9
        u = abs(ax - 15.6)
        rise = max(y + 0.6, 0.0)
        arch = min(arch, math.sqrt(u * u + rise * rise) - 2.8)
    d = max(d, -arch)
    part = STONE
    if arch < 0.55 and az > 2.6:
        part = TRIM
    if az < 2.7 and top > -0.2:
        part = SLATE
    wall = max(abs(az - 2.8) - 0.25, top - 0.85, ax - 22.0, -0.5 - top)
    d, part = pick(d, part, wall, STONE)
    return pick(d, part, max(abs(az - 2.8) - 0.32, abs(top - 0.9) - 0.1, ax - 22.1), TRIM)


@scalar
def suspension(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A suspension bridge along X: a deck at 6 m, two pairs of towers, cables and hangers."""
    ax = abs(x)
    az = abs(z)
    d = max(ax - 32.6, az - 3.8, y - 22.0)
    if d > 1.5:
        return d, PAINT
    deck = max(abs(y - 5.6) - 0.35, az - 3.2, ax - 32.0)
    d, part = deck, (SLATE if y > 5.8 and az < 2.8 else PAINT)
    d, part = pick(d, part, max(ax - 32.0, 28.6 - ax, az - 3.4, y - 5.4, -9.0 - y), STONE)
    lean = az - 3.0
    tx = ax - 17.0
    d, part = pick(d, part, max(abs(tx) - 0.65, abs(lean) - 0.55, y - 20.6, -9.0 - y), PAINT)
    beam = max(abs(tx) - 0.45, az - 3.2, min(abs(y - 19.4), abs(y - 13.0), abs(y - 4.6)) - 0.5)
    d, part = pick(d, part, beam, PAINT)
    d, part = pick(d, part, max(abs(tx) - 1.4, az - 4.0, y + 1.0, -9.0 - y) * 0.9, STONE)
    if ax < 17.0:
        rope = 7.0 + 13.4 * (ax / 17.0) * (ax / 17.0)
        steep = 0.53
    else:
        rope = 20.4 - (ax - 17.0) * (14.2 / 14.0)
        steep = 0.62
    v = abs(y - rope) * steep
    cable = math.sqrt(v * v + lean * lean) - 0.16
    d, part = pick(d, part, max(cable, ax - 31.5), ROPE)
    u = nearest_of(x, 1.7, -18.0, 18.0)
    hanger = max(math.sqrt(u * u + lean * lean) - 0.05, 5.5 - y, (y - rope) * steep)
    d, part = pick(d, part, hanger, ROPE)
    rail = max(abs(az - 3.1) - 0.05, span(y, 6.75, 6.87), ax - 32.0)
    return pick(d, part, rail, METAL)
