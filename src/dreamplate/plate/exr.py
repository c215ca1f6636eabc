"""Writing OpenEXR: half, float and whole-number channels, layers, several parts, any windows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.attributes import EXR_NAMES, INTEROP_IDS, chromaticities, is_single, is_structure
from dreamplate.plate.formats import FORMATS
from dreamplate.plate.libraries import guarded
from dreamplate.plate.note import NOTE_KEY, write_note
from dreamplate.plate.plate import MetaValue, Pixels, Plate

HALF_MAX = 65504.0
"""Largest finite half float."""
_INT32 = 1 << 31
_UINT32_MAX = (1 << 32) - 1
_PACKINGS = {"none": "NO"}
# Depths lose their use when rounded to 11 bits; these stay float unless a type is asked for.
_FLOAT_NAMES = ("Z", "ZBack", "depth.Z")
# The header already uses these names for its own entries; free metadata may not.
_RESERVED = {
    "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "screenWindowCenter",
    "screenWindowWidth", "tiles", "type", "name", "version", "chunkCount", "maxSamplesPerPixel", "view",
    "chromaticities", "preview", "colorInteropID", "envmap", "timeCode", "keyCode", "multiView", NOTE_KEY,
}  # fmt: skip


def encode_channel(name: str, values: Pixels, depth: str | None, where: str) -> np.ndarray[Any, Any]:
    """Return one channel as the contiguous array of the type that is stored.

    Args:
        name: Channel name.
        values: float32 ``(height, width)``.
        depth: ``half``, ``float``, ``uint``, or None: half where every finite value fits, else float.
        where: The file, for messages.

    Raises:
        MediaError: A value does not fit the type that was asked for.
    """
    kind = depth or ("float" if name in _FLOAT_NAMES or name.endswith(".Z") else "half")
    if kind == "half":
        # One pass: the largest finite size. A value that rounds to infinity would change silently.
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        lost = np.isinf(halves) & np.isfinite(values)
        if not lost.any():
            return halves
        if depth == "half":
            row, column = (int(i[0]) for i in np.nonzero(lost))
            value = f"{values[row, column]:g}, beyond half ({HALF_MAX:g})"
            raise MediaError(f'{where}: channel {name} holds {value}; write depth="float"')
        kind = "float"
    if kind == "uint":
        if not ((values >= 0) & (values <= _UINT32_MAX) & (values == np.floor(values))).all():
            raise MediaError(f'{where}: channel {name} holds more than whole numbers; write depth="float"')
        return np.minimum(values.astype(np.float64), _UINT32_MAX).astype(np.uint32)
    return np.ascontiguousarray(values, np.float32)


def _native(key: str, value: MetaValue) -> Any:
    """Return the header value for a metadata entry, or None where OpenEXR would drop or round it."""
    name = EXR_NAMES.get(key, key)
    if (
        name in _RESERVED
        or is_structure(key)
        or len(name.encode()) > 255
        or (name in EXR_NAMES.values() and name == key)
    ):
        return None
    if isinstance(value, str):
        return value if value else None
    if isinstance(value, int):
        return value if -_INT32 <= value < _INT32 else None
    if isinstance(value, float):
        return value if is_single(value) else None
    if name in _MATRICES and len(value) == 16 and all(is_single(v) for v in value):
        return np.asarray(value, np.float32).reshape(4, 4)
    if len(value) in (2, 3) and all(is_single(v) for v in value):
        return tuple(value)
    return None


def _header(plate: Plate, compression: str, openexr: Any) -> dict[str, Any]:
    data, display = plate.data, plate.display
    header: dict[str, Any] = {}
    spilt: dict[str, MetaValue] = {}
    for key, value in plate.metadata.items():
        native = _native(key, value)
        if native is None or (key in EXR_NAMES and isinstance(value, str) != (EXR_NAMES[key] in _TEXTS)):
            spilt[key] = value
        else:
            header[EXR_NAMES.get(key, key)] = native
    header["pixelAspectRatio"] = plate.pixel_aspect
    if plate.pixel_aspect != 1 and not is_single(plate.pixel_aspect):
        spilt["PixelAspectRatio"] = plate.pixel_aspect
    primaries = chromaticities(plate.colourspace)
    if primaries:
        header["chromaticities"] = primaries
    if plate.colourspace in INTEROP_IDS:
        header["colorInteropID"] = INTEROP_IDS[plate.colourspace]
    return header | {
        "compression": getattr(openexr, f"{_PACKINGS.get(compression, compression.upper())}_COMPRESSION"),
        "type": openexr.scanlineimage,
        "dataWindow": ((data.x, data.y), (data.right - 1, data.bottom - 1)),
        "displayWindow": ((display.x, display.y), (display.right - 1, display.bottom - 1)),
        NOTE_KEY: write_note(plate, spilt, windows=False),
    }


_TEXTS = {"comments", "owner", "capDate"}
_MATRICES = {"worldToCamera", "worldToNDC"}
"""Standard attributes of OpenEXR that are 4 x 4 matrices; sixteen numbers, row by row, in our metadata."""


def write_exr(
    parts: Mapping[str, Plate],
    file: IO[bytes],
    *,
    depth: str | Mapping[str, str] | None,
    compression: str | None,
    final: Path,
) -> None:
    """Write plates as the parts of one OpenEXR file.

    Args:
        parts: Plates by part name; a single part may be called ``""``.
        file: Where to write.
        depth: Sample type of every channel, or by channel name; see ``encode_channel``.
        compression: One of ``FORMATS["openexr"].compressions``; ``zip`` when None.
        final: The path to name in messages.

    Raises:
        MediaError: Values do not fit, or the encoder fails.
        ConfigError: An unknown type or compression.
    """
    kinds, packing = FORMATS["openexr"].depths, compression or "zip"
    if packing not in FORMATS["openexr"].compressions:
        known = " ".join(FORMATS["openexr"].compressions)
        raise ConfigError(f"compression: OpenEXR has no {packing!r}; use one of {known}")
    wanted = depth if isinstance(depth, Mapping) else {}
    for kind in [depth] if isinstance(depth, str) else wanted.values():
        if kind not in kinds:
            raise ConfigError(f"depth: OpenEXR has no {kind!r}; use one of {' '.join(kinds)}")
    import OpenEXR as openexr  # noqa: N813

    built = []
    with guarded(final, "write"):
        for name, plate in parts.items():
            channels = {
                channel: encode_channel(
                    channel,
                    plate.pixels[:, :, place],
                    depth if isinstance(depth, str) else wanted.get(channel),
                    str(final),
                )
                for place, channel in enumerate(plate.channels)
            }
            header = _header(plate, packing, openexr)
            built.append(openexr.Part(header, channels, name) if name else openexr.Part(header, channels))
        # A Python file, because the library's own swallows the error of its last flush.
        openexr.File(built).write(file)
