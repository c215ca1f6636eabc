"""Points spread over a mesh, and an initial set of Gaussians made of them."""

from __future__ import annotations

import os

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.encoding import display_bytes
from dreamplate.fields.meshing.mesh import Mesh, PointCloud, face_areas
from dreamplate.fields.meshing.ply import write_table
from dreamplate.fields.meshing.shading import Shader

__all__ = ["scatter", "write_splats"]

_DC = 0.28209479177387814
"""The spherical harmonic of degree 0, 1 / (2 sqrt(pi))."""
_OPACITY = 0.95
_FLATNESS = 0.1


def scatter(mesh: Mesh, count: int, shader: Shader, seed: int = 0) -> PointCloud:
    """Return points spread over a mesh, evenly by area, with normals and colours.

    Args:
        mesh: With normals.
        count: How many.
        shader: Gives the colours.
        seed: What the places follow from; the same on every machine.

    Raises:
        SceneError: The mesh has no area.
    """
    assert mesh.normals is not None
    total = np.cumsum(face_areas(mesh.vertices, mesh.faces))
    if not len(total) or not total[-1] > 0:
        raise SceneError("mesh: has no area to put points on")
    draws = np.random.default_rng(seed)
    # One point in each of `count` equal strips of area: fewer gaps than wholly independent places.
    strips = (np.arange(count) + draws.random(count)) / count * total[-1]
    corners = mesh.faces[np.minimum(np.searchsorted(total, strips), len(total) - 1)]
    root, other = np.sqrt(draws.random(count)), draws.random(count)
    share = np.stack([1 - root, root * (1 - other), root * other], 1)[:, :, None]
    positions = (mesh.vertices[corners] * share).sum(1)
    normals = (mesh.normals[corners] * share).sum(1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 1e-9, normals / np.maximum(length, 1e-9), mesh.normals[corners[:, 0]])
    return PointCloud(positions, normals, shader(positions, normals), mesh.encoding)


def write_splats(cloud: PointCloud, area: float, path: str | os.PathLike[str]) -> None:
    """Write points as 3D Gaussians in the usual PLY layout: a start for optimising splats, not a result.

    Each is a disc on the surface, as wide as its share of the area, a tenth as thick, nearly opaque, of one
    colour from all sides. Layout (Kerbl et al. 2023): ``f_dc_0..2`` = (display colour - 0.5) / 0.28209,
    ``opacity`` as a logit, ``scale_0..2`` as natural logarithms of world units, ``rot_0..3`` a quaternion (w,
    x, y, z). Harmonics above degree 0 are left out: there are none.

    Args:
        cloud: At least one point.
        area: Area of the surface that the points are spread over, in square world units.
        path: A ``.ply``.

    Raises:
        SceneError: The file cannot be written.
    """
    count = len(cloud.positions)
    if not count:
        raise SceneError(f"{path}: there are no points to make splats of")
    names = ["x", "y", "z", "nx", "ny", "nz", *(f"f_dc_{part}" for part in range(3)), "opacity"]
    names += [*(f"scale_{axis}" for axis in range(3)), *(f"rot_{part}" for part in range(4))]
    radius = float(np.sqrt(area / count / np.pi))
    table = np.zeros(count, [(name, "<f4") for name in names])
    colours = display_bytes(cloud.colours, cloud.encoding) / 255
    turns = _turn_from_z(cloud.normals)
    for axis, name in enumerate("xyz"):
        table[name] = cloud.positions[:, axis]
        table[f"n{name}"] = cloud.normals[:, axis]
        table[f"f_dc_{axis}"] = (colours[:, axis] - 0.5) / _DC
        table[f"scale_{axis}"] = np.log(radius * (_FLATNESS if axis == 2 else 1.0))
    for part in range(4):
        table[f"rot_{part}"] = turns[:, part]
    table["opacity"] = np.log(_OPACITY / (1 - _OPACITY))
    write_table(path, table, None, ["initial Gaussians on a surface, made by Dreamplate; not optimised"])


def _turn_from_z(
    normals: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return quaternions (w, x, y, z) that turn +Z to unit normals ``(n, 3)`` the shortest way."""
    x, y, z = normals.T
    turns = np.stack([1 + z, -y, x, np.zeros_like(x)], 1)
    turns[z < -1 + 1e-9] = (0.0, 1.0, 0.0, 0.0)
    return np.asarray(turns / np.linalg.norm(turns, axis=1, keepdims=True))
