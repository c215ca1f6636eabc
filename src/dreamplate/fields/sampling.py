"""Where along a ray to look: stratified and importance sampling, and rays against boxes.

Stratified sampling and the inverse transform are those of Mildenhall et al., "NeRF", 2020, section 5.2, and
its published program. ``resample`` follows nerfacc (Li et al., 2023): intervals come out, not points.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["inverse_cdf", "midpoints", "ray_boxes", "resample", "stratified"]

_WEIGHT_FLOOR = 1e-5


def stratified(
    near: Float[Tensor, " n"],
    far: Float[Tensor, " n"],
    count: int,
    *,
    disparity: bool = False,
    jitter: Float[Tensor, "n count"] | None = None,
) -> Float[Tensor, "n count"]:
    """Return sorted positions from near to far, both included.

    Args:
        near: Where each ray begins.
        far: Where it ends; more than near.
        count: Samples a ray.
        disparity: Even steps of 1 / distance instead of distance; near must then be above 0.
        jitter: Uniform draws from 0-1 that move each sample within its stratum (which ends half way to its
            neighbours); none, no jitter.
    """
    share = torch.linspace(0, 1, count, dtype=near.dtype, device=near.device)
    low, high = near[:, None], far[:, None]
    if disparity:
        low, high = 1 / low, 1 / high
    places = low * (1 - share) + high * share
    if disparity:
        places = 1 / places
    if jitter is None:
        return places
    borders = midpoints(places)
    lower = torch.cat([places[:, :1], borders], dim=1)
    upper = torch.cat([borders, places[:, -1:]], dim=1)
    return lower + (upper - lower) * jitter


def midpoints(places: Float[Tensor, "n k"]) -> Float[Tensor, "n k-1"]:
    """Return the middles between neighbours."""
    return (places[:, 1:] + places[:, :-1]) / 2


def inverse_cdf(
    bins: Float[Tensor, "n k"],
    weights: Float[Tensor, "n k-1"],
    count: int,
    *,
    draws: Float[Tensor, "n count"] | None = None,
) -> Float[Tensor, "n count"]:
    """Draw positions from a histogram, as NeRF does.

    Args:
        bins: Borders, sorted.
        weights: Of each bin, at least 0; 1e-5 is added to each.
        count: Positions a ray.
        draws: Uniform numbers from 0-1; evenly spaced ones from 0 to 1, both included, when None.

    Returns:
        Positions, in the order of the draws. In a bin that holds less than 1e-5 of the whole, a position is
        at (nearly) the lower border.
    """
    share = weights + _WEIGHT_FLOOR
    share = share / share.sum(1, keepdim=True)
    cdf = torch.cat([torch.zeros_like(share[:, :1]), share.cumsum(1)], dim=1)
    if draws is None:
        draws = torch.linspace(0, 1, count, dtype=bins.dtype, device=bins.device).expand(len(bins), count)
    above = torch.searchsorted(cdf, draws.contiguous(), right=True)
    below = (above - 1).clamp_min(0)
    above = above.clamp_max(cdf.shape[1] - 1)
    low, high = torch.gather(cdf, 1, below), torch.gather(cdf, 1, above)
    step = high - low
    inside = (draws - low) / torch.where(step < _WEIGHT_FLOOR, torch.ones_like(step), step)
    start, end = torch.gather(bins, 1, below), torch.gather(bins, 1, above)
    return start + inside * (end - start)


def resample(
    edges: Float[Tensor, "n k"],
    weights: Float[Tensor, "n k-1"],
    count: int,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    jitter: Float[Tensor, "n 1"] | None = None,
) -> tuple[Float[Tensor, "n count1"], Float[Tensor, "n count"]]:
    """Return new intervals of about equal weight, as nerfacc does.

    Args:
        edges: Borders of the intervals there are.
        weights: Theirs, at least 0.
        count: New intervals a ray.
        low: The first new border is not below this.
        high: The last one is not above this.
        jitter: Uniform numbers from 0-1 that shift all samples of a ray together; none, they are centred.

    Returns:
        New borders ``(n, count + 1)``, half way between samples, and the samples ``(n, count)``.
    """
    share = weights / weights.sum(1, keepdim=True).clamp_min(1e-12)
    cdf = torch.cat(
        [torch.zeros_like(share[:, :1]), share[:, :-1].cumsum(1), torch.ones_like(share[:, :1])], dim=1
    )
    pad = 1 / (2 * count)
    tiny = torch.finfo(weights.dtype).eps
    levels = torch.linspace(pad, 1 - pad - tiny, count, dtype=edges.dtype, device=edges.device)
    levels = levels.expand(len(edges), count)
    if jitter is not None:
        levels = (levels + (jitter - 0.5) / count).clamp(0, 1 - tiny)
    above = torch.searchsorted(cdf, levels.contiguous(), right=True).clamp(1, cdf.shape[1] - 1)
    first, last = torch.gather(cdf, 1, above - 1), torch.gather(cdf, 1, above)
    inside = ((levels - first) / (last - first)).nan_to_num(0).clamp(0, 1)
    start, end = torch.gather(edges, 1, above - 1), torch.gather(edges, 1, above)
    centres = start + inside * (end - start)
    between = midpoints(centres)
    opening = (2 * centres[:, :1] - between[:, :1]).clamp_min(low)
    closing = (2 * centres[:, -1:] - between[:, -1:]).clamp_max(high)
    return torch.cat([opening, between, closing], dim=1), centres


def ray_boxes(
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    boxes: Float[Tensor, "b 6"],
    *,
    near: float = 0.0,
    far: float = math.inf,
    missed: float = math.inf,
) -> tuple[Float[Tensor, "n b"], Float[Tensor, "n b"], Bool[Tensor, "n b"]]:
    """Return where rays enter and leave boxes, by the slab method.

    Args:
        origins: Of the rays.
        directions: Theirs, unit length.
        boxes: Lowest corner, then highest.
        near: Distances are not below this.
        far: Nor above this.
        missed: What stands for the distances where a box is missed.

    Returns:
        Entry, exit, and whether the box is hit; a box behind the origin is not.
    """
    inverse = 1 / directions[:, None]
    low = (boxes[None, :, :3] - origins[:, None]) * inverse
    high = (boxes[None, :, 3:] - origins[:, None]) * inverse
    # A ray within a side's plane gives 0 * inf; that side then does not bound it.
    enter = torch.minimum(low, high).nan_to_num(-math.inf, math.inf, -math.inf).amax(-1)
    leave = torch.maximum(low, high).nan_to_num(math.inf, math.inf, -math.inf).amin(-1)
    hit = (leave > enter) & (leave > 0)
    enter = torch.where(hit, enter.clamp(near, far), missed)
    leave = torch.where(hit, leave.clamp(near, far), missed)
    return enter, leave, hit
