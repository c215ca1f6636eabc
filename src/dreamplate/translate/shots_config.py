"""Options of shots. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ShotsOptions"]


@dataclass(frozen=True)
class ShotsOptions:
    """A few painted key frames, learnt patch by patch (Texler and others 2020)."""
