"""Options of photosketch. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["PhotosketchOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e6)]
Width = Annotated[int, Bounds(ge=1, le=4096)]


@dataclass(frozen=True)
class PhotosketchOptions:
    """Contour drawings with several right answers (Li and others 2019)."""

    width: Width = 64
    """Channels of the generator's first level."""
    blocks: Annotated[int, Bounds(ge=0, le=100)] = 9
    """Residual blocks of the generator: 9 as published, 3 for the lighter line drawer."""
    norm: Literal["batch", "instance", "none"] = "batch"
    """Normalisation of the generator; instance makes frames independent of what they are trained with."""
    upsampling: Literal["transposed", "resize"] = "transposed"
    """How the generator enlarges: resize leaves no chequerboard."""
    gan: Literal["vanilla", "lsgan", "hinge", "non_saturating", "none"] = "vanilla"
    """Adversarial loss; none: no discriminator, the other losses alone."""
    discriminator: Literal["global", "patch"] = "global"
    """One score for the whole drawing as published, or one for every patch of 70 pixels."""
    gan_weight: Weight = 1.0
    """How much the discriminator's opinion counts."""
    width_d: Width = 64
    """Channels of the discriminator's first layer."""
    norm_d: Literal["batch", "instance", "none"] = "batch"
    """Normalisation of the discriminator."""
    l1: Weight = 200.0
    """How much the mean absolute difference to the nearest of the drawings counts."""
