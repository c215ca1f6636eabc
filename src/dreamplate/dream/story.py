"""Stories: several prompts one after another in time, each flowing into the next."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.losses import Wanted
from dreamplate.errors import ConfigError


def story_weights(count: int, time: float) -> Float[Tensor, " {count}"]:
    """Return how much each of ``count`` prompts counts at ``time`` (0 to 1), adding up to 1.

    The prompts stand at even distances, the first at 0 and the last at 1. Between two neighbours the
    weight passes from one to the other along ``3 t^2 - 2 t^3``, which rests at each prompt a while.

    Raises:
        ConfigError: There is no prompt.
    """
    if count < 1:
        raise ConfigError("story has no prompts: give at least one")
    place = min(max(time, 0.0), 1.0) * (count - 1)
    before = min(int(place), max(count - 2, 0))
    t = place - before
    share = t * t * (3 - 2 * t)
    weights = torch.zeros(count)
    weights[before] = 1 - share
    if count > 1:
        weights[before + 1] = share
    return weights


def blend(wanteds: Sequence[Wanted], weights: Float[Tensor, " n"]) -> Wanted:
    """Return what is wanted when several things are wanted by these shares.

    Every target of every part is kept, its weight times the part's share, so that the agreement with
    the blend is the blend of the agreements and things to avoid stay things to avoid. For the cosine
    this is the straight line between the targets' vectors: ``a x·u + b x·v = x·(a u + b v)``. Parts
    with no share are left out.

    Args:
        wanteds: The parts.
        weights: Their shares.
    """
    used = [(part, share) for part, share in zip(wanteds, weights.tolist(), strict=True) if share > 0]
    if len(used) == 1 and used[0][1] == 1:
        return used[0][0]
    return Wanted(
        torch.cat([part.vectors for part, _ in used]),
        torch.cat([part.weights * share for part, share in used]),
        torch.cat([part.avoid for part, _ in used]),
    )
