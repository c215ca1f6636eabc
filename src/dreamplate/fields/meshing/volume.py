"""A field's density on a lattice of the world: what surfaces are cut out of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from dreamplate.errors import ConfigError, SceneError
from dreamplate.fields.method import Method

__all__ = ["Lattice", "Volume", "lattice_of", "sample_density"]

Progress = Callable[[str, int, int], None]

_POINT_BYTES = 16_384
"""What looking up one point is taken to need at most: a network of width 256 keeps a few layers of it."""
_CELL_BYTES = 24
"""What a lattice point needs while a surface is cut out: sums, values, marching cubes' own tables."""


@dataclass(frozen=True)
class Lattice:
    """Points in a box, equally far apart along all three axes.

    Attributes:
        origin: The first point, in world units.
        spacing: Distance of neighbours: the side of a voxel, in world units.
        counts: How many points along x, y and z.
    """

    origin: tuple[float, float, float]
    spacing: float
    counts: tuple[int, int, int]

    def points(self, first: int, last: int) -> npt.NDArray[np.float64]:
        """Return points by number, x slowest: ``(last - first, 3)`` in world units."""
        places = np.unravel_index(np.arange(first, last), self.counts)
        return np.asarray(np.stack(places, axis=1) * self.spacing + np.array(self.origin), np.float64)


@dataclass(frozen=True, eq=False)
class Volume:
    """Values on a lattice.

    Attributes:
        lattice: Where the values are.
        values: float32 ``(x, y, z)``.
        known: ``(x, y, z)`` False where a value means nothing, or None where all are good.
    """

    lattice: Lattice
    values: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_] | None = None


def lattice_of(box: npt.ArrayLike, resolution: int, memory: int) -> Lattice:
    """Return the lattice of a box.

    Args:
        box: ``(2, 3)`` lowest and highest corner, in world units.
        resolution: Voxels along the longest side. The other sides are rounded up to whole voxels, evenly on
            both ends, so the lattice covers the box and voxels are cubes.
        memory: Bytes that the volume may take.

    Raises:
        SceneError: The box is empty or not finite.
        ConfigError: The volume would need more memory.
    """
    corners = np.asarray(box, float).reshape(2, 3)
    sides = corners[1] - corners[0]
    if not np.isfinite(corners).all() or not (sides > 0).all():
        raise SceneError(f"box is {corners.tolist()}: need a finite lowest and a higher highest corner")
    spacing = float(sides.max()) / resolution
    cells = np.maximum(np.ceil(sides / spacing - 1e-6).astype(int), 1)
    needed = int(np.prod(cells + 1)) * _CELL_BYTES
    if needed > memory:
        fits = max(1, int(resolution * (memory / needed) ** (1 / 3)) - 1)
        raise ConfigError(
            f"resolution is {resolution}: needs {needed / 2**30:.1f} GiB, memory is {memory / 2**30:.1f} GiB;"
            f" choose {fits} or less, or raise memory"
        )
    origin = corners.mean(0) - cells * spacing / 2
    return Lattice((*map(float, origin),), spacing, (*(int(c) + 1 for c in cells),))  # type: ignore[arg-type]


def sample_density(
    method: Method,
    lattice: Lattice,
    memory: int,
    device: str = "cpu",
    progress: Progress = lambda name, done, total: None,
) -> Volume:
    """Return the density of a field on a lattice, per world unit, in chunks that fit the memory.

    Raises:
        SceneError: The field has densities that are not finite.
    """
    total = math.prod(lattice.counts)
    values = np.empty(total, np.float32)
    step = points_at_once(memory)
    for first in range(0, total, step):
        last = min(first + step, total)
        points = torch.from_numpy(lattice.points(first, last)).float().to(device)
        values[first:last] = method.density(points).detach().float().cpu().numpy()
        progress("density", last, total)
    broken = int(total - np.isfinite(values).sum())
    if broken:
        raise SceneError(
            f"the field's density is NaN or infinite at {broken} of {total} points; fit it again"
        )
    return Volume(lattice, values.reshape(lattice.counts))


def points_at_once(memory: int) -> int:
    """Return how many points may be looked up together."""
    return max(1024, min(memory // 2 // _POINT_BYTES, 1 << 19))
