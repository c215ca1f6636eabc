"""What a system is to the training job: networks that learn from batches, and that show what they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws

__all__ = ["Now", "Prepares", "System"]


@dataclass(frozen=True)
class Now:
    """Where a run stands when a step begins.

    Attributes:
        step: Optimiser steps done before this one.
        seen: Examples seen before this step, by all processes together.
        epoch: Passes through the training set, with its fraction.
        progress: Share of the run that is done, 0-1.
        draws: Random numbers of this step; take ``draws.named("dropout")`` and so on.
    """

    step: int
    seen: int
    epoch: float
    progress: float
    draws: Draws


class System(Protocol):
    """A generator and whatever teaches it: discriminators, encoders, augmentation, optimisers.

    Parts are passed in; a system is made on the CPU and moved by ``to``. It draws random numbers from
    ``now.draws`` alone, and averages gradients over processes through ``train.optimise``.
    """

    generator: nn.Module
    """What is kept in the end, and averaged over the run (EMA)."""
    networks: Mapping[str, nn.Module]
    """Every network that learns, by name, the generator among them as ``generator``."""
    settings: Mapping[str, int | float | str]
    """What ``translate.model`` needs to build the generator again, ``architecture`` among them."""

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        ...

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one update of everything that learns; returns detached scalars by name, such as ``loss_d``."""
        ...

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return what a generator (this one's, or its average) makes of a batch: ``(n, c, h, w)``, -1 to 1.

        Called without gradients, with the generator set as it will be used (dropout and statistics included).
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimisers, augmentation: all that the next step depends on, averages aside."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A system that looks at the examples before it learns from them, to find a palette for instance."""

    def prepare(self, examples: Any) -> None:
        """Look at the examples to learn from (a ``loop.Learnable``) once, before networks are copied.

        What is found is part of the networks, so that a run that goes on, or begins with another's networks,
        has theirs.
        """
        ...
