"""Between plates and what a network sees of them: straight colour in the port's encoding, -1 to 1.

Both ways are exact inverses but for rounding: nothing is clipped, and whatever a port does not name (alpha,
depth, other layers, windows, metadata) stays with the plate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.errors import MediaError
from dreamplate.plate.colour import convert
from dreamplate.plate.plate import Pixels, Plate
from dreamplate.plate.tensor import ENCODINGS
from dreamplate.train.port import Port

__all__ = ["carry", "check_channels", "decode_plate", "encode_plate", "hold_data"]

_MAIN = frozenset("RGBY")
"""A plate has one main colour: where a model makes another, the old one goes."""


def check_channels(port: Port, plate: Plate, name: str = "plate") -> None:
    """Prove that a plate has what a port takes.

    Args:
        port: Of pictures or labels.
        plate: Any plate.
        name: What the plate is called in messages, such as its file.

    Raises:
        MediaError: A channel is missing; says which there are.
    """
    missing = [channel for channel in port.channels if channel not in plate.channels]
    if not missing:
        return
    needs, has = " ".join(port.channels), " ".join(plate.channels)
    hint = "give a file that has them"
    if set("RGB") & set(missing) and "Y" in plate.channels:
        hint = "it is grey where colour is expected; convert it to RGB"
    elif missing == ["Y"] and set("RGB") <= set(plate.channels):
        hint = "it is colour where grey is expected; convert it to grey"
    raise MediaError(f"{name}: has channels {has}, the model takes {needs}: {hint}")


def encode_plate(port: Port, plate: Plate, name: str = "plate") -> Tensor:
    """Return what a network sees of a plate: float32 ``(1, c, h, w)`` on the CPU.

    Colour (each ``R G B`` triple and ``Y``, of any layer) is divided by alpha and converted to the port's
    encoding; other channels, and all those of ``raw`` ports, are taken as they are. ``low`` becomes -1 and
    ``high`` 1; values beyond are not clipped. Where alpha is 0, colour is taken as it is.

    Args:
        port: Of pictures.
        plate: Any plate with the port's channels.
        name: What the plate is called in messages.

    Raises:
        MediaError: A channel is missing, or a value is NaN or infinite.
        ConfigError: The plate's colour space is unknown.
        ValueError: The port is of labels.
    """
    if port.kind != "picture":
        raise ValueError("labels are read by plate.labels, not encoded")
    check_channels(port, plate, name)
    chosen = plate.select(*port.channels).check_finite(name)
    if port.encoding != "raw":
        pixels = chosen.pixels.copy()
        for places, alpha in _colours(port.channels, plate):
            if alpha is not None:
                pixels[:, :, places] /= _weight(alpha, pixels[:, :, places])[0]
        chosen = convert(chosen.with_(pixels=pixels), ENCODINGS[port.encoding])
    low, high = _range(port)
    values = (chosen.pixels - low) / (high - low) * 2 - 1
    return torch.from_numpy(np.array(values.transpose(2, 0, 1)[None], np.float32, order="C"))


def hold_data(plate: Plate, port: Port) -> Plate:
    """Return a plate whose data channels lie within the port's range; what is not a number becomes its end.

    Depth is infinite, or a very large number, where a ray hit nothing. Colour is not touched.
    """
    places = [
        (plate.channels.index(name), low, high)
        for name, low, high in zip(port.channels, port.low, port.high, strict=True)
        if name in plate.channels and (port.encoding == "raw" or name.rpartition(".")[2] not in "RGBYA")
    ]
    if not places:
        return plate
    pixels = plate.pixels.copy()
    for place, low, high in places:
        values = np.nan_to_num(pixels[:, :, place], nan=high, posinf=high, neginf=low)
        pixels[:, :, place] = np.clip(values, low, high)
    return plate.with_(pixels=pixels)


def decode_plate(port: Port, tensor: Tensor, like: Plate) -> Plate:
    """Return a plate of what a network made: the inverse of `encode_plate`.

    Args:
        port: Of what was made, a picture.
        tensor: ``(1, c, h, w)`` or ``(c, h, w)``, -1 to 1 and beyond, any float type and device.
        like: The plate it was made of: its alpha is multiplied in again, and its colour space, windows,
            metadata and every channel that was not made are kept to the bit. Of the main colour
            (``R G B`` or ``Y``) there is only what was made.

    Raises:
        MediaError: The sizes differ.
        ConfigError: The plate's colour space is unknown.
    """
    values = tensor[0] if tensor.ndim == 4 and tensor.shape[0] == 1 else tensor
    wanted = (len(port.channels), like.height, like.width)
    if tuple(values.shape) != wanted:
        raise MediaError(f"tensor: is {tuple(tensor.shape)}, the port and the plate need {wanted}")
    low, high = _range(port)
    pixels = (values.detach().float().cpu().numpy().transpose(1, 2, 0) + 1) / 2 * (high - low) + low
    pixels = np.ascontiguousarray(pixels, np.float32)
    if port.encoding != "raw":
        made = Plate(pixels, port.channels, ENCODINGS[port.encoding])
        pixels = convert(made, like.colourspace).pixels.copy()
        for places, alpha in _colours(port.channels, like):
            if alpha is None:
                continue
            names = [port.channels[place] for place in places]
            before = like.select(*names).pixels if set(names) <= set(like.channels) else None
            weight, empty = _weight(alpha, before)
            pixels[:, :, places] = np.where(empty, np.float32(0), pixels[:, :, places] * weight)
    return carry(Plate(pixels, port.channels, like.colourspace), like)


def carry(made: Plate, like: Plate) -> Plate:
    """Return ``like`` with the channels of ``made`` in place of its own, and all else as it is."""
    if set(made.channels) <= set(like.channels):
        pixels = like.pixels.copy()
        pixels[:, :, [like.channels.index(name) for name in made.channels]] = made.pixels
        return like.with_(pixels=pixels)
    gone = set(made.channels) | (_MAIN if _MAIN & set(made.channels) else set())
    kept = [name for name in like.channels if name not in gone]
    parts = [made.pixels, like.pixels[:, :, [like.channels.index(name) for name in kept]]]
    return like.with_(pixels=np.concatenate(parts, axis=2), channels=(*made.channels, *kept))


def _colours(channels: Sequence[str], plate: Plate) -> Iterator[tuple[list[int], Pixels | None]]:
    """Yield places of each colour among ``channels``, and the alpha of its layer or of the plate."""
    for layer in dict.fromkeys(name.rpartition(".")[0] for name in channels):
        prefix = f"{layer}." if layer else ""
        found = next((a for a in (f"{prefix}A", "A") if a in plate.channels), None)
        alpha = None if found is None else plate.channel(found)
        for names in ([f"{prefix}{c}" for c in "RGB"], [f"{prefix}Y"]):
            if all(name in channels for name in names):
                yield [channels.index(name) for name in names], alpha


def _weight(alpha: Pixels, colour: Pixels | None) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Return what straight colour is multiplied by, and where there is none, each ``(h, w, 1)``.

    Light without coverage (alpha 0, colour above 0) is kept as it is, as in ``plate.convert``.
    """
    clear = (alpha <= 0)[:, :, None]
    black = True if colour is None else (colour == 0).all(axis=2, keepdims=True)
    return np.where(clear, np.float32(1), alpha[:, :, None]), clear & black


def _range(port: Port) -> tuple[Pixels, Pixels]:
    return np.asarray(port.low, np.float32), np.asarray(port.high, np.float32)
