"""From which side to look at a surface, so that a field shows colours that photographs have shown it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

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
        pixels, ahead = camera.project(points)
        inside = (ahead > 0) & (pixels >= 0).all(1) & (pixels < [camera.width, camera.height]).all(1)
        place = np.where(inside[:, None], pixels, 0).astype(int)
        inside &= ahead <= depth[place[:, 1], place[:, 0]] + slack
        along = points - camera.position
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
        facing = np.clip(-(along * normals).sum(1), 0, None)
        total += along * (np.where(inside, facing, 0) ** _SHARPNESS)[:, None]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-9, total / np.maximum(length, 1e-9), -normals)
