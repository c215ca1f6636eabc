"""Options of stylegan2. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stylegan2Options"]


@dataclass(frozen=True)
class Stylegan2Options:
    """Pictures from nothing but noise, from little data (Karras and others 2020)."""
