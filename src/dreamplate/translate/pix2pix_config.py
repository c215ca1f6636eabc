"""Options of pix2pix. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["Pix2pixOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e6)]
Width = Annotated[int, Bounds(ge=1, le=4096)]


@dataclass(frozen=True)
class Pix2pixOptions:
    """U-Net or ResNet generator against a patch discriminator, with L1 (Isola and others 2017)."""

    generator: Literal["unet", "resnet"] = "unet"
    """Which network makes the picture."""
    width: Width = 64
    """Channels of the generator's first level."""
    depth: Annotated[int, Bounds(ge=0, le=14)] = 0
    """U-Net: how often the picture is halved; 0: down to one pixel of the crop, at most 8 times."""
    blocks: Annotated[int, Bounds(ge=0, le=100)] = 9
    """ResNet: residual blocks, 9 for 256 pixels and more, 6 for 128."""
    norm: Literal["batch", "instance", "none"] = "batch"
    """Normalisation of the generator."""
    dropout: bool = True
    """Drop values in the generator: its only noise."""
    upsampling: Literal["transposed", "resize"] = "transposed"
    """How the generator enlarges: resize leaves no chequerboard."""
    residual: bool = False
    """Make a change of the input, not a whole picture; needs as many channels in as out."""
    gan: Literal["vanilla", "lsgan", "hinge", "non_saturating", "none"] = "vanilla"
    """Adversarial loss; none: no discriminator, the other losses alone."""
    gan_weight: Weight = 1.0
    """How much the discriminator's opinion counts."""
    patch: Literal[1, 16, 34, 70, 142, 286] = 70
    """Pixels a side that one score of the discriminator sees."""
    width_d: Width = 64
    """Channels of the discriminator's first layer."""
    norm_d: Literal["batch", "instance", "none"] = "batch"
    """Normalisation of the discriminator."""
    half_d: bool = True
    """Halve the discriminator's loss, which slows it down, as in the paper."""
    l1: Weight = 100.0
    """How much the mean absolute difference counts."""
    feature_matching: Weight = 0.0
    """How much the difference of the discriminator's features counts."""
    perceptual: Weight = 0.0
    """How much the difference to a network for photographs counts."""
    perceptual_net: str = "efficientnet"
    """That network: efficientnet (of the scorer extra), or a file of VGG weights."""
