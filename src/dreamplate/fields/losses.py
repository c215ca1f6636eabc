"""Losses of a fit, as free functions of what was composited. Each returns one number for each ray."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["colour_error", "depth_error", "distortion", "opacity_entropy"]

OUTLIER = 0.1
"""Difference of colours beyond which Huber's loss grows linearly (instant-ngp)."""
DARK = 1e-2
"""Light, in scene units, below which the ``log`` loss no longer counts relative differences."""


def colour_error(
    picture: Float[Tensor, "n 3"], target: Float[Tensor, "n 3"], kind: str
) -> Float[Tensor, " n"]:
    """Compare colours.

    Args:
        picture: What was rendered.
        target: What the photograph shows.
        kind: ``mse``; ``huber``: squared up to a difference of 0.1, then linear; ``log``: squared relative
        to the
            rendered light, whose gradient is that of squared logarithms (RawNeRF; Mildenhall et al. 2022,
            eq. 5).
    """
    apart = picture - target
    if kind == "huber":
        size = apart.abs()
        return torch.where(size < OUTLIER, 0.5 * size.square() / OUTLIER, size - 0.5 * OUTLIER).mean(1)
    if kind == "log":
        return (apart / (picture.detach().clamp_min(0) + DARK)).square().mean(1)
    return apart.square().mean(1)


def opacity_entropy(opacity: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the entropy of each ray's opacity in nats: least where it sees something or nothing."""
    share = opacity.clamp(1e-5, 1 - 1e-5)
    return -(share * share.log() + (1 - share) * (1 - share).log())


def distortion(
    weights: Float[Tensor, " m"],
    starts: Float[Tensor, " m"],
    ends: Float[Tensor, " m"],
    offsets: Int[Tensor, " n1"],
) -> Float[Tensor, " n"]:
    """Return how far the weights of each ray are spread (mip-NeRF 360, eq. 15), in linear time.

    ``sum_ij w_i w_j |m_i - m_j| + sum_i w_i^2 (end_i - start_i) / 3``; samples of a ray lie in order, so
    that the double sum is ``2 sum_i w_i (m_i W_i - M_i)`` with the weight ``W`` and the moment ``M`` in
    front of each.

    Args:
        weights: Share of each sample.
        starts: Where intervals begin, in any unit; usually squashed to 0-1.
        ends: Where they end.
        offsets: Where each ray's samples begin.
    """
    mids = (starts + ends) / 2
    rays = len(offsets) - 1
    which = torch.repeat_interleave(torch.arange(rays, device=weights.device), offsets[1:] - offsets[:-1])
    held, moments = weights.double(), weights.double() * mids.double()
    before, behind = held.cumsum(0) - held, moments.cumsum(0) - moments
    first = offsets[:-1].clamp_max(max(0, len(weights) - 1))[
        which
    ]  # sums run through all rays: start them anew
    pairs = 2 * held * (mids * (before - before[first]) - (behind - behind[first]))
    own = held.square() * (ends - starts) / 3
    return held.new_zeros(rays).index_add(0, which, pairs + own).to(weights.dtype)


def depth_error(
    depth: Float[Tensor, " n"], opacity: Float[Tensor, " n"], measured: Float[Tensor, " n"], unit: float
) -> Float[Tensor, " n"]:
    """Compare depth with what was measured; 0 where nothing was.

    Args:
        depth: Sum of weight times distance.
        opacity: Sum of weights.
        measured: Distance along the ray, NaN where unknown.
        unit: Distance that counts as 1, such as the size of the scene.
    """
    known = torch.isfinite(measured)
    there = torch.where(known, measured, 0)
    gap = (depth - opacity * there) / unit
    return torch.where(known, gap.square() + 0.1 * (1 - opacity).square(), 0)
