"""Kernels of the hash grid: features of points, and the gradients of tables and points.

One item is a block of points at one level. ``hash_index`` finds the eight corners of each point's cell and
its place in the cell, a loop that vectorises; ``hash_gather`` then reads the table. Split like this, many
reads are under way at once, which is what the time goes into. A whole level is done before the next one,
so that its part of the table stays in cache. On a graphics card a block is one point.

Gradients of the table need no atomics. CPU: one thread owns a level (``hash_scatter``). CUDA: corners are
sorted by entry, stably, and one thread owns an entry (``hash_entry``). Both give the same bits on every
run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = [
    "hash_entry",
    "hash_gather",
    "hash_index",
    "hash_points",
    "hash_scatter",
    "level_forward",
    "level_points",
    "levels_table",
]

BLOCK = 128
Y_PRIME = np.uint32(2654435761)
Z_PRIME = np.uint32(805459861)


def hash_index(
    item: Any,
    block: Any,
    slot: Any,
    points: Any,
    scale: Any,
    shift: Any,
    resolution: Any,
    size: Any,
    hashed: Any,
    corners: Any,
    places: Any,
) -> None:
    """Find the corners of the cells of a block of points.

    Args:
        item: Number of the block.
        block: Points per block.
        slot: 1 where scratch has room for all blocks, 0 where each block begins it anew.
        points: ``(n, 3)``.
        scale: What coordinates are multiplied with.
        shift: What is added then.
        resolution: Vertices per axis.
        size: Entries of the level.
        hashed: Not 0 where entries are found by hash.
        corners: Scratch ``(8, ...)`` for entries; bit d of the row is a step along axis d.
        places: Scratch ``(3, ...)`` for the place in the cell, 0-1.
    """
    first = item * block
    count = min(block, points.shape[0] - first)
    column = item * slot
    one = np.uint32(1)
    row = np.uint32(resolution)
    sheet = np.uint32(row * row)
    entries = np.uint32(size)
    powers_of_two = entries & np.uint32(entries - one) == 0
    mask = np.uint32(entries - one)
    for j in range(count):
        i = first + j
        px = points[i, 0] * scale + shift
        py = points[i, 1] * scale + shift
        pz = points[i, 2] * scale + shift
        xi = np.int32(px) - np.int32(px < np.float32(np.int32(px)))
        yi = np.int32(py) - np.int32(py < np.float32(np.int32(py)))
        zi = np.int32(pz) - np.int32(pz < np.float32(np.int32(pz)))
        k = column + j
        places[0, k] = px - np.float32(xi)
        places[1, k] = py - np.float32(yi)
        places[2, k] = pz - np.float32(zi)
        x0 = np.uint32(xi)
        if hashed:
            x1 = np.uint32(x0 + one)
            y0 = np.uint32(np.uint32(yi) * Y_PRIME)
            y1 = np.uint32(y0 + Y_PRIME)
            z0 = np.uint32(np.uint32(zi) * Z_PRIME)
            z1 = np.uint32(z0 + Z_PRIME)
            corners[0, k] = x0 ^ y0 ^ z0
            corners[1, k] = x1 ^ y0 ^ z0
            corners[2, k] = x0 ^ y1 ^ z0
            corners[3, k] = x1 ^ y1 ^ z0
            corners[4, k] = x0 ^ y0 ^ z1
            corners[5, k] = x1 ^ y0 ^ z1
            corners[6, k] = x0 ^ y1 ^ z1
            corners[7, k] = x1 ^ y1 ^ z1
        else:
            near = np.uint32(x0 + np.uint32(np.uint32(yi) * row) + np.uint32(np.uint32(zi) * sheet))
            away = np.uint32(near + sheet)
            corners[0, k] = near
            corners[1, k] = np.uint32(near + one)
            corners[2, k] = np.uint32(near + row)
            corners[3, k] = np.uint32(near + row + one)
            corners[4, k] = away
            corners[5, k] = np.uint32(away + one)
            corners[6, k] = np.uint32(away + row)
            corners[7, k] = np.uint32(away + row + one)
    for corner in range(8):
        if powers_of_two:
            for j in range(count):
                corners[corner, column + j] &= mask
        else:
            for j in range(count):
                if corners[corner, column + j] >= entries:
                    corners[corner, column + j] %= entries


def hash_gather(
    item: Any,
    block: Any,
    slot: Any,
    table: Any,
    base: Any,
    smooth: Any,
    corners: Any,
    places: Any,
    column: Any,
    features: Any,
) -> None:
    """Write the features of a block of points, from ``column`` on; corners as ``hash_index`` left them."""
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
        x = places[0, k]
        y = places[1, k]
        z = places[2, k]
        if smooth:
            x = x * x * (three - two * x)
            y = y * y * (three - two * y)
            z = z * z * (three - two * z)
        u = one - x
        a = (one - y) * (one - z)
        b = y * (one - z)
        c = (one - y) * z
        d = y * z
        k0 = start + np.uint64(corners[0, k])
        k1 = start + np.uint64(corners[1, k])
        k2 = start + np.uint64(corners[2, k])
        k3 = start + np.uint64(corners[3, k])
        k4 = start + np.uint64(corners[4, k])
        k5 = start + np.uint64(corners[5, k])
        k6 = start + np.uint64(corners[6, k])
        k7 = start + np.uint64(corners[7, k])
        for f in range(width):
            features[i, left + f] = u * (
                a * table[k0, f] + b * table[k2, f] + c * table[k4, f] + d * table[k6, f]
            ) + x * (a * table[k1, f] + b * table[k3, f] + c * table[k5, f] + d * table[k7, f])


def hash_points(
    item: Any,
    block: Any,
    slot: Any,
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
        x = places[0, k]
        y = places[1, k]
        z = places[2, k]
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
        k0 = start + np.uint64(corners[0, k])
        k1 = start + np.uint64(corners[1, k])
        k2 = start + np.uint64(corners[2, k])
        k3 = start + np.uint64(corners[3, k])
        k4 = start + np.uint64(corners[4, k])
        k5 = start + np.uint64(corners[5, k])
        k6 = start + np.uint64(corners[6, k])
        k7 = start + np.uint64(corners[7, k])
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


def hash_scatter(
    item: Any,
    block: Any,
    base: Any,
    smooth: Any,
    corners: Any,
    places: Any,
    column: Any,
    by_features: Any,
    to_table: Any,
) -> None:
    """Add a block's gradients into the table; the caller owns the level."""
    first = item * block
    count = min(block, by_features.shape[0] - first)
    one = np.float32(1)
    two = np.float32(2)
    three = np.float32(3)
    start = np.uint64(base)
    width = np.uint64(to_table.shape[1])
    left = np.uint64(column)
    for j in range(count):
        i = np.uint64(first + j)
        x = places[0, j]
        y = places[1, j]
        z = places[2, j]
        if smooth:
            x = x * x * (three - two * x)
            y = y * y * (three - two * y)
            z = z * z * (three - two * z)
        a = (one - y) * (one - z)
        b = y * (one - z)
        c = (one - y) * z
        d = y * z
        k0 = start + np.uint64(corners[0, j])
        k1 = start + np.uint64(corners[1, j])
        k2 = start + np.uint64(corners[2, j])
        k3 = start + np.uint64(corners[3, j])
        k4 = start + np.uint64(corners[4, j])
        k5 = start + np.uint64(corners[5, j])
        k6 = start + np.uint64(corners[6, j])
        k7 = start + np.uint64(corners[7, j])
        u = one - x
        f = np.uint64(0)
        while f + np.uint64(3) < width:  # four at once: the processor adds them as one
            h = left + f
            p = by_features[i, h]
            q = by_features[i, h + np.uint64(1)]
            r = by_features[i, h + np.uint64(2)]
            s = by_features[i, h + np.uint64(3)]
            _add_four(to_table, k0, f, a * u, p, q, r, s)
            _add_four(to_table, k1, f, a * x, p, q, r, s)
            _add_four(to_table, k2, f, b * u, p, q, r, s)
            _add_four(to_table, k3, f, b * x, p, q, r, s)
            _add_four(to_table, k4, f, c * u, p, q, r, s)
            _add_four(to_table, k5, f, c * x, p, q, r, s)
            _add_four(to_table, k6, f, d * u, p, q, r, s)
            _add_four(to_table, k7, f, d * x, p, q, r, s)
            f += np.uint64(4)
        while f < width:  # two, or the last one twice with nothing the second time
            h = min(f + np.uint64(1), width - np.uint64(1))
            p = by_features[i, left + f]
            q = by_features[i, left + h] if h > f else np.float32(0)
            _add_two(to_table, k0, f, h, a * u, p, q)
            _add_two(to_table, k1, f, h, a * x, p, q)
            _add_two(to_table, k2, f, h, b * u, p, q)
            _add_two(to_table, k3, f, h, b * x, p, q)
            _add_two(to_table, k4, f, h, c * u, p, q)
            _add_two(to_table, k5, f, h, c * x, p, q)
            _add_two(to_table, k6, f, h, d * u, p, q)
            _add_two(to_table, k7, f, h, d * x, p, q)
            f += np.uint64(2)


@scalar
def _add_two(to_table: Any, k: Any, f: Any, h: Any, weight: Any, p: Any, q: Any) -> None:
    to_table[k, f] += weight * p
    to_table[k, h] += weight * q


@scalar
def _add_four(to_table: Any, k: Any, f: Any, weight: Any, p: Any, q: Any, r: Any, s: Any) -> None:
    to_table[k, f] += weight * p
    to_table[k, f + np.uint64(1)] += weight * q
    to_table[k, f + np.uint64(2)] += weight * r
    to_table[k, f + np.uint64(3)] += weight * s


def hash_entry(
    item: Any,
    starts: Any,
    order: Any,
    entries: Any,
    base: Any,
    smooth: Any,
    places: Any,
    column: Any,
    by_features: Any,
    to_table: Any,
) -> None:
    """Sum the gradient of one table entry over the corners that met it, in the order of the points.

    Args:
        item: Number of the run of equal entries.
        starts: ``(runs + 1,)`` where each run begins.
        order: ``(8 n,)`` sorted corners: row of ``corners`` times n plus the point.
        entries: ``(runs,)`` the entry of each run.
        base: First entry of the level.
        smooth: Whether interpolation is smoothstep.
        places: ``(3, n)`` places in the cell.
        column: First feature of the level.
        by_features: Gradient of the features ``(n, width)``.
        to_table: Gradient of the table, zero before.
    """
    n = by_features.shape[0]
    row = base + entries[item]
    for s in range(starts[item], starts[item + 1]):
        corner = order[s] // n
        i = order[s] - corner * n
        weight = np.float32(1)
        for axis in range(3):
            w = places[axis, i]
            if smooth:
                w = w * w * (np.float32(3) - np.float32(2) * w)
            if (corner >> axis) & 1 == 0:
                w = np.float32(1) - w
            weight = weight * w
        for f in range(to_table.shape[1]):
            to_table[row, f] += weight * by_features[i, column + f]


_index = scalar(hash_index)
_gather = scalar(hash_gather)
_points = scalar(hash_points)
_scatter = scalar(hash_scatter)


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
    for item in prange((points.shape[0] + BLOCK - 1) // BLOCK):
        corners = np.empty((8, BLOCK), np.uint32)
        places = np.empty((3, BLOCK), points.dtype)
        _index(item, BLOCK, 0, points, scale, shift, resolution, size, hashed, corners, places)
        _gather(item, BLOCK, 0, table, base, smooth, corners, places, column, features)


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
    for item in prange((points.shape[0] + BLOCK - 1) // BLOCK):
        corners = np.empty((8, BLOCK), np.uint32)
        places = np.empty((3, BLOCK), points.dtype)
        _index(item, BLOCK, 0, points, scale, shift, resolution, size, hashed, corners, places)
        _points(item, BLOCK, 0, table, base, smooth, scale, corners, places, column, by_features, to_points)


@parallel
def levels_table(
    points: Any,
    order: Any,
    scales: Any,
    shift: Any,
    resolutions: Any,
    offsets: Any,
    hashed: Any,
    smooth: Any,
    by_features: Any,
    to_table: Any,
) -> None:
    """Loop of ``hash_index`` and ``hash_scatter``, a thread a level, taken in the given order."""
    for turn in prange(order.shape[0]):
        level = order[turn]
        base = offsets[level]
        size = offsets[level + 1] - base
        column = level * to_table.shape[1]
        corners = np.empty((8, BLOCK), np.uint32)
        places = np.empty((3, BLOCK), points.dtype)
        for item in range((points.shape[0] + BLOCK - 1) // BLOCK):
            _index(
                item,
                BLOCK,
                0,
                points,
                scales[level],
                shift,
                resolutions[level],
                size,
                hashed[level],
                corners,
                places,
            )
            _scatter(item, BLOCK, base, smooth, corners, places, column, by_features, to_table)
