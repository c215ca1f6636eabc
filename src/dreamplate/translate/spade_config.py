"""Options of spade. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["SpadeOptions"]

Width = Annotated[int, Bounds(ge=1, le=4096)]
Weight = Annotated[float, Bounds(ge=0, le=1e6)]


@dataclass(frozen=True)
class SpadeOptions:
    """Label maps that modulate every layer (Park and others 2019), and OASIS (Sushko and others 2021)."""

    teacher: Literal["oasis", "spade"] = "oasis"
    """What teaches it: a discriminator that segments (OASIS), or patches at several scales (SPADE)."""
    width: Width = 64
    """Channels of the generator at full size (ngf); 16 times as many at the start."""
    hidden: Width = 128
    """Channels inside its normalisation layers."""
    kernel: Literal[1, 3, 5] = 3
    """Side of the convolutions inside its normalisation layers."""
    doublings: Literal["normal", "more", "most"] = "normal"
    """5, 6 or 7 doublings of the size: sides are multiples of 32, 64 or 128."""
    middles: Literal[1, 2] = 2
    """Blocks between the first and those that halve channels: 2 in SPADE, 1 in OASIS."""
    norm: Literal["batch", "instance"] = "batch"
    """Statistics of its normalisation: of the batch, or of each picture."""
    noise: Literal["none", "start", "map"] = "map"
    """Where noise enters: nowhere, as the first features, or spread over the map in every layer (OASIS)."""
    z: Width = 64
    """Numbers of the noise, or of the style."""
    style: bool = False
    """Learn a style encoder as well (SPADE's VAE); needs noise start."""
    style_width: Width = 64
    """Channels of the style encoder."""
    d_width: Width = 64
    """Channels of the discriminator."""
    d_depth: Annotated[int, Bounds(ge=1, le=6)] = 6
    """OASIS: halvings in the discriminator."""
    d_spectral: bool = True
    """OASIS: divide the discriminator's weights by their largest singular values. Without, it learns much
    faster at first, which suits short runs."""
    d_layers: Annotated[int, Bounds(ge=2, le=8)] = 4
    """SPADE: convolutions of each scale before its last."""
    d_scales: Annotated[int, Bounds(ge=1, le=6)] = 2
    """SPADE: scales."""
    loss: Literal["hinge", "lsgan", "vanilla", "wgan"] = "hinge"
    """SPADE: adversarial loss."""
    balance: Annotated[float, Bounds(ge=0, le=1)] = 1.0
    """OASIS: how far rare classes are made to count like common ones: 1 wholly, as in the paper; 0 not."""
    mix: Weight = 10.0
    """OASIS: weight of LabelMix."""
    features: Weight = 10.0
    """SPADE: weight of feature matching."""
    perceptual: str = "auto"
    """Network of the perceptual loss: a file of VGG-19 weights, efficientnet, or none; auto: efficientnet
    where it is installed."""
    perceptual_weight: Weight = 0.0
    """Weight of the perceptual loss; 10 in SPADE, 0 in OASIS."""
    kl: Weight = 0.05
    """Weight of the style's divergence from the normal distribution."""
    l1: Weight = 0.0
    """Weight of the mean absolute difference from the real picture; 0 in both papers."""
    gain: Annotated[float, Bounds(gt=0, le=100)] = 0.02
    """Gain of the generator's first weights (Xavier)."""
    class_start: bool = False
    """Begin with weights that tell classes apart, whatever gain says; it learns faster at first."""
    d_gain: Annotated[float, Bounds(gt=0, le=100)] = 0.02
    """Gain of the discriminator's."""
