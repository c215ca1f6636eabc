"""Looking features up in bricks, and how they change with the place. One item is one sample.

Layout as in ``bricks_march``; a row of ``rows`` holds the features of one vertex, channel-last, in one cache
line.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.kernels.space import EMPTY, WIDTH

__all__ = ["lookup", "lookup_place", "lookup_sample", "slope_sample"]


@scalar
def corner_row(index: Any, x: Any, y: Any, z: Any, weight: Any) -> Any:
    """Return the row of a vertex and its weight; row 0 and weight 0 where there is no brick."""
    brick = index[x >> 2, y >> 2, z >> 2]
    if brick < 0:
        return 0, np.float32(0.0)
    return (int(brick) << 6) | ((x & 3) << 4) | ((y & 3) << 2) | (z & 3), weight


def lookup_sample(sample: Any, places: Any, index: Any, rows: Any, found: Any) -> None:
    """Interpolate all channels at one place; ``rows`` is the table as ``(vertices, WIDTH)``."""
    one = np.float32(1.0)
    i = int(places[sample, 0])
    j = int(places[sample, 1])
    k = int(places[sample, 2])
    fx = places[sample, 0] - np.float32(i)
    fy = places[sample, 1] - np.float32(j)
    fz = places[sample, 2] - np.float32(k)
    gx = one - fx
    gy = one - fy
    gz = one - fz
    r0, w0 = corner_row(index, i, j, k, gx * gy * gz)
    r1, w1 = corner_row(index, i, j, k + 1, gx * gy * fz)
    r2, w2 = corner_row(index, i, j + 1, k, gx * fy * gz)
    r3, w3 = corner_row(index, i, j + 1, k + 1, gx * fy * fz)
    r4, w4 = corner_row(index, i + 1, j, k, fx * gy * gz)
    r5, w5 = corner_row(index, i + 1, j, k + 1, fx * gy * fz)
    r6, w6 = corner_row(index, i + 1, j + 1, k, fx * fy * gz)
    r7, w7 = corner_row(index, i + 1, j + 1, k + 1, fx * fy * fz)
    for c in range(WIDTH):  # one expression, so that it becomes a few wide instructions
        front = w0 * rows[r0, c] + w1 * rows[r1, c] + w2 * rows[r2, c] + w3 * rows[r3, c]
        found[sample, c] = front + w4 * rows[r4, c] + w5 * rows[r5, c] + w6 * rows[r6, c] + w7 * rows[r7, c]


def slope_sample(
    sample: Any, places: Any, index: Any, raw: Any, rows: Any, by_raw: Any, by_found: Any, to_places: Any
) -> None:
    """Send the gradient at what was found at one place back to the place."""
    one = np.float32(1.0)
    zero = np.float32(0.0)
    i = int(places[sample, 0])
    j = int(places[sample, 1])
    k = int(places[sample, 2])
    fx = places[sample, 0] - np.float32(i)
    fy = places[sample, 1] - np.float32(j)
    fz = places[sample, 2] - np.float32(k)
    sx = zero
    sy = zero
    sz = zero
    for corner in range(8):
        row, there = corner_row(index, i + (corner >> 2), j + ((corner >> 1) & 1), k + (corner & 1), one)
        pull = by_raw[sample] * EMPTY
        if there > zero:
            pull = by_raw[sample] * raw[row >> 6, row & 63]
            for c in range(WIDTH):
                pull += by_found[sample, c] * rows[row, c]
        wx = fx if corner & 4 else one - fx
        wy = fy if corner & 2 else one - fy
        wz = fz if corner & 1 else one - fz
        sx += (one if corner & 4 else -one) * wy * wz * pull
        sy += (one if corner & 2 else -one) * wx * wz * pull
        sz += (one if corner & 1 else -one) * wx * wy * pull
    to_places[sample, 0] = sx
    to_places[sample, 1] = sy
    to_places[sample, 2] = sz


_lookup = scalar(lookup_sample)
_slope = scalar(slope_sample)


@parallel
def lookup(count: Any, places: Any, index: Any, rows: Any, found: Any) -> None:
    """Loop of ``lookup_sample``."""
    for sample in prange(count):
        _lookup(sample, places, index, rows, found)


@parallel
def lookup_place(
    count: Any, places: Any, index: Any, raw: Any, rows: Any, by_raw: Any, by_found: Any, to_places: Any
) -> None:
    """Loop of ``slope_sample``."""
    for sample in prange(count):
        _slope(sample, places, index, raw, rows, by_raw, by_found, to_places)
