"""The mesh file that a name's extension asks for."""

from __future__ import annotations

import os
from pathlib import Path

from dreamplate.errors import SceneError
from dreamplate.fields.meshing.mesh import Mesh

__all__ = ["FORMATS", "check_target", "write_mesh"]

FORMATS: dict[str, str] = {
    ".obj": "Wavefront OBJ",
    ".ply": "PLY",
    ".glb": "binary glTF",
    ".usd": "OpenUSD",
    ".usda": "OpenUSD, text",
    ".usdc": "OpenUSD, binary",
}
"""Extension → format."""


def check_target(path: Path, textured: bool = False) -> None:
    """Check, before any work is done, that a mesh can be written to a file.

    Raises:
        SceneError: The extension is unknown or holds no texture, or the folder cannot be written to.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise SceneError(f"{path}: {suffix or 'no extension'} is no mesh format; use {' '.join(FORMATS)}")
    if textured and suffix == ".ply":
        raise SceneError(f"{path}: PLY keeps vertex colours, no texture; choose .obj, .glb or .usd")
    folder = path.absolute().parent
    if path.is_dir():
        raise SceneError(f"{path}: is a folder; name a file")
    if not folder.is_dir():
        raise SceneError(f"{path}: the folder {folder} does not exist; make it or choose another")
    if not os.access(folder, os.W_OK):
        raise SceneError(f"{path}: the folder {folder} cannot be written to; check its permissions")


def write_mesh(
    mesh: Mesh,
    path: str | os.PathLike[str],
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
    metres_per_unit: float = 1.0,
) -> list[Path]:
    """Write a mesh in the format of the extension; returns every file written, the one asked for last.

    Args:
        mesh: What to write; its numbers stay those of the capture in every format.
        path: Where; ``.obj .ply .glb .usd .usda .usdc``.
        up: Direction of the capture's world that points up (glTF, USD).
        metres_per_unit: Length of the capture's unit (glTF, USD).

    Raises:
        SceneError: The extension is unknown, or a file cannot be written.
        MissingExtraError: USD is asked for and not installed.
    """
    place = Path(path)
    check_target(place, mesh.texture is not None)
    suffix = place.suffix.lower()
    if suffix == ".obj":
        from dreamplate.fields.meshing.obj import write_obj

        return write_obj(mesh, place)
    if suffix == ".ply":
        from dreamplate.fields.meshing.ply import write_ply

        write_ply(mesh, place)
    elif suffix == ".glb":
        from dreamplate.fields.meshing.glb import write_glb

        write_glb(mesh, place, up, metres_per_unit)
    else:
        from dreamplate.fields.meshing.usd import write_usd

        return write_usd(mesh, place, up, metres_per_unit)
    return [place]
