"""A still of a mesh: as coloured, and as clay that shows its shape. A software renderer, for a quick look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dreamplate.fields.meshing.mesh import Array, Mesh
from dreamplate.fields.meshing.raster import draw_view
from dreamplate.plate.camera import Camera, look_at
from dreamplate.plate.colour import convert
from dreamplate.plate.plate import Plate

__all__ = ["camera_around", "draw_mesh", "preview"]

_CLAY = 0.72
_FOV = 35.0
_GROUND = 0.09
_SUPERSAMPLING = 2


def preview(mesh: Mesh, camera: Camera, *, clay: bool = True) -> Plate:
    """Return a display-encoded picture of a mesh seen by a camera, on grey; beside it the same in clay."""
    panels = [draw_mesh(mesh, camera)]
    if clay:
        panels.append(draw_mesh(mesh, camera, clay=True))
    return Plate(np.concatenate(panels, 1), colourspace="srgb_display")


def camera_around(
    mesh: Mesh, up: tuple[float, float, float], side: int, azimuth: float = 35.0, elevation: float = 25.0
) -> Camera:
    """Return a camera that holds a whole mesh.

    Args:
        mesh: What to look at.
        up: Direction that points up.
        side: Pixels across and down.
        azimuth: Degrees around the vertical.
        elevation: Degrees above the horizontal.
    """
    low, high = mesh.bounds
    middle = (low + high) / 2
    radius = float(np.linalg.norm(mesh.vertices - middle, axis=1).max()) * 1.05
    axis = np.asarray(up, float) / np.linalg.norm(up)
    first = np.cross(axis, [1.0, 0, 0] if abs(axis[0]) < 0.9 else [0, 1.0, 0])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)
    turn, rise = np.radians(azimuth), np.radians(elevation)
    away = np.cos(rise) * (np.cos(turn) * first + np.sin(turn) * second) + np.sin(rise) * axis
    distance = radius / np.sin(np.radians(_FOV / 2))
    return Camera.from_fov(side, side, _FOV, look_at(middle + away * distance, middle, axis))


def draw_mesh(mesh: Mesh, camera: Camera, *, clay: bool = False) -> npt.NDArray[np.float32]:
    """Return display-encoded ``(height, width, 3)``: the mesh's own colours, or clay lit from the camera."""
    big = camera.resized(camera.width * _SUPERSAMPLING, camera.height * _SUPERSAMPLING)
    pixels, depths = big.project(mesh.vertices)
    owner, weights = draw_view(pixels, depths, mesh.faces, big.width, big.height)
    seen = owner >= 0
    corners, share = mesh.faces[owner[seen]], weights[seen][:, :, None].astype(np.float64)
    light = np.full((big.height, big.width, 3), _GROUND)
    light[seen] = _shaded(mesh, big, corners, share) if clay else _coloured(mesh, corners, share)
    rows, columns = camera.height, camera.width
    mean = light.reshape(rows, _SUPERSAMPLING, columns, _SUPERSAMPLING, 3).mean((1, 3))
    return convert(Plate(mean.astype(np.float32)), "srgb_display").pixels


def _shaded(mesh: Mesh, camera: Camera, corners: npt.NDArray[np.int64], share: Array) -> Array:
    points = mesh.vertices[corners]
    if mesh.normals is None:
        normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    else:
        normals = (mesh.normals[corners] * share).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    key = camera.camera_to_world[:3, :3] @ (np.array([-0.5, 0.6, 0.62]) / np.linalg.norm([-0.5, 0.6, 0.62]))
    fill = camera.camera_to_world[:3, 2]
    lit = 0.75 * np.clip(normals @ key, 0, None) + 0.2 * np.abs(normals @ fill) + 0.05
    return np.asarray(np.repeat((_CLAY * lit)[:, None], 3, 1))


def _coloured(mesh: Mesh, corners: npt.NDArray[np.int64], share: Array) -> Array:
    if mesh.texture is not None and mesh.uvs is not None:
        texture = convert(mesh.texture, "scene_linear").pixels
        height, width = texture.shape[:2]
        place = (mesh.uvs[corners] * share).sum(1) * [width, -height] + [0, height]
        columns = np.clip(place[:, 0].astype(int), 0, width - 1)
        return np.asarray(texture[np.clip(place[:, 1].astype(int), 0, height - 1), columns], np.float64)
    if mesh.colours is None:
        return np.full((len(corners), 3), _CLAY)
    held = convert(Plate(mesh.colours[None], colourspace=mesh.encoding), "scene_linear").pixels[0]
    return np.asarray((held[corners] * share).sum(1))
