"""Options of photosketch. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PhotosketchOptions"]


@dataclass(frozen=True)
class PhotosketchOptions:
    """Contour drawings with several right answers (Li and others 2019)."""
