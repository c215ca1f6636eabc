"""Options of spade. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SpadeOptions"]


@dataclass(frozen=True)
class SpadeOptions:
    """Label maps that modulate every layer (Park and others 2019), and OASIS (Sushko and others 2021)."""
