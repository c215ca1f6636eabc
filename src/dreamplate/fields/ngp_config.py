"""Options of instant neural graphics primitives. No torch here: ``--help`` must not wait for it.

The defaults are the published ones (Müller et al., 2022, and the program that came with it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds

__all__ = ["NgpConfig"]

Share = Annotated[float, Bounds(ge=0, le=1)]
Rate = Annotated[float, Bounds(gt=0, le=10)]


@dataclass(frozen=True)
class NgpConfig:
    """A multiresolution hash grid with two small networks, marched through occupied space."""

    levels: Annotated[int, Bounds(ge=1, le=32)] = 16
    """Levels of the grid."""
    features: Annotated[int, Bounds(ge=1, le=16)] = 2
    """Numbers per entry."""
    log2_size: Annotated[int, Bounds(ge=8, le=26)] = 19
    """Most entries of a level, as a power of two."""
    base: Annotated[int, Bounds(ge=2, le=1024)] = 16
    """Resolution of the coarsest level along the longest side."""
    finest: Annotated[int, Bounds(ge=2, le=2**20)] = 2048
    """Resolution of the finest level along the longest side of the scene's box."""
    width: Annotated[int, Bounds(ge=8, le=1024)] = 64
    """Width of hidden layers: one of density, two of colour."""
    bands: Annotated[int, Bounds(ge=1, le=5)] = 4
    """Bands of spherical harmonics that colour sees of the viewing direction."""
    appearance: Annotated[int, Bounds(ge=0, le=256)] = 0
    """Numbers learnt for the look of each photograph; 0 for one look."""
    cells: Annotated[int, Bounds(ge=8, le=512)] = 128
    """Cells per side of the grid that says which space is occupied; a power of two."""
    cascades: Annotated[int, Bounds(ge=1, le=10)] = 8
    """For open scenes: how many such grids, each twice as wide."""
    march_steps: Annotated[int, Bounds(ge=16, le=2**16)] = 1024
    """Steps along the diagonal of the box."""
    cone: Share = 1 / 256
    """For open scenes: how much longer a step gets with distance."""
    threshold: Share = 0.01
    """Opacity of a step above which space counts as occupied, or the mean where that is less."""
    decay: Share = 0.95
    """What is left of an occupied cell's value at each look."""
    warm_up: Annotated[int, Bounds(ge=0)] = 256
    """For so many steps each look is at all cells; then at a quarter, and as many occupied ones."""
    look_every: Annotated[int, Bounds(ge=1)] = 16
    """Steps from one look at what is occupied to the next."""
    samples_per_step: Annotated[int, Bounds(ge=1024, le=2**24)] = 2**18
    """How many samples a step aims at; the number of rays follows."""
    rays: tuple[Annotated[int, Bounds(ge=16, le=2**20)], Annotated[int, Bounds(ge=16, le=2**20)]] = (
        256,
        2**16,
    )
    """Fewest and most rays of a step."""
    rate: Rate = 1e-2
    """Learning rate."""
    rate_decay: Share = 0.33
    """Factor on the learning rate each time it falls."""
    rate_from: Share = 20 / 35
    """Share of the fit after which it falls the first time (step 20,000 of 35,000)."""
    rate_every: Annotated[float, Bounds(gt=0, le=1)] = 10 / 35
    """Share of the fit from one fall to the next."""
    penalty: Annotated[float, Bounds(ge=0, le=1)] = 1e-6
    """Decay of the networks' weights (added to the gradient)."""
    clear: Share = 1e-4
    """Light left at which a ray ends."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the networks compute in."""

    def __post_init__(self) -> None:
        if self.cells & (self.cells - 1):
            raise ConfigError(f"cells is {self.cells}: choose a power of two")
        if self.finest < self.base:
            raise ConfigError(f"finest is {self.finest}, below base ({self.base}): make it at least as large")
        if self.rays[0] > self.rays[1]:
            raise ConfigError(f"rays is {self.rays}: give the fewest first, then the most")
