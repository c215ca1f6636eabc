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
    """The ground: heights on grids, and what it is made of.

    `kernels.ground` alone reads these; others ask its functions.

    Attributes:
        heights: ``(n, n)`` metres, rows along z, columns along x; the fine grid around the viewpoint.
        peaks: Highest value in blocks of heights, for skipping; laid out as `kernels.ground` likes.
        x0: Of the first column.
        z0: Of the first row.
        cell: Metres between columns and rows.
        far: ``(m, m)`` heights of the coarse grid that reaches to the horizon, with the same middle.
        far_cell: Metres between its columns.
        cover: ``(n, n)`` what was built into the fine grid: 0 nothing, 1 road, 2 yard.
        water: Height of the water's surface; -1e9 where the world has none.
        material: Numbers that the colours of the ground follow from.
        seed: Of all noise.
    """

    heights: Floats
    peaks: Floats
    x0: float
    z0: float
    cell: float
    far: Floats
    far_cell: float
    cover: Bytes
    water: float
    material: Floats
    seed: int


class ThingData(NamedTuple):
    """Things that stand or move on the ground, trees among them; a row each.

    `things.make_things` fills it and `kernels.things` reads it. Every thing is held by an upright cylinder.

    Attributes:
        kind: ``(k,)`` row of the table of shapes (`shapes.SHAPES`).
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
        lamps: Rows that light their surroundings: campfires, lamps, lighthouses.
        fires: Rows that burn or smoke: campfires, and houses whose chimney smokes.
        cells: Uniform grid over x and z: rows of things in every cell, end to end.
        starts: ``(n * n + 1,)`` where each cell's rows begin in ``cells``; cells along z change slowest.
        tops: ``(n * n,)`` greatest height in every cell.
        grid: ``(5,)`` x0, z0, cell side, cells along a side (as a float), greatest height of all.
        wind: Strength.
    """

    kind: Ints
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
    lamps: Ints
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
