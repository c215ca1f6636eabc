"""What NeRF makes of its network's raw outputs along a ray, to the letter.

Mildenhall et al., "NeRF", 2020, section 4, with the conventions of the published program: an interval reaches
from a sample to the next one, the last one to (nearly) infinity, and depth is that of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.fields.volume import batched_weights

__all__ = ["ENDLESS", "LIGHT_FLOOR", "RawOutputs", "interval_alphas", "raw_to_outputs"]

ENDLESS = 1e10
"""Length of a ray's last interval."""
LIGHT_FLOOR = 1e-10
"""What light always passes a sample, so that gradients live behind walls."""


@dataclass(frozen=True)
class RawOutputs:
    """What a ray shows.

    Attributes:
        colour: ``(n, 3)``, premultiplied, or over white.
        disparity: ``(n,)`` 1 / mean depth; NaN where nothing is seen.
        opacity: ``(n,)``.
        weights: ``(n, samples)``.
        depth: ``(n,)`` sum of weight times position, not divided by opacity.
        alphas: ``(n, samples)``.
        colours: ``(n, samples, 3)`` 0-1.
    """

    colour: Tensor
    disparity: Tensor
    opacity: Tensor
    weights: Tensor
    depth: Tensor
    alphas: Tensor
    colours: Tensor


def interval_alphas(
    density: Float[Tensor, "n samples"], positions: Float[Tensor, "n samples"], lengths: Float[Tensor, " n"]
) -> Float[Tensor, "n samples"]:
    """Return the opacity from each sample to the next.

    In single precision, ``1 - exp(-x)`` is coarser than ``-expm1(-x)``; but importance samples in nearly
    empty space follow its very bits, so that this is the published form.
    """
    gaps = positions[:, 1:] - positions[:, :-1]
    gaps = torch.cat([gaps, torch.full_like(positions[:, :1], ENDLESS)], dim=1)
    return 1 - torch.exp(-density * (gaps * lengths[:, None]))


def raw_to_outputs(
    raw: Float[Tensor, "n samples c"],
    positions: Float[Tensor, "n samples"],
    lengths: Float[Tensor, " n"],
    *,
    noise: Float[Tensor, "n samples"] | None = None,
    white: bool = False,
) -> RawOutputs:
    """Composite raw outputs.

    Args:
        raw: Red, green, blue before the sigmoid, density before the rectifier; further channels are not
            looked at.
        positions: Sorted positions of the samples, in lengths of the ray's direction.
        lengths: Length of each ray's direction.
        noise: Added to the raw density.
        white: Composite over white.
    """
    density = raw[..., 3] if noise is None else raw[..., 3] + noise
    alphas = interval_alphas(torch.relu(density), positions, lengths)
    colours = torch.sigmoid(raw[..., :3])
    weights, _ = batched_weights(alphas, LIGHT_FLOOR)
    colour = (weights[..., None] * colours).sum(1)
    opacity = weights.sum(1)
    depth = (weights * positions).sum(1)
    disparity = 1 / (depth / opacity).clamp_min(LIGHT_FLOOR)
    if white:
        colour = colour + (1 - opacity)[:, None]
    return RawOutputs(colour, disparity, opacity, weights, depth, alphas, colours)
