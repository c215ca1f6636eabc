"""Colours of shapes: what a part of a shape is made of, at a point of its surface."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n
from dreamplate.scenes.world.kernels.noise import hash_unit, noise3
from dreamplate.scenes.world.kernels.shapes_yard import ember_noise

__all__ = ["paint"]


@scalar
def _clear(size: Any, dist: Any) -> Any:
    """Return how clearly a pattern of that size is seen from afar, 1 to 0; finer ones fade to their mean."""
    return min(max(2.0 - dist * 0.0025 / size, 0.0), 1.0)


@scalar
def _blocks(u: Any, v: Any, wide: Any, high: Any, seed: Any, dist: Any) -> Any:
    """Return the lightness of masonry: courses of blocks, each its own shade, with darker joints."""
    clear = _clear(high, dist)
    if clear <= 0.0:
        return 1.0
    course = math.floor(v / high)
    u = u / wide + 0.5 * (course % 2.0)
    block = math.floor(u)
    shade = 0.82 + 0.36 * hash_unit(int(block), int(course), 3, seed)
    joint = min(
        min(u - block, block + 1.0 - u) * wide, min(v / high - course, course + 1.0 - v / high) * high
    )
    if joint < 0.035:
        shade *= 0.7 + 0.3 * (1.0 - _clear(0.035, dist))
    return 1.0 + clear * (shade - 1.0)


@scalar
def _leaves(kind: Any, x: Any, y: Any, z: Any, ny: Any, r: Any, g: Any, b: Any, seed: Any, dist: Any) -> Any:
    """Return the colour of leaves: darker inside and below, every tree its own shade, tufts lighter."""
    lone = (seed >> 9) & 255
    shade = 0.86 + 0.28 * (lone / 255.0)
    warm = 0.92 + 0.16 * (((seed >> 17) & 255) / 255.0)
    if kind in (n.CONIFER, n.PALM):
        shade *= 1.0 + 0.3 * noise3(x * 2.1, y * 2.1, z * 2.1, seed + 5)
    else:  # creases between lumps are dark; their places are those of `shapes_trees`
        often = 0.62 if kind == n.BROADLEAF else (1.05 if kind == n.BIRCH else 1.7)
        tall = 0.75 * y if kind == n.BIRCH else y
        shade *= 0.66 + 1.2 * min(abs(noise3(x * often, tall * often, z * often, seed)), 0.35)
        often *= 2.7
        shade *= 0.74 + 0.95 * min(abs(noise3(x * often, tall * often, z * often, seed + 1)), 0.35)
    clear = _clear(0.12, dist)
    if clear > 0.0:
        shade *= 1.0 + clear * 0.6 * noise3(x * 9.0, y * 9.0, z * 9.0, seed + 6)
    rho = math.sqrt(x * x + z * z)
    if kind == n.CONIFER:
        deep = rho / (0.24 * (11.8 - y) + 0.25)
    elif kind == n.PALM:
        deep = 0.55 + 0.2 * rho
    elif kind == n.BUSH:
        deep = 0.35 + 0.6 * y
    else:
        deep = 0.3 + 0.09 * y + 0.05 * rho
    shade *= 0.42 + 0.58 * min(max(deep, 0.0), 1.12)
    shade *= 0.86 + 0.14 * ny
    return r * shade * warm, g * shade, b * shade * (0.9 + 0.1 * warm)


@scalar
def _window(kind: Any, x: Any, y: Any, z: Any, seed: Any, ar: Any) -> Any:
    """Return the light of a window at night: some are lit, each a little differently."""
    if kind in (n.CAR, n.TRUCK, n.BOAT):
        return 0.0, 0.0, 0.0
    i = math.floor(x / 2.5 + 0.5)
    j = math.floor((y - 1.6) / 2.5 + 0.5)
    k = 1 if z > 0.0 else 0
    chance = hash_unit(i, j, k, seed + 77)
    if chance > (0.72 if kind == n.HOUSE else 0.85):
        return 0.0, 0.0, 0.0
    power = 1.0 + 1.1 * hash_unit(i, j, k + 7, seed)
    cool = 0.25 * chance
    return 1.0 * power, (0.56 + cool * 0.4) * power, (0.17 + cool) * power


@scalar
def _stone_like(kind: Any) -> Any:
    return kind in (n.CASTLE, n.TOWER, n.BRIDGE, n.ROCK)


@scalar
def paint(
    kind: Any,
    part: Any,
    x: Any,
    y: Any,
    z: Any,
    nx: Any,
    ny: Any,
    nz: Any,
    seed: Any,
    r: Any,
    g: Any,
    b: Any,
    ar: Any,
    ag: Any,
    ab: Any,
    dist: Any,
) -> Any:
    """Return albedo (3), light given off at night (3) and roughness at a point of a surface.

    Args:
        kind: Number of the shape.
        part: Number of the part.
        x: Of the point in the shape's own axes at size 1; y and z likewise.
        y: Up.
        z: Backwards.
        nx: Of the unit normal in those axes; ny and nz likewise.
        ny: Up.
        nz: Backwards.
        seed: Mixed bits.
        r: Main colour, with g and b.
        g: Green.
        b: Blue.
        ar: Second colour, with ag and ab.
        ag: Green.
        ab: Blue.
        dist: Metres from the eye: patterns finer than a pixel fade.
    """
    if part == n.LEAF:
        if kind == n.BUSH and noise3(x * 7.0, y * 7.0, z * 7.0, seed + 9) > 0.42 and seed & 64:
            return ar, ag, ab, 0.0, 0.0, 0.0, 0.9
        r, g, b = _leaves(kind, x, y, z, ny, r, g, b, seed, dist)
        return r, g, b, 0.0, 0.0, 0.0, 0.85
    if part == n.BARK:
        if kind != n.BARE:
            r, g, b = 0.135, 0.092, 0.06
        shade = 1.0 + 0.45 * _clear(0.1, dist) * noise3(x * 9.0, y * 1.6, z * 9.0, seed)
        return r * shade, g * shade, b * shade, 0.0, 0.0, 0.0, 0.95
    if part == n.WHITE_BARK:
        mark = noise3(x * 3.0, y * 5.5, z * 3.0, seed)
        shade = 0.1 if mark > 0.27 else 0.72 + 0.15 * mark
        return shade, shade * 0.98, shade * 0.93, 0.0, 0.0, 0.0, 0.8
    if part == n.GLASS:
        er, eg, eb = _window(kind, x, y, z, seed, ar)
        return 0.035, 0.045, 0.06, er, eg, eb, 0.08
    # Along a wall: its tangent, and the turn of the normal where it is round.
    cx, cz = x, z
    if kind == n.CASTLE and abs(x) > 16.5 and abs(z) > 16.5:
        cx -= math.copysign(22.0, x)
        cz -= math.copysign(22.0, z)
    along = cz * nx - cx * nz
    round_wall = kind in (n.CASTLE, n.TOWER, n.LIGHTHOUSE, n.WINDMILL)
    if round_wall and abs(ny) < 0.9:
        along += 4.0 * math.atan2(nz, nx)
    if part in (n.STONE, n.SAND):
        if not (_stone_like(kind) or part == n.SAND):
            r, g, b = 0.34, 0.32, 0.295
        weather = 1.0 + 0.22 * noise3(x * 0.35, y * 0.35, z * 0.35, seed)
        if kind in (n.ROCK, n.CAMPFIRE):
            shade = 1.0 + 0.3 * noise3(x * 3.0, y * 5.0, z * 3.0, seed)
        elif part == n.SAND:
            shade = _blocks(x if abs(nz) > abs(nx) else z, y, 2.2, 1.1, seed, dist)
        else:
            shade = _blocks(along, y, 0.95, 0.46, seed, dist)
        foot = 0.8 + 0.2 * min(max(y * 0.5, 0.0), 1.0)
        shade *= weather * foot
        return r * shade, g * shade, b * shade, 0.0, 0.0, 0.0, 0.95
    if part == n.ROOF:
        clear = _clear(0.3, dist)
        shade = 1.0 + 0.12 * noise3(x * 0.8, y * 0.8, z * 0.8, seed)
        if clear > 0.0:
            row = math.floor(y * 4.2)
            tile = hash_unit(math.floor(along * 3.0 + 0.5 * (row % 2.0)), int(row), 1, seed)
            step = y * 4.2 - row
            shade *= 1.0 + clear * (0.3 * (tile - 0.5) - (0.3 if step < 0.16 else 0.0))
        return ar * shade, ag * shade, ab * shade, 0.0, 0.0, 0.0, 0.8
    if part == n.WALL:
        shade = 1.0 + 0.1 * noise3(x * 0.9, y * 0.9, z * 0.9, seed)
        shade *= 0.82 + 0.18 * min(max(y * 0.9, 0.0), 1.0)
        if kind == n.HOUSE and (seed >> 13) & 3 == 1 and abs(ny) < 0.5:
            flat = along / 1.25
            post = abs(flat - math.floor(flat) - 0.5) * 1.25
            if post < 0.09 or abs(y - 0.52) < 0.08 or abs(y - 2.75) < 0.1 or abs(y - 5.3) < 0.1:
                return 0.075, 0.045, 0.028, 0.0, 0.0, 0.0, 0.9
        elif kind == n.BARN or (kind == n.HOUSE and (seed >> 13) & 3 == 2):
            board = along * 4.0 if kind == n.BARN else y * 5.0
            number = math.floor(board)
            clear = _clear(0.22, dist)
            shade *= 1.0 + clear * (0.16 * hash_unit(int(number), 5, 0, seed) - 0.08)
            if board - number < 0.1:
                shade *= 1.0 - 0.4 * clear
        return r * shade, g * shade, b * shade, 0.0, 0.0, 0.0, 0.9
    if part == n.TRIM:
        if _stone_like(kind) or kind == n.PYRAMID:
            shade = 1.28 + 0.15 * noise3(x, y, z, seed)
            return min(r * shade, 0.9), min(g * shade, 0.9), min(b * shade, 0.9), 0.0, 0.0, 0.0, 0.9
        return 0.74, 0.72, 0.67, 0.0, 0.0, 0.0, 0.7
    if part == n.WOOD:
        shade = 1.0 + 0.3 * _clear(0.1, dist) * noise3(x * 5.0, y * 5.0, z * 5.0, seed)
        if kind in (n.FENCE, n.BOAT, n.ROWBOAT):
            shade *= 1.5
        return 0.2 * shade, 0.118 * shade, 0.062 * shade, 0.0, 0.0, 0.0, 0.85
    if part in (n.PAINT, n.CLOTH):
        rough = 0.2 if kind in (n.CAR, n.TRUCK, n.BUS) else 0.6
        return r, g, b, 0.0, 0.0, 0.0, rough
    if part == n.STRIPE:
        if kind == n.BOAT:
            if y > 1.6:
                return r, g, b, 0.0, 0.0, 0.0, 0.7
            return 0.78, 0.77, 0.74, 0.0, 0.0, 0.0, 0.5
        return ar, ag, ab, 0.0, 0.0, 0.0, 0.7
    if part == n.SAILS:
        shade = 0.96 + 0.06 * noise3(x, y * 2.0, z, seed)
        if kind == n.WINDMILL:
            return 0.72 * shade, 0.66 * shade, 0.54 * shade, 0.0, 0.0, 0.0, 0.9
        seam = y * 1.1
        if abs(seam - math.floor(seam) - 0.5) > 0.48:
            shade *= 1.0 - 0.22 * _clear(0.06, dist)
        return ar * shade, ag * shade, ab * shade, 0.0, 0.0, 0.0, 0.9
    if part == n.GLOW:
        power = 9.0 if kind == n.LIGHTHOUSE else 5.0
        return 0.5, 0.48, 0.4, power, power * 0.78, power * 0.42, 0.2
    if part == n.HEADLIGHT:
        return 0.7, 0.7, 0.68, 5.0, 4.6, 3.6, 0.15
    if part == n.TAILLIGHT:
        return 0.45, 0.02, 0.02, 1.6, 0.05, 0.03, 0.3
    if part == n.EMBER:
        glow = ember_noise(x, y, z, seed)
        glow *= glow * 4.0
        return 0.05, 0.045, 0.04, glow, glow * 0.28, glow * 0.04, 1.0
    if part == n.FLESH:
        rib = math.cos(11.0 * math.atan2(nz, nx)) * _clear(0.1, dist) * (1.0 - ny * ny)
        shade = 1.0 + 0.28 * rib + 0.1 * noise3(x * 2.0, y * 2.0, z * 2.0, seed)
        return r * shade, g * shade, b * shade, 0.0, 0.0, 0.0, 0.8
    if part == n.SLATE:
        shade = 1.0 + 0.2 * noise3(x * 1.5, y * 1.5, z * 1.5, seed)
        return 0.115 * shade, 0.12 * shade, 0.135 * shade, 0.0, 0.0, 0.0, 0.7
    if part == n.METAL:
        grey = 0.36 if kind in (n.BARN, n.CAR) else (0.09 if kind != n.FLAG else 0.45)
        return grey, grey, grey * 1.03, 0.0, 0.0, 0.0, 0.35
    if part == n.ROPE:
        return 0.5 * r, 0.5 * g, 0.5 * b, 0.0, 0.0, 0.0, 0.6
    return 0.022, 0.022, 0.025, 0.0, 0.0, 0.0, 0.9  # tyres and other dark things
