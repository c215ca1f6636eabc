"""Plates through a codec: what its codes keep of a picture, other channels as they were."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.plate import Plate, convert, from_tensor
from dreamplate.tensorfile import read_tensors, write_tensors
from dreamplate.tokens.codec import Codec, check_codec, reconstruct

__all__ = ["decode_plate", "encode_plate", "read_codes", "through", "write_codes"]

_NOTES = ("fingerprint", "width", "height")


def encode_plate(codec: Codec, plate: Plate, wrap: Wrap = OPEN) -> Tensor:
    """Return the codes ``(cells high, cells wide)`` of a plate's colour, as a monitor shows it.

    Values beyond what a monitor shows are clipped: codes have no others.

    Raises:
        MediaError: The plate has no colour, or numbers that are none.
        ModelError: It tiles along a side that is no whole number of cells.
    """
    with torch.no_grad():
        return codec.encode(_colour(plate), wrap)[0]


def decode_plate(codec: Codec, codes: Tensor, size: tuple[int, int], wrap: Wrap = OPEN) -> Plate:
    """Return the picture of codes ``(cells high, cells wide)``, cut to a width and height.

    Raises:
        CheckpointError: A code is outside the vocabulary, or the size does not belong to so many cells.
    """
    width, height = size
    cells = (-(-height // codec.factor), -(-width // codec.factor))
    if tuple(codes.shape) != cells or min(size) < 1:
        raise CheckpointError(
            f"codes: {tuple(codes.shape)} cells are no picture of {width} x {height}, which has {cells}"
        )
    with torch.no_grad():
        return from_tensor(codec.decode(codes[None], wrap)[..., :height, :width])


def through(codec: Codec, plate: Plate, wrap: Wrap = OPEN) -> tuple[Plate, Tensor]:
    """Return a plate whose colour has gone through codes, and the codes.

    Colour is in the plate's own colour space again; alpha, depth and all else stay as they were. Where alpha
    is, colour is premultiplied before and after.

    Raises:
        MediaError: The plate has no colour, or numbers that are none.
        ModelError: It tiles along a side that is no whole number of cells.
    """
    made, codes = reconstruct(codec, _colour(plate), wrap)
    colour = convert(from_tensor(made), plate.colourspace).pixels
    pixels = np.array(plate.pixels, np.float32, copy=True)
    for number, name in enumerate("RGB"):
        if name in plate.channels:
            pixels[..., plate.channels.index(name)] = colour[..., number]
    if "Y" in plate.channels:
        pixels[..., plate.channels.index("Y")] = colour.mean(-1)
    return plate.with_(pixels=pixels), codes[0]


def write_codes(path: str | os.PathLike[str], codec: Codec, codes: Tensor, size: tuple[int, int]) -> None:
    """Write codes ``(cells high, cells wide)`` with the width and height of their picture, atomically.

    A safetensors file: tensor ``codes`` of 32-bit whole numbers; its notes name the codebook by fingerprint.
    """
    notes = {"fingerprint": codec.fingerprint, "width": str(size[0]), "height": str(size[1])}
    write_tensors(path, {"codes": codes.to(torch.int32).cpu().contiguous()}, notes)


def read_codes(path: str | os.PathLike[str], codec: Codec) -> tuple[Tensor, tuple[int, int]]:
    """Read what ``write_codes`` wrote.

    Returns:
        Codes ``(cells high, cells wide)``, and the width and height of their picture.

    Raises:
        CheckpointError: The file is damaged or holds no codes.
        ModelError: They are of another codebook.
    """
    state, notes = read_tensors(path)
    if set(state) != {"codes"} or not set(_NOTES) <= set(notes) or state["codes"].dim() != 2:
        raise CheckpointError(f"{path}: holds no codes; make it with dreamplate tokens --codes")
    check_codec(codec, notes["fingerprint"], os.fspath(Path(path)))
    try:
        size = int(notes["width"]), int(notes["height"])
    except ValueError as error:
        raise CheckpointError(f"{path}: its notes are damaged; write it again") from error
    return state["codes"].long(), size


def _colour(plate: Plate) -> Tensor:
    """Return a plate's colour as a monitor shows it, ``(1, 3, h, w)``, 0-1."""
    shown = convert(plate.check_finite(), "srgb_display").rgb()
    return torch.from_numpy(np.ascontiguousarray(shown.transpose(2, 0, 1)[None], np.float32)).clamp(0, 1)
