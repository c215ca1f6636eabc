"""Kernel of motion: where the points that rays met are at another moment."""

from __future__ import annotations

from typing import Any

from numba import prange

from dreamplate.compiled import parallel
from dreamplate.scenes.world.kernels.things import thing_carry

__all__ = ["carry"]


@parallel
def carry(rows: Any, points: Any, time: Any, moment: Any, things: Any, moved: Any) -> None:
    """Write into ``moved`` (n, 3) where points on things are at another moment; others are left alone.

    Args:
        rows: ``(n,)`` row of things, or -1.
        points: ``(n, 3)`` float64.
        time: Moment they were met.
        moment: The other.
        things: Things.
        moved: Changed where a row is.
    """
    for i in prange(rows.shape[0]):
        if rows[i] >= 0:
            x, y, z = thing_carry(rows[i], points[i, 0], points[i, 1], points[i, 2], time, moment, things)
            moved[i, 0] = x
            moved[i, 1] = y
            moved[i, 2] = z
