"""Options of DALL-E's training."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DalleOptions"]


@dataclass(frozen=True)
class DalleOptions:
    """How the transformer of words and picture tokens learns."""
