"""Changing the colours of conditions a little, so that a model does not hang on exact ones."""

from __future__ import annotations

import torch
from torch import Tensor

from dreamplate.train.port import Port

__all__ = ["colour_jitter"]

_LUMA = (0.2126, 0.7152, 0.0722)


def colour_jitter(pictures: Tensor, numbers: Tensor, strength: float, port: Port) -> Tensor:
    """Return pictures with brightness, contrast and saturation changed.

    Brightness is a factor of up to ``1 ± strength``, contrast the same about the picture's mean, saturation
    the same about its grey. Only colour changes (``R G B`` or ``Y``), in the port's encoding, and stays
    within -1 to 1 wherever it was; alpha and data channels are kept.

    Args:
        pictures: ``(n, c, h, w)``, -1 to 1.
        numbers: ``(n, 3)`` in [0, 1), one for each change.
        strength: 0-1.
        port: Of the pictures.
    """
    names = ("R", "G", "B") if all(name in port.channels for name in "RGB") else ("Y",)
    if strength == 0 or port.encoding == "raw" or names[0] not in port.channels:
        return pictures
    places = [port.channels.index(name) for name in names]
    before = pictures[:, places]
    factors = (1 + strength * (2 * numbers - 1)).to(pictures)[:, :, None, None, None]
    values = (before + 1) / 2 * factors[:, 0]
    values = (values - values.mean(dim=(1, 2, 3), keepdim=True)) * factors[:, 1] + values.mean(
        dim=(1, 2, 3), keepdim=True
    )
    if len(names) == 3:
        luma = torch.tensor(_LUMA, dtype=values.dtype).view(1, 3, 1, 1)
        grey = (values * luma).sum(dim=1, keepdim=True)
        values = grey + (values - grey) * factors[:, 2]
    values = values * 2 - 1
    held = torch.where(before.abs() <= 1, values.clamp(-1, 1), values)
    made = pictures.clone()
    made[:, places] = held
    return made
