"""Drawing the next token from scores: temperature, the likeliest few, guidance.

Draws are explicit: each row's choice is the inverse of its cumulative distribution at a uniform number that
the caller gives. A picture whose numbers come from its own generator is then the same in any batch.

Keeping the likeliest share of the mass is nucleus sampling (Holtzman et al. 2020); guidance without a
classifier is Ho and Salimans 2022, on logits.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.errors import ConfigError

__all__ = ["choose", "guided", "uniforms"]


def choose(
    logits: Float[Tensor, "n v"],
    uniform: Float[Tensor, " n"],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Int[Tensor, " n"]:
    """Return one token for each row of scores.

    Tokens are put in order from the likeliest, those beyond ``top_k`` and beyond ``top_p`` fall away, and
    the first whose cumulative share of what is left exceeds ``uniform`` is chosen. Computed in float64.

    Args:
        logits: ``(n, v)``, scores of ``v`` tokens; minus infinity where a token is not allowed.
        uniform: ``(n,)``, in [0, 1).
        temperature: Scores are divided by it; 0 takes the likeliest token.
        top_k: How many of the likeliest tokens stay; 0 for all.
        top_p: The fewest of the likeliest tokens stay that together have at least this share, above 0; 1 for
            all.

    Returns:
        ``(n,)``, int64.

    Raises:
        ConfigError: A number is out of its range.
    """
    if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
        raise ConfigError(
            f"sampling: temperature {temperature}, top_k {top_k}, top_p {top_p};"
            " use temperature >= 0, top_k >= 0 and 0 < top_p <= 1"
        )
    if temperature == 0:
        return logits.argmax(1)
    scores = logits.detach().double()
    if 0 < top_k < scores.shape[1]:
        scores, order = scores.topk(top_k, dim=1)
    else:
        scores, order = scores.sort(dim=1, descending=True)
    # Less the largest before the division, so that a tiny temperature cannot overflow.
    share = ((scores - scores[:, :1]) / temperature).softmax(1)
    total = share.cumsum(1)
    if top_p < 1:
        share = share.where(total - share < top_p, 0.0)
        total = share.cumsum(1)
    goal = uniform.to(total)[:, None] * total[:, -1:]
    place = (total <= goal).sum(1, keepdim=True)
    # Rounding must not reach a token of no mass: the last one with any is the limit.
    place = place.minimum((share > 0).sum(1, keepdim=True) - 1)
    return order.gather(1, place)[:, 0]


def guided(cond: Float[Tensor, "n v"], uncond: Float[Tensor, "n v"], scale: float) -> Float[Tensor, "n v"]:
    """Return scores led away from those without the condition.

    Args:
        cond: Scores given the condition.
        uncond: Scores without it.
        scale: 0 for no condition, 1 for the condition as it is, more to overstate it.
    """
    return uncond + scale * (cond - uncond)


def uniforms(generators: list[torch.Generator], count: int) -> Float[Tensor, "n count"]:
    """Return ``count`` uniform numbers in [0, 1) for each picture, from its own generator on the CPU."""
    return torch.stack([torch.rand(count, generator=draws, dtype=torch.float64) for draws in generators])
