"""PLY (binary, little-endian): meshes with vertex colours, point clouds, and what splats are stored in."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.encoding import display_bytes, needs_offset
from dreamplate.fields.meshing.mesh import Array, Colours, Encoding, Mesh, PointCloud
from dreamplate.files import atomic_write

__all__ = ["write_ply", "write_points", "write_table"]

_NAMES = {"f4": "float", "f8": "double", "u1": "uchar", "i4": "int"}


def write_ply(mesh: Mesh, path: str | os.PathLike[str]) -> None:
    """Write a mesh: ``x y z``, ``nx ny nz``, ``red green blue`` (sRGB bytes), as far as there are, and faces.

    Positions are float, or double where float would lose more than a millionth of the mesh's size.

    Raises:
        SceneError: The mesh has a texture, or the file cannot be written.
    """
    if mesh.texture is not None:
        raise SceneError(f"{path}: PLY keeps vertex colours, no texture; choose .obj, .glb or .usd")
    table = _table(mesh.vertices, mesh.normals, mesh.colours, mesh.encoding)
    faces = np.empty(len(mesh.faces), [("count", "u1"), ("vertex_indices", "<i4", (3,))])
    faces["count"] = 3
    faces["vertex_indices"] = mesh.faces
    write_table(path, table, faces, ["mesh of a field, made by Dreamplate"])


def write_points(cloud: PointCloud, path: str | os.PathLike[str]) -> None:
    """Write a point cloud with normals and sRGB bytes.

    Raises:
        SceneError: The file cannot be written.
    """
    table = _table(cloud.positions, cloud.normals, cloud.colours, cloud.encoding)
    write_table(path, table, None, ["points of a field, made by Dreamplate"])


def write_table(
    path: str | os.PathLike[str],
    vertices: npt.NDArray[np.void],
    faces: npt.NDArray[np.void] | None,
    comments: Sequence[str],
) -> None:
    """Write a structured array as the vertices of a PLY file, and faces of three corners if there are any.

    Raises:
        SceneError: The file cannot be written.
    """
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {text}" for text in comments)]
    lines.append(f"element vertex {len(vertices)}")
    assert vertices.dtype.names is not None
    for name in vertices.dtype.names:
        lines.append(f"property {_NAMES[vertices.dtype[name].str[1:]]} {name}")
    if faces is not None:
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    with atomic_write(path, family=SceneError) as file:
        file.write(("\n".join([*lines, "end_header"]) + "\n").encode("ascii"))
        file.write(vertices.tobytes())
        if faces is not None:
            file.write(faces.tobytes())


def _table(
    positions: Array, normals: Array | None, colours: Colours | None, encoding: Encoding
) -> npt.NDArray[np.void]:
    kind = "<f8" if needs_offset(positions) else "<f4"
    columns: list[tuple[str, str, npt.NDArray[np.generic]]] = [
        (name, kind, positions[:, axis]) for axis, name in enumerate("xyz")
    ]
    if normals is not None:
        columns += [(f"n{name}", "<f4", normals[:, axis]) for axis, name in enumerate("xyz")]
    if colours is not None:
        stored = display_bytes(colours, encoding)
        columns += [(name, "u1", stored[:, part]) for part, name in enumerate(("red", "green", "blue"))]
    table = np.empty(len(positions), [(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        table[name] = values
    return table
