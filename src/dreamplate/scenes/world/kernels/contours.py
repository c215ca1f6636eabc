"""Kernel of contour drawings: how strongly neighbouring pixels part, and lines with smooth edges from it."""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar

__all__ = ["draw_contours"]

SKY = 0
WATER = 1
ROAD = 7
FLAT_LEAST = 0.03
"""Cosine between ray and plane below which a plane seen edge on predicts no depth."""


@scalar
def _rise(low: Any, high: Any, x: Any) -> Any:
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@scalar
def _miss(i: Any, j: Any, reach: Any, normals: Any, rays: Any) -> Any:
    """Return how far pixel j's point is from where its ray meets the plane of pixel i."""
    along = 0.0
    here = 0.0
    for k in range(3):
        along += normals[i, k] * rays[j, k]
        here += normals[i, k] * rays[i, k]
    if abs(along) < FLAT_LEAST:
        along = -FLAT_LEAST if along < 0.0 else FLAT_LEAST
    return abs(reach[j] - reach[i] * here / along)


@scalar
def _parting(i: Any, j: Any, reach: Any, normals: Any, instances: Any, labels: Any, rays: Any) -> Any:
    """Return how strongly two pixels part, 0 to 1."""
    if instances[i] != instances[j]:
        return 1.0
    a = labels[i]
    b = labels[j]
    # Borders of sky, water and roads are lines; those of grass, rock or snow are only colours.
    if a != b and (a in (SKY, WATER, ROAD) or b in (SKY, WATER, ROAD)):
        return 1.0
    near = min(reach[i], reach[j])
    if a == SKY or near <= 0.0:
        return 0.0
    off = min(_miss(i, j, reach, normals, rays), _miss(j, i, reach, normals, rays))
    jump = _rise(0.02, 0.07, off / near)
    bend = 1.0
    for k in range(3):
        bend -= normals[i, k] * normals[j, k]
    # Far away folds are finer than pixels and are left out.
    fold = _rise(0.35, 0.8, bend) * (1.0 - _rise(120.0, 400.0, near))
    return max(jump, 0.7 * fold)


@scalar
def draw_contours(
    height: Any,
    width: Any,
    reach: Any,
    normals: Any,
    instances: Any,
    labels: Any,
    rays: Any,
    strength: Any,
    drawing: Any,
) -> None:
    """Draw lines where things part: 0 in ``drawing`` where a line is, 1 where paper is.

    Args:
        height: Rows of pixels.
        width: Columns.
        reach: ``(n,)`` distance along the ray.
        normals: ``(n, 3)``.
        instances: ``(n,)``.
        labels: ``(n,)``.
        rays: ``(n, 3)`` unit directions.
        strength: ``(n,)`` for work, all 0.
        drawing: ``(n,)`` float32, written.
    """
    for y in range(height):
        for x in range(width):
            i = y * width + x
            for way in range(4):
                right = (1, 0, 1, -1)[way]
                down = (0, 1, 1, 1)[way]
                if y + down >= height or x + right < 0 or x + right >= width:
                    continue
                j = i + down * width + right
                found = _parting(i, j, reach, normals, instances, labels, rays)
                if way > 1:
                    found *= 0.6
                strength[i] = max(strength[i], found)
                strength[j] = max(strength[j], found)
    for y in range(height):
        up = max(y - 1, 0) * width
        here = y * width
        low = min(y + 1, height - 1) * width
        for x in range(width):
            left = max(x - 1, 0)
            right = min(x + 1, width - 1)
            total = strength[up + left] + 2.0 * strength[up + x] + strength[up + right]
            total += 2.0 * (strength[here + left] + 2.0 * strength[here + x] + strength[here + right])
            total += strength[low + left] + 2.0 * strength[low + x] + strength[low + right]
            ink = min(max(1.45 * total / 16.0 - 0.25, 0.0), 1.0)
            drawing[here + x] = 1.0 - ink
