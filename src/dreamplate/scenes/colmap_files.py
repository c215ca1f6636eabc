"""The bytes and the text of COLMAP's files, as plain values.

Damage raises ``ValueError`` or ``struct.error``.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from dreamplate.scenes.colmap_values import MODELS, ColmapCamera, ColmapImage, ColmapPoints

__all__ = [
    "cameras_of_bytes",
    "cameras_of_text",
    "images_of_bytes",
    "images_of_text",
    "points_of_bytes",
    "points_of_text",
]

_BY_NUMBER = {number: name for name, (number, _) in MODELS.items()}


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


def cameras_of_bytes(data: bytes) -> list[ColmapCamera]:
    """Return the cameras of ``cameras.bin``."""
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


def images_of_bytes(data: bytes) -> list[ColmapImage]:
    """Return the pictures of ``images.bin``."""
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


def points_of_bytes(data: bytes) -> ColmapPoints:
    """Return the points of ``points3D.bin``."""
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


def cameras_of_text(data: bytes) -> list[ColmapCamera]:
    """Return the cameras of ``cameras.txt``."""
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


def images_of_text(data: bytes) -> list[ColmapImage]:
    """Return the pictures of ``images.txt``."""
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


def points_of_text(data: bytes) -> ColmapPoints:
    """Return the points of ``points3D.txt``."""
    rows = list(filter(None, _lines(data)))
    table = np.array([row[:8] for row in rows], dtype=np.float64).reshape(-1, 8)
    return ColmapPoints(
        np.array([int(row[0]) for row in rows], dtype=np.int64),
        table[:, 1:4],
        table[:, 4:7].astype(np.uint8),
        table[:, 7],
        np.array([(len(row) - 8) // 2 for row in rows], dtype=np.int64),
    )
