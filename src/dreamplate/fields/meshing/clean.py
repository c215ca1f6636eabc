"""Cleaning a mesh: loose pieces, and the number of triangles. No hole is ever filled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.fields.meshing.mesh import Array, Indices, Mesh, face_areas, vertex_normals
from dreamplate.fields.meshing.packages import package

__all__ = ["Dropped", "components", "decimate", "drop_small"]


@dataclass(frozen=True)
class Dropped:
    """What cleaning took away.

    Attributes:
        kept: How many pieces are left.
        pieces: How many went.
        faces: How many faces they had.
        area: Their share of all area, 0-1.
    """

    kept: int
    pieces: int
    faces: int
    area: float


def components(mesh: Mesh) -> Indices:
    """Return the number of the connected piece that each face belongs to, ``(m,)``, counted from 0."""
    sparse, graph = package("scipy.sparse"), package("scipy.sparse.csgraph")
    count = len(mesh.vertices)
    ends = np.concatenate([mesh.faces[:, :2], mesh.faces[:, 1:]])
    links = sparse.coo_matrix((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), (count, count))
    _, labels = graph.connected_components(links, directed=False)
    _, numbers = np.unique(labels[mesh.faces[:, 0]], return_inverse=True)
    return np.asarray(numbers, np.int64).reshape(-1)


def drop_small(mesh: Mesh, share: float) -> tuple[Mesh, Dropped]:
    """Return a mesh without its small pieces.

    Args:
        mesh: Any.
        share: Pieces with less area than this share of the largest one's go; 0 keeps all, 1 the largest.
    """
    numbers = components(mesh)
    areas = face_areas(mesh.vertices, mesh.faces)
    sizes = np.bincount(numbers, areas)
    stays = sizes >= share * sizes.max()
    keep = stays[numbers]
    lost = Dropped(
        int(stays.sum()), int((~stays).sum()), int((~keep).sum()), float(areas[~keep].sum() / areas.sum())
    )
    return (mesh if keep.all() else mesh.faces_kept(keep)), lost


def decimate(mesh: Mesh, faces: int) -> Mesh:
    """Return a mesh of about so many faces that keeps the shape; normals are made anew, colours are dropped.

    Quadric error metrics (Garland and Heckbert 1997), through fast-simplification. A mesh that has no more
    faces than that is returned as it is.

    Raises:
        ConfigError: Fewer than four faces are asked for.
    """
    if faces < 4:
        raise ConfigError(f"faces is {faces}: a solid has at least 4")
    if len(mesh.faces) <= faces:
        return mesh
    # The library works in float32: around the origin, at unit size, it loses nothing that matters.
    low, high = mesh.bounds
    middle, size = (low + high) / 2, float((high - low).max()) or 1.0
    points = np.ascontiguousarray((mesh.vertices - middle) / size)
    found, triangles = package("fast_simplification").simplify(
        points, np.ascontiguousarray(mesh.faces), target_count=faces
    )
    vertices: Array = found.astype(np.float64) * size + middle
    return tidy(vertices, triangles.astype(np.int64), mesh)


def tidy(vertices: Array, faces: Indices, like: Mesh) -> Mesh:
    """Return a mesh of vertices and faces without faces that have no area or vertices that nothing uses."""
    made = Mesh(vertices, faces, encoding=like.encoding)
    flat = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    made = made.faces_kept(~flat)
    return made.with_(normals=vertex_normals(made.vertices, made.faces))
