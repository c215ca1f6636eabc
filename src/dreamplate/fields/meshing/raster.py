"""Triangles drawn into pixels: where each texel of an atlas lies on its surface, and what a camera sees.

Scalar bodies, compiled by numba. Triangles are drawn one after the other: nothing depends on threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dreamplate.fields.kernels.launch import scalar
from dreamplate.fields.meshing.mesh import Array, Indices

__all__ = ["draw_atlas", "draw_view"]

Covered = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


def draw_atlas(uvs: Array, faces: Indices, width: int, height: int, margin: float) -> Covered:
    """Return which face each texel shows and where on it.

    A texel whose centre lies outside all faces takes the nearest point of a face, if that is within the
    margin: so every texel that a filtered look-up inside a face can reach holds a colour of that face.

    Args:
        uvs: ``(n, 2)`` from the lower left corner.
        faces: ``(m, 3)``.
        width: Texels across.
        height: Texels down.
        margin: In texels.

    Returns:
        Face of each texel, ``(height, width)``, -1 for none, and barycentric weights ``(height, width, 3)``.
    """
    places = np.stack([uvs[:, 0] * width, (1 - uvs[:, 1]) * height], 1)
    owner = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3), np.float32)
    _atlas(places, faces, float(margin), owner, weights, np.full((height, width), np.inf, np.float32))
    return owner, weights


def draw_view(pixels: Array, depths: Array, faces: Indices, width: int, height: int) -> Covered:
    """Return which face a camera sees in each pixel and where on it.

    Args:
        pixels: ``(n, 2)`` where each vertex appears; NaN for vertices that cannot be seen.
        depths: ``(n,)`` planar Z of each vertex; faces with a vertex at or behind the camera are left out.
        faces: ``(m, 3)``.
        width: Pixels across.
        height: Pixels down.

    Returns:
        Face of each pixel, ``(height, width)``, -1 for none, and perspective-correct barycentric weights
        ``(height, width, 3)``.
    """
    owner = np.full((height, width), -1, np.int32)
    weights = np.zeros((height, width, 3), np.float32)
    _view(pixels, depths, faces, owner, weights, np.full((height, width), np.inf))
    return owner, weights


@scalar
def _barycentric(  # pragma: no cover - compiled
    x: float, y: float, ax: float, ay: float, bx: float, by: float, cx: float, cy: float
) -> tuple[float, float, float]:
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area == 0.0:
        return -1.0, -1.0, -1.0
    u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
    v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
    return u, v, 1.0 - u - v


@scalar
def _nearest_on_edge(  # pragma: no cover - compiled
    x: float, y: float, ax: float, ay: float, bx: float, by: float
) -> tuple[float, float]:
    """Return the squared distance of a point from a segment, and how far along it the nearest point is."""
    dx, dy = bx - ax, by - ay
    length = dx * dx + dy * dy
    share = 0.0 if length == 0.0 else ((x - ax) * dx + (y - ay) * dy) / length
    share = min(max(share, 0.0), 1.0)
    ex, ey = x - ax - share * dx, y - ay - share * dy
    return ex * ex + ey * ey, share


@scalar
def _atlas(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    places, faces, margin, owner, weights, nearest
):
    height, width = owner.shape
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, bx, by = places[a, 0], places[a, 1], places[b, 0], places[b, 1]
        cx, cy = places[c, 0], places[c, 1]
        left = max(int(np.floor(min(ax, bx, cx) - margin - 0.5)), 0)
        right = min(int(np.ceil(max(ax, bx, cx) + margin - 0.5)), width - 1)
        top = max(int(np.floor(min(ay, by, cy) - margin - 0.5)), 0)
        bottom = min(int(np.ceil(max(ay, by, cy) + margin - 0.5)), height - 1)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                if nearest[row, column] == 0.0:
                    continue
                x, y = column + 0.5, row + 0.5
                u, v, w = _barycentric(x, y, ax, ay, bx, by, cx, cy)
                far = 0.0
                if u < 0.0 or v < 0.0 or w < 0.0:
                    far, share = _nearest_on_edge(x, y, ax, ay, bx, by)
                    u, v, w = 1.0 - share, share, 0.0
                    other, share = _nearest_on_edge(x, y, bx, by, cx, cy)
                    if other < far:
                        far, u, v, w = other, 0.0, 1.0 - share, share
                    other, share = _nearest_on_edge(x, y, cx, cy, ax, ay)
                    if other < far:
                        far, u, v, w = other, share, 0.0, 1.0 - share
                if far <= margin * margin and far < nearest[row, column]:
                    nearest[row, column] = far
                    owner[row, column] = face
                    weights[row, column, 0] = u
                    weights[row, column, 1] = v
                    weights[row, column, 2] = w


@scalar
def _view(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    pixels, depths, faces, owner, weights, nearest
):
    height, width = owner.shape
    for face in range(faces.shape[0]):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        za, zb, zc = depths[a], depths[b], depths[c]
        if not (za > 0.0 and zb > 0.0 and zc > 0.0):
            continue
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        total = ax + ay + bx + by + cx + cy
        if not np.isfinite(total):
            continue
        left, right = max(min(ax, bx, cx) - 0.5, 0.0), min(max(ax, bx, cx) - 0.5, width - 1.0)
        top, bottom = max(min(ay, by, cy) - 0.5, 0.0), min(max(ay, by, cy) - 0.5, height - 1.0)
        if right < left or bottom < top:
            continue
        for row in range(int(np.ceil(top)), int(np.floor(bottom)) + 1):
            for column in range(int(np.ceil(left)), int(np.floor(right)) + 1):
                u, v, w = _barycentric(column + 0.5, row + 0.5, ax, ay, bx, by, cx, cy)
                if u < 0.0 or v < 0.0 or w < 0.0:
                    continue
                inverse = u / za + v / zb + w / zc
                if 1.0 / inverse < nearest[row, column]:
                    nearest[row, column] = 1.0 / inverse
                    owner[row, column] = face
                    weights[row, column, 0] = u / za / inverse
                    weights[row, column, 1] = v / zb / inverse
                    weights[row, column, 2] = w / zc / inverse
