"""Kernels of fire and smoke: small volumes along a slanted axis, summed at a few points of a ray.

Both are noise within a soft cone. A ray that does not pass close to any cone costs a few operations for each.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n
from dreamplate.scenes.world.kernels.noise import noise3
from dreamplate.scenes.world.kernels.shapes_homes import chimney_of
from dreamplate.scenes.world.kernels.things_frame import frame, turn_out

__all__ = ["fire_smoke"]

SMOKE_STEPS = 10
FLAME_STEPS = 12
FLAME_HEIGHT = 1.75


@scalar
def _near_axis(
    x: Any, y: Any, z: Any, dx: Any, dy: Any, dz: Any, lean: Any, tall: Any, width: Any, spread: Any
) -> Any:
    """Return which part of a ray runs through a cone around an axis from the origin up, leaning to +X.

    The axis is (lean h, h, 0) for heights h up to ``tall``; the cone's radius is width + spread h. Returns
    the ray's distances at which it enters and leaves a box around where it is closest to the axis; the first
    is the greater one if it passes by.
    """
    slope = 1.0 + lean * lean
    b = dx * lean + dy
    p = x * lean + y
    # Closest to the infinite axis; a ray along it has no such point and is looked at from its beginning.
    along = 1.0 - b * b / slope
    t = (b * p / slope - (x * dx + y * dy + z * dz)) / max(along, 0.02)
    h = min(max((p + t * b) / slope, 0.0), tall)
    t = -((x - lean * h) * dx + (y - h) * dy + z * dz)
    u = x + t * dx - lean * h
    v = y + t * dy - h
    w = z + t * dz
    r = width + spread * h
    off = u * u + v * v + w * w
    if off > 4.0 * r * r:
        return 1.0, 0.0
    reach = math.sqrt(4.0 * r * r - off) * min(1.6 / math.sqrt(max(along, 0.05)), 5.0)
    return t - reach, t + reach


@scalar
def _smoke(
    x: Any, y: Any, z: Any, dx: Any, dy: Any, dz: Any, t_max: Any, time: Any, wind: Any, size: Any, seed: Any
) -> Any:
    """Return how much a column of smoke from the origin hides along a ray, 0 to 1."""
    tall = 11.0 * size
    lean = 0.35 + 0.6 * wind
    width = 0.3 * size
    spread = 0.19
    t0, t1 = _near_axis(x, y, z, dx, dy, dz, lean, tall, width, spread)
    t0 = max(t0, 0.0)
    t1 = min(t1, t_max)
    if t0 >= t1:
        return 0.0
    step = (t1 - t0) / SMOKE_STEPS
    depth = 0.0
    for k in range(SMOKE_STEPS):
        t = t0 + (k + 0.5) * step
        h = y + t * dy
        if h < 0.0 or h > tall:
            continue
        r = width + spread * h
        u = x + t * dx - lean * h
        w = z + t * dz
        curl = 0.9 * r
        u += curl * noise3(0.35 * h - 0.9 * time, 3.7, 0.5, seed)
        w += curl * noise3(0.35 * h - 0.9 * time, 9.2, 0.5, seed)
        q = 1.0 - (u * u + w * w) / (2.2 * r * r)
        if q <= 0.0:
            continue
        often = 0.8 / (0.4 + 0.5 * r)
        puff = noise3(u * often, (h - 1.6 * time) * often * 0.8, w * often, seed)
        thick = q * max(0.45 + 1.3 * puff, 0.0)
        depth += thick * (1.0 - h / tall) * step * 1.9 / (0.3 + r)
    return 1.0 - math.exp(-depth)


@scalar
def _flame(
    x: Any, y: Any, z: Any, dx: Any, dy: Any, dz: Any, t_max: Any, time: Any, size: Any, seed: Any
) -> Any:
    """Return light given off along a ray by flames above the origin, and how much they hide."""
    tall = FLAME_HEIGHT * size
    t0, t1 = _near_axis(x, y, z, dx, dy, dz, 0.0, tall, 0.4 * size, 0.0)
    t0 = max(t0, 0.0)
    t1 = min(t1, t_max)
    r = 0.0
    g = 0.0
    b = 0.0
    if t0 >= t1:
        return r, g, b, 0.0
    step = (t1 - t0) / FLAME_STEPS
    depth = 0.0
    for k in range(FLAME_STEPS):
        t = t0 + (k + 0.5) * step
        h = (y + t * dy) / size
        if h < 0.0 or h > FLAME_HEIGHT:
            continue
        u = (x + t * dx) / size
        w = (z + t * dz) / size
        u += 0.3 * h * noise3(u * 1.6, h * 1.5 - 3.4 * time, w * 1.6, seed)
        w += 0.3 * h * noise3(u * 1.6 + 7.0, h * 1.5 - 3.4 * time, w * 1.6, seed)
        share = h / FLAME_HEIGHT
        wide = 0.5 * (1.0 - share) * (0.55 + 1.6 * share * (1.0 - share)) + 0.02
        q = 1.0 - (u * u + w * w) / (wide * wide)
        q += 0.9 * noise3(u * 3.4, h * 2.6 - 5.0 * time, w * 3.4, seed + 1)
        if q <= 0.0:
            continue
        q = min(q, 1.0)
        heat = q * (1.15 - 0.75 * share)
        thick = q * step / size * 3.2
        r += thick * (1.6 + 7.0 * heat)
        g += thick * (0.22 + 3.9 * heat * heat)
        b += thick * 0.9 * heat * heat * heat * heat
        depth += thick * 0.9
    return r, g, b, 1.0 - math.exp(-depth)


@scalar
def fire_smoke(
    ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any, t_max: Any, time: Any, things: Any
) -> Any:
    """Return flames and smoke along a ray, as ``(r, g, b, er, eg, eb, alpha)``.

    What lies behind is to be scaled by 1 - alpha; (r, g, b) is the smoke's albedo times its share, to be lit
    by sky and sun; (er, eg, eb) is light given off and comes on top, by day and night. Smoke leans towards
    +X with the wind.

    Args:
        ox: Where the ray begins, with oy and oz.
        oy: Up.
        oz: South.
        dx: Unit direction, with dy and dz.
        dy: Up.
        dz: South.
        t_max: How far away something solid is.
        time: Seconds.
        things: All of them; ``fires`` says which burn.
    """
    r = 0.0
    er = 0.0
    eg = 0.0
    eb = 0.0
    clear = 1.0
    special = things.special
    numbers = things.numbers
    names = things.names
    for index in range(things.moving, special.shape[0]):
        row = special[index]
        px, py, pz, c, s, _, _ = frame(row, time, things.wind, names[row, 0], numbers)
        kind = names[row, 0]
        seed = names[row, 3]
        size = numbers[row, 6]
        if kind == n.CAMPFIRE:
            fr, fg, fb, hidden = _flame(
                ox - px, oy - py - 0.06 * size, oz - pz, dx, dy, dz, t_max, time, size, seed
            )
            er += fr
            eg += fg
            eb += fb
            clear *= 1.0 - hidden
            py += 1.2 * size
            size *= 0.75
            tone = 0.5
        else:
            u, v, w = chimney_of(seed)
            u, v, w = turn_out(u * numbers[row, 5], v * numbers[row, 6], w * numbers[row, 7], c, s, 0.0, 0.0)
            px += u
            py += v
            pz += w
            tone = 0.72
        hidden = _smoke(ox - px, oy - py, oz - pz, dx, dy, dz, t_max, time, things.wind, size, seed)
        r += clear * hidden * tone
        clear *= 1.0 - hidden
    return r, r, r * 1.02, er, eg, eb, 1.0 - clear
