"""Random numbers of a training run: a function of the seed, the step and a name, whatever came before.

A run that is resumed at step 5,000 therefore draws what it would have drawn, and nothing has to be saved.
With several processes each draws for the whole batch and keeps its own share, so that the work is the same
however it is divided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Draws", "seed_of"]


def seed_of(*parts: int | str) -> int:
    """Return a seed, 0 to 2^63 - 1, that is a function of the parts alone, on every machine."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Draws:
    """Random numbers for a share of a batch, always drawn on the CPU.

    Args:
        *parts: What they follow from, such as the seed, the step and a name.
        rank: Which share this process works on.
        world: How many processes there are.
    """

    def __init__(self, *parts: int | str, rank: int = 0, world: int = 1) -> None:
        self.parts, self.rank, self.world = parts, rank, world
        self.generator = torch.Generator().manual_seed(seed_of(*parts))

    def named(self, *parts: int | str) -> Draws:
        """Return draws of another name, independent of these and of how many were taken from them."""
        return Draws(*self.parts, *parts, rank=self.rank, world=self.world)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Return standard normal numbers; the first axis is this process's share of the batch."""
        return self._share(torch.randn(self._whole(shape), generator=self.generator))

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Return numbers in [0, 1); the first axis is this process's share of the batch."""
        return self._share(torch.rand(self._whole(shape), generator=self.generator))

    def integers(self, high: int, shape: Sequence[int]) -> Tensor:
        """Return whole numbers 0 to ``high - 1``; the first axis is this process's share of the batch."""
        return self._share(torch.randint(high, self._whole(shape), generator=self.generator))

    def _whole(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (shape[0] * self.world, *shape[1:])

    def _share(self, whole: Tensor) -> Tensor:
        return whole.chunk(self.world)[self.rank] if self.world > 1 and len(whole) else whole
