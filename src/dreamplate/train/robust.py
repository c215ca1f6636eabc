"""Perturbed examples: conditions beyond the training set, with pictures that obey them.

A model of few examples learns what usually is there, and makes it even where the condition says otherwise.
These examples break that habit. Each is made of real ones, on condition and picture together:

    warp     proportions change: axes are stretched in parts, and places move smoothly
    remove   one thing goes from the condition, and the picture is filled there from around, counting less
    insert   a thing of another example comes, condition and picture alike
    jitter   the borders of the condition alone move by a pixel or so, as hand-drawn ones do
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.robust_things import insert, remove
from dreamplate.train.robust_warps import jitter, warp

__all__ = ["Perturbed", "perturb"]

CHANCE = {"warp": 1.2, "remove": 0.7, "insert": 0.7, "jitter": 0.7}
"""How often each is done, as a multiple of the strength."""


class _Source(Protocol):
    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch: ...

    def ahead(self, indices: Sequence[int], draws: Draws | None) -> None: ...


class Perturbed:
    """Examples that are perturbed when they are learnt from, and left alone when they are measured.

    Args:
        examples: Those of the training set.
        strength: 0-1.
    """

    def __init__(self, examples: Any, strength: float) -> None:
        self.examples: _Source = examples
        self.strength = strength

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        """Return examples side by side, each with things of another one that the draws choose."""
        batch = self.examples.batch(indices, draws)
        if draws is None:
            return batch
        donor = self.examples.batch(*self._donor(indices, draws))
        return perturb(batch, draws.named("robust"), self.strength, donor)

    def ahead(self, indices: Sequence[int], draws: Draws | None) -> None:
        """Begin to make what `batch` needs; returns at once."""
        self.examples.ahead(indices, draws)
        if draws is not None:
            self.examples.ahead(*self._donor(indices, draws))

    def _donor(self, indices: Sequence[int], draws: Draws) -> tuple[list[int], Draws]:
        others = draws.named("robust", "others").integers(len(self.examples), (len(indices),)).tolist()
        return others, draws.named("robust", "of others")


def perturb(batch: Batch, draws: Draws, strength: float, donor: Batch | None = None) -> Batch:
    """Return a perturbed batch of the same size; some examples stay as they are.

    Args:
        batch: With a condition, a label map or a picture.
        draws: Of this step.
        strength: 0 (nothing is changed) to 1.
        donor: Examples of the same size, from which things are taken; None: nothing is inserted.
    """
    if not strength or (batch.labels is None and batch.condition is None):
        return batch
    lots = draws.named("which").uniform((len(batch), len(CHANCE)))
    chosen = {name: lots[:, place] < factor * strength for place, (name, factor) in enumerate(CHANCE.items())}
    made = _select(chosen["remove"], remove(batch, draws.named("remove")), batch)
    if donor is not None and donor.size == batch.size:
        made = _select(chosen["insert"], insert(made, draws.named("insert"), donor), made)
    made = _select(chosen["warp"], warp(made, draws.named("warp"), strength), made)
    return _select(chosen["jitter"], jitter(made, draws.named("jitter"), strength), made)


def _select(chosen: Tensor, first: Batch, second: Batch) -> Batch:
    """Return examples of one batch where chosen, else of the other."""
    if first.weight is not None and second.weight is None:
        second = replace(second, weight=torch.ones_like(first.weight))

    def pick(name: str) -> Any:
        a, b = getattr(first, name), getattr(second, name)
        return None if a is None else torch.where(chosen.view(-1, *(1,) * (a.ndim - 1)), a, b)

    names = ("image", "condition", "labels", "instances", "targets", "weight")
    return replace(second, **{name: pick(name) for name in names})
