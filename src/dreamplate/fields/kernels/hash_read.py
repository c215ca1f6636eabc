"""Kernels of the hash grid that read its table: features of points, and the gradient of points.

One item is a block of points at one level. A whole level is done before the next one, so that its part of
the table stays in cache. Scratch is as ``hash_index`` left it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.hash_cell import BLOCK, fetch_block, index_block
from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["hash_gather", "hash_points", "level_forward", "level_points"]


def hash_gather(
    item: Any,
    block: Any,
    slot: Any,
    span: Any,
    table: Any,
    base: Any,
    smooth: Any,
    corners: Any,
    places: Any,
    column: Any,
    features: Any,
) -> None:
    """Write the features of a block of points, from ``column`` on."""
    first = item * block
    count = min(block, features.shape[0] - first)
    one = np.float32(1)
    two = np.float32(2)
    three = np.float32(3)
    start = np.uint64(base)
    width = np.uint64(table.shape[1])
    left = np.uint64(column)
    for j in range(count):
        i = np.uint64(first + j)
        k = item * slot + j
        x = places[k]
        y = places[span + k]
        z = places[2 * span + k]
        if smooth:
            x = x * x * (three - two * x)
            y = y * y * (three - two * y)
            z = z * z * (three - two * z)
        u = one - x
        a = (one - y) * (one - z)
        b = y * (one - z)
        c = (one - y) * z
        d = y * z
        k0 = start + np.uint64(corners[k])
        k1 = start + np.uint64(corners[span + k])
        k2 = start + np.uint64(corners[2 * span + k])
        k3 = start + np.uint64(corners[3 * span + k])
        k4 = start + np.uint64(corners[4 * span + k])
        k5 = start + np.uint64(corners[5 * span + k])
        k6 = start + np.uint64(corners[6 * span + k])
        k7 = start + np.uint64(corners[7 * span + k])
        for f in range(width):
            features[i, left + f] = u * (
                a * table[k0, f] + b * table[k2, f] + c * table[k4, f] + d * table[k6, f]
            ) + x * (a * table[k1, f] + b * table[k3, f] + c * table[k5, f] + d * table[k7, f])


def hash_points(
    item: Any,
    block: Any,
    slot: Any,
    span: Any,
    table: Any,
    base: Any,
    smooth: Any,
    scale: Any,
    corners: Any,
    places: Any,
    column: Any,
    by_features: Any,
    to_points: Any,
) -> None:
    """Add one level's part of the gradient at a block of points."""
    first = item * block
    count = min(block, to_points.shape[0] - first)
    one = np.float32(1)
    two = np.float32(2)
    three = np.float32(3)
    six = np.float32(6)
    start = np.uint64(base)
    width = np.uint64(table.shape[1])
    left = np.uint64(column)
    for j in range(count):
        i = np.uint64(first + j)
        k = item * slot + j
        x = places[k]
        y = places[span + k]
        z = places[2 * span + k]
        sx = scale
        sy = scale
        sz = scale
        if smooth:
            sx = scale * six * x * (one - x)
            sy = scale * six * y * (one - y)
            sz = scale * six * z * (one - z)
            x = x * x * (three - two * x)
            y = y * y * (three - two * y)
            z = z * z * (three - two * z)
        k0 = start + np.uint64(corners[k])
        k1 = start + np.uint64(corners[span + k])
        k2 = start + np.uint64(corners[2 * span + k])
        k3 = start + np.uint64(corners[3 * span + k])
        k4 = start + np.uint64(corners[4 * span + k])
        k5 = start + np.uint64(corners[5 * span + k])
        k6 = start + np.uint64(corners[6 * span + k])
        k7 = start + np.uint64(corners[7 * span + k])
        gx = to_points[i, 0]
        gy = to_points[i, 1]
        gz = to_points[i, 2]
        for f in range(width):
            g = by_features[i, left + f]
            t0 = table[k0, f]
            t1 = table[k1, f]
            t2 = table[k2, f]
            t3 = table[k3, f]
            t4 = table[k4, f]
            t5 = table[k5, f]
            t6 = table[k6, f]
            t7 = table[k7, f]
            near = (one - y) * (t1 - t0) + y * (t3 - t2)
            away = (one - y) * (t5 - t4) + y * (t7 - t6)
            gx += g * sx * ((one - z) * near + z * away)
            m0 = t0 + x * (t1 - t0)
            m2 = t2 + x * (t3 - t2)
            m4 = t4 + x * (t5 - t4)
            m6 = t6 + x * (t7 - t6)
            gy += g * sy * ((one - z) * (m2 - m0) + z * (m6 - m4))
            gz += g * sz * ((one - y) * (m4 - m0) + y * (m6 - m2))
        to_points[i, 0] = gx
        to_points[i, 1] = gy
        to_points[i, 2] = gz


_gather = scalar(hash_gather)
_points = scalar(hash_points)


@parallel
def level_forward(
    points: Any,
    table: Any,
    scale: Any,
    shift: Any,
    resolution: Any,
    size: Any,
    hashed: Any,
    base: Any,
    smooth: Any,
    column: Any,
    features: Any,
) -> None:
    """Loop of ``hash_index`` and ``hash_gather`` over the blocks of one level."""
    flat = table[base : base + size].reshape(-1)
    for item in prange((points.shape[1] + BLOCK - 1) // BLOCK):
        corners = np.empty(8 * BLOCK, np.uint32)
        places = np.empty(3 * BLOCK, points.dtype)
        index_block(item, BLOCK, 0, BLOCK, points, scale, shift, resolution, size, hashed, corners, places)
        count = min(BLOCK, points.shape[1] - item * BLOCK)
        fetch_block(count, size, corners, flat, table.shape[1])
        _gather(item, BLOCK, 0, BLOCK, table, base, smooth, corners, places, column, features)


@parallel
def level_points(
    points: Any,
    table: Any,
    scale: Any,
    shift: Any,
    resolution: Any,
    size: Any,
    hashed: Any,
    base: Any,
    smooth: Any,
    column: Any,
    by_features: Any,
    to_points: Any,
) -> None:
    """Loop of ``hash_index`` and ``hash_points`` over the blocks of one level."""
    flat = table[base : base + size].reshape(-1)
    for item in prange((points.shape[1] + BLOCK - 1) // BLOCK):
        corners = np.empty(8 * BLOCK, np.uint32)
        places = np.empty(3 * BLOCK, points.dtype)
        index_block(item, BLOCK, 0, BLOCK, points, scale, shift, resolution, size, hashed, corners, places)
        count = min(BLOCK, points.shape[1] - item * BLOCK)
        fetch_block(count, size, corners, flat, table.shape[1])
        _points(
            item, BLOCK, 0, BLOCK, table, base, smooth, scale, corners, places, column, by_features, to_points
        )
