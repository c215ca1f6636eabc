"""The shape of a grid of bricks: which cells may hold something, and the same content in a finer grid.

One item is one brick; it writes only what belongs to itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.kernels.space import EMPTY, WIDTH

__all__ = ["occupy", "occupy_brick", "refine", "refine_brick"]


def occupy_brick(brick: Any, corners: Any, index: Any, raw: Any, least: Any, cells: Any) -> None:
    """Set the bit of each cell that has a corner with raw density above ``least``.

    An interpolated value is never above its greatest corner, so no cell that matters is lost.
    """
    bits = np.uint64(0)
    for row in range(64):
        x = (corners[brick, 0] << 2) + (row >> 4)
        y = (corners[brick, 1] << 2) + ((row >> 2) & 3)
        z = (corners[brick, 2] << 2) + (row & 3)
        for corner in range(8):
            u = x + (corner >> 2)
            v = y + ((corner >> 1) & 1)
            w = z + (corner & 1)
            if u >> 2 >= index.shape[0] or v >> 2 >= index.shape[1] or w >> 2 >= index.shape[2]:
                continue
            other = index[u >> 2, v >> 2, w >> 2]
            if other >= 0 and raw[other, ((u & 3) << 4) | ((v & 3) << 2) | (w & 3)] > least:
                bits |= np.uint64(1) << np.uint64(row)
                break
    cells[brick] = bits


def refine_brick(
    brick: Any,
    corners: Any,
    scale: Any,
    bias: Any,
    index: Any,
    raw: Any,
    table: Any,
    fresh_raw: Any,
    fresh: Any,
) -> None:
    """Fill one brick of a new grid from an old one, at ``place * scale + bias`` in old grid units."""
    one = np.float32(1.0)
    for row in range(64):
        gx = np.float32((corners[brick, 0] << 2) + (row >> 4)) * scale[0] + bias[0]
        gy = np.float32((corners[brick, 1] << 2) + ((row >> 2) & 3)) * scale[1] + bias[1]
        gz = np.float32((corners[brick, 2] << 2) + (row & 3)) * scale[2] + bias[2]
        gx = min(max(gx, np.float32(0.0)), np.float32(4 * index.shape[0]) - np.float32(1.001))
        gy = min(max(gy, np.float32(0.0)), np.float32(4 * index.shape[1]) - np.float32(1.001))
        gz = min(max(gz, np.float32(0.0)), np.float32(4 * index.shape[2]) - np.float32(1.001))
        i = int(gx)
        j = int(gy)
        k = int(gz)
        fx = gx - np.float32(i)
        fy = gy - np.float32(j)
        fz = gz - np.float32(k)
        fresh_raw[brick, row] = np.float32(0.0)
        for c in range(WIDTH):
            fresh[brick, row, c] = np.float32(0.0)
        for corner in range(8):
            x = i + (corner >> 2)
            y = j + ((corner >> 1) & 1)
            z = k + (corner & 1)
            weight = (fx if corner & 4 else one - fx) * (fy if corner & 2 else one - fy)
            weight *= fz if corner & 1 else one - fz
            other = index[x >> 2, y >> 2, z >> 2]
            if other < 0:
                fresh_raw[brick, row] += weight * EMPTY
            else:
                beside = ((x & 3) << 4) | ((y & 3) << 2) | (z & 3)
                fresh_raw[brick, row] += weight * raw[other, beside]
                for c in range(WIDTH):
                    fresh[brick, row, c] += weight * table[other, beside, c]


_occupy = scalar(occupy_brick)
_refine = scalar(refine_brick)


@parallel
def occupy(count: Any, corners: Any, index: Any, raw: Any, least: Any, cells: Any) -> None:
    """Loop of ``occupy_brick``."""
    for brick in prange(count):
        _occupy(brick, corners, index, raw, least, cells)


@parallel
def refine(
    count: Any,
    corners: Any,
    scale: Any,
    bias: Any,
    index: Any,
    raw: Any,
    table: Any,
    fresh_raw: Any,
    fresh: Any,
) -> None:
    """Loop of ``refine_brick``."""
    for brick in prange(count):
        _refine(brick, corners, scale, bias, index, raw, table, fresh_raw, fresh)
