"""Kernel of drawing rays: from the number of a pixel among all pixels of all views to its ray.

One item is one ray. The view is found by bisection in the offsets of the views; the direction in camera axes
comes from the pinhole, or from a table made once where a lens bends it; the pose turns it into the world.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar

__all__ = ["pixel_ray", "pixel_rays"]


def pixel_ray(
    i: Any,
    pixels: Any,
    offsets: Any,
    widths: Any,
    lenses: Any,
    tables: Any,
    table: Any,
    poses: Any,
    views: Any,
    origins: Any,
    directions: Any,
    cosines: Any,
) -> None:
    """Make one ray.

    Args:
        i: Which.
        pixels: ``(n,)`` int64 number of each ray's pixel.
        offsets: ``(v + 1,)`` int64 number of each view's first pixel, and the total.
        widths: ``(v,)`` int64 columns of each view.
        lenses: ``(v, 4)`` float32 fx, fy, cx, cy.
        tables: ``(v,)`` int64 first row of each view's directions in ``table``; below 0 for a pinhole.
        table: ``(t, 3)`` float32 unit directions in OpenGL camera axes.
        poses: ``(v, 3, 4)`` float32 camera to world.
        views: ``(n,)`` int64, written.
        origins: ``(n, 3)`` float32, written.
        directions: ``(n, 3)`` float32, written.
        cosines: ``(n,)`` float32, written.
    """
    pixel = pixels[i]
    low = 0
    high = offsets.shape[0] - 1
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[middle] <= pixel:
            low = middle
        else:
            high = middle
    place = pixel - offsets[low]
    first = tables[low]
    if first >= 0:
        x = table[first + place, 0]
        y = table[first + place, 1]
        z = table[first + place, 2]
    else:
        row = place // widths[low]
        column = place - row * widths[low]
        x = (np.float32(column) + np.float32(0.5) - lenses[low, 2]) / lenses[low, 0]
        y = -(np.float32(row) + np.float32(0.5) - lenses[low, 3]) / lenses[low, 1]
        scale = np.float32(1.0) / np.float32(math.sqrt(x * x + y * y + np.float32(1.0)))
        x = x * scale
        y = y * scale
        z = -scale
    views[i] = low
    cosines[i] = -z
    for axis in range(3):
        origins[i, axis] = poses[low, axis, 3]
        directions[i, axis] = poses[low, axis, 0] * x + poses[low, axis, 1] * y + poses[low, axis, 2] * z


_pixel_ray = scalar(pixel_ray)


@parallel
def pixel_rays(
    count: Any,
    pixels: Any,
    offsets: Any,
    widths: Any,
    lenses: Any,
    tables: Any,
    table: Any,
    poses: Any,
    views: Any,
    origins: Any,
    directions: Any,
    cosines: Any,
) -> None:
    """Make many rays; see ``pixel_ray``."""
    for i in prange(count):
        _pixel_ray(
            i, pixels, offsets, widths, lenses, tables, table, poses, views, origins, directions, cosines
        )
