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
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


class GroundData(NamedTuple):
    """The ground: heights on nested grids, and what it is made of.

    All grids have the origin in their middle and the same number of points; each next one has cells twice as
    wide. A place is looked up in the finest grid that holds it. `kernels.ground` alone reads these; others ask
    its functions.

    Attributes:
        heights: ``(levels, n, n)`` metres, rows along z, columns along x, the finest grid first.
        peaks: ``(levels, b, b)`` highest value in blocks of 8 x 8 cells.
        steeps: ``(levels, b, b)`` steepest slope in these blocks.
        tops: ``(levels,)`` highest value of a grid and all coarser ones.
        cell: Metres between points of the finest grid.
        outer: Height beyond the last grid.
        cover: ``(n, n)`` what was built into the finest grid: 0 nothing, 1 road, 2 yard.
        road: ``(levels, n, n)`` metres from the middle of the road on the first grids; no levels: no road.
        along: ``(levels, n, n)`` metres along the road.
        road_width: Metres.
        yard: ``(1, n, n)`` metres outside of the nearest yard, on the finest grid; no levels: no yards.
        water: Height of the water's surface; -1e9 where the world has none.
        shape: Numbers that the shape follows from, see `kernels.ground_shape`.
        material: Numbers that the colours of the ground follow from, see `kernels.ground_material`.
        seed: Of all noise.
    """

    heights: Floats
    peaks: Floats
    steeps: Floats
    tops: Floats
    cell: float
    outer: float
    cover: Bytes
    road: Floats
    along: Floats
    road_width: float
    yard: Floats
    water: float
    shape: npt.NDArray[np.float64]
    material: Floats
    seed: int


class ThingData(NamedTuple):
    """Things that stand or move on the ground, trees among them; a row each.

    `things.make_things` fills it and `kernels.things` reads it. Every thing is held by an upright cylinder.

    Attributes:
        kind: ``(k,)`` row of the table of shapes (`shapes.SHAPES`).
        label: ``(k,)`` class id.
        place: ``(k, 3)`` where the foot of each is at time 0.
        turn: ``(k, 2)`` cosine and sine of its yaw.
        size: ``(k, 3)`` scale along the thing's own axes; 1 is its natural size.
        colour: ``(k, 3)`` main colour: walls, leaves, paint.
        accent: ``(k, 3)`` second colour: roof, sail, stripe.
        identity: ``(k,)`` instance id, from 1; unique.
        seed: ``(k,)`` mixed bits for small variations of shape.
        speed: ``(k, 3)`` metres a second; what moves goes straight on.
        phase: ``(k,)`` of its own motion: bobbing, turning sails, waving.
        reach: ``(k, 3)`` the cylinder that holds it: radius around ``place``, lower and upper end above it.
        snow: Share of upward surfaces that snow lies on, 0 to 1.
        movers: Rows with a speed; they are in no cell.
        fires: Rows that burn or smoke: campfires, and houses whose chimney smokes.
        cells: Uniform grid over x and z: rows of things in every cell, end to end.
        starts: ``(n * n + 1,)`` where each cell's rows begin in ``cells``; cells along z change slowest.
        tops: ``(n * n,)`` greatest height in every cell.
        grid: ``(5,)`` x0, z0, cell side, cells along a side (as a float), greatest height of all.
        wind: Strength.
    """

    kind: Ints
    label: Ints
    place: Floats
    turn: Floats
    size: Floats
    colour: Floats
    accent: Floats
    identity: Ints
    seed: Ints
    speed: Floats
    phase: Floats
    reach: Floats
    snow: float
    movers: Ints
    fires: Ints
    cells: Ints
    starts: Ints
    tops: Floats
    grid: Floats
    wind: float


class LightData(NamedTuple):
    """Light, sky and air; `light.make_light` fills it and `kernels.sky` reads it.

    Attributes:
        sun: ``(3,)`` unit vector towards the sun, or the moon at night: the light that casts shadows.
        sun_colour: ``(3,)`` its irradiance on a surface facing it.
        numbers: All else, in an order that `kernels.sky` knows: zenith and horizon colours, clouds, fog,
            stars, rain, wetness, exposure.
        seed: Of clouds and stars.
    """

    sun: Floats
    sun_colour: Floats
    numbers: Floats
    seed: int
