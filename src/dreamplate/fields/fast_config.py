"""Options of the fast field. No torch here: ``--help`` must not wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

Share = Annotated[float, Bounds(ge=0, le=1)]
Rate = Annotated[float, Bounds(gt=0, le=10)]
Weight = Annotated[float, Bounds(ge=0, le=1000)]


@dataclass(frozen=True)
class FastConfig:
    """The fast field: a sparse grid of bricks, grown coarse to fine, with a small colour network."""

    resolutions: tuple[Annotated[int, Bounds(ge=16, le=1024, multiple_of=4)], ...] = (64, 128, 192, 288)
    """Vertices along the longest side at each stage."""
    starts: tuple[Share, ...] = (0.0, 0.04, 0.12, 0.3)
    """When each stage begins, as a share of the whole fit."""
    samples_per_vertex: Weight = 40.0
    """A finer grid is taken up only if so many samples are to come for each of its vertices."""
    steps: tuple[Annotated[float, Bounds(ge=0.1, le=4)], ...] = (1.0, 0.5, 0.5, 0.5)
    """Length of a step along a ray at each stage, in cells."""
    samples: tuple[Annotated[int, Bounds(ge=1024, le=2**22)], ...] = (32_768, 65_536, 131_072, 131_072)
    """How many samples one step aims at, at each stage; the number of rays follows."""
    rays: tuple[Annotated[int, Bounds(ge=64, le=2**20)], Annotated[int, Bounds(ge=64, le=2**20)]] = (
        1024,
        16384,
    )
    """Fewest and most rays of a step."""
    density_rate: Rate = 0.3
    """Learning rate of density."""
    feature_rate: Rate = 0.2
    """Learning rate of features."""
    network_rate: Rate = 2e-3
    """Learning rate of the colour network."""
    rate_end: Annotated[float, Bounds(gt=0, le=1)] = 0.1
    """Share of the learning rates that is left at the end."""
    diffuse_stages: Annotated[int, Bounds(ge=0, le=16)] = 2
    """How many stages do without the colour network: features are colours there, the same from everywhere."""
    width: Annotated[int, Bounds(ge=8, le=512)] = 64
    """Width of the colour network."""
    appearance: Annotated[int, Bounds(ge=0, le=256)] = 0
    """Numbers learnt for the look of each photograph; 0 for one look."""
    opacity_start: Annotated[float, Bounds(gt=0, lt=1)] = 0.01
    """Opacity of one coarse step before anything is learnt."""
    smooth_density: Weight = 0.0
    """Weight of total variation of density."""
    smooth_features: Weight = 0.0
    """Weight of total variation of features."""
    least: Annotated[float, Bounds(ge=0, lt=1)] = 1e-3
    """Steps that weigh less than this in their ray count as clear."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """What the colour network computes in while learning."""
