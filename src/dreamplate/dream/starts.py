"""Choosing a start: score many random pictures before any is worked on, and go on with the best.

Where a descent begins decides much of where it ends, and a look at a random start costs a small fraction
of a step: no gradient, no cut-outs, few pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.painting import Painting
from dreamplate.errors import ConfigError

Make = Callable[[Sequence[torch.Generator]], Painting]
Score = Callable[[Tensor], Tensor]


def best_starts(
    make: Make,
    score: Score,
    seeds: Sequence[int],
    *,
    keep: int,
    chunk: int,
    width: int,
    height: int,
) -> list[int]:
    """Return which of the seeds make the pictures that score best, the best first.

    Each picture is drawn from its own seed, so the choice does not depend on ``chunk``, but for this:
    networks may round differently for another number of pictures (of the order of 1e-6 of a cosine), so
    that two starts closer to each other than that may swap places.

    Args:
        make: Makes as many pictures as it is given CPU generators.
        score: Judges pictures ``(n, 3, height, width)`` in [0, 1]; ``(n,)``, more is better.
        seeds: Seeds of the starts.
        keep: How many to return.
        chunk: How many are made and scored at a time, at least 1; memory grows with it.
        width: Width in pixels at which they are looked at.
        height: Height in pixels.

    Returns:
        Positions in ``seeds``. Equal scores go by position, the earlier first; a score that is not a
        number is the worst.

    Raises:
        ConfigError: Fewer seeds are given than are to be kept.
    """
    if not 1 <= keep <= len(seeds):
        raise ConfigError(
            f"search.best_of is {len(seeds)}, of which {keep} are to be kept: raise it, or lower batch"
        )
    return ranked(score_starts(make, score, seeds, chunk=chunk, width=width, height=height))[:keep]


@torch.no_grad()
def score_starts(
    make: Make, score: Score, seeds: Sequence[int], *, chunk: int, width: int, height: int
) -> Float[Tensor, " n"]:
    """Return the score of each seed's start as float64 on the CPU; see `best_starts`."""
    scores = []
    for first in range(0, len(seeds), chunk):
        pictures = make([torch.Generator().manual_seed(seed) for seed in seeds[first : first + chunk]])
        pictures.settle(0.0)
        scores.append(score(pictures(width, height)).double().cpu())
    return torch.cat(scores)


def ranked(scores: Float[Tensor, " n"]) -> list[int]:
    """Return positions from the highest score to the lowest; ties by position, what is no number last."""
    filled = scores.nan_to_num(nan=float("-inf"), posinf=float("inf"), neginf=float("-inf"))
    return torch.sort(filled, descending=True, stable=True).indices.tolist()
