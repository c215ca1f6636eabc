"""The latents of BigSleep, what keeps them plausible, and their running average.

BigSleep (Ryan Murdock, January 2021) gives every stage of BigGAN-deep a latent and a mixture of classes of
its own, and adds to its loss how far the latents are from normal numbers and how many classes are mixed.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

CLASS_MEAN, CLASS_SPREAD = -3.9, 0.3
"""Of the class logits that BigSleep starts from: a faint mixture of everything."""
FAINT = -9.0
"""Mean logit of all other classes, where one class is chosen at the start."""
STRONG = 4.0
"""Logit of that class."""


def latent_loss(z: Float[Tensor, "*n rows dim"]) -> Float[Tensor, "*n"]:
    """Return how far latents are from normal numbers.

    The mean over rows of |1 - standard deviation| + |mean| + |skewness| + |excess kurtosis|, and four times
    the mean square of all, but not less than four. The deviation is unbiased, the higher moments are not.

    Args:
        z: Rows of latents.
    """
    deviation, mean = z.std(-1), z.mean(-1)
    centred = z - mean[..., None]
    variance = centred.square().mean(-1)
    skewness = centred.pow(3).mean(-1) / variance.pow(1.5)
    kurtosis = centred.pow(4).mean(-1) / variance.square() - 3
    shape = (1 - deviation).abs() + mean.abs() + skewness.abs() + kurtosis.abs()
    return shape.mean(-1) + 4 * z.square().mean((-2, -1)).clamp(min=1)


def class_loss(classes: Float[Tensor, "*n rows classes"]) -> Float[Tensor, "*n"]:
    """Return how many classes are mixed: the mean square of fifty times each weight but a row's largest.

    The original always takes the 999 smallest weights, which is the same for a thousand classes.
    """
    smallest = classes.topk(classes.shape[-1] - 1, dim=-1, largest=False).values
    return (50 * smallest).square().mean((-2, -1))


def soft_top_k(
    logits: Float[Tensor, "*rows classes"], k: int, temperature: float
) -> Float[Tensor, "*rows classes"]:
    """Choose ``k`` classes softly.

    ``k`` times, the softmax of the logits over ``temperature`` is taken over the classes not yet chosen, and
    its largest value kept at its place. Later values are shares of what was left, so a row's sum is not one.
    """
    scaled = logits / temperature
    chosen = torch.zeros_like(logits)
    taken = torch.zeros_like(logits, dtype=torch.bool)
    for _ in range(min(k, logits.shape[-1])):
        share = scaled.masked_fill(taken, float("-inf")).softmax(-1)
        value, place = share.max(-1, keepdim=True)
        chosen = chosen.scatter(-1, place, value)
        taken = taken.scatter(-1, place, True)
    return chosen


def class_weights(
    logits: Float[Tensor, "*rows classes"], cap: int, temperature: float
) -> Float[Tensor, "*rows classes"]:
    """Return the class mixture that logits stand for: sigmoids, or at most ``cap`` softly chosen classes."""
    return soft_top_k(logits, cap, temperature) if cap else logits.sigmoid()


def class_logits(
    weights: Float[Tensor, "*rows classes"], cap: int, temperature: float
) -> Float[Tensor, "*rows classes"]:
    """Return logits that `class_weights` turns back into these weights, up to a ten-thousandth or so.

    With a cap only the largest weight returns; what a soft choice then adds is its own affair.
    """
    floor = 1e-3 / weights.shape[-1]
    if cap:
        return temperature * torch.log(weights.clamp(min=floor))
    return weights.clamp(floor, 1 - 1e-4).logit()


def mixture(bits: Int[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
    """Return class mixtures from yes-or-no decisions: those chosen share one evenly; none chosen is all.

    CLIP-GLaSS takes the softmax of the bits instead, in which five chosen ones of a thousand weigh together
    1.3 per cent, so that its search hardly sees classes.
    """
    chosen = bits.float()
    chosen = torch.where(chosen.sum(1, keepdim=True) > 0, chosen, torch.ones_like(chosen))
    return chosen / chosen.sum(1, keepdim=True)


def average(
    biased: Float[Tensor, "*shape"], left: float, value: Float[Tensor, "*shape"], decay: float
) -> tuple[Float[Tensor, "*shape"], float, Float[Tensor, "*shape"]]:
    """Update a running average that is free of its start.

    Args:
        biased: What this returned first; zeros at the start.
        left: What this returned second; 1 at the start.
        value: The new value.
        decay: Share of the old.

    Returns:
        The biased average, the weight that its start still has in it, and the average without it.
    """
    biased, left = biased * decay + value * (1 - decay), left * decay
    return biased, left, biased / (1 - left)
