"""Kernel of Adam for large tables of which a step touches few rows.

One item is a row. A row without a gradient is left alone, moments and all (as tiny-cuda-nn does for hash
tables), and counts its own steps for the correction of its moments. (Kingma & Ba, "Adam", 2015, algorithm
1.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["adam_row", "adam_rows"]


def adam_row(
    row: Any,
    values: Any,
    slopes: Any,
    means: Any,
    squares: Any,
    counts: Any,
    corrections: Any,
    rate: Any,
    beta1: Any,
    beta2: Any,
    epsilon: Any,
) -> None:
    """Update one row and clear its gradient.

    Args:
        row: Number of the row.
        values: ``(rows, width)``.
        slopes: Their gradient; cleared.
        means: Running mean of the gradient.
        squares: Running mean of its square.
        counts: ``(rows,)`` steps that each row has taken.
        corrections: ``(k, 2)`` factors on mean and square at each count; the last row holds from there on.
        rate: Learning rate.
        beta1: Decay of means.
        beta2: Decay of squares.
        epsilon: Added to the root.
    """
    touched = False
    for f in range(values.shape[1]):
        if slopes[row, f] != 0:
            touched = True
    if not touched:
        return
    one = np.float32(1)
    count = counts[row] + 1
    counts[row] = count
    last = min(count, corrections.shape[0] - 1)
    first = corrections[last, 0]
    second = corrections[last, 1]
    for f in range(values.shape[1]):
        slope = slopes[row, f]
        mean = beta1 * means[row, f] + (one - beta1) * slope
        square = beta2 * squares[row, f] + (one - beta2) * slope * slope
        means[row, f] = mean
        squares[row, f] = square
        values[row, f] -= rate * (mean * first) / (math.sqrt(square * second) + epsilon)
        slopes[row, f] = 0


_adam = scalar(adam_row)


@parallel
def adam_rows(
    count: Any,
    values: Any,
    slopes: Any,
    means: Any,
    squares: Any,
    counts: Any,
    corrections: Any,
    rate: Any,
    beta1: Any,
    beta2: Any,
    epsilon: Any,
) -> None:
    """Loop of ``adam_row``."""
    for row in prange(count):
        _adam(row, values, slopes, means, squares, counts, corrections, rate, beta1, beta2, epsilon)
