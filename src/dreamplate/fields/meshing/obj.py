"""Wavefront OBJ: text geometry, with an MTL file and a picture beside it when the mesh has a texture."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.encoding import display_bytes, needs_offset
from dreamplate.fields.meshing.mesh import Mesh
from dreamplate.files import write_bytes_atomic
from dreamplate.plate.io import write

__all__ = ["write_obj", "write_texture"]


def write_obj(mesh: Mesh, path: str | os.PathLike[str]) -> list[Path]:
    """Write a mesh; returns every file written, the OBJ itself last.

    Positions have nine digits, or fourteen far from the origin, in the capture's world. Colours
    of vertices follow as three display-encoded numbers (as MeshLab, Blender and Houdini read them). Places in
    the texture count from its lower left corner. The material is plain diffuse: the capture's light is in the
    colours already.

    Raises:
        SceneError: A file cannot be written.
    """
    place = Path(path)
    written = []
    parts = ["# mesh of a field, made by Dreamplate; world and units of the capture"]
    if mesh.texture is not None:
        picture = write_texture(mesh, place)
        material = place.with_name(_plain(place.stem) + ".mtl")
        text = f"newmtl field\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture.name}\n"
        write_bytes_atomic(material, text.encode(), family=SceneError)
        written += [picture, material]
        parts.append(f"mtllib {material.name}")
    place_form = "v " + " ".join(["%.14g" if needs_offset(mesh.vertices) else "%.9g"] * 3)
    if mesh.colours is not None and mesh.texture is None:
        colours = display_bytes(mesh.colours, mesh.encoding) / 255
        rows = np.concatenate([mesh.vertices, colours], 1)
        parts += [(place_form + " %.4f %.4f %.4f") % tuple(row) for row in rows.tolist()]
    else:
        parts += [place_form % tuple(row) for row in mesh.vertices.tolist()]
    corner = ["%d"]
    if mesh.uvs is not None:
        parts += ["vt %.9g %.9g" % tuple(row) for row in mesh.uvs.tolist()]  # noqa: UP031
    if mesh.normals is not None:
        parts += ["vn %.6g %.6g %.6g" % tuple(row) for row in mesh.normals.tolist()]  # noqa: UP031
    if mesh.uvs is not None or mesh.normals is not None:
        corner += ["%d" if mesh.uvs is not None else ""] + ["%d"] * (mesh.normals is not None)
    if mesh.texture is not None:
        parts.append("usemtl field")
    form = "f " + " ".join(["/".join(corner)] * 3)
    numbers = np.repeat(mesh.faces + 1, sum(part == "%d" for part in corner), axis=1)
    parts += [form % tuple(row) for row in numbers.tolist()]
    write_bytes_atomic(place, ("\n".join(parts) + "\n").encode(), family=SceneError)
    return [*written, place]


def write_texture(mesh: Mesh, beside: Path) -> Path:
    """Write a mesh's texture beside a file; returns where.

    Display-encoded colours become an 8-bit PNG, linear ones a half-float EXR that clips nothing.

    Raises:
        SceneError: It cannot be written.
    """
    assert mesh.texture is not None
    suffix = ".png" if mesh.encoding == "srgb_display" else ".exr"
    place = beside.with_name(_plain(beside.stem) + suffix)
    write(mesh.texture, place)
    return place


def _plain(stem: str) -> str:
    """Return a name without white space, which MTL files cannot quote."""
    return "_".join(stem.split()) or "mesh"
