"""The door between plates and networks: encodings and layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.colour import convert
from dreamplate.plate.plate import Plate

if TYPE_CHECKING:
    import torch

ENCODINGS: dict[str, str] = {
    "srgb_display": "srgb_display",
    "scene_linear": "scene_linear",
    "log": "acescct",
}
"""Encoding that a network declares → colour space.

- ``srgb_display``: what a monitor shows; 0-1, a photograph's usual range. Highlights above 1 stay above 1.
- ``scene_linear``: light, linear Rec. 709; 0 and up, 0.18 is mid grey, no upper end.
- ``log``: ACEScct, for high dynamic range: 0 is 0.073, mid grey 0.41, 1 is 0.55, 222 is 1.0, 65504 is 1.47.
"""


def to_tensor(plate: Plate, encoding: str = "srgb_display") -> torch.Tensor:
    """Return a plate as float32 ``(1, C, H, W)`` on the CPU, in a network's encoding.

    Channels keep their order; alpha stays premultiplied; values outside 0-1 are not clipped.

    Raises:
        ConfigError: The encoding or the plate's colour space is unknown.
    """
    import torch

    pixels = convert(plate, _space(encoding)).pixels
    # A copy in any case: torch would share memory with the plate, which must not change.
    return torch.from_numpy(np.array(pixels.transpose(2, 0, 1)[None], np.float32, order="C", copy=True))


def from_tensor(
    tensor: torch.Tensor, encoding: str = "srgb_display", *, channels: tuple[str, ...] = ()
) -> Plate:
    """Return a plate from a network's ``(1, C, H, W)`` or ``(C, H, W)``.

    Args:
        tensor: Any float type, any device; gradients are dropped.
        encoding: What the values mean; the plate is in that encoding's colour space.
        channels: Names; Y, Y A, R G B or R G B A by number when left out.

    Raises:
        ConfigError: The encoding is unknown.
        MediaError: The shape is not that of one picture.
    """
    space = _space(encoding)
    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim != 3:
        raise MediaError(
            f"tensor: need (1, C, H, W) or (C, H, W), found {tuple(tensor.shape)}; take one of a batch"
        )
    array = tensor.detach().float().cpu().numpy().transpose(1, 2, 0)
    return Plate(np.array(array, np.float32, order="C", copy=True), channels, space)


def _space(encoding: str) -> str:
    if encoding not in ENCODINGS:
        raise ConfigError(f"encoding: no {encoding!r}; use one of {', '.join(ENCODINGS)}")
    return ENCODINGS[encoding]
