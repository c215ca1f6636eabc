"""Kernels of a world's shape: landforms, cut by the water that lies in the view.

The water's surface, where there is any, is at height 0; all dry land is higher. A shore is a field of
distances: metres inland, negative in the water.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import parallel, scalar
from dreamplate.scenes.world.kernels import ground_land as land
from dreamplate.scenes.world.kernels.noise import noise2

import numba  # isort: skip  # dreamplate.compiled says first where compiled functions are kept

__all__ = ["NUMBERS", "fill_heights", "list_heights", "list_shores", "shape_height", "shore_distance"]

NUMBERS = (
    "biome",
    "relief",
    "water",
    "style",
    "cos",
    "sin",
    "start",
    "bend",
    "cliff",
    "centre_x",
    "centre_z",
    "radius_x",
    "radius_z",
    "half",
    "swing_1",
    "wave_1",
    "phase_1",
    "swing_2",
    "wave_2",
    "phase_2",
    "islets",
    "wind_cos",
    "wind_sin",
)
"""What the numbers of a shape are, in their order."""
BIOME, RELIEF, WATER, STYLE, COS, SIN, START, BEND, CLIFF = range(9)
CENTRE_X, CENTRE_Z, RADIUS_X, RADIUS_Z, HALF = range(9, 14)
SWING_1, WAVE_1, PHASE_1, SWING_2, WAVE_2, PHASE_2, ISLETS, WIND_COS, WIND_SIN = range(14, 23)
DRY = 28.0
"""Metres around the origin that no water enters."""


@scalar
def _sea(x: Any, z: Any, p: Any, seed: Any) -> Any:
    """Return metres inland of a coast that crosses the view: bays, capes left and right, islets far out."""
    r = (x * x + z * z) ** 0.5
    wx = x + 45.0 * noise2(x / 230.0, z / 230.0, seed + 63)
    along = p[COS] * wx - p[SIN] * z
    inland = p[SIN] * x + p[COS] * z + p[START]
    one = (along - p[CENTRE_X]) / p[RADIUS_X]
    two = (along - p[SWING_1]) / p[WAVE_1]
    inland += p[RADIUS_Z] * math.exp(-one * one) + p[SWING_2] * math.exp(-two * two)
    inland += p[BEND] * along * land.smooth(abs(along), 100.0, 2500.0)
    loose = land.smooth(r, 20.0, 500.0)
    inland += loose * 130.0 * noise2(x / 760.0, z / 760.0, seed + 60)
    inland += loose * 34.0 * noise2(x / 190.0, z / 190.0, seed + 61)
    if p[ISLETS] > 0.0 and r > 500.0:
        islet = noise2(x / 520.0 + 4.1, z / 520.0, seed + 62) - 0.52 + 0.1 * p[ISLETS]
        inland = max(inland, 260.0 * islet * land.smooth(r, 500.0, 900.0))
    return inland


@scalar
def _archipelago(x: Any, z: Any, p: Any, seed: Any) -> Any:
    """Return metres inland of islands: one under the origin, others ahead."""
    r = (x * x + z * z) ** 0.5
    wx = x + 60.0 * noise2(x / 300.0, z / 300.0, seed + 63)
    wz = z + 60.0 * noise2(x / 300.0 + 9.7, z / 300.0, seed + 64)
    far = 300.0 * (noise2(wx / 640.0, wz / 640.0, seed + 60) - 0.17)
    far += 90.0 * noise2(wx / 210.0, wz / 210.0, seed + 61)
    far = far * land.smooth(r, 110.0, 420.0) - 60.0 * (1.0 - land.smooth(r, 110.0, 420.0))
    own_x = wx - p[CENTRE_X]
    own_z = wz - p[CENTRE_Z]
    own = p[RADIUS_X] - (own_x * own_x + own_z * own_z) ** 0.5
    first_x = wx - p[SWING_1]
    first_z = wz - p[SWING_2]
    first = p[WAVE_1] - (first_x * first_x * 0.5 + first_z * first_z) ** 0.5
    return max(far, own, first)


@scalar
def _lake(x: Any, z: Any, p: Any, seed: Any) -> Any:
    r = (x * x + z * z) ** 0.5
    qx = (x - p[CENTRE_X]) / p[RADIUS_X]
    qz = (z - p[CENTRE_Z]) / p[RADIUS_Z]
    f = (qx * qx + qz * qz) ** 0.5
    slope = ((qx / p[RADIUS_X]) ** 2 + (qz / p[RADIUS_Z]) ** 2) ** 0.5 / max(f, 0.05)
    distance = (f - 1.0) / max(slope, 1e-4)
    loose = land.smooth(r, 20.0, 260.0)
    distance += loose * 52.0 * noise2(x / 210.0, z / 210.0, seed + 60)
    return distance + loose * 15.0 * noise2(x / 66.0, z / 66.0, seed + 61)


@scalar
def _river(x: Any, z: Any, p: Any, seed: Any) -> Any:
    u = p[COS] * x + p[SIN] * (z + p[START])
    v = p[COS] * (z + p[START]) - p[SIN] * x
    calm = land.smooth(abs(u), 0.0, 160.0)
    one = u / p[WAVE_1] + p[PHASE_1]
    two = u / p[WAVE_2] + p[PHASE_2]
    course = p[SWING_1] * (math.sin(one) - math.sin(p[PHASE_1])) + calm * p[SWING_2] * math.sin(two)
    slope = p[SWING_1] / p[WAVE_1] * math.cos(one) + p[SWING_2] / p[WAVE_2] * math.cos(two)
    half = p[HALF] * (1.0 + 0.3 * noise2(u / 130.0, 0.5, seed + 60))
    edge = 3.0 * noise2(x / 23.0, z / 23.0, seed + 61)
    return abs(v - course) / (1.0 + slope * slope) ** 0.5 - half + edge


@scalar
def shore_distance(x: Any, z: Any, p: Any, seed: Any) -> Any:
    """Return metres inland of the nearest water, negative in it; 1e9 where the world has no shore."""
    biome = int(p[BIOME])
    water = int(p[WATER])
    r = (x * x + z * z) ** 0.5
    if biome == 3 and water != 3:
        distance = _archipelago(x, z, p, seed)
    elif water == 1 or (biome == 2 and water == 0):
        distance = _sea(x, z, p, seed)
    elif water == 2:
        distance = _lake(x, z, p, seed)
    elif water == 3:
        distance = _river(x, z, p, seed)
    else:
        return 1e9
    return max(distance, DRY - r)


@scalar
def _land(x: Any, z: Any, distance: Any, detail: Any, p: Any, seed: Any) -> Any:
    biome = int(p[BIOME])
    style = p[STYLE]
    if biome == 0:
        return land.mountains(x, z, detail, style, seed)
    if biome == 1:
        return land.hills(x, z, detail, style, seed)
    if biome == 2:
        return 14.0 + 26.0 * style + 0.7 * land.hills(x, z, detail, style, seed)
    if biome == 3:
        return land.isles(x, z, distance, detail, style, seed)
    if biome == 4:
        return land.dunes(x, z, detail, style, p[WIND_COS], p[WIND_SIN], seed)
    if biome == 5:
        return land.snowfields(x, z, detail, style, seed)
    if biome == 6:
        return land.canyon(x, z, detail, style, seed)
    return land.plains(x, z, detail, style, seed)


@scalar
def shape_height(x: Any, z: Any, detail: Any, p: Any, seed: Any) -> Any:
    """Return the height of the ground at a place.

    Args:
        x: Metres.
        z: Metres.
        detail: Shortest wave that matters, metres.
        p: Numbers of the shape, as `NUMBERS` says.
        seed: Of all noise.
    """
    biome = int(p[BIOME])
    relief = p[RELIEF]
    distance = shore_distance(x, z, p, seed)
    high = 0.0
    if distance > 0.0:
        high = relief * _land(x, z, distance, detail, p, seed)
    if distance > 1e8:
        if biome == 6:
            return land.terraces(high, 27.0, x, z, seed) + 2.0
        return high + 2.0
    width = 260.0
    water = int(p[WATER])
    if distance <= 0.0:
        deep = 16.0
        fall = 130.0
        if water == 3:
            deep = 2.6
            fall = 9.0
        elif water == 2:
            deep = 9.0
            fall = 60.0
        return -deep * (1.0 - math.exp(distance / fall))
    begin = 0.0
    if biome == 2 and water < 2:
        rock = 0.5 + 0.5 * noise2(x / 420.0, z / 420.0, seed + 65) + 0.6 * p[CLIFF]
        cliff = land.smooth(rock, 0.35, 0.8)
        width = 200.0 - 180.0 * cliff
        begin = 5.0 + 4.0 * noise2(x / 37.0, z / 37.0, seed + 66)
    elif biome == 3:
        width = 60.0
    elif biome == 0:
        width = 330.0
    elif biome in (4, 7):
        width = 120.0
    elif biome == 6:
        width = 95.0
    if water == 3:
        width *= 0.6
    share = land.smooth(distance, begin - 8.0, begin + width)
    beach = 2.6 * (1.0 - math.exp(-distance / 34.0))
    if biome == 6:
        return beach + land.terraces(high * share, 27.0, x, z, seed)
    return beach + high * share


@parallel
def fill_heights(x0: Any, z0: Any, cell: Any, detail: Any, hole: Any, p: Any, seed: Any, out: Any) -> None:
    """Write the heights of a square grid into ``out`` (n, n), but for ``hole`` cells around its middle."""
    n = out.shape[0]
    middle = n // 2
    for row in numba.prange(n):
        z = z0 + row * cell
        inside = abs(row - middle) < hole
        for column in range(n):
            if inside and abs(column - middle) < hole:
                continue
            out[row, column] = shape_height(x0 + column * cell, z, detail, p, seed)


@scalar
def list_heights(x: Any, z: Any, detail: Any, p: Any, seed: Any, out: Any) -> None:
    """Write the heights of a list of places into ``out`` (k,)."""
    for i in range(out.shape[0]):
        out[i] = shape_height(x[i], z[i], detail, p, seed)


@scalar
def list_shores(x: Any, z: Any, p: Any, seed: Any, out: Any) -> None:
    """Write the distances from the water of a list of places into ``out`` (k,)."""
    for i in range(out.shape[0]):
        out[i] = shore_distance(x[i], z[i], p, seed)
