"""Learning in bricks: gradients of samples gathered brick by brick, and Adam on the vertices they touch.

Scattering to vertices from many threads would need atomics and give other bits every time. Instead samples
are sorted by the bricks they touch (a sample near a brick's side touches up to eight), then each brick is
one item: it adds up the gradient of its 64 vertices in a fixed order, in 4 KiB that stay in the nearest
cache, and no other item writes there. Only touched bricks have a gradient, so nothing the size of the grid
is ever cleared or read.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.kernels.space import WIDTH

__all__ = ["adam", "adam_brick", "gather", "gather_brick", "sort_by_brick"]


@scalar
def sort_by_brick(places: Any, index: Any, counts: Any, touched: Any, offsets: Any, entries: Any) -> Any:
    """Sort samples by the bricks they touch.

    Args:
        places: ``(m, 3)`` grid coordinates.
        index: Brick numbers.
        counts: ``(bricks,)`` int32 zeros; zeros again at the end.
        touched: ``(at least as many as bricks touched,)`` int32; receives the bricks, in order of first
        touch.
        offsets: One longer than ``touched``, int64; receives where each brick's samples begin.
        entries: ``(8 m,)`` int32; receives sample numbers, brick by brick, rising.

    Returns:
        How many bricks are touched.
    """
    number = 0
    for sample in range(places.shape[0]):
        i = int(places[sample, 0])
        j = int(places[sample, 1])
        k = int(places[sample, 2])
        for x in range(i >> 2, ((i + 1) >> 2) + 1):
            for y in range(j >> 2, ((j + 1) >> 2) + 1):
                for z in range(k >> 2, ((k + 1) >> 2) + 1):
                    brick = index[x, y, z]
                    if brick >= 0:
                        if counts[brick] == 0:
                            touched[number] = brick
                            number += 1
                        counts[brick] += 1
    offsets[0] = 0
    for n in range(number):
        offsets[n + 1] = offsets[n] + counts[touched[n]]
        counts[touched[n]] = n  # from now on: which slot the brick has
    # offsets[n] moves on as entries are written; it ends where slot n + 1 begins, so shift it back after.
    for sample in range(places.shape[0]):
        i = int(places[sample, 0])
        j = int(places[sample, 1])
        k = int(places[sample, 2])
        for x in range(i >> 2, ((i + 1) >> 2) + 1):
            for y in range(j >> 2, ((j + 1) >> 2) + 1):
                for z in range(k >> 2, ((k + 1) >> 2) + 1):
                    brick = index[x, y, z]
                    if brick >= 0:
                        slot = counts[brick]
                        entries[offsets[slot]] = sample
                        offsets[slot] += 1
    for n in range(number, 0, -1):
        offsets[n] = offsets[n - 1]
    offsets[0] = 0
    for n in range(number):
        counts[touched[n]] = 0
    return number


def gather_brick(
    slot: Any,
    touched: Any,
    offsets: Any,
    entries: Any,
    corners: Any,
    places: Any,
    by_raw: Any,
    by_found: Any,
    index: Any,
    raw: Any,
    table: Any,
    smooth_raw: Any,
    smooth_found: Any,
    to_raw: Any,
    to_table: Any,
    marks: Any,
) -> None:
    """Add up the gradient of one touched brick in slot ``slot``, and mark the vertices that got any.

    ``smooth_raw`` and ``smooth_found`` weigh total variation (Huber-like: the gradient of a difference is
    limited to one) between the touched vertices and their neighbours along each axis.
    """
    one = np.float32(1.0)
    zero = np.float32(0.0)
    brick = touched[slot]
    bx = corners[brick, 0] << 2
    by = corners[brick, 1] << 2
    bz = corners[brick, 2] << 2
    for row in range(64):
        to_raw[slot, row] = zero
        for c in range(WIDTH):
            to_table[slot, row, c] = zero
    mark = np.uint64(0)
    for n in range(offsets[slot], offsets[slot + 1]):
        sample = entries[n]
        i = int(places[sample, 0])
        j = int(places[sample, 1])
        k = int(places[sample, 2])
        fx = places[sample, 0] - np.float32(i)
        fy = places[sample, 1] - np.float32(j)
        fz = places[sample, 2] - np.float32(k)
        for corner in range(8):
            x = i + (corner >> 2) - bx
            y = j + ((corner >> 1) & 1) - by
            z = k + (corner & 1) - bz
            if x >= 0 and y >= 0 and z >= 0 and x < 4 and y < 4 and z < 4:
                weight = (fx if corner & 4 else one - fx) * (fy if corner & 2 else one - fy)
                weight *= fz if corner & 1 else one - fz
                row = (x << 4) | (y << 2) | z
                mark |= np.uint64(1) << np.uint64(row)
                to_raw[slot, row] += weight * by_raw[sample]
                for c in range(WIDTH):
                    to_table[slot, row, c] += weight * by_found[sample, c]
    marks[slot] = mark
    if smooth_raw == zero and smooth_found == zero:
        return
    for row in range(64):
        if (mark >> np.uint64(row)) & np.uint64(1) == np.uint64(0):
            continue
        for side in range(6):
            step = 1 if side & 1 else -1
            u = bx + (row >> 4) + (step if side >> 1 == 0 else 0)
            v = by + ((row >> 2) & 3) + (step if side >> 1 == 1 else 0)
            w = bz + (row & 3) + (step if side >> 1 == 2 else 0)
            if u < 0 or v < 0 or w < 0:
                continue
            if u >> 2 >= index.shape[0] or v >> 2 >= index.shape[1] or w >> 2 >= index.shape[2]:
                continue
            other = index[u >> 2, v >> 2, w >> 2]
            if other < 0:
                continue
            beside = ((u & 3) << 4) | ((v & 3) << 2) | (w & 3)
            gap = raw[brick, row] - raw[other, beside]
            to_raw[slot, row] += smooth_raw * min(max(gap, -one), one)
            for c in range(WIDTH):
                gap = table[brick, row, c] - table[other, beside, c]
                to_table[slot, row, c] += smooth_found * min(max(gap, -one), one)


def adam_brick(
    slot: Any,
    touched: Any,
    to_raw: Any,
    to_table: Any,
    marks: Any,
    raw: Any,
    raw_first: Any,
    raw_second: Any,
    table: Any,
    first: Any,
    second: Any,
    rate_raw: Any,
    rate_found: Any,
    beta1: Any,
    beta2: Any,
    correct1: Any,
    correct2: Any,
    tiny: Any,
) -> None:
    """Take an Adam step (Kingma & Ba 2015, alg. 1) on the marked vertices of one brick."""
    one = np.float32(1.0)
    brick = touched[slot]
    for row in range(64):
        if (marks[slot] >> np.uint64(row)) & np.uint64(1) == np.uint64(0):
            continue
        slope = to_raw[slot, row]
        m = beta1 * raw_first[brick, row] + (one - beta1) * slope
        v = beta2 * raw_second[brick, row] + (one - beta2) * slope * slope
        raw_first[brick, row] = m
        raw_second[brick, row] = v
        raw[brick, row] -= rate_raw * (m * correct1) / (np.float32(math.sqrt(v * correct2)) + tiny)
        for c in range(WIDTH):
            slope = to_table[slot, row, c]
            m = beta1 * first[brick, row, c] + (one - beta1) * slope
            v = beta2 * second[brick, row, c] + (one - beta2) * slope * slope
            first[brick, row, c] = m
            second[brick, row, c] = v
            table[brick, row, c] -= rate_found * (m * correct1) / (np.float32(math.sqrt(v * correct2)) + tiny)


_gather = scalar(gather_brick)
_adam = scalar(adam_brick)


@parallel
def gather(
    count: Any,
    touched: Any,
    offsets: Any,
    entries: Any,
    corners: Any,
    places: Any,
    by_raw: Any,
    by_found: Any,
    index: Any,
    raw: Any,
    table: Any,
    smooth_raw: Any,
    smooth_found: Any,
    to_raw: Any,
    to_table: Any,
    marks: Any,
) -> None:
    """Loop of ``gather_brick``."""
    for slot in prange(count):
        _gather(
            slot,
            touched,
            offsets,
            entries,
            corners,
            places,
            by_raw,
            by_found,
            index,
            raw,
            table,
            smooth_raw,
            smooth_found,
            to_raw,
            to_table,
            marks,
        )


@parallel
def adam(
    count: Any,
    touched: Any,
    to_raw: Any,
    to_table: Any,
    marks: Any,
    raw: Any,
    raw_first: Any,
    raw_second: Any,
    table: Any,
    first: Any,
    second: Any,
    rate_raw: Any,
    rate_found: Any,
    beta1: Any,
    beta2: Any,
    correct1: Any,
    correct2: Any,
    tiny: Any,
) -> None:
    """Loop of ``adam_brick``."""
    for slot in prange(count):
        _adam(
            slot,
            touched,
            to_raw,
            to_table,
            marks,
            raw,
            raw_first,
            raw_second,
            table,
            first,
            second,
            rate_raw,
            rate_found,
            beta1,
            beta2,
            correct1,
            correct2,
            tiny,
        )
