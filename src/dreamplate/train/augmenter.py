"""What a discriminator's pictures go through, real and made alike, so that it learns from little data.

An augmenter is one small interface over three policies. Geometry reaches what lies beside the picture (the
condition that a paired discriminator sees); colour and cut-outs do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.train.diffaugment import POLICIES
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions
from dreamplate.train.system import Now

__all__ = ["Augmenter", "Diffaugment", "Unchanged", "build_augmenter"]


class Augmenter(Protocol):
    """Varies pictures before a discriminator sees them."""

    def __call__(
        self, image: Tensor, draws: Draws, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return pictures varied, and what lies beside them moved alike; differentiable, twice.

        Args:
            image: ``(n, c, h, w)``, -1 to 1.
            draws: Random numbers. Different for each call that shall differ.
            beside: ``(n, k, h, w)`` condition channels of the same pictures, float.
        """
        ...

    def observe(self, real_scores: Tensor | Sequence[Tensor], now: Now) -> None:
        """Take in what the discriminator thought of augmented real pictures.

        Args:
            real_scores: Raw scores, of any shape; a list of them where there are several scales.
            now: When.
        """
        ...

    @property
    def figures(self) -> dict[str, float]:
        """Its strength and what that follows from, for the log."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what the next call depends on."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        ...


class Unchanged:
    """An augmenter that leaves pictures as they are."""

    def __call__(
        self, image: Tensor, draws: Draws, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return both unchanged."""
        return image, beside

    def observe(self, real_scores: Tensor | Sequence[Tensor], now: Now) -> None:
        """Nothing follows from scores."""

    @property
    def figures(self) -> dict[str, float]:
        """None."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing."""


class Diffaugment(Unchanged):
    """DiffAugment's policies, one after the other (Zhao and others 2020).

    Args:
        policies: Names joined by commas, keys of ``diffaugment.POLICIES``.

    Raises:
        ConfigError: A name is none of these.
    """

    def __init__(self, policies: str) -> None:
        self.names = tuple(name.strip() for name in policies.split(",") if name.strip())
        wrong = next((name for name in self.names if name not in POLICIES), None)
        if wrong is not None or not self.names:
            found = f"policy {wrong!r}" if wrong else "no policy"
            raise ConfigError(f"augment.diffaugment: {found}; join some of {', '.join(POLICIES)} by commas")

    def __call__(
        self, image: Tensor, draws: Draws, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return pictures varied, and what lies beside them moved alike."""
        for name in self.names:
            operation = POLICIES[name]
            if operation.geometric and beside is not None:
                beside = operation.apply(beside, draws.named(name))
            # The same name draws the same numbers, so both move alike.
            image = operation.apply(image, draws.named(name))
        return image, beside


def build_augmenter(options: AugmentOptions, *, resumed: bool = False) -> Augmenter:
    """Return the augmenter that options ask for.

    Args:
        options: Of the run.
        resumed: Whether learning goes on from another take's networks (``learn.init``): ADA then moves
            faster.

    Raises:
        ConfigError: The policies or groups are not known.
    """
    if options.policy == "diffaugment":
        return Diffaugment(options.diffaugment)
    if options.policy == "ada":
        from dreamplate.train.ada import Ada

        return Ada.from_options(options, resumed=resumed)
    return Unchanged()
