"""Kernels of the hash grid's table gradient, without atomics and with the same bits on every run.

On the processor one thread owns a level and goes through the points in order. Blocks of points have their
entries found first; then each adds to eight entries. That is where the time goes, so the usual numbers of
features, 2 and 4, are spelled out: an entry is then loaded, added to and stored as a whole. On a graphics
card corners are sorted by entry, stably, and one thread owns an entry (``hash_entry``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.hash_cell import BLOCK, fetch_block, index_block
from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.kernels.wide import add_run

__all__ = ["hash_entry", "levels_table"]


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
        places: ``(3 * n,)`` places in the cell.
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
            w = places[axis * n + i]
            if smooth:
                w = w * w * (np.float32(3) - np.float32(2) * w)
            if (corner >> axis) & 1 == 0:
                w = np.float32(1) - w
            weight = weight * w
        for f in range(to_table.shape[1]):
            to_table[row, f] += weight * by_features[i, column + f]


@scalar
def _shares(places: Any, j: Any, smooth: Any) -> Any:
    """Return how far into its cell point j of a block is along x, and what its four edges along x weigh."""
    one = np.float32(1)
    two = np.float32(2)
    three = np.float32(3)
    x = places[j]
    y = places[BLOCK + j]
    z = places[2 * BLOCK + j]
    if smooth:
        x = x * x * (three - two * x)
        y = y * y * (three - two * y)
        z = z * z * (three - two * z)
    return x, (one - y) * (one - z), y * (one - z), (one - y) * z, y * z


@scalar
def _scatter_two(
    first: Any, count: Any, smooth: Any, corners: Any, places: Any, column: Any, by: Any, flat: Any
) -> None:
    """Add a block's gradients to entries of two features; ``flat`` is the level's part of the table."""
    for j in range(count):
        x, a, b, c, d = _shares(places, j, smooth)
        u = np.float32(1) - x
        i = np.uint64(first + j)
        h = np.uint64(column)
        found = by[i, h], by[i, h + np.uint64(1)]
        add_run(flat, np.uint64(corners[j]) * np.uint64(2), a * u, found)
        add_run(flat, np.uint64(corners[BLOCK + j]) * np.uint64(2), a * x, found)
        add_run(flat, np.uint64(corners[2 * BLOCK + j]) * np.uint64(2), b * u, found)
        add_run(flat, np.uint64(corners[3 * BLOCK + j]) * np.uint64(2), b * x, found)
        add_run(flat, np.uint64(corners[4 * BLOCK + j]) * np.uint64(2), c * u, found)
        add_run(flat, np.uint64(corners[5 * BLOCK + j]) * np.uint64(2), c * x, found)
        add_run(flat, np.uint64(corners[6 * BLOCK + j]) * np.uint64(2), d * u, found)
        add_run(flat, np.uint64(corners[7 * BLOCK + j]) * np.uint64(2), d * x, found)


@scalar
def _scatter_four(
    first: Any, count: Any, smooth: Any, corners: Any, places: Any, column: Any, by: Any, flat: Any
) -> None:
    """Add a block's gradients to entries of four features."""
    for j in range(count):
        x, a, b, c, d = _shares(places, j, smooth)
        u = np.float32(1) - x
        i = np.uint64(first + j)
        h = np.uint64(column)
        found = by[i, h], by[i, h + np.uint64(1)], by[i, h + np.uint64(2)], by[i, h + np.uint64(3)]
        add_run(flat, np.uint64(corners[j]) * np.uint64(4), a * u, found)
        add_run(flat, np.uint64(corners[BLOCK + j]) * np.uint64(4), a * x, found)
        add_run(flat, np.uint64(corners[2 * BLOCK + j]) * np.uint64(4), b * u, found)
        add_run(flat, np.uint64(corners[3 * BLOCK + j]) * np.uint64(4), b * x, found)
        add_run(flat, np.uint64(corners[4 * BLOCK + j]) * np.uint64(4), c * u, found)
        add_run(flat, np.uint64(corners[5 * BLOCK + j]) * np.uint64(4), c * x, found)
        add_run(flat, np.uint64(corners[6 * BLOCK + j]) * np.uint64(4), d * u, found)
        add_run(flat, np.uint64(corners[7 * BLOCK + j]) * np.uint64(4), d * x, found)


@scalar
def _scatter_any(
    first: Any,
    count: Any,
    smooth: Any,
    corners: Any,
    places: Any,
    column: Any,
    by: Any,
    width: Any,
    flat: Any,
) -> None:
    """Add a block's gradients to entries of any number of features."""
    for j in range(count):
        x, a, b, c, d = _shares(places, j, smooth)
        for corner in range(8):
            edge = corner >> 1
            weight = a if edge == 0 else b if edge == 1 else c if edge == 2 else d
            weight = weight * (x if corner & 1 else np.float32(1) - x)
            at = np.int64(corners[corner * BLOCK + j]) * width
            for f in range(width):
                flat[at + f] += weight * by[first + j, column + f]


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
    width: Any,
    to_table: Any,
) -> None:
    """Write the gradient of the table, a thread a level.

    Args:
        points: ``(3, n)``.
        order: Levels in the order in which threads take them.
        scales: Per level, what coordinates are multiplied with.
        shift: What is added then.
        resolutions: Per level, vertices per axis.
        offsets: Per level, its first entry; then the number of entries.
        hashed: Per level, whether entries are found by hash.
        smooth: Whether interpolation is smoothstep.
        by_features: ``(n, levels * width)``.
        width: Features of an entry.
        to_table: ``(entries * width,)``; need not be zero before.
    """
    for turn in prange(order.shape[0]):
        level = order[turn]
        size = offsets[level + 1] - offsets[level]
        flat = to_table[offsets[level] * width : offsets[level + 1] * width]
        flat[:] = 0
        corners = np.empty(8 * BLOCK, np.uint32)
        places = np.empty(3 * BLOCK, points.dtype)
        column = level * width
        for item in range((points.shape[1] + BLOCK - 1) // BLOCK):
            first = item * BLOCK
            count = min(BLOCK, points.shape[1] - first)
            index_block(
                item,
                BLOCK,
                0,
                BLOCK,
                points,
                scales[level],
                shift,
                resolutions[level],
                size,
                hashed[level],
                corners,
                places,
            )
            fetch_block(count, size, corners, flat, width)
            if width == 2:
                _scatter_two(first, count, smooth, corners, places, column, by_features, flat)
            elif width == 4:
                _scatter_four(first, count, smooth, corners, places, column, by_features, flat)
            else:
                _scatter_any(first, count, smooth, corners, places, column, by_features, width, flat)
