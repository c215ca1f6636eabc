"""COLMAP's model folder (``cameras``, ``images``, ``points3D``), text or binary, as plain values.

Layout as COLMAP's documentation of its output format states it. The newer ``rigs`` and ``frames`` files say
which sensors sit on one rig; ``images`` still holds every pose in full, so they are noticed and not needed.
Numbers are little-endian; poses are world-to-camera, quaternion first its real part, OpenCV axes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dreamplate.errors import SceneError
from dreamplate.files import raise_os_error
from dreamplate.scenes.colmap_files import (
    cameras_of_bytes,
    cameras_of_text,
    images_of_bytes,
    images_of_text,
    points_of_bytes,
    points_of_text,
)
from dreamplate.scenes.colmap_values import MODELS, ColmapCamera, ColmapImage, ColmapPoints

__all__ = [
    "MODELS",
    "ColmapCamera",
    "ColmapImage",
    "ColmapModel",
    "ColmapPoints",
    "find_colmap",
    "read_colmap_model",
]

_T = TypeVar("_T")

_USUAL_PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse")
_ENDINGS = (".bin", ".txt")


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """A whole model; ``points`` is None where the folder has no points file."""

    folder: Path
    cameras: Mapping[int, ColmapCamera]
    images: Mapping[int, ColmapImage]
    points: ColmapPoints | None = None
    rigs: bool = False


def find_colmap(path: str | Path) -> Path | None:
    """Return the model folder at ``path`` or in the usual places below it (``sparse/0`` ...), or None."""
    for place in _USUAL_PLACES:
        folder = Path(path) / place
        if any((folder / f"cameras{e}").is_file() and (folder / f"images{e}").is_file() for e in _ENDINGS):
            return folder
    return None


def read_colmap_model(path: str | Path, *, points: bool = True, features: bool = True) -> ColmapModel:
    """Read a model folder, or the model in the usual places below a folder.

    Args:
        path: Folder.
        points: Whether to read ``points3D``.
        features: Whether to keep the features of each picture.

    Raises:
        SceneError: There is no model, or one of its files is damaged.
    """
    folder = find_colmap(path)
    if folder is None:
        raise SceneError(f"{path}: no COLMAP model here (need cameras and images, .bin or .txt)")
    binary = (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file()
    ending = ".bin" if binary else ".txt"
    cameras = _read(folder / f"cameras{ending}", cameras_of_bytes if binary else cameras_of_text)
    images = _read(folder / f"images{ending}", images_of_bytes if binary else images_of_text)
    cloud = None
    place = folder / f"points3D{ending}"
    if points and place.is_file():
        cloud = _read(place, points_of_bytes if binary else points_of_text)
    known = {camera.id for camera in cameras}
    for image in images:
        if image.camera_id not in known:
            raise SceneError(
                f"{folder / f'images{ending}'}: {image.name} was taken by camera {image.camera_id}, "
                f"which cameras{ending} does not list"
            )
    if not features:
        images = [ColmapImage(i.id, i.name, i.camera_id, i.rotation, i.translation) for i in images]
    return ColmapModel(
        folder,
        {camera.id: camera for camera in cameras},
        {image.id: image for image in images},
        cloud,
        (folder / f"rigs{ending}").is_file(),
    )


def _read(path: Path, parse: Callable[[bytes], _T]) -> _T:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise_os_error(error, path, SceneError, "read")
    try:
        return parse(data)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SceneError(
            f"{path}: is damaged or no COLMAP file ({reason}); export the model again"
        ) from error
