"""What the renderer sees: arrays of ground, things and light, as compiled functions take them.

World axes: +X right (east), +Y up, +Z towards the viewer of a map (south); metres, seconds; cameras as in
``plate.camera`` (OpenGL axes). Colours are linear Rec. 709. Angles in radians. A yaw turns a thing about +Y:
a thing's own +X axis points along (cos yaw, 0, -sin yaw), its front is its own -Z axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["GroundData", "LightData", "ThingData"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


class GroundData(NamedTuple):
    """The ground: heights on nested grids, and what it is made of.

    It is few arrays for the reason that `ThingData` has; properties name what stands in them.

    All grids have the origin in their middle and the same number of points; each next one has cells twice as
    wide. A place is looked up in the finest grid that holds it. `kernels.ground` alone reads these; others
    ask its functions.

    Attributes:
        heights: ``(levels, n, n)`` metres, rows along z, columns along x, the finest grid first.
        blocks: ``(2 levels, b, b)`` of blocks of 8 x 8 cells: the peaks of all levels, then the steeps.
        top: Highest value of all.
        cell: Metres between points of the finest grid.
        outer: Height beyond the last grid.
        built: ``(2 roads + yards, n, n)`` distances on the first grids: from the road, along it, from yards.
        roads: Grids that know the road: 0 without one.
        yards: Grids that know yards: 1, or 0 without any.
        road_width: Metres.
        water: Height of the water's surface; -1e9 where the world has none.
        material: Numbers that the colours of the ground follow from, see `kernels.ground_material`.
        seed: Of all noise.
    """

    heights: Floats
    blocks: Floats
    top: float
    cell: float
    outer: float
    built: Floats
    roads: int
    yards: int
    road_width: float
    water: float
    material: Floats
    seed: int

    @property
    def peaks(self) -> Floats:
        """Highest value in each block, ``(levels, b, b)``."""
        return self.blocks[: len(self.heights)]

    @property
    def steeps(self) -> Floats:
        """Steepest slope in each block, ``(levels, b, b)``."""
        return self.blocks[len(self.heights) :]

    @property
    def road(self) -> Floats:
        """Metres from the middle of the road, negative on its left, ``(roads, n, n)``."""
        return self.built[: self.roads]

    @property
    def along(self) -> Floats:
        """Metres along the road, ``(roads, n, n)``."""
        return self.built[self.roads : 2 * self.roads]

    @property
    def yard(self) -> Floats:
        """Metres outside of the nearest yard, on the finest grid, ``(yards, n, n)``."""
        return self.built[2 * self.roads :]


class ThingData(NamedTuple):
    """Things that stand or move on the ground, trees among them; a row each.

    `things.make_things` fills it and `kernels.things` reads it. It is five arrays only because a compiled
    function counts references to every array that it is given; properties name what stands in them.

    Attributes:
        numbers: ``(k, 21)`` place (3), cosine and sine of the yaw, size (3), colour (3), accent (3), speed
            (3), phase, and the upright cylinder that holds the thing: radius, lower and upper end.
        names: ``(k, 4)`` row of the table of shapes, class id, instance id, mixed bits of its seed.
        special: Rows with a speed, which are in no cell; then rows that burn or smoke.
        moving: How many of them move.
        cells: Uniform grid over x and z, ``n`` by ``n``, z slowest: ``n * n + 1`` places where each cell's
            rows begin behind them, then the rows of all cells, end to end.
        grid: x0, z0, cell side, n, greatest height of all, then ``n * n`` greatest heights in the cells.
        snow: Share of upward surfaces that snow lies on, 0 to 1.
        wind: Strength.
    """

    numbers: Doubles
    names: Longs
    special: Longs
    moving: int
    cells: Longs
    grid: Doubles
    snow: float
    wind: float

    @property
    def kind(self) -> Longs:
        """Row of the table of shapes of each thing, ``(k,)``."""
        return self.names[:, 0]

    @property
    def label(self) -> Longs:
        """Class id, ``(k,)``."""
        return self.names[:, 1]

    @property
    def identity(self) -> Longs:
        """Instance id, from 1; unique, ``(k,)``."""
        return self.names[:, 2]

    @property
    def seed(self) -> Longs:
        """Mixed bits for small variations of shape, ``(k,)``."""
        return self.names[:, 3]

    @property
    def place(self) -> Doubles:
        """Where the foot of each is at time 0, ``(k, 3)``."""
        return self.numbers[:, 0:3]

    @property
    def turn(self) -> Doubles:
        """Cosine and sine of the yaw, ``(k, 2)``."""
        return self.numbers[:, 3:5]

    @property
    def size(self) -> Doubles:
        """Scale along own axes; 1 is the natural size, ``(k, 3)``."""
        return self.numbers[:, 5:8]

    @property
    def colour(self) -> Doubles:
        """Main colour: walls, leaves, paint, ``(k, 3)``."""
        return self.numbers[:, 8:11]

    @property
    def accent(self) -> Doubles:
        """Second colour: roof, sail, stripe, ``(k, 3)``."""
        return self.numbers[:, 11:14]

    @property
    def speed(self) -> Doubles:
        """Metres a second; what moves goes straight on, ``(k, 3)``."""
        return self.numbers[:, 14:17]

    @property
    def phase(self) -> Doubles:
        """Where in its own motion each is at time 0: bobbing, turning sails, waving, ``(k,)``."""
        return self.numbers[:, 17]

    @property
    def reach(self) -> Doubles:
        """The cylinder that holds each: radius around the place, lower and upper end above it, ``(k, 3)``."""
        return self.numbers[:, 18:21]

    @property
    def movers(self) -> Longs:
        """Rows with a speed."""
        return self.special[: self.moving]

    @property
    def fires(self) -> Longs:
        """Rows that burn or smoke: campfires, and houses whose chimney smokes."""
        return self.special[self.moving :]


class LightData(NamedTuple):
    """Light, sky and air; `light.make_light` fills it and `kernels.sky` reads it.

    Attributes:
        sun: ``(3,)`` unit vector towards the sun, or the moon at night: the light that casts shadows.
        sun_colour: ``(3,)`` its irradiance on a surface facing it.
        numbers: All of it, these three as well, in the order of `light_layout`; kernels are given this alone.
        seed: Of clouds and stars.
    """

    sun: Floats
    sun_colour: Floats
    numbers: Doubles
    seed: int
