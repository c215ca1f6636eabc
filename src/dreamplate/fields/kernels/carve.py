"""Carving: at which vertices of a grid some photograph sees nothing. One item is one column of vertices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["carve", "carve_column"]


def carve_column(
    column: Any,
    low: Any,
    cell: Any,
    poses: Any,
    lenses: Any,
    sizes: Any,
    starts: Any,
    masks: Any,
    content: Any,
) -> None:
    """Clear ``content[x, y, :]`` where a photograph's mask is 0; ``column`` is ``x * ny + y``.

    Args:
        column: Number of the item.
        low: ``(3,)`` world place of the first vertex.
        cell: ``(3,)`` distance of vertices.
        poses: ``(views, 3, 4)`` world to camera, OpenGL axes.
        lenses: ``(views, 4)`` fx, fy, cx, cy.
        sizes: ``(views, 2)`` width, height.
        starts: ``(views,)`` where each view's mask begins.
        masks: All masks, row by row; 0 where nothing is near.
        content: ``(nx, ny, nz)`` uint8.
    """
    x = column // content.shape[1]
    y = column - x * content.shape[1]
    px = low[0] + cell[0] * np.float32(x)
    py = low[1] + cell[1] * np.float32(y)
    for z in range(content.shape[2]):
        pz = low[2] + cell[2] * np.float32(z)
        for view in range(poses.shape[0]):
            depth = -(
                poses[view, 2, 0] * px + poses[view, 2, 1] * py + poses[view, 2, 2] * pz + poses[view, 2, 3]
            )
            if depth <= np.float32(0.0):
                continue
            right = (
                poses[view, 0, 0] * px + poses[view, 0, 1] * py + poses[view, 0, 2] * pz + poses[view, 0, 3]
            )
            up = poses[view, 1, 0] * px + poses[view, 1, 1] * py + poses[view, 1, 2] * pz + poses[view, 1, 3]
            u = lenses[view, 0] * right / depth + lenses[view, 2]
            v = lenses[view, 3] - lenses[view, 1] * up / depth
            if u < np.float32(0.0) or v < np.float32(0.0):
                continue
            i = int(u)
            j = int(v)
            if (
                i < sizes[view, 0]
                and j < sizes[view, 1]
                and masks[starts[view] + j * sizes[view, 0] + i] == 0
            ):
                content[x, y, z] = 0
                break


_carve = scalar(carve_column)


@parallel
def carve(
    count: Any,
    low: Any,
    cell: Any,
    poses: Any,
    lenses: Any,
    sizes: Any,
    starts: Any,
    masks: Any,
    content: Any,
) -> None:
    """Loop of ``carve_column``."""
    for column in prange(count):
        _carve(column, low, cell, poses, lenses, sizes, starts, masks, content)
