"""The mesh: triangles in the world of the capture, with colours at vertices or in a texture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.plate import Plate

__all__ = ["Encoding", "Mesh", "PointCloud", "boundary_edges", "face_areas", "vertex_normals", "volume_of"]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Colours = npt.NDArray[np.float32]
Encoding = Literal["srgb_display", "scene_linear"]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles. The world, its units and its axes are the capture's own.

    Attributes:
        vertices: ``(n, 3)`` in world units.
        faces: ``(m, 3)`` numbers of vertices, counter-clockwise seen from outside.
        normals: ``(n, 3)`` unit vectors that point outside, or None.
        colours: ``(n, 3)`` straight colour of the vertices, or None.
        uvs: ``(n, 2)`` places in the texture, from its **lower** left corner (0, 0), or None.
        texture: The colour of the surface, row 0 at the top, where v is 1; or None.
        encoding: Colour space of ``colours``.

    Raises:
        SceneError: The parts do not fit together.
    """

    vertices: Array
    faces: Indices
    normals: Array | None = None
    colours: Colours | None = None
    uvs: Array | None = None
    texture: Plate | None = None
    encoding: Encoding = "srgb_display"

    def __post_init__(self) -> None:
        count = len(self.vertices)
        for name, width in (("vertices", 3), ("normals", 3), ("colours", 3), ("uvs", 2)):
            value = getattr(self, name)
            if value is not None and value.shape != (count, width):
                raise SceneError(f"mesh: {name} has shape {value.shape}; need ({count}, {width})")
        if self.faces.ndim != 2 or self.faces.shape[1] != 3:
            raise SceneError(f"mesh: faces has shape {self.faces.shape}; need (m, 3)")
        if len(self.faces) and not (self.faces.min() >= 0 and self.faces.max() < count):
            raise SceneError(f"mesh: a face names a vertex beyond the {count} there are")
        if self.texture is not None and self.uvs is None:
            raise SceneError("mesh: has a texture and no uvs; unwrap it first")

    @property
    def bounds(self) -> Array:
        """Lowest and highest corner, ``(2, 3)``, in world units."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def with_(self, **changes: Any) -> Mesh:
        """Return a copy with some attributes replaced."""
        return replace(self, **changes)

    def faces_kept(self, keep: npt.NDArray[np.bool_]) -> Mesh:
        """Return the mesh of some of its faces, without the vertices that nothing uses then."""
        faces = self.faces[keep]
        used = np.zeros(len(self.vertices), bool)
        used[faces] = True
        number = np.cumsum(used) - 1
        parts = {name: getattr(self, name) for name in ("vertices", "normals", "colours", "uvs")}
        kept = {name: None if value is None else value[used] for name, value in parts.items()}
        return self.with_(faces=number[faces], **kept)


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points on surfaces, in the world of the capture.

    Attributes:
        positions: ``(n, 3)`` in world units.
        normals: ``(n, 3)`` unit vectors that point outside.
        colours: ``(n, 3)`` straight colour.
        encoding: Colour space of ``colours``.
    """

    positions: Array
    normals: Array
    colours: Colours
    encoding: Encoding = "srgb_display"


def vertex_normals(vertices: Array, faces: Indices) -> Array:
    """Return unit normals ``(n, 3)``: those of the faces around each vertex, weighted by their angle there.

    A vertex without faces gets (0, 0, 1). Angle weights do not depend on how a surface is cut into triangles
    (Thürmer and Wüthrich 1998).
    """
    corners = vertices[faces]
    normal = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    total = np.zeros_like(vertices)
    for corner in range(3):
        first = _unit(corners[:, (corner + 1) % 3] - corners[:, corner])
        second = _unit(corners[:, (corner + 2) % 3] - corners[:, corner])
        angle = np.arccos(np.clip((first * second).sum(1), -1, 1))
        for axis in range(3):
            total[:, axis] += np.bincount(faces[:, corner], normal[:, axis] * angle, len(vertices))
    found = _unit(total)
    found[~(np.abs(found).sum(1) > 0)] = (0.0, 0.0, 1.0)
    return found


def face_areas(vertices: Array, faces: Indices) -> Array:
    """Return the area of each face, ``(m,)``, in square world units."""
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(np.linalg.norm(cross, axis=1) / 2)


def volume_of(vertices: Array, faces: Indices) -> float:
    """Return the volume inside a closed mesh, in cubic world units; negative when it is inside out."""
    a, b, c = (vertices[faces[:, corner]] - vertices.mean(0) for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def boundary_edges(vertices: Array, faces: Indices) -> int:
    """Return how many edges do not join exactly two faces that agree which side is outside; 0: watertight.

    Vertices at exactly one place count as one, so the seams of a texture are no holes.
    """
    found = _unmatched(faces)
    if not found:
        return 0
    _, same = np.unique(vertices, axis=0, return_inverse=True)
    return _unmatched(same.reshape(-1)[faces])


def _unmatched(faces: Indices) -> int:
    """Return how many edges lack exactly one partner that runs the other way."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    count = int(faces.max()) + 1 if len(faces) else 0
    there, forward = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    back, backward = np.unique(edges[:, 1] * count + edges[:, 0], return_counts=True)
    matched = np.isin(there, back[backward == 1], assume_unique=True) & (forward == 1)
    return int((~matched).sum())


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1))
