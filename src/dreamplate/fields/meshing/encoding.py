"""What colour values become in files: display-encoded bytes, or linear light."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamplate.fields.meshing.mesh import Array, Colours, Encoding
from dreamplate.plate.colour import convert
from dreamplate.plate.io import write
from dreamplate.plate.plate import Plate

__all__ = ["display_bytes", "linear", "needs_offset", "png_bytes"]


def display_bytes(colours: Colours, encoding: Encoding) -> npt.NDArray[np.uint8]:
    """Return colours ``(n, 3)`` as sRGB bytes; light beyond 0-1 is clipped, bytes have no room for it."""
    return np.rint(np.clip(_converted(colours, encoding, "srgb_display"), 0, 1) * 255).astype(np.uint8)


def linear(colours: Colours, encoding: Encoding) -> Colours:
    """Return colours ``(n, 3)`` as linear Rec. 709 light; nothing is clipped."""
    return _converted(colours, encoding, "scene_linear")


def png_bytes(texture: Plate) -> bytes:
    """Return a texture as the bytes of an 8-bit sRGB PNG; light beyond 0-1 is clipped."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "texture.png"
        write(convert(texture, "srgb_display"), place)
        return place.read_bytes()


def needs_offset(vertices: Array) -> bool:
    """Whether positions lie so far out that float32 moves them by over a millionth of the mesh's size."""
    if not len(vertices):
        return False
    size = float((vertices.max(0) - vertices.min(0)).max())
    return float(np.abs(vertices).max()) * 2.0**-24 > 1e-6 * size


def _converted(colours: Colours, encoding: Encoding, to: str) -> Colours:
    if not len(colours):
        return colours
    found: Colours = convert(Plate(colours[None].astype(np.float32), colourspace=encoding), to).pixels[0]
    return found
