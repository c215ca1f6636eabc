"""Reading label maps: every value exactly as it is stored, and none that the palette does not know.

A label map is a picture of numbers, and is never seen as colours by accident: grey pictures of 8 and 16 bits
hold ids, indexed PNGs hold ids beside a table of colours, colour pictures hold the colours of a palette, and
OpenEXR channels hold ids as whole numbers.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError
from dreamplate.files import raise_os_error
from dreamplate.plate.labels import MAX_ID, Palette
from dreamplate.plate.plate import Plate
from dreamplate.plate.reader import PlateReader

__all__ = ["LabelMap", "labels_to_plate", "map_labels", "read_label_map", "read_labels"]

Ids = npt.NDArray[np.int64]
_PNG = b"\x89PNG\r\n\x1a\n"
_INDEXED = 3
_TABLE = 1 << 17
"""Below this a table of all values is cheaper than sorting them."""
_SCALES = {"uint8": 255, "uint16": 65535}


@dataclass(frozen=True, eq=False)
class LabelMap:
    """A label map as it is stored.

    Attributes:
        values: ``(height, width)`` ids, or ``(height, width, 3)`` colours 0-255; int64.
        table: Colours of an indexed PNG, by id; empty for other files.
    """

    values: Ids
    table: tuple[tuple[int, int, int], ...] = ()


def read_label_map(path: str | os.PathLike[str], channel: str = "") -> LabelMap:
    """Read ids or colours, exactly.

    Args:
        path: PNG (grey, indexed or colour; 8 or 16 bits), TIFF, or OpenEXR.
        channel: Of an OpenEXR file, that holds the ids; empty: its only one.

    Raises:
        MediaError: It is missing or damaged, is a JPEG (whose values have changed), holds values that are
            no whole numbers, or has several channels and none is named.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            head = file.read(26)
    except OSError as error:
        raise_os_error(error, place, MediaError, "read")
    if head.startswith(b"\xff\xd8"):
        raise MediaError(f"{place}: is a JPEG, which changes label values; save the label map as PNG")
    if head.startswith(_PNG) and len(head) == 26 and head[25] == _INDEXED:
        return _read_indexed(place, head[24])
    with PlateReader(place) as reader:
        names, kind = reader.parts[0].channels, reader.parts[0].types[0]
        if channel or kind not in _SCALES:
            wanted = channel or (names[0] if len(names) == 1 else "")
            if not wanted:
                raise MediaError(f"{place}: has channels {' '.join(names)}; say which one holds the labels")
            return LabelMap(_whole(reader.read(channels=(wanted,)).pixels[:, :, 0], place, wanted))
        colour = all(name in names for name in "RGB")
        if not colour and "Y" not in names:
            raise MediaError(f"{place}: has channels {' '.join(names)}; a label map is grey, indexed or RGB")
        # Alpha is left out, so that nothing is multiplied by it.
        pixels = reader.read(channels=("R", "G", "B") if colour else ("Y",)).pixels
    if colour and kind != "uint8":
        raise MediaError(f"{place}: is a colour picture of 16 bits; save label colours with 8 bits, or ids")
    values = np.rint(pixels * np.float32(_SCALES[kind])).astype(np.int64)
    return LabelMap(values if colour else values[:, :, 0])


def read_labels(path: str | os.PathLike[str], palette: Palette, channel: str = "") -> Ids:
    """Read a label map as class indices, ``(height, width)`` int64; ``len(palette)`` where of no class.

    Raises:
        MediaError: It cannot be read, or holds values outside the palette: says which, how often and where.
    """
    return map_labels(read_label_map(path, channel), palette, str(path))


def map_labels(stored: LabelMap, palette: Palette, name: str) -> Ids:
    """Return class indices ``(height, width)`` of a label map; ``len(palette)`` where of no class.

    Colour pictures are matched by colour. So are indexed PNGs whose colours are all of the palette, because
    programs that optimise PNGs number colours as they like; others are matched by id.

    Args:
        stored: What a file holds.
        palette: The classes.
        name: Of the file, for messages.

    Raises:
        MediaError: A value is outside the palette.
    """
    values = stored.values
    if values.ndim == 3:
        return _by_colour(values, palette, name)
    known: dict[int, int] = {item.id: index for index, item in enumerate(palette.classes)}
    known |= dict.fromkeys(palette.unknown, len(palette))
    present, where = _present(values)
    if stored.table:
        colours = {item.colour: index for index, item in enumerate(palette.classes)}
        # A file may use an id that its own table lacks; it then has no colour to go by.
        used = [stored.table[value] if value < len(stored.table) else None for value in present]
        if len(colours) == len(palette) and all(colour in colours for colour in used):
            known = {value: colours[c] for value, c in zip(present, used, strict=True) if c is not None}
    missing = [value for value in present if value not in known]
    if missing:
        raise MediaError(_outside(name, values, missing, palette))
    return np.array([known[value] for value in present], np.int64)[where]


def labels_to_plate(labels: npt.ArrayLike, palette: Palette) -> Plate:
    """Return a display-encoded ``R G B`` picture of class indices, in the palette's colours.

    Args:
        labels: ``(height, width)`` whole numbers, 0 to ``len(palette)``; the last means "of no class", and
            is black.
        palette: The classes.

    Raises:
        MediaError: An index is out of range, or the shape is not that of one picture.
    """
    indices = np.asarray(labels)
    if indices.ndim != 2 or indices.dtype.kind not in "iu":
        raise MediaError(f"labels: need (height, width) whole numbers, found {indices.dtype} {indices.shape}")
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) <= len(palette):
        raise MediaError(f"labels: indices run from {indices.min()} to {indices.max()}, of {len(palette)}")
    table = np.array([*(item.colour for item in palette.classes), (0, 0, 0)], np.uint8)
    return Plate.from_rgb(table[indices], "srgb_display")


def _by_colour(values: Ids, palette: Palette, name: str) -> Ids:
    packed = (values[:, :, 0] << 16) | (values[:, :, 1] << 8) | values[:, :, 2]
    known: dict[int, int] = {}
    for index, item in enumerate(palette.classes):
        red, green, blue = item.colour
        before = known.setdefault((red << 16) | (green << 8) | blue, index)
        if before != index:
            raise MediaError(
                f"{name}: is a colour picture, and classes {palette.names[before]!r} and {item.name!r} "
                f"have one colour {item.colour}; give each its own, or save ids"
            )
    if palette.unknown:
        known.setdefault(0, len(palette))  # pixels of no class are black in a coloured map
    present, where = _present(packed)
    missing = [value for value in present if value not in known]
    if missing:
        counts = {value: int(np.count_nonzero(packed == value)) for value in missing[:3]}
        listed = ", ".join(f"{(v >> 16, v >> 8 & 255, v & 255)} ({n} pixels)" for v, n in counts.items())
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise MediaError(
            f"{name}: colour {listed}{more} is of no class of the palette; add it there, or save the map "
            "without smoothing or lossy compression"
        )
    return np.array([known[value] for value in present], np.int64)[where]


def _present(values: Ids) -> tuple[list[int], Ids]:
    """Return the values that occur, ascending, and the place of each pixel's value among them."""
    if values.size and int(values.max()) < _TABLE:
        counts = np.bincount(values.ravel(), minlength=1)  # far faster than sorting
        present = np.flatnonzero(counts)
        places = np.zeros(len(counts), np.int64)
        places[present] = np.arange(len(present))
        return present.tolist(), places[values]
    present, where = np.unique(values, return_inverse=True)
    return present.tolist(), where.reshape(values.shape)


def _outside(name: str, values: Ids, missing: list[int], palette: Palette) -> str:
    listed = ", ".join(f"{value} ({np.count_nonzero(values == value)} pixels)" for value in missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    row, column = (int(place[0]) for place in np.nonzero(values == missing[0]))
    ids = [item.id for item in palette.classes]
    return (
        f"{name}: label value {listed}{more} is not in the palette ({len(ids)} classes, ids {min(ids)}-"
        f"{max(ids)}), first at column {column}, row {row}; add the class to the palette, or its id to "
        "'unknown'"
    )


def _whole(pixels: npt.NDArray[np.float32], place: Path, channel: str) -> Ids:
    with np.errstate(invalid="ignore"):
        fits = (pixels >= 0) & (pixels < MAX_ID) & (pixels == np.floor(pixels))
    if not fits.all():
        row, column = (int(i[0]) for i in np.nonzero(~fits))
        raise MediaError(
            f"{place}: channel {channel} is {pixels[row, column]:g} at column {column}, row {row}; labels "
            f"are whole numbers from 0 to {MAX_ID - 1}, rendered without anti-aliasing"
        )
    return pixels.astype(np.int64)


def _read_indexed(place: Path, bits: int) -> LabelMap:
    """Read the indices of an indexed PNG.

    Decoders give its colours. The same file with the word "grey" for "indexed" in its header gives the
    indices, through the same decoder.
    """
    chunks, table = _grey_twin(place)
    with tempfile.TemporaryDirectory(prefix="dreamplate-") as folder:
        twin = Path(folder) / "labels.png"
        try:
            twin.write_bytes(chunks)
        except OSError as error:
            raise_os_error(error, twin, MediaError)
        try:
            with PlateReader(twin) as reader:
                pixels = reader.read(channels=("Y",)).pixels[:, :, 0]
        except MediaError as error:
            raise MediaError(str(error).replace(str(twin), str(place))) from error
    # Grey of fewer than 8 bits is spread over 0-1, exactly.
    return LabelMap(np.rint(pixels * np.float32((1 << bits) - 1)).astype(np.int64), table)


def _grey_twin(place: Path) -> tuple[bytes, tuple[tuple[int, int, int], ...]]:
    data, made, table, position = place.read_bytes(), [_PNG], b"", len(_PNG)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        stored = data[position + 8 + length : position + 12 + length]
        if len(body) < length or stored != struct.pack(">I", zlib.crc32(kind + body)):
            raise MediaError(f"{place}: is damaged or cut short ({kind!r} is not whole); copy it again")
        position += 12 + length
        if kind == b"PLTE":
            table = body
        if kind == b"IHDR":
            body = body[:9] + b"\0" + body[10:]
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            made += [struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(kind + body))]
        if kind == b"IEND":
            break
    else:
        raise MediaError(f"{place}: is cut short (it has no end); copy or render it again")
    triples: Any = np.frombuffer(table[: len(table) // 3 * 3], np.uint8).reshape(-1, 3).tolist()
    return b"".join(made), tuple((int(r), int(g), int(b)) for r, g, b in triples)
