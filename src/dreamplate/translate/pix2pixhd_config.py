"""Options of pix2pixhd. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pix2pixhdOptions"]


@dataclass(frozen=True)
class Pix2pixhdOptions:
    """Coarse-to-fine generator, multi-scale discriminators, feature matching (Wang and others 2018)."""
