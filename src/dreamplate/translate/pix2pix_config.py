"""Options of pix2pix. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pix2pixOptions"]


@dataclass(frozen=True)
class Pix2pixOptions:
    """U-Net or ResNet generator against a patch discriminator, with L1 (Isola and others 2017)."""
