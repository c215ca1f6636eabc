"""Kernel of the hash grid: which entries the corners of a point's cell have, and the place in the cell.

One item is a block of points at one level. On the processor the entries of a block are known, and asked for,
before the first is read, so that many reads are under way at once: that is where the time goes. Scratch is
flat, with a span that the compiler knows, so that the loop over points becomes wide instructions. On a
graphics card a block is one point.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dreamplate.fields.kernels.launch import scalar
from dreamplate.fields.kernels.wide import fetch

__all__ = ["BLOCK", "fetch_block", "hash_index", "index_block"]

BLOCK = 64
"""Points of a block on the processor."""
NEAR = 2**18
"""Bytes of a level's table that stay in the near caches unasked."""
Y_PRIME = np.uint32(2654435761)
Z_PRIME = np.uint32(805459861)


def hash_index(
    item: Any,
    block: Any,
    slot: Any,
    span: Any,
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
        slot: 1 where scratch has room for all points, 0 where each block begins it anew.
        span: Points that scratch has room for.
        points: ``(3, n)``.
        scale: What coordinates are multiplied with.
        shift: What is added then.
        resolution: Vertices per axis.
        size: Entries of the level.
        hashed: Not 0 where entries are found by hash.
        corners: Scratch ``(8 * span,)`` for entries; bit d of the row is a step along axis d.
        places: Scratch ``(3 * span,)`` for the place in the cell, 0-1.
    """
    first = item * block
    count = min(block, points.shape[1] - first)
    column = item * slot
    one = np.uint32(1)
    row = np.uint32(resolution)
    sheet = np.uint32(row * row)
    entries = np.uint32(size)
    mask = np.uint32(entries - one)
    wraps = entries & mask == 0  # a power of two
    if not wraps:
        mask = np.uint32(0xFFFFFFFF)
    worst = np.uint32(0)
    for j in range(count):
        i = first + j
        px = points[0, i] * scale + shift
        py = points[1, i] * scale + shift
        pz = points[2, i] * scale + shift
        xi = np.int32(px) - np.int32(px < np.float32(np.int32(px)))
        yi = np.int32(py) - np.int32(py < np.float32(np.int32(py)))
        zi = np.int32(pz) - np.int32(pz < np.float32(np.int32(pz)))
        k = column + j
        places[k] = px - np.float32(xi)
        places[span + k] = py - np.float32(yi)
        places[2 * span + k] = pz - np.float32(zi)
        x0 = np.uint32(xi)
        x1 = np.uint32(x0 + one)
        if hashed:
            y0 = np.uint32(np.uint32(yi) * Y_PRIME)
            y1 = np.uint32(y0 + Y_PRIME)
            z0 = np.uint32(np.uint32(zi) * Z_PRIME)
            z1 = np.uint32(z0 + Z_PRIME)
            corners[k] = (x0 ^ y0 ^ z0) & mask
            corners[span + k] = (x1 ^ y0 ^ z0) & mask
            corners[2 * span + k] = (x0 ^ y1 ^ z0) & mask
            corners[3 * span + k] = (x1 ^ y1 ^ z0) & mask
            corners[4 * span + k] = (x0 ^ y0 ^ z1) & mask
            corners[5 * span + k] = (x1 ^ y0 ^ z1) & mask
            corners[6 * span + k] = (x0 ^ y1 ^ z1) & mask
            corners[7 * span + k] = (x1 ^ y1 ^ z1) & mask
        else:
            y0 = np.uint32(np.uint32(yi) * row)
            y1 = np.uint32(y0 + row)
            z0 = np.uint32(np.uint32(zi) * sheet)
            z1 = np.uint32(z0 + sheet)
            corners[k] = np.uint32(x0 + y0 + z0) & mask
            corners[span + k] = np.uint32(x1 + y0 + z0) & mask
            corners[2 * span + k] = np.uint32(x0 + y1 + z0) & mask
            corners[3 * span + k] = np.uint32(x1 + y1 + z0) & mask
            corners[4 * span + k] = np.uint32(x0 + y0 + z1) & mask
            corners[5 * span + k] = np.uint32(x1 + y0 + z1) & mask
            corners[6 * span + k] = np.uint32(x0 + y1 + z1) & mask
            corners[7 * span + k] = np.uint32(x1 + y1 + z1) & mask
    if wraps:
        return
    for corner in range(8):
        for j in range(count):
            worst = max(worst, np.uint32(corners[corner * span + column + j]))
    if worst >= entries:  # only of points outside
        for corner in range(8):
            for j in range(count):
                corners[corner * span + column + j] %= entries


index_block = scalar(hash_index)


@scalar
def fetch_block(count: Any, size: Any, corners: Any, flat: Any, width: Any) -> None:
    """Ask for the entries of a block; corners 1, 3, 5, 7 mostly share a cache line with the one before."""
    if size * width * 4 > NEAR:
        for corner in range(0, 8, 2):
            for j in range(count):
                fetch(flat, np.uint64(corners[corner * BLOCK + j]) * np.uint64(width))
