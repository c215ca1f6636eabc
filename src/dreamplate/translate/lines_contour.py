"""Contours: fewer lines than `lines` draws, those at the borders of things.

A border is where what lies on one side is distributed differently from what lies on the other, in
lightness, colour and texture (Martin and others, "Learning to detect natural image boundaries", 2004).
They compare histograms of half discs at many angles. With Gaussian windows instead of discs all angles follow
from two derivatives: of smoothed histograms h_b, the squared chi distance across direction u is
``sum_b (u . grad h_b)^2 / h_b``, a quadratic form whose larger eigenvalue is that of the best angle. So it
costs no more than a structure tensor. Even texture has even histograms, and is passed over.

The borders say which lines are drawn; where these lie is said by `lines.response`, which is exact to a part
of a pixel. No thinning and no thresholds with memory are needed then, and the drawing changes as smoothly as
the picture does. Nothing is measured on the picture as a whole.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.translate.lines import blur, slopes

__all__ = ["HEIGHT", "borders", "gate"]

HEIGHT = 320
"""Rows that borders are looked for in, whatever the picture has: things are things at any resolution."""
BINS = ((8, 0.0, 1.0), (7, -0.7, 0.8), (7, -0.7, 0.8), (5, 0.0, 1.0))
"""Histogram of each channel: how many bins, the centres of the first and the last; Lab, and texture last."""
WEIGHTS = (1.0, 1.0, 1.0, 0.6)
"""Of the channels."""
FINEST = 0.02
"""Added to a histogram before it divides, so that rare values do not count for more than they are."""
TEXTURE = 14.0
"""Factor on the mean slope of lightness that texture is told by, before a square root."""
SCALES = ((2.0, 0.3), (4.0, 0.4), (7.0, 0.3))
"""Standard deviation of the windows, in pixels, and weight."""
REACH = 5
"""Pixels in which the strongest border counts: lines lie beside a border, and thin things between two."""
OPEN = (0.3, 0.65)
"""Strength of a border below which nothing is drawn, and from which on all is."""
BOOST = 1.5
"""Factor on lines at borders: what is left should be drawn with some decision."""


def soft_histogram(
    values: Float[Tensor, "n 1 h w"], count: int, low: float, high: float
) -> Float[Tensor, "n b h w"]:
    """Return how much each pixel belongs to each bin: triangles that add up to 1, held at the ends."""
    place = ((values - low) * ((count - 1) / (high - low))).clamp(0, count - 1)
    bins = torch.arange(count, device=values.device, dtype=values.dtype)[:, None, None]
    return (1 - (place - bins).abs()).clamp(min=0)


def borders(picture: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return how much each pixel lies on a border, about 0-1.

    Args:
        picture: In Lab, as `lines.lab` gives it, `HEIGHT` pixels high.
    """
    right, down = slopes(blur(picture[:, :1], 0.7))
    rough = (TEXTURE * blur((right * right + down * down).sqrt(), 2.0)).clamp(min=1e-6).sqrt()
    total = picture.new_zeros(3, *picture[:, :1].shape)
    for value, bins, weight in zip([*torch.chunk(picture, 3, dim=1), rough], BINS, WEIGHTS, strict=True):
        held, before = soft_histogram(value, *bins), 0.0
        for sigma, share in SCALES:
            # The window of this scale, from that of the one before: variances add.
            held, before = blur(held, math.sqrt(sigma * sigma - before * before)), sigma
            right, down = slopes(held)
            over = share * weight * sigma * sigma / (held + FINEST)
            parts = (right * right, right * down, down * down)
            total += torch.stack([(part * over).sum(1, keepdim=True) for part in parts])
    xx, xy, yy = (blur(part, 1.0) for part in total)
    half = torch.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
    strength = torch.sqrt(((xx + yy) / 2 + half).clamp(min=0))
    # What is equal in all directions is a corner or clutter, not a line.
    return strength * torch.sqrt(2 * half / (xx + yy + 1e-4))


def gate(strength: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return the factor on lines, 0 to `BOOST`, from how much each pixel lies on a border."""
    low, high = OPEN
    near = F.max_pool2d(strength, REACH, 1, REACH // 2)
    return BOOST * ((near - low) / (high - low)).clamp(0, 1)
