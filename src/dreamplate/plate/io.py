"""Reading and writing picture files: the two verbs, for every format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dreamplate.errors import MediaError, MediaLimitError
from dreamplate.files import atomic_write
from dreamplate.plate.exr import write_exr
from dreamplate.plate.formats import FORMATS, format_for
from dreamplate.plate.limits import Limits
from dreamplate.plate.plate import Plate
from dreamplate.plate.raster import write_raster
from dreamplate.plate.reader import PlateReader, open_plate

__all__ = ["open_plate", "read", "read_parts", "write", "write_parts"]


def read(
    path: str | os.PathLike[str],
    *,
    part: int | str = 0,
    channels: tuple[str, ...] | None = None,
    colourspace: str | None = None,
    limits: Limits | None = None,
) -> Plate:
    """Read a picture file.

    Photographs that a camera tagged as turned are turned upright.

    Args:
        path: The file; its extension and contents must agree.
        part: Number or name of the part of a multi-part OpenEXR file (``info`` lists them).
        channels: Names wanted; all when None.
        colourspace: Convert to this space; None leaves the plate in the space the file is in.
        limits: Largest claims to accept; ``Limits.default()`` when None.

    Raises:
        MediaError: It is missing, damaged, or of an unknown format.
        MediaLimitError: Its header claims more than the limits allow.
        ResourceError: There is not enough memory.
    """
    with PlateReader(path, limits=limits) as reader:
        plate = _upright(reader.read(part, channels=channels))
    return _converted(plate, colourspace)


def read_parts(path: str | os.PathLike[str], *, limits: Limits | None = None) -> dict[str, Plate]:
    """Read every part of a file, by name; parts without a name are called by their number.

    Raises:
        MediaError: It is missing, damaged, or of an unknown format.
        MediaLimitError: Its header claims more than the limits allow.
        ResourceError: There is not enough memory.
    """
    with PlateReader(path, limits=limits) as reader:
        names = [part.name or str(index) for index, part in enumerate(reader.parts)]
        if len(set(names)) != len(names):
            names = [f"{index}:{name}" for index, name in enumerate(names)]
        total = sum(p.data_window.width * p.data_window.height * len(p.channels) for p in reader.parts) * 4
        if total > reader.limits.bytes:
            raise MediaLimitError(
                f"{path}: all parts need {total / 2**30:.1f} GiB, above the limit; read them one by one"
            )
        return {name: _upright(reader.read(index)) for index, name in enumerate(names)}


def write(
    plate: Plate,
    path: str | os.PathLike[str],
    *,
    depth: str | Mapping[str, str] | None = None,
    compression: str | None = None,
    quality: int = 95,
    colourspace: str | None = None,
) -> None:
    """Write a plate; the extension chooses the format. The file appears whole or not at all.

    Values are stored in the plate's own colour space, whose name is stored with them, unless
    ``colourspace`` asks for a conversion. Whole-number formats clip to 0-1 and refuse NaN and infinity.
    Straight-alpha formats (PNG, TIFF) cannot hold colour where alpha is 0.

    Args:
        plate: What to write.
        path: Where; an existing file is replaced.
        depth: Sample type: OpenEXR ``half float uint`` (also a dict by channel name), PNG ``8 16``,
            TIFF ``8 16 half float``, JPEG ``8``, DPX ``8 10 12 16``. None: OpenEXR half (float for ``Z``
            and for channels beyond the range of half), PNG 8, DPX 10, TIFF 16 for ``srgb_display`` and
            float for other spaces.
        compression: Of the format; its usual one when None.
        quality: Of JPEG, 1 to 100.
        colourspace: Convert to this space first.

    Raises:
        MediaError: The plate does not fit the format, or the file cannot be written.
        ConfigError: An option is unknown.
        ResourceError: The disk is full; an existing file is untouched.
    """
    place = Path(path)
    form = format_for(place)
    if form is FORMATS["openexr"]:
        write_parts({"": plate}, place, depth=depth, compression=compression, colourspace=colourspace)
        return
    if isinstance(depth, Mapping):
        raise MediaError(f"{place}: a depth for each channel needs OpenEXR; give one depth")
    plate = _converted(plate, colourspace)
    with atomic_write(place) as file:
        write_raster(plate, file, form, depth=depth, compression=compression, quality=quality, final=place)


def write_parts(
    parts: Mapping[str, Plate],
    path: str | os.PathLike[str],
    *,
    depth: str | Mapping[str, str] | None = None,
    compression: str | None = None,
    colourspace: str | None = None,
) -> None:
    """Write several plates as the named parts of one OpenEXR file.

    Args:
        parts: Plates by name. Sizes may differ; OpenEXR wants one display window and pixel aspect.
        path: An ``.exr`` file; an existing one is replaced.
        depth: As in ``write``.
        compression: ``zip zips rle piz pxr24 b44 b44a dwaa dwab none``; ``zip`` when None. ``pxr24``,
            ``b44``, ``b44a``, ``dwaa`` and ``dwab`` change the values.
        colourspace: Convert every part to this space first.

    Raises:
        MediaError: The plates do not fit, or the file cannot be written.
        ConfigError: An option is unknown.
        ResourceError: The disk is full; an existing file is untouched.
    """
    place = Path(path)
    if format_for(place) is not FORMATS["openexr"]:
        raise MediaError(f"{place}: only OpenEXR holds several parts; use the extension .exr")
    if not parts or (len(parts) > 1 and "" in parts):
        raise MediaError(f"{place}: need at least one part, each with a name, found {list(parts)}")
    shared = {(plate.display, plate.pixel_aspect) for plate in parts.values()}
    if len(shared) > 1:
        raise MediaError(
            f"{place}: parts differ in display window or pixel aspect; OpenEXR wants one for all"
        )
    converted = {name: _converted(plate, colourspace) for name, plate in parts.items()}
    with atomic_write(place) as file:
        write_exr(converted, file, depth=depth, compression=compression, final=place)


def _converted(plate: Plate, colourspace: str | None) -> Plate:
    if colourspace is None:
        return plate
    from dreamplate.plate.colour import convert

    return convert(plate, colourspace)


# Exif orientation → (transpose, flip rows, flip columns) that make the picture upright.
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def _upright(plate: Plate) -> Plate:
    """Turn a picture as its ``Orientation`` entry says, and take the entry out."""
    turn = _TURNS.get(plate.metadata.get("Orientation"))  # type: ignore[arg-type]
    if turn is None:
        return plate
    transpose, rows, columns = turn
    pixels = plate.pixels.transpose(1, 0, 2) if transpose else plate.pixels
    pixels = pixels[:: -1 if rows else 1, :: -1 if columns else 1]
    metadata = {key: value for key, value in plate.metadata.items() if key != "Orientation"}
    return plate.with_(
        pixels=np.ascontiguousarray(pixels), metadata=metadata, data_window=None, display_window=None
    )
