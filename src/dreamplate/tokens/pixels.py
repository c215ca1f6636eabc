"""Pixels as the discrete VAE sees them, and the distribution that its decoder gives them.

A pixel value is mapped to ``0.1 + 0.8 x`` so that its logit is finite. The decoder's statistics describe a
Laplace distribution of that logit (Ramesh et al. 2021, appendix A.3): location ``mu``, scale ``b``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

EPS = 0.1


def map_pixels(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Map display-encoded pixels in [0, 1] to the range that the networks work in, [0.1, 0.9]."""
    return (1 - 2 * EPS) * image + EPS


def unmap_pixels(pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Undo ``map_pixels`` and keep the result within [0, 1]."""
    return ((pixels - EPS) / (1 - 2 * EPS)).clamp(0, 1)


def centre(stats: Float[Tensor, "n two_c h w"]) -> Float[Tensor, "n c h w"]:
    """Return the picture in [0, 1] at the centre of the decoder's distributions."""
    return unmap_pixels(torch.sigmoid(stats[:, : stats.shape[1] // 2]))


def draw(stats: Float[Tensor, "n two_c h w"], uniform: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Draw logits of mapped pixels from the decoder's distributions, differentiably.

    Args:
        stats: The decoder's output: locations, then logarithms of scales.
        uniform: A random number in [0, 1) for every value; 0.5 gives the centre.
    """
    mu, log_scale = stats.chunk(2, dim=1)
    # Inverse of the Laplace distribution function; the outermost numbers are brought inside, where it
    # is finite.
    away = (uniform - 0.5) * (1 - 2**-20)
    noise = -torch.sign(away) * torch.log1p(-2 * away.abs())
    return mu + torch.exp(log_scale) * noise


def negative_log_likelihood(
    stats: Float[Tensor, "n two_c h w"], pixels: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Return how unlikely mapped pixels are, in nats for each value (Ramesh et al. 2021, equation 2).

    Args:
        stats: The decoder's output.
        pixels: The truth as from ``map_pixels``, strictly inside (0, 1).
    """
    mu, log_scale = stats.chunk(2, dim=1)
    logit = torch.logit(pixels)
    # log(x (1 - x)) by the logit, which is exact near both ends.
    jacobian = F.logsigmoid(logit) + F.logsigmoid(-logit)
    return (
        (logit - mu).abs() * torch.exp(-log_scale) + log_scale + jacobian + torch.log(pixels.new_tensor(2.0))
    )
