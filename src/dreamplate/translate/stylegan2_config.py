"""Options of stylegan2. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dreamplate.take.fields import Bounds

__all__ = ["Stylegan2Options"]

Length = Annotated[int, Bounds(ge=1, le=4096)]
Interval = Annotated[int, Bounds(ge=1, le=100_000)]


@dataclass(frozen=True)
class Stylegan2Options:
    """Pictures from nothing but noise, from little data (Karras and others 2020)."""

    z_dim: Length = 512
    """Numbers of the noise that a picture follows from."""
    w_dim: Length = 512
    """Numbers of a style."""
    mapping: Annotated[int, Bounds(ge=1, le=16)] = 2
    """Layers from noise to styles: 2 as in the paper on little data, 8 in StyleGAN2's."""
    channels: Annotated[int, Bounds(ge=4, le=1 << 20)] = 16384
    """Feature maps times the side in pixels: with 16384 there are 64 maps at 256 pixels."""
    channels_most: Length = 512
    """Feature maps at most."""
    gamma: Annotated[float, Bounds(ge=0, le=1e6)] = 0.0
    """Weight of the gradient penalty; 0: 0.0002 times the number of pixels over the batch."""
    gamma_every: Interval = 16
    """Steps from one gradient penalty to the next."""
    path_weight: Annotated[float, Bounds(ge=0, le=1e6)] = 2.0
    """Weight of the penalty on path lengths, which makes styles steady; 0: none."""
    path_every: Interval = 4
    """Steps from one such penalty to the next."""
    mixing: Annotated[float, Bounds(ge=0, le=1)] = 0.9
    """Share of the pictures that take their finer styles from a second noise."""
    group: Annotated[int, Bounds(ge=1, le=64)] = 4
    """Pictures whose differences the discriminator sees together."""
