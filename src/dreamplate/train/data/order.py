"""Which examples a step sees: a pure function of the seed and the step, so that resuming needs no state."""

from __future__ import annotations

from functools import lru_cache

import torch

from dreamplate.train.draws import seed_of

__all__ = ["batch_indices"]


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed_of(seed, "order", epoch))
    return tuple(torch.randperm(count, generator=generator).tolist())


def batch_indices(seed: int, step: int, batch: int, count: int) -> tuple[int, ...]:
    """Return the examples of one step: ``batch`` numbers, 0 to ``count - 1``.

    Every epoch is a new permutation of all examples; a batch may span the end of one and the start of the
    next, so no example is left out and all batches are of one size.

    Raises:
        ValueError: There is nothing to choose from, or a number is negative.
    """
    if count < 1 or batch < 1 or step < 0:
        raise ValueError(f"need count >= 1, batch >= 1, step >= 0; found {count}, {batch}, {step}")
    places = range(step * batch, (step + 1) * batch)
    return tuple(_permutation(seed, place // count, count)[place % count] for place in places)
