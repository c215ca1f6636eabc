"""Kernels of things: what is seen at a point of one, and where that point goes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n
from dreamplate.scenes.world.kernels.noise import noise3
from dreamplate.scenes.world.kernels.shapes_all import shape_distance
from dreamplate.scenes.world.kernels.shapes_paint import paint
from dreamplate.scenes.world.kernels.shapes_yard import HUB_Y, HUB_Z, cloth_offset
from dreamplate.scenes.world.kernels.things_frame import frame, swing_of, turn_in, turn_out

__all__ = ["FINE", "thing_carry", "thing_surface"]

FINE = 55.0
"""Metres, at size 1, within which the finest noise is looked at."""


@scalar
def _unit(x: Any, y: Any, z: Any) -> Any:
    length = math.sqrt(x * x + y * y + z * z)
    if length < 1e-12:
        return 0.0, 1.0, 0.0
    return x / length, y / length, z / length


@scalar
def thing_surface(row: Any, px: Any, py: Any, pz: Any, dist: Any, time: Any, things: Any) -> Any:
    """Return what is seen of a thing at a point of its surface.

    Args:
        row: The thing.
        px: The point, with py and pz.
        py: Up.
        pz: South.
        dist: Metres from the eye; details finer than a pixel fade.
        time: Seconds.
        things: The things.

    Returns:
        Unit normal (3), albedo (3), light given off at night (3), id of the class, roughness 0 to 1.
    """
    numbers = things.numbers
    kind = things.names[row, 0]
    seed = things.names[row, 3]
    bx, by, bz, c, s, pitch, roll = frame(row, time, things.wind, kind, numbers)
    sx = 1.0 / numbers[row, 5]
    sy = 1.0 / numbers[row, 6]
    sz = 1.0 / numbers[row, 7]
    x, y, z = turn_in(px - bx, py - by, pz - bz, c, s, pitch, roll)
    x *= sx
    y *= sy
    z *= sz
    scale = 1.0 / max(sx, sy, sz)
    swing = swing_of(kind, numbers[row, 17], time, things.wind)
    fine = 0 if dist < FINE * scale else 1
    crown = kind >= n.CONIFER and kind <= n.BUSH and kind not in (n.BARE, n.CACTUS)
    h = (0.03 if crown else 0.004) + 0.0005 * dist / scale
    part = 0
    nx = 0.0
    ny = 0.0
    nz = 0.0
    for corner in range(5):  # a tetrahedron's corners, then the point itself
        far = 0.0 if corner == 4 else 1.0
        u = far if corner % 3 == 0 else -far
        v = far if corner >= 2 else -far
        w = far if corner % 2 == 1 else -far
        d, part = shape_distance(kind, x + h * u, y + h * v, z + h * w, seed, swing, fine)
        nx += u * d
        ny += v * d
        nz += w * d
    r, g, b, er, eg, eb, rough = paint(
        kind,
        part,
        x,
        y,
        z,
        *_unit(nx, ny, nz),
        seed,
        numbers[row, 8],
        numbers[row, 9],
        numbers[row, 10],
        numbers[row, 11],
        numbers[row, 12],
        numbers[row, 13],
        dist / scale,
    )
    nx, ny, nz = _unit(nx * sx, ny * sy, nz * sz)
    if things.snow > 0.0 and part not in (n.GLASS, n.GLOW) and kind != n.CAMPFIRE:
        edge = 0.78 - 0.5 * things.snow + 0.25 * noise3(px * 1.3, py * 1.3, pz * 1.3, seed)
        lies = min(max((ny - edge) * 5.0, 0.0), 1.0) * min(2.0 * things.snow, 1.0)
        r += lies * (0.86 - r)
        g += lies * (0.88 - g)
        b += lies * (0.92 - b)
    nx, ny, nz = turn_out(nx, ny, nz, c, s, pitch, roll)
    return nx, ny, nz, r, g, b, er, eg, eb, things.names[row, 1], rough


@scalar
def thing_carry(row: Any, px: Any, py: Any, pz: Any, time0: Any, time1: Any, things: Any) -> Any:
    """Return where the point of a thing that is at (px, py, pz) at time0 is at time1."""
    numbers = things.numbers
    kind = things.names[row, 0]
    wind = things.wind
    bx, by, bz, c, s, pitch, roll = frame(row, time0, wind, kind, numbers)
    x, y, z = turn_in(px - bx, py - by, pz - bz, c, s, pitch, roll)
    if kind in (n.WINDMILL, n.FLAG):
        sx = numbers[row, 5]
        sy = numbers[row, 6]
        sz = numbers[row, 7]
        x /= sx
        y /= sy
        z /= sz
        before = swing_of(kind, numbers[row, 17], time0, wind)
        after = swing_of(kind, numbers[row, 17], time1, wind)
        if kind == n.FLAG:
            if x > 0.11 and y > 6.9 and y < 8.7:
                z += cloth_offset(x, y, after) - cloth_offset(x, y, before)
        elif (z < HUB_Z + 0.3 and y > 3.2) or (z < -2.65 and y > 11.5):  # sails, axle
            u = math.cos(after - before)
            v = math.sin(after - before)
            y -= HUB_Y
            x, y = u * x - v * y, u * y + v * x
            y += HUB_Y
        x *= sx
        y *= sy
        z *= sz
    bx, by, bz, c, s, pitch, roll = frame(row, time1, wind, kind, numbers)
    x, y, z = turn_out(x, y, z, c, s, pitch, roll)
    return x + bx, y + by, z + bz
