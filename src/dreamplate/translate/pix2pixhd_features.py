"""Looks of classes that training remembers, so that one can choose among them afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dreamplate.translate.pix2pixhd_encoder import k_means

__all__ = ["Looks"]

HELD = 256
"""Newest instances that are remembered, for each class."""
EACH = 64
"""Most instances that one step adds."""


class Looks:
    """The features of the newest instances of every class.

    Wang and others 2018 (section 3.4) encode the whole training set once it has been learnt; features of
    the newest instances are at hand without a second pass.

    Args:
        classes: How many.
        features: Channels.
    """

    def __init__(self, classes: int, features: int) -> None:
        self.held = torch.zeros(classes, HELD, features)
        self.counts = torch.zeros(classes, dtype=torch.int64)

    def add(self, means: Tensor, classes: Tensor) -> None:
        """Remember instances.

        Args:
            means: ``(m, features)``.
            classes: ``(m,)``; what is no class is left out.
        """
        kept = (classes < len(self.counts)).nonzero().flatten()[:EACH].tolist()
        means, numbers = means.detach().float().cpu(), classes.tolist()
        for row in kept:
            place = int(self.counts[numbers[row]]) % HELD
            self.held[numbers[row], place] = means[row]
            self.counts[numbers[row]] += 1

    @torch.no_grad()
    def fill(self, centres: Tensor) -> None:
        """Write the clusters of every class seen so far into ``(classes, clusters, features)`` (in place)."""
        for number, count in enumerate(self.counts.tolist()):
            if count:
                found = k_means(self.held[number, : min(count, HELD)], centres.shape[1])
                centres[number].copy_(found)

    def state_dict(self) -> dict[str, Any]:
        """Return what is remembered."""
        return {"held": self.held, "counts": self.counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.held, self.counts = state["held"].clone().cpu(), state["counts"].clone().cpu()
