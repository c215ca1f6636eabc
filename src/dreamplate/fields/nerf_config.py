"""What the paper-faithful NeRF is: every option of the ``nerf`` recipe, spelt here and nowhere else.

Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis", 2020. The
defaults are those for synthetic scenes; ``FORWARD_FACING`` are those for photographs taken facing forward.
This module imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["FORWARD_FACING", "NerfConfig"]


@dataclass(frozen=True)
class NerfConfig:
    """A network of position and direction, sampled coarsely and then finely where something is."""

    depth: Annotated[int, Bounds(ge=1, le=32)] = 8
    """Layers of the trunk."""
    width: Annotated[int, Bounds(ge=2, le=4096)] = 256
    """Channels of each layer; the colour branch has half as many."""
    skips: tuple[Annotated[int, Bounds(ge=0, le=30)], ...] = (4,)
    """After these layers, counted from 0, the encoded position is seen again."""
    position_frequencies: Annotated[int, Bounds(ge=0, le=24)] = 10
    """Octaves of sines and cosines of the position."""
    view_frequencies: Annotated[int, Bounds(ge=0, le=24)] = 4
    """Octaves of sines and cosines of the viewing direction."""
    view_dependent: bool = True
    """Whether colour depends on the viewing direction."""
    coarse_samples: Annotated[int, Bounds(ge=3, le=4096)] = 64
    """Evenly stratified samples on each ray."""
    fine_samples: Annotated[int, Bounds(ge=0, le=4096)] = 128
    """Further samples where the coarse ones found something; 0 leaves the fine network out."""
    disparity: bool = False
    """Even steps of 1 / distance, for scenes seen from inside; open scenes always have them."""
    rays: Annotated[int, Bounds(ge=1, le=1_048_576)] = 1024
    """Rays a step."""
    rate: Annotated[float, Bounds(gt=0, le=1)] = 5e-4
    """Learning rate at the start."""
    decay: Annotated[float, Bounds(gt=0, le=1)] = 0.1
    """What is left of it at the end, after an exponential decay."""
    noise: Annotated[float, Bounds(ge=0, le=100)] = 0.0
    """Spread of the random numbers added to the raw density while training."""
    crop_steps: Annotated[int, Bounds(ge=0)] = 500
    """For so many steps rays are taken from the middle of the pictures only, so that the field does not
    settle on empty space."""
    crop_share: Annotated[float, Bounds(gt=0, le=1)] = 0.5
    """Share of width and height that is this middle."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of the network's matrix products."""
    chunk: Annotated[int, Bounds(ge=1, le=16_777_216)] = 65_536
    """Most points that go through a network at once."""
    graph: Annotated[int, Bounds(ge=1)] = 524_288
    """Most points of a step whose inner values are kept for the gradient (about 10 kB each at full width);
    where a step has more, they are computed again."""
    weights: str = ""
    """A model of the store or a public checkpoint to start from; its shapes say what the networks are."""


FORWARD_FACING = NerfConfig(rays=4096, noise=1.0, crop_steps=0)
"""Settings for photographs taken facing forward; normalised device coordinates follow from the scene."""
