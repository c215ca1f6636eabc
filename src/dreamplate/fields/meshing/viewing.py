"""From which side to look at a surface, so that a field shows colours that photographs have shown it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.meshing.mesh import Array, Mesh
from dreamplate.fields.meshing.raster import draw_view
from dreamplate.plate.camera import Camera

__all__ = ["Directions", "depth_of", "head_on", "seen_from"]

Directions = Callable[[Array, Array], Array]
"""Takes points ``(n, 3)`` and outward unit normals, returns the unit directions to look along, ``(n, 3)``."""

_SHARPNESS = 4
_CHUNK = 1 << 18


def head_on(points: Array, normals: Array) -> Array:
    """Look straight at every point."""
    return -normals


def depth_of(mesh: Mesh, camera: Camera) -> Array:
    """Return the planar Z of what a camera sees of a mesh, ``(height, width)``, infinite where nothing is."""
    pixels, depths = camera.project(mesh.vertices)
    owner, weights = draw_view(pixels, depths, mesh.faces, camera.width, camera.height)
    seen = owner >= 0
    found = np.full(owner.shape, np.inf)
    found[seen] = (depths[mesh.faces[owner[seen]]] * weights[seen]).sum(1)
    return found


def seen_from(mesh: Mesh, cameras: Sequence[Camera], slack: float) -> Directions:
    """Return what looks at points of a mesh from the middle of the cameras that see them.

    A field is only asked for colours along directions that it was trained on. The direction is the mean over
    the cameras that see the point, weighted by the fourth power of the cosine to the normal, so it changes
    smoothly. Points that no camera sees are looked at head on.

    Args:
        mesh: What hides points from cameras.
        cameras: Ideal pinholes.
        slack: How far behind the nearest surface a point still counts as seen, world units.
    """
    views = [(camera, depth_of(mesh, camera)) for camera in cameras]

    def directions(points: Array, normals: Array) -> Array:
        parts = [
            _mean(points[first : first + _CHUNK], normals[first : first + _CHUNK], views, slack)
            for first in range(0, len(points), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    return directions


def _mean(points: Array, normals: Array, views: Sequence[tuple[Camera, Array]], slack: float) -> Array:
    total = np.zeros_like(points)
    for camera, depth in views:
        lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        turn, place = np.ascontiguousarray(camera.camera_to_world[:3, :3]), camera.position.copy()
        _add_view(len(points), points, normals, turn, place, lens, depth, slack, total)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-9, total / np.maximum(length, 1e-9), -normals)


def _look(
    i: Any, points: Any, normals: Any, turn: Any, place: Any, lens: Any, depth: Any, slack: Any, total: Any
) -> None:
    """Add the direction from a camera to a point, if it sees the point."""
    x = points[i, 0] - place[0]
    y = points[i, 1] - place[1]
    z = points[i, 2] - place[2]
    ahead = -(turn[0, 2] * x + turn[1, 2] * y + turn[2, 2] * z)
    if ahead <= 0.0:
        return
    column = lens[2] + lens[0] * (turn[0, 0] * x + turn[1, 0] * y + turn[2, 0] * z) / ahead
    row = lens[3] - lens[1] * (turn[0, 1] * x + turn[1, 1] * y + turn[2, 1] * z) / ahead
    if column < 0.0 or row < 0.0 or column >= depth.shape[1] or row >= depth.shape[0]:
        return
    if ahead > depth[int(row), int(column)] + slack:
        return
    away = (x * x + y * y + z * z) ** 0.5
    facing = -(x * normals[i, 0] + y * normals[i, 1] + z * normals[i, 2]) / away
    if facing > 0.0:
        weight = facing**_SHARPNESS / away
        total[i, 0] += weight * x
        total[i, 1] += weight * y
        total[i, 2] += weight * z


_inner = scalar(_look)


@parallel
def _add_view(
    count: Any,
    points: Any,
    normals: Any,
    turn: Any,
    place: Any,
    lens: Any,
    depth: Any,
    slack: Any,
    total: Any,
) -> None:
    """Loop of ``_look``."""
    for i in prange(count):
        _inner(i, points, normals, turn, place, lens, depth, slack, total)
