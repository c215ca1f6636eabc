"""Contour drawings from what rays met: where one thing ends before another, where surfaces fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["contours"]

Floats = npt.NDArray[np.float32]


def contours(
    reach: npt.NDArray[np.float64],
    normals: Floats,
    instances: npt.NDArray[np.int32],
    labels: npt.NDArray[np.uint8],
    rays: npt.NDArray[np.float64],
) -> Floats:
    """Return a contour drawing, ``(h, w)``: 0 where a line is, 1 where paper is, between along its edges.

    Lines are drawn where instances part, along coasts, roads and the skyline, where depth jumps by more than
    a plane through the pixel would explain, and, fainter, where the surface folds. Strengths are soft and
    spread by a small binomial filter, so that lines have smooth edges.

    Args:
        reach: ``(h, w)`` distance along the ray; any finite number where the label is sky.
        normals: ``(h, w, 3)``.
        instances: ``(h, w)``.
        labels: ``(h, w)``.
        rays: ``(h, w, 3)`` unit directions.
    """
    from dreamplate.scenes.world.kernels.contours import draw_contours

    height, width = reach.shape
    drawing = np.empty(height * width, np.float32)
    flat: list[npt.NDArray[Any]] = [
        np.ascontiguousarray(reach.reshape(-1), np.float64),
        np.ascontiguousarray(normals.reshape(-1, 3), np.float32),
        np.ascontiguousarray(instances.reshape(-1), np.int32),
        np.ascontiguousarray(labels.reshape(-1), np.uint8),
        np.ascontiguousarray(rays.reshape(-1, 3), np.float64),
    ]
    draw_contours(height, width, *flat, np.zeros(height * width), drawing)
    return drawing.reshape(height, width)
