"""Volume rendering in plain torch: the formulas that every kernel and every method is held against.

Max, "Optical models for direct volume rendering", 1995; Mildenhall et al., "NeRF", 2020, equation 3; Barron
et al., "Mip-NeRF 360", 2022, equation 15 (distortion). *Batched* functions take ``(…, samples)``; *packed*
ones take all samples of all rays in a row, with ``offsets`` as in ``Samples``. Transmittance excludes the
sample itself.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "accumulate",
    "alphas_from_density",
    "batched_distortion",
    "batched_weights",
    "offsets_of",
    "over",
    "pack",
    "packed_distortion",
    "packed_weights",
    "ray_depths",
    "unpack",
    "visible",
]

_FLOOR = float(torch.finfo(torch.float32).eps)


def alphas_from_density(density: Float[Tensor, " *n"], lengths: Float[Tensor, " *n"]) -> Float[Tensor, " *n"]:
    """Return the opacity ``1 - exp(-density * length)`` of intervals."""
    return -torch.expm1(-density * lengths)


def batched_weights(
    alphas: Float[Tensor, "*rays samples"], floor: float = 0.0
) -> tuple[Float[Tensor, "*rays samples"], Float[Tensor, "*rays samples"]]:
    """Return how much of each sample is seen, and the light that reaches it.

    Args:
        alphas: Opacities, front to back.
        floor: Added to each ``1 - alpha``; NeRF takes 1e-10, which keeps gradients alive behind a wall.

    Returns:
        Weights and transmittance, both ``(*rays, samples)``.
    """
    passed = torch.cumprod(1 - alphas + floor, dim=-1)
    light = torch.cat([torch.ones_like(passed[..., :1]), passed[..., :-1]], dim=-1)
    return light * alphas, light


def packed_weights(
    alphas: Float[Tensor, " m"], offsets: Int[Tensor, " n1"], floor: float = 0.0
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Return weights and transmittance of packed samples; see ``batched_weights``."""
    weights, light = batched_weights(unpack(alphas, offsets), floor)
    return pack(weights, offsets), pack(light, offsets)


def accumulate(
    weights: Float[Tensor, " m"], offsets: Int[Tensor, " n1"], values: Float[Tensor, "m c"] | None = None
) -> Float[Tensor, "n c"]:
    """Return the sum over each ray of weights times values; ``(n, 1)`` opacities without values."""
    terms = weights[:, None] if values is None else weights[:, None] * values
    rays = _ray_indices(offsets)
    return terms.new_zeros(len(offsets) - 1, terms.shape[1]).index_add(0, rays, terms)


def over(
    colour: Float[Tensor, "n 3"], opacity: Float[Tensor, "n 1"], background: Float[Tensor, " *b"]
) -> Float[Tensor, "n 3"]:
    """Return premultiplied colour over a background ``(3,)`` or ``(n, 3)``."""
    return colour + (1 - opacity) * background


def ray_depths(
    weights: Float[Tensor, "*rays samples"],
    starts: Float[Tensor, "*rays samples"],
    ends: Float[Tensor, "*rays samples"],
) -> tuple[Float[Tensor, " *rays"], Float[Tensor, " *rays"], Float[Tensor, " *rays"]]:
    """Return where along each ray things are seen.

    Returns:
        Expected depth: mean of the interval middles under the weights. Median depth: middle of the first
        interval by whose end half of the ray's opacity is reached. Variance about the expected depth;
        intervals are taken for their middles. All are 0 where a ray sees nothing.
    """
    middles = (starts + ends) / 2
    opacity = weights.sum(-1)
    share = weights / opacity.clamp_min(_FLOOR)[..., None]
    mean = (share * middles).sum(-1)
    half = (torch.cumsum(weights, -1) < opacity[..., None] / 2).sum(-1, keepdim=True)
    median = torch.gather(middles, -1, half.clamp_max(weights.shape[-1] - 1))[..., 0]
    variance = (share * (middles - mean[..., None]) ** 2).sum(-1)
    return mean, torch.where(opacity > 0, median, torch.zeros_like(median)), variance


def visible(
    light: Float[Tensor, " *n"], alphas: Float[Tensor, " *n"], *, early_stop: float, threshold: float
) -> Bool[Tensor, " *n"]:
    """Return which samples matter: enough light reaches them, and they are opaque enough.

    Args:
        light: Transmittance.
        alphas: Opacities.
        early_stop: Least transmittance that counts.
        threshold: Least opacity that counts.
    """
    return (light >= early_stop) & (alphas >= threshold)


def batched_distortion(
    weights: Float[Tensor, "*rays samples"],
    starts: Float[Tensor, "*rays samples"],
    ends: Float[Tensor, "*rays samples"],
) -> Float[Tensor, " *rays"]:
    """Return how far each ray's weight is spread out, in units of distance.

    The sum over pairs of ``w_i w_j |m_i - m_j|`` and over intervals of ``w² length / 3``, in linear time by
    exclusive running sums. Distances are not normalised.
    """
    middles = (starts + ends) / 2
    before = torch.cumsum(weights, -1) - weights
    moment = torch.cumsum(weights * middles, -1) - weights * middles
    pairs = 2 * weights * (middles * before - moment)
    return (pairs + weights**2 * (ends - starts) / 3).sum(-1)


def packed_distortion(
    weights: Float[Tensor, " m"],
    starts: Float[Tensor, " m"],
    ends: Float[Tensor, " m"],
    offsets: Int[Tensor, " n1"],
) -> Float[Tensor, " n"]:
    """Return the distortion of each ray of packed samples; see ``batched_distortion``."""
    tables = (unpack(values, offsets) for values in (weights, starts, ends))
    return batched_distortion(*tables)


def offsets_of(ray_indices: Int[Tensor, " m"], rays: int) -> Int[Tensor, " n1"]:
    """Return offsets from the ray number of each sample (sorted)."""
    counts = torch.bincount(ray_indices, minlength=rays)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def unpack(values: Tensor, offsets: Int[Tensor, " n1"]) -> Tensor:
    """Spread packed values ``(m, …)`` over a table ``(n, longest, …)``; places without a sample hold 0."""
    held = _held(offsets)
    table = values.new_zeros(*held.shape, *values.shape[1:])
    return table.masked_scatter(held.reshape(*held.shape, *(1,) * (values.dim() - 1)), values)


def pack(table: Tensor, offsets: Int[Tensor, " n1"]) -> Tensor:
    """Undo ``unpack``."""
    return table[_held(offsets)]


def _held(offsets: Tensor) -> Tensor:
    counts = offsets[1:] - offsets[:-1]
    longest = int(counts.max()) if len(counts) else 0
    return torch.arange(longest, device=offsets.device) < counts[:, None]


def _ray_indices(offsets: Tensor) -> Tensor:
    counts = offsets[1:] - offsets[:-1]
    return torch.repeat_interleave(torch.arange(len(counts), device=offsets.device), counts)
