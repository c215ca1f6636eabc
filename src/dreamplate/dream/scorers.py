"""What judges a picture against words: one small interface, and the table of everything that offers it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from dreamplate.errors import ConfigError


@runtime_checkable
class Scorer(Protocol):
    """Puts pictures and texts into one space, where the cosine says how well they agree."""

    name: str
    size: int
    """Side in pixels of the square pictures that :meth:`encode_image` takes."""
    encoding: str
    """How the picture's values are coded; ``"srgb_display"`` throughout for now."""
    dim: int
    """Length of the vectors."""

    def encode_image(self, images: Tensor) -> Tensor:
        """``(n, 3, size, size)`` in [0, 1] to ``(n, dim)`` of unit length; gradients reach the pictures."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """``n`` texts to ``(n, dim)`` of unit length, without gradients."""
        ...


SCORERS = {
    "bridge": "dreamplate.dream.bridge:load_bridge",
}
"""Name to ``module:factory``; a factory takes a device and a dtype and returns a :class:`Scorer`."""


def load_scorer(
    name: str = "bridge", device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Scorer:
    """Load a scorer by name.

    Args:
        name: A key of :data:`SCORERS`.
        device: Where its networks live.
        dtype: What they compute in; vectors come back as float32 whatever it is.

    Raises:
        ConfigError: No scorer has this name.
        MissingExtraError: Its packages are not installed.
    """
    if name not in SCORERS:
        raise ConfigError(f"scorer is {name!r}: choose from {', '.join(sorted(SCORERS))}")
    module, factory = SCORERS[name].split(":")
    return cast(Scorer, getattr(importlib.import_module(module), factory)(device, dtype))
