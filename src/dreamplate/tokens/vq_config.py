"""Options of vq. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dreamplate.take.fields import Bounds

__all__ = ["VqOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e4)]
Share = Annotated[float, Bounds(ge=0, le=1)]
Blocks = Annotated[int, Bounds(ge=0, le=64)]
Width = Annotated[int, Bounds(ge=4, le=4096, multiple_of=4)]


@dataclass(frozen=True)
class VqOptions:
    """Our own codec of pictures: a learned codebook, one code for every 8 x 8 pixels."""

    codes: Annotated[int, Bounds(ge=2, le=65_536)] = 1024
    """Size of the codebook."""
    latent: Annotated[int, Bounds(ge=2, le=1024)] = 16
    """Numbers that a code stands for."""
    encoder_width: Width = 64
    """Channels of the encoder at a quarter of the size; twice as many at an eighth."""
    encoder_blocks: Blocks = 2
    """Residual blocks of the encoder at each of the two sizes."""
    decoder_width: Width = 160
    """Channels of the decoder at an eighth of the size; half as many at each larger one."""
    decoder_blocks: Blocks = 3
    """Residual blocks of the decoder at an eighth of the size."""
    plain: Share = 0.05
    """Share of the run that learns without codes; the book then begins from what is found."""
    decay: Share = 0.99
    """Of the codebook's running means, for each step."""
    commitment: Weight = 0.025
    """Weight of the squared distance between cells and their codes."""
    squared: Weight = 1.0
    """Weight of the mean squared difference."""
    psnr: Weight = 0.0
    """Weight of a decibel of PSNR, up to 40, of every picture by itself: dim and even ones then count as much
    as those of high contrast."""
    l1: Weight = 0.0
    """Weight of the mean absolute difference."""
    edges: Weight = 0.0
    """Weight of the error of neighbouring pixels' differences."""
    perceptual: Weight = 0.0
    """Weight of the distance to a network that knows photographs."""
    perceptual_net: str = "efficientnet"
    """Which network that is: efficientnet (of the scorer extra), or a file of VGG weights."""
    perceptual_from: Share = 0.0
    """Share of the run after which it is asked."""
    weight_decay: Share = 1e-4
    """How fast weights shrink (AdamW)."""
