"""Kernels of things: where a ray meets them, and their shadows.

Things stand in a uniform grid over x and z that a ray walks through (Amanatides and Woo, "A fast voxel
traversal algorithm", 1987); each is held by an upright cylinder, and within it the ray steps by the signed
distance of its shape (Hart, "Sphere tracing", 1996). A thing is looked at in the one cell in which the ray
enters its cylinder, so that none is met twice. Those that drive along are few and are tried on every ray.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n
from dreamplate.scenes.world.kernels.shapes_all import shape_distance
from dreamplate.scenes.world.kernels.shapes_fire import fire_smoke
from dreamplate.scenes.world.kernels.things_frame import frame, swing_of, turn_in
from dreamplate.scenes.world.kernels.things_surface import FINE, thing_carry, thing_surface

__all__ = ["fire_smoke", "thing_carry", "thing_hit", "thing_shadow", "thing_surface"]

FAR = 1e30
STEPS = 110
LEAF_LIGHT = 0.16
"""Share of the light that comes through a crown."""
SHARPNESS = 26.0
"""Of shadows' edges: one over the tangent of the angle over which they fade."""


@scalar
def _trace(
    row: Any,
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t: Any,
    end: Any,
    time: Any,
    shadow: Any,
    wind: Any,
    kind: Any,
    seed: Any,
    numbers: Any,
) -> Any:
    """Return where a ray meets a thing between two distances (`FAR` if not), and how much light passes it."""
    px, py, pz, c, s, pitch, roll = frame(row, time, wind, kind, numbers)
    sx = 1.0 / numbers[row, 5]
    sy = 1.0 / numbers[row, 6]
    sz = 1.0 / numbers[row, 7]
    x, y, z = turn_in(ox - px, oy - py, oz - pz, c, s, pitch, roll)
    u, v, w = turn_in(dx, dy, dz, c, s, pitch, roll)
    x *= sx
    y *= sy
    z *= sz
    u *= sx
    v *= sy
    w *= sz
    scale = 1.0 / max(sx, sy, sz)
    swing = swing_of(kind, numbers[row, 17], time, wind)
    fine = 2 if shadow else (0 if t < FINE * scale else 1)
    near = 0.008 if kind >= n.CONIFER and kind <= n.BUSH else 0.0015
    light = 1.0
    for _ in range(STEPS):
        d, _part = shape_distance(kind, x + t * u, y + t * v, z + t * w, seed, swing, fine)
        d *= scale
        if shadow:
            light = min(light, SHARPNESS * d / max(t, 0.1))
            if light < 0.02:
                return t, 0.0
            d = max(d, 0.02)
        elif d < near + 0.0003 * t:
            return t, 0.0
        t += d
        if t > end:
            break
    return FAR, light


@scalar
def _span(
    x: Any,
    y: Any,
    z: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    flat: Any,
    radius: Any,
    low: Any,
    high: Any,
) -> Any:
    """Return where a ray from (x, y, z) enters and leaves an upright cylinder around the origin.

    ``flat`` is 1 / (dx² + dz²). A ray that passes by enters behind where it leaves.
    """
    b = (x * dx + z * dz) * flat
    within = b * b - (x * x + z * z - radius * radius) * flat
    if within < 0.0:
        return FAR, -FAR
    within = math.sqrt(within)
    t0 = -b - within
    t1 = -b + within
    if abs(dy) > 1e-9:
        low = (low - y) / dy
        high = (high - y) / dy
        return max(t0, min(low, high)), min(t1, max(low, high))
    if y < low or y > high:
        return FAR, -FAR
    return t0, t1


@scalar
def _march(
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t_min: Any,
    t_max: Any,
    time: Any,
    shadow: Any,
    things: Any,
) -> Any:
    """Return the nearest thing along a ray: distance, row, and the light that passes all of them."""
    numbers = things.numbers
    names = things.names
    special = things.special
    cells = things.cells
    grid = things.grid
    wind = things.wind
    best = t_max
    found = -1
    light = 1.0
    flat = dx * dx + dz * dz
    if flat < 1e-12:  # straight up or down
        dx = 1e-6
        flat = 1e-12
    flat = 1.0 / flat
    # Clip to the grid's square, and to what lies below the highest top.
    x0 = grid[0]
    z0 = grid[1]
    cell = grid[2]
    count = int(grid[3])
    top = grid[4]
    start = t_min
    end = t_max
    ix = 1.0 / dx if abs(dx) > 1e-12 else math.copysign(1e12, dx)
    iz = 1.0 / dz if abs(dz) > 1e-12 else math.copysign(1e12, dz)
    a = (x0 - ox) * ix
    b = a + count * cell * ix
    start = max(start, min(a, b))
    end = min(end, max(a, b))
    a = (z0 - oz) * iz
    b = a + count * cell * iz
    start = max(start, min(a, b))
    end = min(end, max(a, b))
    if dy > 1e-9:
        end = min(end, (top - oy) / dy)
    elif dy < -1e-9:
        start = max(start, (top - oy) / dy)
    elif oy > top:
        end = start
    i = min(max(int((ox + start * dx - x0) / cell), 0), count - 1)
    k = min(max(int((oz + start * dz - z0) / cell), 0), count - 1)
    step_i = 1 if ix > 0.0 else -1
    step_k = 1 if iz > 0.0 else -1
    next_i = (x0 + (i + (1 if ix > 0.0 else 0)) * cell - ox) * ix
    next_k = (z0 + (k + (1 if iz > 0.0 else 0)) * cell - oz) * iz
    side_i = abs(cell * ix)
    side_k = abs(cell * iz)
    # First what moves, as if it were in one cell that holds all the ray; then cell by cell.
    entry = -FAR
    leave = FAR
    at = 0
    stop = things.moving
    begin = t_min
    moved = time
    while True:
        for index in range(at, stop):
            row = special[index] if leave == FAR else cells[index]
            t0, t1 = _span(
                ox - numbers[row, 0] - moved * numbers[row, 14],
                oy - numbers[row, 1] - moved * numbers[row, 15],
                oz - numbers[row, 2] - moved * numbers[row, 16],
                dx,
                dy,
                dz,
                flat,
                numbers[row, 18],
                numbers[row, 19],
                numbers[row, 20],
            )
            t0 = max(t0, begin)
            t1 = min(t1, best)
            if t0 < t1 and t0 >= entry and t0 < leave:
                kind = names[row, 0]
                seed = names[row, 3]
                t, through = _trace(
                    row, ox, oy, oz, dx, dy, dz, t0, t1, time, shadow, wind, kind, seed, numbers
                )
                if shadow:
                    if kind >= n.CONIFER and kind <= n.BUSH:
                        through = LEAF_LIGHT + (1.0 - LEAF_LIGHT) * through
                    light *= through
                    if light < 0.02:
                        return t, row, 0.0
                elif t < best:
                    best = t
                    found = row
        if leave == FAR:  # what moves is done: on to the first cell
            if start >= end or start >= best:
                break
            begin = start
            moved = 0.0
            entry = start
        else:
            if leave >= end or leave >= best:
                break
            entry = leave
            if next_i < next_k:
                i += step_i
                next_i += side_i
                if i < 0 or i >= count:
                    break
            else:
                k += step_k
                next_k += side_k
                if k < 0 or k >= count:
                    break
        leave = min(next_i, next_k)
        at = k * count + i
        if oy + dy * (entry if dy > 0.0 else min(leave, end)) < grid[5 + at]:
            stop = count * count + 1 + cells[at + 1]
            at = count * count + 1 + cells[at]
        else:
            stop = at
    return best, found, light


@scalar
def thing_hit(
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t_min: Any,
    t_max: Any,
    time: Any,
    things: Any,
) -> Any:
    """Return the distance to the nearest thing along a ray and its row, or infinity and -1.

    Args:
        ox: Where the ray begins, with oy and oz.
        oy: Up.
        oz: South.
        dx: Unit direction, with dy and dz.
        dy: Up.
        dz: South.
        t_min: Distances to look at, from here
        t_max: to here.
        time: Seconds.
        things: The things.
    """
    best, found, _ = _march(ox, oy, oz, dx, dy, dz, t_min, t_max, time, False, things)
    if found < 0:
        return math.inf, -1
    return best, int(found)


@scalar
def thing_shadow(
    ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any, t_max: Any, time: Any, things: Any
) -> Any:
    """Return the share of light from a direction that things let pass, 0 to 1, with soft edges.

    Crowns count as somewhat smaller and let a little through. The point should lie a few centimetres off
    the surface that is lit.
    """
    _, _, light = _march(ox, oy, oz, dx, dy, dz, 0.05, t_max, time, True, things)
    return light
