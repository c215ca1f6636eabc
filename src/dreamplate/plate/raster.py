"""Writing PNG, TIFF, JPEG, DPX and Radiance HDR through OpenImageIO."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.attributes import BLANK_DATE, is_structure
from dreamplate.plate.formats import Format
from dreamplate.plate.libraries import guarded, one_line, openimageio
from dreamplate.plate.note import NOTE_KEY, write_note
from dreamplate.plate.plate import MetaValue, Pixels, Plate
from dreamplate.plate.scratch import encoded_into
from dreamplate.plate.trailer import add_trailer

_LAYOUTS = (("Y",), ("Y", "A"), ("R", "G", "B"), ("R", "G", "B", "A"))
_SAMPLES = {"8": "uint8", "10": "uint16", "12": "uint16", "16": "uint16", "half": "half", "float": "float"}
_DPX_TEXTS = ("ImageDescription", "Copyright", "DocumentName")
_BYTES = {"8": 1, "10": 2, "12": 2, "16": 2, "half": 2, "float": 4, "rgbe": 2}
_BAND_ROWS = 256
_PNG_KEY = 79  # bytes of a PNG keyword


def straighten(pixels: Pixels) -> Pixels:
    """Return straight from premultiplied pixels; the last channel is alpha. Colour is 0 where alpha is."""
    alpha = pixels[:, :, -1:]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        colour = np.where(alpha > 0, pixels[:, :, :-1] / alpha, np.float32(0))
    return np.concatenate([colour, alpha], axis=2)


def quantise(pixels: Pixels, bits: int) -> np.ndarray[Any, Any]:
    """Return 0-1 values as whole numbers of some bits, rounded to nearest; values outside are clipped.

    8 bits come as uint8, 9 to 16 as uint16 with the bits at the upper end and repeated below, which is
    what encoders of 10 and 12 bits cut off again.
    """
    # +0.5 and truncation rounds halves up, the same on every machine.
    levels = np.clip(pixels, 0, 1) * np.float32((1 << bits) - 1) + np.float32(0.5)
    if bits == 8:
        return levels.astype(np.uint8)
    whole = levels.astype(np.uint16)
    return whole if bits == 16 else (whole << (16 - bits)) | (whole >> (2 * bits - 16))


def default_depth(plate: Plate, form: Format) -> str:
    """Return the sample type for a plate when none is asked for: TIFF is float unless display-referred."""
    return "float" if form.name == "tiff" and plate.colourspace != "srgb_display" else form.depths[0]


def write_raster(
    plate: Plate,
    file: IO[bytes],
    form: Format,
    *,
    depth: str | None,
    compression: str | None,
    quality: int,
    final: Path,
) -> None:
    """Write one plate.

    Whole-number formats clip to 0-1; they refuse NaN and infinity, which have no nearest value there.

    Args:
        plate: What to write.
        file: Where to write.
        form: The format.
        depth: One of ``form.depths``; the first when None.
        compression: One of ``form.compressions``; the first when None.
        quality: JPEG quality, 1 to 100.
        final: The path to name in messages.

    Raises:
        MediaError: The plate does not fit the format, or the encoder fails.
        ConfigError: An unknown depth, compression or quality.
    """
    kind, packing = depth or default_depth(plate, form), compression or form.compressions[0]
    for option, value, known in (("depth", kind, form.depths), ("compression", packing, form.compressions)):
        if value not in known:
            raise ConfigError(f"{option}: {form.name} has no {value!r}; use one of {' '.join(known)}")
    if not 1 <= quality <= 100:
        raise ConfigError(f"quality: need 1 to 100, found {quality}")
    if plate.channels not in _LAYOUTS or (form.channels and len(plate.channels) not in form.channels):
        layouts = ", ".join(" ".join(c) for c in _LAYOUTS if not form.channels or len(c) in form.channels)
        raise MediaError(
            f"{final}: {form.name} holds {layouts}, not {' '.join(plate.channels)}; "
            "pick some with Plate.select or Plate.flatten, or write OpenEXR"
        )
    sample = _SAMPLES.get(kind, "float")
    if sample.startswith("uint"):
        plate.check_finite(str(final))
    if form.name == "hdr" and not (np.isfinite(plate.pixels).all() and plate.pixels.min() >= 0):
        raise MediaError(
            f"{final}: hdr holds no negative, NaN or infinite values; write OpenEXR, or clip first"
        )
    oiio = openimageio()
    spec = oiio.ImageSpec(plate.width, plate.height, len(plate.channels), sample)
    spec.channelnames = plate.channels
    if "A" in plate.channels:
        spec.alpha_channel = len(plate.channels) - 1
    # Floats lose nothing to premultiplied alpha; whole numbers would lose the colour of thin alpha.
    straight = form.straight and "A" in plate.channels and sample.startswith("uint")
    spec.attribute("oiio:UnassociatedAlpha", int(straight))
    note = _describe(
        spec, plate, form, bits=kind, compression=f"jpeg:{quality}" if form.name == "jpeg" else packing
    )
    # Half as much again as the bare samples: no encoder here grows noise by more.
    bound = plate.pixels.size * _BYTES[kind] * 3 // 2 + 2 * len(note) + (1 << 20)
    with guarded(final, "write"), encoded_into(file, bound, final) as path:
        output = oiio.ImageOutput.create(form.name)
        if output is None or not output.open(str(path), spec):
            raise MediaError(f"{final}: cannot write it ({one_line(oiio.geterror())}); check the plate")
        try:
            for top in range(0, plate.height, _BAND_ROWS):
                band = plate.pixels[top : top + _BAND_ROWS]
                if straight:
                    band = straighten(band)
                data = quantise(band, int(kind)) if sample.startswith("uint") else np.ascontiguousarray(band)
                if not output.write_scanlines(top, top + len(band), 0, data):
                    raise MediaError(
                        f"{final}: cannot write it ({one_line(output.geterror())}); check the plate"
                    )
        finally:
            closed = output.close()
        if not closed:
            raise MediaError(f"{final}: cannot write it ({one_line(output.geterror())}); check the plate")
        if form.trailer:
            add_trailer(path, note)


def _describe(spec: Any, plate: Plate, form: Format, *, bits: str, compression: str) -> str:
    """Put colour space and metadata into an OpenImageIO header; return the note for those without room."""
    spec.attribute("compression", compression)
    if form.name == "jpeg":
        # Halved colour resolution shows on titles and keyed edges.
        spec.attribute("jpeg:subsampling", "4:4:4")
    if plate.colourspace == "srgb_display" and form.name != "dpx":
        spec.attribute("oiio:ColorSpace", "srgb_rec709_scene")
    if plate.pixel_aspect != 1:
        spec.attribute("PixelAspectRatio", plate.pixel_aspect)
    if form.name in ("tiff", "dpx"):
        spec.attribute("DateTime", BLANK_DATE)
    if form.name == "dpx":
        spec.attribute("oiio:BitsPerSample", int(bits))
        spec.attribute("dpx:Transfer", "Linear" if plate.colourspace == "scene_linear" else "User defined")
    spilt: dict[str, MetaValue] = {}
    for key, value in plate.metadata.items():
        native = form.name == "png" and value and _png_key(key)
        if isinstance(value, str) and (native or (form.name == "dpx" and key in _DPX_TEXTS)):
            spec.attribute(key, value)
        else:
            spilt[key] = value
    note = write_note(plate, spilt, windows=True)
    if form.name == "png":
        spec.attribute(NOTE_KEY, note)
    return note


def _png_key(key: str) -> bool:
    # The encoder has its own idea of a date, and would store it to the second.
    return (
        not is_structure(key)
        and key != "DateTime"
        and len(key) <= _PNG_KEY
        and key.isascii()
        and key.strip() == key
        and "  " not in key
    )
