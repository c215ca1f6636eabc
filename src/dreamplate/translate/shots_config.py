"""Options of shots. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["ShotsOptions"]

Weight = Annotated[float, Bounds(ge=0, le=1e6)]
Width = Annotated[int, Bounds(ge=1, le=1024)]


@dataclass(frozen=True)
class ShotsOptions:
    """A few painted key frames, learnt patch by patch (Texler and others 2020)."""

    patch: Annotated[int, Bounds(ge=8, le=1024)] = 32
    """Side of the patches that count, in pixels."""
    margin: Annotated[int, Bounds(ge=0, le=256)] = 0
    """Pixels around each patch that are seen and do not count."""
    patches: Annotated[int, Bounds(ge=1, le=65_536)] = 40
    """Patches in a step, over all processes, from the frames of its batch."""
    width: Width = 32
    """Channels of the generator's first level."""
    blocks: Annotated[int, Bounds(ge=0, le=100)] = 5
    """Residual blocks at a quarter of the size."""
    norm: Literal["batch", "instance", "none"] = "batch"
    """Normalisation; batch and none treat a pixel alike whatever else its frame shows, so frames agree."""
    residual: bool = True
    """Learn a change of the frame where both sides have as many channels; else the whole picture."""
    guides: Annotated[int, Bounds(ge=0, le=256)] = 0
    """Soft dots fixed in the frame that the generator sees besides: they tell places apart, so that one
    colour may be painted differently in different places. For steady cameras."""
    gan: Literal["vanilla", "lsgan", "hinge", "non_saturating", "none"] = "lsgan"
    """Adversarial loss; none: no discriminator, the other losses alone."""
    gan_weight: Weight = 0.5
    """How much the discriminator's opinion counts."""
    receptive: Literal[1, 16, 34, 70] = 16
    """Pixels a side that one score of the discriminator sees."""
    width_d: Width = 32
    """Channels of the discriminator's first layer."""
    l1: Weight = 4.0
    """How much the mean absolute difference counts."""
    perceptual: Weight = 0.0
    """How much the difference to a network for photographs counts; 6 in the paper."""
    perceptual_net: str = "efficientnet"
    """That network: efficientnet (of the scorer extra), or a file of VGG weights."""
