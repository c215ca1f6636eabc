"""Options of vq. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dreamplate.take.fields import Bounds

__all__ = ["VqOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e4)]


@dataclass(frozen=True)
class VqOptions:
    """Our own codec of pictures: a learned codebook, one code for every 8 x 8 pixels."""

    codes: Annotated[int, Bounds(ge=2, le=65_536)] = 1024
    """Size of the codebook."""
