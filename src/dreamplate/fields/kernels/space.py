"""Where a point of the world lies in a grid, for each kind of extent, as scalar functions of the kernels.

A space is a float32 vector of ``SPACE_SIZE`` numbers (``brick_space.grid_space``):

    0        kind: 0 box, 1 open, 2 forward
    1-3      box: low corner; open: centre; forward: position of the reference camera
    4-6      box: grid units per world unit; open: half sides of the inner box; forward: see 10-18
    7-9      greatest grid coordinate (vertices - 1)
    10-18    forward: rows of the world-to-reference rotation
    19-22    forward: low x, low y, width, height of the frustum at distance 1
    23-24    forward: 1 / near, and 1 / near - 1 / far
    25       steps: length of one step in grid units (of the finest axis)
    26       density units: how much optical length one grid unit of step counts for
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dreamplate.fields.kernels.launch import scalar

__all__ = ["EMPTY", "SPACE_SIZE", "WIDTH", "place", "stretch"]

SPACE_SIZE = 27
WIDTH = 16
"""Features of a vertex: one cache line. A constant, so that loops over it become wide instructions."""
EMPTY = np.float32(-10.0)
"""Raw density where there is no brick."""


@scalar
def place(space: Any, x: Any, y: Any, z: Any) -> Any:
    """Return grid coordinates of a world point and how much the space is squeezed there (1 inside)."""
    if space[0] == 0:
        return (
            (x - space[1]) * space[4],
            (y - space[2]) * space[5],
            (z - space[3]) * space[6],
            np.float32(1.0),
        )
    if space[0] == 1:
        u = (x - space[1]) / space[4]
        v = (y - space[2]) / space[5]
        w = (z - space[3]) / space[6]
        far = max(abs(u), abs(v), abs(w))
        if far > np.float32(1.0):
            pull = (np.float32(2.0) - np.float32(1.0) / far) / far
            u *= pull
            v *= pull
            w *= pull
        else:
            far = np.float32(1.0)
        quarter = np.float32(0.25)
        two = np.float32(2.0)
        return (
            (u + two) * quarter * space[7],
            (v + two) * quarter * space[8],
            (w + two) * quarter * space[9],
            far,
        )
    x -= space[1]
    y -= space[2]
    z -= space[3]
    right = space[10] * x + space[11] * y + space[12] * z
    up = space[13] * x + space[14] * y + space[15] * z
    depth = -(space[16] * x + space[17] * y + space[18] * z)
    depth = max(depth, np.float32(1e-9))
    return (
        (right / depth - space[19]) / space[21] * space[7],
        (up / depth - space[20]) / space[22] * space[8],
        (space[23] - np.float32(1.0) / depth) / space[24] * space[9],
        depth,
    )


@scalar
def stretch(space: Any, squeeze: Any, slope: Any) -> Any:
    """Return how many world units one grid step is long, where the space is squeezed so.

    Args:
        space: The space.
        squeeze: Fourth value of ``place``.
        slope: Change of depth along the reference axis for one world unit along the ray (forward only).
    """
    if space[0] == 0:
        return space[25] / space[4]
    if space[0] == 1:
        return space[25] * np.float32(4.0) / space[7] * space[4] * squeeze * squeeze
    # forward: even steps in disparity, d(1/z) = dz / z^2
    return space[25] / space[9] * space[24] * squeeze * squeeze / max(slope, np.float32(0.05))
