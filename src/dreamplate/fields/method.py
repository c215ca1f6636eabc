"""What a way of learning a scene must offer: the contract between one renderer and many fields.

A ``Method`` joins a field to the way its rays are sampled and its parameters are learnt. ``fit`` trains any
method, ``render`` and ``mesh`` draw any method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from dreamplate.fields.rays import Rays, Samples

if TYPE_CHECKING:
    from dreamplate.fields.photographs import Photographs

__all__ = ["Batch", "Method", "Prepares", "Traced"]


@dataclass(frozen=True)
class Batch:
    """Rays with what the photographs show there.

    Attributes:
        rays: The rays; ``views`` is set.
        colours: ``(n, 3)`` in the encoding of the fit, **premultiplied** by alpha in that encoding.
        alphas: ``(n,)`` 0-1, or None where no photograph has alpha.
        weights: ``(n,)`` 0 where a mask says that nothing is known, or None.
        depths: ``(n,)`` range in world units, NaN where unknown, or None.
    """

    rays: Rays
    colours: Tensor
    alphas: Tensor | None = None
    weights: Tensor | None = None
    depths: Tensor | None = None


@dataclass(frozen=True)
class Traced:
    """What tracing rays gave, connected to the graph while training.

    Attributes:
        samples: The samples that make the picture.
        coarse: Samples of a coarser field that must explain the picture too (NeRF), or None.
        penalties: More scalar losses by name, weighted already.
    """

    samples: Samples
    coarse: Samples | None = None
    penalties: Mapping[str, Tensor] = field(default_factory=dict)


class Method(Protocol):
    """A field, how rays through it are sampled, and how it learns."""

    def rays_per_step(self, progress: float) -> int:
        """Return how many rays the next step should have; progress runs from 0 to 1."""
        ...

    def trace(
        self,
        rays: Rays,
        *,
        training: bool = False,
        draws: torch.Generator | None = None,
        stop: Tensor | None = None,
    ) -> Traced:
        """Sample rays and look the field up.

        Args:
            rays: Any number, on the method's device.
            training: Jitter the samples and keep the graph.
            draws: Where random numbers come from (a CPU generator); needed for training.
            stop: ``(n,)`` distance beyond which each ray sees nothing (holdouts), or None.
        """
        ...

    def update(self, progress: float) -> None:
        """Take one optimiser step with the gradients there are, clear them, and follow the schedule."""
        ...

    def density(self, points: Tensor) -> Tensor:
        """Return density ``(n,)`` per world unit at points ``(n, 3)`` of the world, without a graph."""
        ...

    def colour(self, points: Tensor, directions: Tensor) -> Tensor:
        """Return straight colour ``(n, 3)`` at points of the world seen along directions, without a graph."""
        ...

    def box(self) -> Tensor:
        """Return the ``(2, 3)`` corners of the world box in which the field is well resolved."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return everything the next step and the next picture depend on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A method that wants to see the photographs once before anything is learnt."""

    def prepare(self, photographs: Photographs) -> None:
        """Look at the photographs; called once for a fit, and not when it is resumed."""
        ...
