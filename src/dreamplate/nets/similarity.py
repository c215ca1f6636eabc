"""How near a render comes to a photograph: PSNR and SSIM.

LPIPS is in ``lpips.py``. Both are taken on display-encoded colour in 0-1, as in the literature on
radiance fields.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as nn

__all__ = ["psnr", "ssim"]

WINDOW = 11
"""Side of SSIM's window."""
SIGMA = 1.5
"""Standard deviation of its Gaussian, in pixels."""


def psnr(
    picture: Float[Tensor, "h w c"],
    truth: Float[Tensor, "h w c"],
    weights: Float[Tensor, "h w"] | None = None,
) -> float:
    """Return the peak signal-to-noise ratio in decibels, ``-10 log10(mean squared error)``; peak 1.

    Args:
        picture: Values 0-1.
        truth: What it should be.
        weights: Share of each pixel that counts, or None for all.

    Returns:
        Infinity where the two are equal, NaN where no pixel counts.
    """
    error = (picture.double() - truth.double()).square().mean(2)
    if weights is not None:
        total = float(weights.double().sum())
        mean = float((error * weights).sum()) / total if total else math.nan
    else:
        mean = float(error.mean())
    return math.inf if mean == 0 else -10 * math.log10(mean)


def ssim(picture: Float[Tensor, "h w c"], truth: Float[Tensor, "h w c"]) -> float:
    """Return the structural similarity, 1 for equal pictures.

    Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13, with their settings: a Gaussian window of 11 x 11 pixels
    and standard deviation 1.5, K1 = 0.01, K2 = 0.03, range 1. The mean is over colour channels and over the
    places where the window lies wholly inside the picture; variances are those of the window (not unbiased).

    Args:
        picture: Values 0-1, at least 11 pixels a side.
        truth: What it should be.

    Returns:
        A number in -1 to 1; NaN for pictures smaller than the window.
    """
    height, width, channels = picture.shape
    if min(height, width) < WINDOW:
        return math.nan
    a, b = picture.double().permute(2, 0, 1), truth.double().permute(2, 0, 1)
    means = _blur(torch.cat([a, b, a * a, b * b, a * b]))
    of_a, of_b, of_aa, of_bb, of_ab = means.view(5, channels, *means.shape[1:])
    var_a, var_b, both = of_aa - of_a**2, of_bb - of_b**2, of_ab - of_a * of_b
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * of_a * of_b + c1) * (2 * both + c2)
    return float((top / ((of_a**2 + of_b**2 + c1) * (var_a + var_b + c2))).mean())


def _blur(planes: Tensor) -> Tensor:
    """Blur ``(n, h, w)`` by the window, keeping only places where it fits."""
    places = torch.arange(WINDOW, dtype=planes.dtype, device=planes.device) - WINDOW // 2
    line = torch.exp(-(places**2) / (2 * SIGMA**2))
    line = line / line.sum()
    across = nn.conv2d(planes[:, None], line.view(1, 1, 1, -1))
    return nn.conv2d(across, line.view(1, 1, -1, 1))[:, 0]
