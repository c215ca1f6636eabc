"""Pictures as tokens: the discrete VAE of DALL-E (its transformers will join it here)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    pass

_HOME: dict[str, str] = {}

__all__: list[str] = []

__getattr__, __dir__ = lazy(__name__, _HOME)
