"""Options of pix2pixhd. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["Pix2pixhdOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e6)]
Width = Annotated[int, Bounds(ge=1, le=4096)]
Count = Annotated[int, Bounds(ge=0, le=100)]
Share = Annotated[float, Bounds(ge=0, le=1)]


@dataclass(frozen=True)
class Pix2pixhdOptions:
    """Coarse-to-fine generator, multi-scale discriminators, feature matching (Wang and others 2018)."""

    width: Width = 32
    """Channels at full size; the coarse network has twice as many for every enhancer."""
    downs: Annotated[int, Bounds(ge=0, le=10)] = 4
    """How often the coarse network halves its picture."""
    blocks: Count = 9
    """Residual blocks of the coarse network."""
    enhancers: Annotated[int, Bounds(ge=0, le=6)] = 1
    """Finer sizes on top of the coarse network, each twice as large; 0: the coarse network alone."""
    local_blocks: Count = 3
    """Residual blocks of every enhancer."""
    norm: Literal["batch", "instance", "none"] = "instance"
    """Normalisation of the generator."""
    upsampling: Literal["transposed", "resize"] = "transposed"
    """How the generator enlarges: resize leaves no chequerboard."""
    global_share: Share = 0.5
    """Share of the run in which the coarse network learns alone, on smaller pictures."""
    fixed_share: Share = 0.05
    """Share of the run after that in which it is kept as it is while the enhancers learn."""
    features: Annotated[int, Bounds(ge=0, le=64)] = 0
    """Channels that tell instances apart which labels do not: 3 in the paper; 0: none. Needs label maps."""
    width_e: Width = 16
    """Channels of the encoder that makes them."""
    clusters: Annotated[int, Bounds(ge=1, le=1000)] = 10
    """Looks of each class that are kept to choose from afterwards."""
    gan: Literal["lsgan", "vanilla", "hinge", "non_saturating"] = "lsgan"
    """Adversarial loss."""
    scales: Annotated[int, Bounds(ge=1, le=6)] = 2
    """Discriminators, each on pictures of half the size; 3 for 2048 pixels."""
    width_d: Width = 64
    """Channels of their first layer."""
    layers_d: Annotated[int, Bounds(ge=1, le=8)] = 3
    """Their halvings."""
    norm_d: Literal["batch", "instance", "none"] = "instance"
    """Their normalisation."""
    half_d: bool = True
    """Halve their loss, which slows them down, as in the paper's code."""
    feature_matching: Weight = 10.0
    """How much the difference of their features counts."""
    l1: Weight = 0.0
    """How much the mean absolute difference counts."""
    perceptual: Weight = 0.0
    """How much the difference to a network for photographs counts: 10 in the paper."""
    perceptual_net: str = "efficientnet"
    """That network: efficientnet (of the scorer extra), or a file of VGG weights (VGG19 in the paper)."""
