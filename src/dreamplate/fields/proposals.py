"""Proposal sampling: intervals in a warped distance, redrawn where a cheap field says that something is.

Barron et al., "Mip-NeRF 360", 2022, sections 2-4 (online distillation; equation 13 is the loss), in the form
of nerfstudio and K-Planes: borders live in 0-1 "spacing", which a pair of functions maps to distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "SPACINGS",
    "Spacing",
    "anneal",
    "density_weights",
    "interlevel_loss",
    "outer_measure",
    "redraw",
    "spaced",
    "to_distance",
]

_PADDING = 1e-5
_EPSILON = 1e-7


@dataclass(frozen=True)
class Spacing:
    """How distance is warped before it is cut evenly.

    Attributes:
        forward: Distance to warped distance, increasing or decreasing throughout.
        inverse: Its inverse.
    """

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


SPACINGS: dict[Literal["uniform", "disparity", "piecewise"], Spacing] = {
    "uniform": Spacing(lambda x: x, lambda x: x),
    "disparity": Spacing(lambda x: 1 / x, lambda x: 1 / x),
    # Even up to distance 1, in disparity beyond.
    "piecewise": Spacing(
        lambda x: torch.where(x < 1, x / 2, 1 - 1 / (2 * x)),
        lambda x: torch.where(x < 0.5, 2 * x, 1 / (2 - 2 * x)),
    ),
}
"""By name: even steps of distance, of 1 / distance, or first one and then the other."""


def to_distance(
    share: Float[Tensor, "n k"], near: Float[Tensor, "n 1"], far: Float[Tensor, "n 1"], spacing: Spacing
) -> Float[Tensor, "n k"]:
    """Return the distances of borders given as shares, 0-1, of the warped way from near to far."""
    return spacing.inverse(share * spacing.forward(far) + (1 - share) * spacing.forward(near))


def spaced(
    near: Float[Tensor, "n 1"],
    far: Float[Tensor, "n 1"],
    count: int,
    spacing: Spacing,
    *,
    jitter: Float[Tensor, "n _"] | None = None,
) -> tuple[Float[Tensor, "n count1"], Float[Tensor, "n count1"]]:
    """Return even intervals in warped distance.

    Args:
        near: Where each ray begins.
        far: Where it ends.
        count: Intervals a ray.
        spacing: The warp.
        jitter: Uniform numbers from 0-1 that move borders within their strata: ``(n, 1)`` moves those of a
            ray together, ``(n, count + 1)`` each.

    Returns:
        ``count + 1`` borders as distances, and as shares 0-1.
    """
    share = torch.linspace(0, 1, count + 1, dtype=near.dtype, device=near.device).expand(len(near), count + 1)
    if jitter is not None:
        centres = (share[:, 1:] + share[:, :-1]) / 2
        lower = torch.cat([share[:, :1], centres], dim=1)
        upper = torch.cat([centres, share[:, -1:]], dim=1)
        share = lower + (upper - lower) * jitter
    return to_distance(share, near, far, spacing), share


def redraw(
    share: Float[Tensor, "n k"],
    weights: Float[Tensor, "n k-1"],
    count: int,
    *,
    padding: float = 0.01,
    jitter: Float[Tensor, "n _"] | None = None,
) -> Float[Tensor, "n count1"]:
    """Return new borders, drawn from weights on intervals.

    Args:
        share: Borders of these intervals, 0-1.
        weights: Theirs; no gradient passes.
        count: New intervals a ray.
        padding: Added to each weight, so that no place is never looked at.
        jitter: Uniform numbers, as in ``spaced``; the borders are the centres of equal cells when None.

    Returns:
        ``count + 1`` borders, 0-1, sorted where the draws are.
    """
    held = weights.detach() + padding
    total = held.sum(1, keepdim=True)
    missing = torch.relu(_PADDING - total)
    held, total = held + missing / held.shape[1], total + missing
    cdf = (held / total).cumsum(1).clamp_max(1)
    cdf = torch.cat([torch.zeros_like(cdf[:, :1]), cdf], dim=1)
    cells = count + 1
    levels = torch.linspace(0, 1 - 1 / cells, cells, dtype=share.dtype, device=share.device)
    levels = levels + (1 / (2 * cells) if jitter is None else jitter / cells)
    levels = levels.expand(len(share), cells).contiguous()
    above = torch.searchsorted(cdf, levels, right=True)
    below = (above - 1).clamp(0, share.shape[1] - 1)
    above = above.clamp(0, share.shape[1] - 1)
    low, high = torch.gather(cdf, 1, below), torch.gather(cdf, 1, above)
    inside = ((levels - low) / (high - low)).nan_to_num(0).clamp(0, 1)
    start, end = torch.gather(share, 1, below), torch.gather(share, 1, above)
    return (start + inside * (end - start)).detach()


def anneal(weights: Float[Tensor, "n k"], progress: float, slope: float = 10.0) -> Float[Tensor, "n k"]:
    """Flatten weights early in training: the power rises from 0 to 1 with progress 0-1 (equation 18)."""
    return weights ** (slope * progress / ((slope - 1) * progress + 1))


def density_weights(
    density: Float[Tensor, "n k"], edges: Float[Tensor, "n k1"]
) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Return weights and transmittance of densities on intervals with these borders."""
    thick = density * (edges[:, 1:] - edges[:, :-1])
    before = thick.cumsum(1) - thick
    light = torch.exp(-before)
    return light * -torch.expm1(-thick), light


def outer_measure(
    edges: Float[Tensor, "n k1"],
    proposal_edges: Float[Tensor, "n p1"],
    proposal_weights: Float[Tensor, "n p"],
) -> Float[Tensor, "n k"]:
    """Return, for each interval, the weight of all proposal intervals that it touches."""
    sums = torch.cat([torch.zeros_like(proposal_weights[:, :1]), proposal_weights.cumsum(1)], dim=1)
    last = proposal_weights.shape[1] - 1
    starts, ends = proposal_edges[:, :-1].contiguous(), proposal_edges[:, 1:].contiguous()
    first = (torch.searchsorted(starts, edges[:, :-1].contiguous(), right=True) - 1).clamp(0, last)
    final = torch.searchsorted(ends, edges[:, 1:].contiguous(), right=True).clamp(0, last)
    return torch.gather(sums, 1, final + 1) - torch.gather(sums, 1, first)


def interlevel_loss(
    edges: Float[Tensor, "n k1"],
    weights: Float[Tensor, "n k"],
    proposals: list[tuple[Tensor, Tensor]],
) -> Float[Tensor, ""]:
    """Return how much of the final weights the proposals do not cover; only proposals get a gradient.

    Args:
        edges: Borders of the final intervals, 0-1.
        weights: Theirs.
        proposals: Borders ``(n, p + 1)`` and weights ``(n, p)`` of each round of proposals.
    """
    edges, weights = edges.detach(), weights.detach()
    total = weights.new_zeros(())
    for proposal_edges, proposal_weights in proposals:
        bound = outer_measure(edges, proposal_edges, proposal_weights)
        total = total + (torch.relu(weights - bound) ** 2 / (weights + _EPSILON)).mean()
    return total
