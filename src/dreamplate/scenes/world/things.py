"""Things of a world: rows of shapes become the arrays that rays are traced through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.scenes.world.data import Doubles, Longs, ThingData
from dreamplate.scenes.world.shapes import PLANTS, SHAPES, Shape
from dreamplate.take.fields import nearest

__all__ = ["PLANTS", "SHAPES", "Shape", "ThingRow", "make_things"]

Triple = tuple[float, float, float]
MOST_CELLS = 128
HOMES = ("house",)


@dataclass(frozen=True)
class ThingRow:
    """One thing: a shape, where it stands, its looks and its motion.

    Raises:
        SceneError: A shape nobody knows, or a number that is not finite, or a size that is not above 0.
    """

    shape: str
    """Name in `SHAPES`."""
    place: Triple
    """Its foot at time 0, metres; a boat's is the water's surface, a bridge's is what it leads over."""
    yaw: float = 0.0
    """Turn about +Y in radians: its front, -Z, then points along (-sin yaw, 0, -cos yaw)."""
    size: Triple | float = 1.0
    """Factor of its natural size, along its own axes."""
    colour: Triple = (0.6, 0.55, 0.5)
    """Main colour, linear: walls, hull, paint; leaves of plants."""
    accent: Triple = (0.4, 0.12, 0.08)
    """Second colour, linear: roof, sail, stripe, flowers."""
    seed: int = 0
    """Of its variations."""
    speed: Triple = (0.0, 0.0, 0.0)
    """Metres a second; it goes straight on from its place."""
    phase: float = 0.0
    """Radians; where in its own motion it is at time 0."""
    smoke: bool = False
    """A house whose chimney smokes. Campfires always do."""

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise SceneError(f"thing: no shape {self.shape!r}; {nearest(self.shape, tuple(SHAPES))}")
        for name in ("place", "yaw", "size", "colour", "accent", "speed", "phase"):
            value = getattr(self, name)
            if not np.all(np.isfinite(value)):
                raise SceneError(f"thing {self.shape!r}: {name} is {value}; need finite numbers")
        if min(self.sizes) <= 0:
            raise SceneError(f"thing {self.shape!r}: size is {self.size}; need numbers above 0")

    @property
    def sizes(self) -> Triple:
        """Its size along each of its axes."""
        if isinstance(self.size, tuple):
            return self.size
        return (self.size, self.size, self.size)

    @property
    def radius(self) -> float:
        """Of the upright cylinder that holds it, metres."""
        return SHAPES[self.shape].radius * max(self.sizes[0], self.sizes[2])


def make_things(rows: Sequence[ThingRow], wind: float = 1.0, snow: float = 0.0) -> ThingData:
    """Return rows as arrays with a grid over those that stay in their place.

    Instance ids are the rows' numbers plus 1.

    Args:
        rows: Any number of them, none included.
        wind: Strength; flags, boats, sails and smoke follow it.
        snow: Share of upward surfaces that snow lies on, 0 to 1.

    Raises:
        SceneError: Wind or snow is no such number.
    """
    if not math.isfinite(wind) or wind < 0:
        raise SceneError(f"wind is {wind}; need a number of at least 0")
    if not 0.0 <= snow <= 1.0:
        raise SceneError(f"snow is {snow}; need a number from 0 to 1")
    shapes = [SHAPES[row.shape] for row in rows]
    numbers = np.array([_numbers(*pair) for pair in zip(rows, shapes, strict=True)], np.float64)
    numbers = numbers.reshape(len(rows), 21)
    names = [
        (s.number, s.label, i + 1, _mixed(r.seed)) for i, (r, s) in enumerate(zip(rows, shapes, strict=True))
    ]
    moving = np.array([any(row.speed) for row in rows], bool)
    burning = np.array([row.shape == "campfire" or (row.smoke and row.shape in HOMES) for row in rows], bool)
    cells, grid = _grid(numbers, np.flatnonzero(~moving))
    return ThingData(
        numbers=numbers,
        names=np.array(names, np.int64).reshape(len(rows), 4),
        special=np.concatenate([np.flatnonzero(moving), np.flatnonzero(burning)]).astype(np.int64),
        moving=int(moving.sum()),
        cells=cells,
        grid=grid,
        snow=float(snow),
        wind=float(wind),
    )


def _numbers(row: ThingRow, shape: Shape) -> list[float]:
    """Return a row of ``ThingData.numbers``."""
    x, y, z = row.sizes
    turn = (math.cos(row.yaw), math.sin(row.yaw))
    reach = (row.radius, shape.low * y, shape.high * y)
    return [*row.place, *turn, x, y, z, *row.colour, *row.accent, *row.speed, row.phase, *reach]


def _mixed(seed: int) -> int:
    """Return 31 well mixed bits of a seed (the finaliser of splitmix64), so that single bits may be used."""
    word = (seed * 0x9E3779B97F4A7C15 + 0x7F4A7C15) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return (word ^ (word >> 31)) & 0x7FFFFFFF


def _grid(numbers: Doubles, rows: Longs) -> tuple[Longs, Doubles]:
    """Return ``ThingData.cells`` and ``ThingData.grid`` for some rows.

    A row is in every cell that its circle touches; circles are taken a little larger, so that a ray that
    enters one does so inside such a cell in spite of rounding.
    """
    if not len(rows):
        return np.zeros(2, np.int64), np.array([0, 0, 1, 1, -1e9, -1e9], np.float64)
    middle = numbers[rows][:, [0, 2]]
    radius = numbers[rows, 18] * 1.001 + 0.01
    tops = (numbers[rows, 1] + numbers[rows, 20]).tolist()
    x0, z0 = ((middle - radius[:, None]).min(axis=0) - 0.5).tolist()
    side = float(((middle + radius[:, None]).max(axis=0) - [x0, z0]).max()) + 0.5
    n = int(min(MOST_CELLS, max(1.0, side / 4.0), max(4.0, 2.0 * math.sqrt(len(rows)))))
    cell = side / n
    members: list[list[int]] = [[] for _ in range(n * n)]
    height = [-1e9] * (n * n)
    for row, (x, z), r, top in zip(rows.tolist(), middle.tolist(), radius.tolist(), tops, strict=True):
        for k in range(max(0, int((z - r - z0) / cell)), min(n - 1, int((z + r - z0) / cell)) + 1):
            for i in range(max(0, int((x - r - x0) / cell)), min(n - 1, int((x + r - x0) / cell)) + 1):
                across = x - min(max(x, x0 + i * cell), x0 + (i + 1) * cell)
                along = z - min(max(z, z0 + k * cell), z0 + (k + 1) * cell)
                if across * across + along * along <= r * r:
                    members[k * n + i].append(row)
                    height[k * n + i] = max(height[k * n + i], top)
    starts = np.cumsum([0] + [len(inside) for inside in members])
    inside = np.array([row for inside in members for row in inside], np.int64)
    return np.concatenate([starts, inside]), np.array([x0, z0, cell, n, max(tops), *height], np.float64)
