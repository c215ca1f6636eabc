"""COLMAP's model folder (``cameras``, ``images``, ``points3D``), text or binary, as plain values.

Layout as COLMAP's documentation of its output format states it. The newer ``rigs`` and ``frames`` files say
which sensors sit on one rig; ``images`` still holds every pose in full, so they are noticed and not needed.
Numbers are little-endian; poses are world-to-camera, quaternion first its real part, OpenCV axes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.files import raise_os_error

__all__ = [
    "MODELS",
    "ColmapCamera",
    "ColmapImage",
    "ColmapModel",
    "ColmapPoints",
    "find_colmap",
    "read_colmap_model",
]

Doubles = npt.NDArray[np.float64]
_T = TypeVar("_T")

MODELS: dict[str, tuple[int, tuple[str, ...]]] = {
    "SIMPLE_PINHOLE": (0, ("f", "cx", "cy")),
    "PINHOLE": (1, ("fx", "fy", "cx", "cy")),
    "SIMPLE_RADIAL": (2, ("f", "cx", "cy", "k1")),
    "RADIAL": (3, ("f", "cx", "cy", "k1", "k2")),
    "OPENCV": (4, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")),
    "OPENCV_FISHEYE": (5, ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")),
    "FULL_OPENCV": (6, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    "FOV": (7, ("fx", "fy", "cx", "cy", "omega")),
    "SIMPLE_RADIAL_FISHEYE": (8, ("f", "cx", "cy", "k1")),
    "RADIAL_FISHEYE": (9, ("f", "cx", "cy", "k1", "k2")),
    "THIN_PRISM_FISHEYE": (10, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1")),
    "RAD_TAN_THIN_PRISM_FISHEYE": (11, tuple(f"p{i}" for i in range(16))),
    "SIMPLE_DIVISION": (12, ("f", "cx", "cy", "k")),
    "DIVISION": (13, ("fx", "fy", "cx", "cy", "k")),
    "SIMPLE_FISHEYE": (14, ("f", "cx", "cy")),
    "FISHEYE": (15, ("fx", "fy", "cx", "cy")),
    "EUCM": (16, ("fx", "fy", "cx", "cy", "alpha", "beta")),
    "EQUIRECTANGULAR": (17, ("w", "h")),
}
"""Camera model → its number in binary files, and what its parameters are."""

_BY_NUMBER = {number: name for name, (number, _) in MODELS.items()}
_USUAL_PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse")
_ENDINGS = (".bin", ".txt")


@dataclass(frozen=True)
class ColmapCamera:
    """What pictures share: ``model`` names its parameters (see ``MODELS``), in pixels."""

    id: int
    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """One registered picture.

    Attributes:
        id: Its number in the model.
        name: File name below the picture folder.
        camera_id: Which camera took it.
        rotation: ``(4,)`` world-to-camera quaternion, real part first.
        translation: ``(3,)`` world-to-camera.
        pixels: ``(n, 2)`` places of the features found in it.
        point_ids: ``(n,)`` the point that each feature belongs to, -1 for none.
    """

    id: int
    name: str
    camera_id: int
    rotation: Doubles
    translation: Doubles
    pixels: Doubles = field(default_factory=lambda: np.zeros((0, 2)))
    point_ids: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, eq=False)
class ColmapPoints:
    """The points that were found.

    Attributes:
        ids: ``(n,)``.
        positions: ``(n, 3)``.
        colours: ``(n, 3)`` uint8, display-encoded.
        errors: ``(n,)`` mean reprojection error in pixels.
        tracks: ``(n,)`` how many pictures show each.
    """

    ids: npt.NDArray[np.int64]
    positions: Doubles
    colours: npt.NDArray[np.uint8]
    errors: Doubles
    tracks: npt.NDArray[np.int64]


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
    cameras = _read(folder / f"cameras{ending}", _cameras_binary if binary else _cameras_text)
    images = _read(folder / f"images{ending}", _images_binary if binary else _images_text)
    cloud = None
    place = folder / f"points3D{ending}"
    if points and place.is_file():
        cloud = _read(place, _points_binary if binary else _points_text)
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


class _Bytes:
    """A place in a file; reading past its end is a ``struct.error``."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[float, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def count(self) -> int:
        (number,) = self.take("Q")
        if number > len(self.data):
            raise ValueError(f"it claims {number} entries in {len(self.data)} bytes")
        return int(number)

    def rows(self, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.void]:
        size = np.dtype(dtype).itemsize * count
        if self.at + size > len(self.data):
            raise ValueError("it ends too early")
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += size
        return found

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end].decode()
        self.at = end + 1
        return found

    def finish(self) -> None:
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes too many")


def _cameras_binary(data: bytes) -> list[ColmapCamera]:
    file, found = _Bytes(data), []
    for _ in range(file.count()):
        number, model, width, height = map(int, file.take("iiQQ"))
        if model not in _BY_NUMBER:
            raise ValueError(f"camera {number} is of unknown model {model}")
        name = _BY_NUMBER[model]
        found.append(ColmapCamera(number, name, width, height, file.take(f"{len(MODELS[name][1])}d")))
    file.finish()
    return found


_FEATURE = np.dtype([("pixel", "<f8", 2), ("point", "<i8")])
_POINT = np.dtype(
    [("id", "<u8"), ("position", "<f8", 3), ("colour", "u1", 3), ("error", "<f8"), ("track", "<u8")]
)


def _images_binary(data: bytes) -> list[ColmapImage]:
    file, found = _Bytes(data), []
    for _ in range(file.count()):
        (number,) = file.take("I")
        pose = np.array(file.take("7d"))
        (camera,) = file.take("I")
        name = file.text()
        features = file.rows(_FEATURE, file.count())
        found.append(
            ColmapImage(
                int(number),
                name,
                int(camera),
                pose[:4],
                pose[4:],
                features["pixel"].astype(np.float64),
                features["point"].astype(np.int64),
            )
        )
    file.finish()
    return found


def _points_binary(data: bytes) -> ColmapPoints:
    file, found = _Bytes(data), []
    for _ in range(file.count()):
        point = file.rows(_POINT, 1)
        length = int(point["track"][0])
        file.rows("<u8", length)  # (picture, feature) as two uint32
        found.append(point)
    file.finish()
    table = np.concatenate(found) if found else np.zeros(0, _POINT)
    return ColmapPoints(
        table["id"].astype(np.int64),
        table["position"].astype(np.float64),
        table["colour"].astype(np.uint8),
        table["error"].astype(np.float64),
        table["track"].astype(np.int64),
    )


def _lines(data: bytes) -> list[list[str]]:
    """Return the words of every line that is no comment; empty lines are kept, they may mean something."""
    lines = [line.split() for line in data.decode().splitlines() if not line.lstrip().startswith("#")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _cameras_text(data: bytes) -> list[ColmapCamera]:
    found = []
    for words in filter(None, _lines(data)):
        number, model, width, height, *params = words
        if model not in MODELS:
            raise ValueError(f"camera {number} is of unknown model {model}")
        if len(params) != len(MODELS[model][1]):
            raise ValueError(
                f"camera {number}: {model} has {len(MODELS[model][1])} numbers, not {len(params)}"
            )
        found.append(ColmapCamera(int(number), model, int(width), int(height), tuple(map(float, params))))
    return found


def _images_text(data: bytes) -> list[ColmapImage]:
    # Two lines a picture; the second, its features, may be empty, and is missing when it ends the file.
    lines, found = _lines(data), []
    while lines and not lines[0]:
        lines.pop(0)
    for at in range(0, len(lines), 2):
        number, *pose, camera = lines[at][:9]
        if len(lines[at]) < 10:
            raise ValueError(f"picture line {at // 2 + 1} has {len(lines[at])} words; need 10")
        row = lines[at + 1] if at + 1 < len(lines) else []
        if len(row) % 3:
            raise ValueError(f"picture {number}: its features are {len(row)} numbers, not threes")
        features = np.array(row, dtype=np.float64).reshape(-1, 3)
        values = np.array(pose, dtype=np.float64)
        name = " ".join(lines[at][9:])
        found.append(
            ColmapImage(
                int(number),
                name,
                int(camera),
                values[:4],
                values[4:],
                features[:, :2],
                features[:, 2].astype(np.int64),
            )
        )
    return found


def _points_text(data: bytes) -> ColmapPoints:
    rows = list(filter(None, _lines(data)))
    table = np.array([row[:8] for row in rows], dtype=np.float64).reshape(-1, 8)
    return ColmapPoints(
        np.array([int(row[0]) for row in rows], dtype=np.int64),
        table[:, 1:4],
        table[:, 4:7].astype(np.uint8),
        table[:, 7],
        np.array([(len(row) - 8) // 2 for row in rows], dtype=np.int64),
    )
