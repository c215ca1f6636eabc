"""Options of igpt. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IgptOptions"]


@dataclass(frozen=True)
class IgptOptions:
    """To be filled in."""
