"""What headers say besides pixels: free metadata and the colour space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dreamplate.plate.box import MetaValue

# Entries that describe the file rather than the picture; they are made anew by each write.
_STRUCTURE = {
    "name", "compression", "chromaticities", "colorInteropID", "screenWindowCenter", "screenWindowWidth",
    "planarconfig", "ResolutionUnit", "XResolution", "YResolution", "ICCProfile", "dataWindow",
    "displayWindow", "chunkCount", "version", "type", "tiles", "lineOrder", "textureformat",
    "CompressionQuality", "dpx:Transfer", "dpx:Colorimetric", "dpx:ImageDescriptor", "dpx:DittoKey",
    "Exif:PixelXDimension", "Exif:PixelYDimension",
    "dpx:EndOfLinePadding", "dpx:EndOfImagePadding", "dpx:Version", "dpx:Packing", "dpx:Signal",
}  # fmt: skip
_STRUCTURE_PREFIXES = ("oiio:", "openexr:", "tiff:", "jpeg:", "png:", "ICCProfile:")


BLANK_DATE = "    :  :     :  :  "
"""The TIFF way of saying that the date is unknown; without it the encoder writes the present moment."""

EXR_NAMES: dict[str, str] = {
    "ImageDescription": "comments",
    "Copyright": "owner",
    "DateTime": "capDate",
    "PixelAspectRatio": "pixelAspectRatio",
    "ExposureTime": "expTime",
    "FNumber": "aperture",
}
"""Common name of an entry → its name in an OpenEXR header."""

_CHROMATICITIES: dict[str, tuple[float, ...]] = {
    "scene_linear": (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    "acescg": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),
    "aces2065_1": (0.73470, 0.26530, 0.0, 1.0, 0.0001, -0.0770, 0.32168, 0.33767),
    "lin_rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    "lin_p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
    "lin_adobergb": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290),
}
# Names that decoders give; others are passed on as they are, for OpenColorIO to know or refuse.
_DECODER_SPACES = {
    "srgb_rec709_scene": "srgb_display",
    "srgb_rec709_display": "srgb_display",
    "sRGB": "srgb_display",
    "lin_rec709_scene": "scene_linear",
    "lin_rec709": "scene_linear",
    "Linear": "scene_linear",
    "lin_ap1_scene": "acescg",
    "lin_ap0_scene": "aces2065_1",
    "data": "raw",
    "Raw": "raw",
    "unknown": "",
}
INTEROP_IDS: dict[str, str] = {
    "scene_linear": "lin_rec709_scene",
    "acescg": "lin_ap1_scene",
    "aces2065_1": "lin_ap0_scene",
    "lin_rec2020": "lin_rec2020_scene",
    "lin_p3d65": "lin_p3d65_scene",
    "lin_adobergb": "lin_adobergb_scene",
    "srgb_display": "srgb_rec709_scene",
    "raw": "data",
}
"""Colour space → its Color Interop Forum identifier, which other programs read."""


def chromaticities(colourspace: str) -> tuple[float, ...] | None:
    """Return red, green, blue and white x y of a linear space, or None where we do not know them."""
    return _CHROMATICITIES.get(colourspace)


def is_single(value: float) -> bool:
    """Return whether a real number survives storage in 32 bits."""
    with np.errstate(over="ignore"):
        return math.isnan(value) or float(np.float32(value)) == value


def is_structure(name: str) -> bool:
    """Return whether a header entry describes the file rather than the picture."""
    return name in _STRUCTURE or name.startswith(_STRUCTURE_PREFIXES)


def clean_metadata(format_name: str, raw: Mapping[str, Any]) -> dict[str, MetaValue]:
    """Return the free entries of a header; structure, binary blobs and odd types are left out."""
    kept: dict[str, MetaValue] = {}
    for name, value in raw.items():
        if is_structure(name) or not name.isprintable() or not name:
            continue
        if name == "Software" and str(value).startswith("OpenImageIO"):
            continue
        if (name == "DateTime" and str(value) == BLANK_DATE) or (name == "Orientation" and value == 1):
            continue
        if name == "PixelAspectRatio" and not (
            isinstance(value, int | float) and 0 < value < math.inf and value != 1
        ):
            continue
        if isinstance(value, str):
            kept[name] = value.replace("\0", "")
        elif isinstance(value, int | float):
            kept[name] = value
        elif isinstance(value, tuple) and value and all(isinstance(v, int | float) for v in value):
            kept[name] = tuple(float(v) for v in value)
    return kept if format_name != "hdr" else {k: v for k, v in kept.items() if not k.startswith("hdr:")}


def file_colourspace(format_name: str, raw: Mapping[str, Any], sample: str) -> str:
    """Return the colour space that a header names, or the format's usual one.

    Args:
        format_name: As in ``FORMATS``.
        raw: The header's entries.
        sample: Sample type of the first channel.
    """
    given = raw.get("colorInteropID") or raw.get("oiio:ColorSpace")
    if isinstance(given, str) and given.isprintable():
        named = _DECODER_SPACES.get(given, given)
        # A decoder that merely assumes sRGB must not overrule what float samples and DPX usually mean.
        if named and not (format_name == "dpx" or (format_name == "tiff" and sample in ("half", "float"))):
            return named
    if format_name == "openexr":
        return _from_chromaticities(raw.get("chromaticities"))
    if format_name == "dpx":
        return {"Linear": "scene_linear"}.get(str(raw.get("dpx:Transfer")), "raw")
    if format_name == "hdr" or (format_name == "tiff" and sample in ("half", "float")):
        return "scene_linear"
    return "srgb_display"


def _from_chromaticities(values: Any) -> str:
    if isinstance(values, tuple) and len(values) == 8 and all(isinstance(v, float) for v in values):
        for name, known in _CHROMATICITIES.items():
            if max(abs(a - b) for a, b in zip(values, known, strict=True)) < 2e-3:
                return name
    return "scene_linear"
