"""What a photograph's header says: its upright size, how the camera was held, its lens, exposure and place.

Nothing here decodes pixels, so that a scene of thousands of photographs is read in seconds.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dreamplate.errors import SceneError
from dreamplate.plate.formats import BY_EXTENSION
from dreamplate.plate.reader import open_plate

__all__ = ["Header", "find_picture", "picture_header", "pictures_in"]

FULL_FRAME_DIAGONAL = math.hypot(36, 24)
"""Millimetres; a "35 mm equivalent" focal length is the one that gives the same diagonal field of view."""

_SENSORS = ((21.5, 24.5), (35.0, 37.0))  # widths in millimetres of cameras that give no equivalent


@dataclass(frozen=True)
class Header:
    """What is known of a photograph without decoding it.

    Attributes:
        width: Columns, once upright.
        height: Rows, once upright.
        orientation: Exif orientation of the stored pixels; 1 is upright, 5 to 8 lie on their side.
        channels: Channel names.
        types: Sample type of each channel, as stored.
        colourspace: As in ``Plate``.
        focal: Focal length in pixels of the upright picture by its Exif entries, or None.
        device: Maker and model of the camera, or ``""``.
        exposure: Exposure value in stops (log2 of time times sensitivity over aperture squared), or None.
        place: ``(latitude, longitude, altitude)`` in degrees and metres, or None.
    """

    width: int
    height: int
    orientation: int
    channels: tuple[str, ...]
    types: tuple[str, ...]
    colourspace: str
    focal: float | None
    device: str
    exposure: float | None
    place: tuple[float, float, float] | None


def picture_header(path: Path) -> Header:
    """Return what the header of a photograph says.

    Raises:
        MediaError: It is missing, damaged, or of an unknown format.
        MediaLimitError: It claims more pixels than the limits allow.
    """
    try:
        stamp = path.stat()
    except (OSError, ValueError):
        return _header(path)  # which says what is wrong
    return _cached(path, stamp.st_mtime_ns, stamp.st_size)


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder and its sub-folders, sorted by path; hidden ones are left out.

    Raises:
        SceneError: The folder is missing or cannot be read.
    """

    def stop(error: OSError) -> None:
        raise SceneError(f"{folder}: cannot read it ({error.strerror}); check the path") from error

    if not folder.is_dir():
        raise SceneError(f"{folder}: is no folder; name the folder of the photographs")
    found: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=stop):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(root, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in BY_EXTENSION
        ]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def find_picture(path: Path, extensions: Iterable[str] = (".png", ".jpg", ".jpeg", ".exr")) -> Path | None:
    """Return the picture that a scene file names, with or without its extension, or None where it is not."""
    try:
        if path.is_file():
            return path
        if path.suffix.lower() in BY_EXTENSION:
            return None
        tried = [*extensions, *BY_EXTENSION]
        made = (path.with_name(path.name + ext) for ext in (*tried, *map(str.upper, tried)))
        return next((place for place in made if place.is_file()), None)
    except (OSError, ValueError):  # a name no file can have
        return None


@lru_cache(maxsize=65536)
def _cached(path: Path, changed: int, size: int) -> Header:
    return _header(path)


def _header(path: Path) -> Header:
    with open_plate(path) as reader:
        part = reader.parts[0]
    about = part.metadata
    turn = about.get("Orientation", 1)
    orientation = int(turn) if isinstance(turn, int | float) and 1 <= turn <= 8 else 1
    width, height = part.display_window.width, part.display_window.height
    if orientation >= 5:
        width, height = height, width
    return Header(
        width,
        height,
        orientation,
        part.channels,
        part.types,
        part.colourspace,
        _focal(about, width, height),
        " ".join(str(about[key]).strip() for key in ("Make", "Model") if about.get(key)),
        _exposure(about),
        _place(about),
    )


def _number(about: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = about.get(name)
        if isinstance(value, int | float) and math.isfinite(value) and value > 0:
            return float(value)
    return None


def _focal(about: Mapping[str, Any], width: int, height: int) -> float | None:
    """Return the focal length in pixels by the 35 mm equivalent, or else by the sensor's resolution."""
    same = _number(about, "Exif:FocalLengthIn35mmFilm")
    if same:
        return same / FULL_FRAME_DIAGONAL * math.hypot(width, height)
    own = _number(about, "Exif:FocalLength")
    density = _number(about, "Exif:FocalPlaneXResolution")
    unit = {2: 25.4, 3: 10.0, 4: 1.0}.get(int(_number(about, "Exif:FocalPlaneResolutionUnit") or 2))
    if not (own and density and unit):
        return None
    # The density is of the picture as taken; one made smaller since would seem to have a small sensor.
    sensor = max(width, height) * unit / density
    likely = any(low < sensor < high for low, high in _SENSORS)
    return own * density / unit if likely else None


def _exposure(about: Mapping[str, Any]) -> float | None:
    time, stop = _number(about, "ExposureTime"), _number(about, "FNumber")
    if not (time and stop):
        return None
    speed = _number(about, "Exif:PhotographicSensitivity", "Exif:ISOSpeedRatings") or 100.0
    return math.log2(time * speed / 100 / stop**2)


def _place(about: Mapping[str, Any]) -> tuple[float, float, float] | None:
    found = []
    for name in ("Latitude", "Longitude"):
        value = about.get(f"GPS:{name}")
        if not (isinstance(value, tuple) and len(value) == 3 and all(map(math.isfinite, value))):
            return None
        degrees = value[0] + value[1] / 60 + value[2] / 3600
        found.append(-degrees if str(about.get(f"GPS:{name}Ref")) in ("S", "W") else degrees)
    high = about.get("GPS:Altitude", 0.0)
    altitude = float(high) if isinstance(high, int | float) and math.isfinite(high) else 0.0
    below = about.get("GPS:AltitudeRef") in (1, "\x01", "1")
    return found[0], found[1], -altitude if below else altitude
