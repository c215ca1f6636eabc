"""The last touch on a finished picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)
"""Rec. 709 weights."""


def blur(planes: Float[Tensor, "n c h w"], sigma: float, wrap: tuple[bool, bool]) -> Float[Tensor, "n c h w"]:
    """Blur ``(n, c, h, w)`` with a Gaussian; edges are mirrored, or wrap where the picture tiles."""
    radius = max(1, round(3 * sigma))
    radius = min(radius, min(planes.shape[-2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=planes.dtype, device=planes.device)
    kernel = torch.exp(-(offsets * offsets) / (2 * sigma * sigma))
    kernel = kernel / kernel.sum()
    channels = planes.shape[1]
    padded = F.pad(planes, (radius, radius, 0, 0), mode="circular" if wrap[0] else "reflect")
    planes = F.conv2d(padded, kernel.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)
    padded = F.pad(planes, (0, 0, radius, radius), mode="circular" if wrap[1] else "reflect")
    return F.conv2d(padded, kernel.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)


def sharpen(
    image: Float[Tensor, "1 3 h w"], amount: float, wrap: tuple[bool, bool] = (False, False)
) -> Float[Tensor, "1 3 h w"]:
    """Sharpen brightness by unsharp masking at a radius of 1/512 of the shorter side; colours stay.

    Args:
        image: ``(1, 3, h, w)`` in [0, 1], display-encoded.
        amount: Strength; 0 returns the picture untouched.
        wrap: Axes along which the picture tiles.
    """
    if amount == 0:
        return image
    luma = torch.einsum("c,nchw->nhw", torch.tensor(LUMA).to(image), image)[:, None]
    detail = luma - blur(luma, max(0.8, min(image.shape[-2:]) / 512), wrap)
    return (image + amount * detail).clamp(0, 1)
