"""Kernels of plane encodings: bilinear reads from a plane for every pair of coordinates, multiplied.

Planes are channel-last rows of one table, so that a read is one run of memory. Forward and the gradient of
points take a point as item; the gradient of the table takes a plane, so that no two threads write one row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["planes_point", "planes_points", "planes_slope", "planes_slopes", "planes_table", "planes_tables"]


def planes_point(
    item: Any, points: Any, pairs: Any, sizes: Any, offsets: Any, table: Any, reads: Any, features: Any
) -> None:
    """Read all planes at one point and multiply.

    Args:
        item: Number of the point.
        points: ``(n, d)``, -1 to 1 from the first to the last vertex; beyond, the border holds.
        pairs: ``(p, 2)`` the two coordinates of each plane.
        sizes: ``(p, 2)`` vertices along them.
        offsets: ``(p,)`` first row of each plane; the first coordinate runs fastest.
        table: ``(rows, width)``.
        reads: ``(n, p, width)`` what each plane gave.
        features: ``(n, width)`` the product.
    """
    half = np.float32(0.5)
    one = np.float32(1)
    zero = np.float32(0)
    for plane in range(pairs.shape[0]):
        wide = sizes[plane, 0]
        high = sizes[plane, 1]
        x = (points[item, pairs[plane, 0]] + one) * half * np.float32(wide - 1)
        y = (points[item, pairs[plane, 1]] + one) * half * np.float32(high - 1)
        x = min(max(x, zero), np.float32(wide - 1))
        y = min(max(y, zero), np.float32(high - 1))
        i = min(np.int64(x), max(wide - 2, 0))
        j = min(np.int64(y), max(high - 2, 0))
        u = x - np.float32(i)
        v = y - np.float32(j)
        a = offsets[plane] + j * wide + i
        b = a + min(1, wide - 1)
        c = a + wide * min(1, high - 1)
        d = c + min(1, wide - 1)
        for f in range(table.shape[1]):
            near = (one - u) * table[a, f] + u * table[b, f]
            away = (one - u) * table[c, f] + u * table[d, f]
            read = (one - v) * near + v * away
            reads[item, plane, f] = read
            features[item, f] = features[item, f] * read if plane > 0 else read


def planes_table(
    plane: Any,
    points: Any,
    pairs: Any,
    sizes: Any,
    offsets: Any,
    reads: Any,
    by_features: Any,
    to_table: Any,
) -> None:
    """Add the gradients of one plane's rows, point by point; the others' reads are its factors."""
    half = np.float32(0.5)
    one = np.float32(1)
    zero = np.float32(0)
    wide = sizes[plane, 0]
    high = sizes[plane, 1]
    for item in range(points.shape[0]):
        x = (points[item, pairs[plane, 0]] + one) * half * np.float32(wide - 1)
        y = (points[item, pairs[plane, 1]] + one) * half * np.float32(high - 1)
        x = min(max(x, zero), np.float32(wide - 1))
        y = min(max(y, zero), np.float32(high - 1))
        i = min(np.int64(x), max(wide - 2, 0))
        j = min(np.int64(y), max(high - 2, 0))
        u = x - np.float32(i)
        v = y - np.float32(j)
        a = offsets[plane] + j * wide + i
        b = a + min(1, wide - 1)
        c = a + wide * min(1, high - 1)
        d = c + min(1, wide - 1)
        for f in range(to_table.shape[1]):
            pull = by_features[item, f]
            for other in range(pairs.shape[0]):
                if other != plane:
                    pull = pull * reads[item, other, f]
            to_table[a, f] += (one - v) * (one - u) * pull
            to_table[b, f] += (one - v) * u * pull
            to_table[c, f] += v * (one - u) * pull
            to_table[d, f] += v * u * pull


def planes_slope(
    item: Any,
    points: Any,
    pairs: Any,
    sizes: Any,
    offsets: Any,
    table: Any,
    reads: Any,
    by_features: Any,
    to_points: Any,
) -> None:
    """Add the gradient at one point; 0 along axes on which it lies beyond the border."""
    half = np.float32(0.5)
    one = np.float32(1)
    zero = np.float32(0)
    for plane in range(pairs.shape[0]):
        wide = sizes[plane, 0]
        high = sizes[plane, 1]
        rate_x = half * np.float32(wide - 1)
        rate_y = half * np.float32(high - 1)
        x = (points[item, pairs[plane, 0]] + one) * rate_x
        y = (points[item, pairs[plane, 1]] + one) * rate_y
        if x < zero or x > np.float32(wide - 1):
            rate_x = zero
        if y < zero or y > np.float32(high - 1):
            rate_y = zero
        x = min(max(x, zero), np.float32(wide - 1))
        y = min(max(y, zero), np.float32(high - 1))
        i = min(np.int64(x), max(wide - 2, 0))
        j = min(np.int64(y), max(high - 2, 0))
        u = x - np.float32(i)
        v = y - np.float32(j)
        a = offsets[plane] + j * wide + i
        b = a + min(1, wide - 1)
        c = a + wide * min(1, high - 1)
        d = c + min(1, wide - 1)
        for f in range(table.shape[1]):
            pull = by_features[item, f]
            for other in range(pairs.shape[0]):
                if other != plane:
                    pull = pull * reads[item, other, f]
            across = (one - v) * (table[b, f] - table[a, f]) + v * (table[d, f] - table[c, f])
            down = (one - u) * (table[c, f] - table[a, f]) + u * (table[d, f] - table[b, f])
            to_points[item, pairs[plane, 0]] += pull * across * rate_x
            to_points[item, pairs[plane, 1]] += pull * down * rate_y


_point = scalar(planes_point)
_table = scalar(planes_table)
_slope = scalar(planes_slope)


@parallel
def planes_points(
    count: Any, points: Any, pairs: Any, sizes: Any, offsets: Any, table: Any, reads: Any, features: Any
) -> None:
    """Loop of ``planes_point``."""
    for item in prange(count):
        _point(item, points, pairs, sizes, offsets, table, reads, features)


@parallel
def planes_tables(
    count: Any,
    points: Any,
    pairs: Any,
    sizes: Any,
    offsets: Any,
    reads: Any,
    by_features: Any,
    to_table: Any,
) -> None:
    """Loop of ``planes_table``."""
    for plane in prange(count):
        _table(plane, points, pairs, sizes, offsets, reads, by_features, to_table)


@parallel
def planes_slopes(
    count: Any,
    points: Any,
    pairs: Any,
    sizes: Any,
    offsets: Any,
    table: Any,
    reads: Any,
    by_features: Any,
    to_points: Any,
) -> None:
    """Loop of ``planes_slope``."""
    for item in prange(count):
        _slope(item, points, pairs, sizes, offsets, table, reads, by_features, to_points)
