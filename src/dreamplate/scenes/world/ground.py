"""The ground of a world: its shape from a spec, and its grids with what was built upon it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.scenes.world.data import GroundData
from dreamplate.scenes.world.ground_forms import DRY_LEVEL, ground_seed, shape_numbers
from dreamplate.scenes.world.ground_looks import material_numbers
from dreamplate.scenes.world.kernels import ground_bake as baking
from dreamplate.scenes.world.kernels import ground_list as lists
from dreamplate.scenes.world.kernels import ground_shape as shapes
from dreamplate.scenes.world.spec import WorldSpec

__all__ = ["CELL", "LEVELS", "SIDE", "Flat", "Ground", "GroundShape", "bake", "shape_of"]

Values = npt.NDArray[np.float64]
CELL = 2.5
"""Metres between points of the finest grid."""
SIDE = 257
"""Points along a side of every grid."""
LEVELS = 7
"""Grids, each twice as wide as the one before; the last reaches 20 km."""
RING = 16
"""Cells over which a grid passes into the next."""
ROAD_LEVELS = 3
"""Grids that know the road."""
ROAD_STEP = 4.0
"""Metres between heights along a road."""


@dataclass(frozen=True)
class Flat:
    """A place made level to build on."""

    x: float
    """Metres."""
    z: float
    """Metres."""
    radius: float
    """Metres within which the ground is level; about as far again it evens out."""
    height: float | None = None
    """Metres; none: the height that the ground has there of itself."""


@dataclass(frozen=True, eq=False)
class GroundShape:
    """Ground before anything is built on it, at any place; cheap to make."""

    spec: WorldSpec
    numbers: Values
    """See `kernels.ground_shape.NUMBERS`."""
    seed: int
    """Of all noise."""
    water: float
    """Height of the water's surface; -1e9 where the world has none."""
    extent: float = CELL * (SIDE // 2)
    """Half the side, in metres, of the square around the origin whose ground is finest."""

    def height(self, x: npt.ArrayLike, z: npt.ArrayLike, detail: float = 2.0 * CELL) -> Values:
        """Return heights of the ground (or the bed of the water) at places; below ``water``: under water.

        Args:
            x: Metres, of any shape.
            z: Likewise.
            detail: Shortest wave worth computing, metres; coarser is quicker.
        """
        flat_x, flat_z, shape = _places(x, z)
        out = np.empty(flat_x.shape)
        shapes.list_heights(flat_x, flat_z, float(detail), self.numbers, self.seed, out)
        return out.reshape(shape)

    def shore(self, x: npt.ArrayLike, z: npt.ArrayLike) -> Values:
        """Return about how many metres places lie from the water, negative in it; 1e9: no shore."""
        flat_x, flat_z, shape = _places(x, z)
        out = np.empty(flat_x.shape)
        shapes.list_shores(flat_x, flat_z, self.numbers, self.seed, out)
        return out.reshape(shape)

    def is_water(self, x: npt.ArrayLike, z: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether places lie under water."""
        return self.height(x, z) < self.water


@dataclass(frozen=True, eq=False)
class Ground:
    """Ground as rays meet it, with what was built on it."""

    data: GroundData
    shape: GroundShape

    @property
    def water(self) -> float:
        """Height of the water's surface; -1e9 where the world has none."""
        return self.shape.water

    def height(self, x: npt.ArrayLike, z: npt.ArrayLike) -> Values:
        """Return heights of the ground (or the bed of the water) at places."""
        flat_x, flat_z, shape = _places(x, z)
        out = np.empty(flat_x.shape)
        lists.list_ground(flat_x, flat_z, self.data, out)
        return out.reshape(shape)

    def normal(self, x: npt.ArrayLike, z: npt.ArrayLike) -> Values:
        """Return unit normals ``(..., 3)`` of the ground at places, without small bumps."""
        flat_x, flat_z, shape = _places(x, z)
        out = np.empty((*flat_x.shape, 3))
        lists.list_normals(flat_x, flat_z, self.data, out)
        return out.reshape(*shape, 3)

    def is_water(self, x: npt.ArrayLike, z: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether places lie under water."""
        return self.height(x, z) < self.water

    def forest(self, x: npt.ArrayLike, z: npt.ArrayLike) -> Values:
        """Return how densely trees stand at places, 0 to 1; far forest is painted by the same measure."""
        flat_x, flat_z, shape = _places(x, z)
        out = np.empty(flat_x.shape)
        lists.list_forest(flat_x, flat_z, self.data, out)
        return out.reshape(shape)


def shape_of(spec: WorldSpec) -> GroundShape:
    """Return the shape of a world's ground.

    Water lies in front of the origin, in the view along -Z, and the ground within 28 m of the origin is dry.
    Islands stand in the sea whether the water is said to be a sea or a lake. A coast or islands without water
    are their own dry beds: the tide is out.
    """
    water = DRY_LEVEL if spec.water == "none" else 0.0
    return GroundShape(spec, shape_numbers(spec), ground_seed(spec), water)


def bake(
    shape: GroundShape,
    flats: Sequence[Flat] = (),
    road: npt.ArrayLike | None = None,
    *,
    road_width: float = 6.0,
    forest_from: float = 260.0,
) -> Ground:
    """Return ground as rays meet it.

    Args:
        shape: The ground of itself.
        flats: Places made level; they are yards.
        road: ``(k, 2)`` x and z of the middle of a road, at least 2 points; laid with gentle slopes.
        road_width: Metres.
        forest_from: Metres from the origin from which forest is painted upon the ground as a canopy; nearer
            ground is left for trees that stand as things.

    Raises:
        SceneError: A road of other shape or a radius or width that is not positive.
    """
    half = SIDE // 2
    heights = np.zeros((LEVELS, SIDE, SIDE), np.float32)
    for level in range(LEVELS):
        cell = CELL * 2**level
        hole = 0 if level == 0 else half // 2 - RING // 2 - 1
        numbers = (-half * cell, -half * cell, cell, 2.0 * cell, hole, shape.numbers, shape.seed)
        shapes.fill_heights(*numbers, heights[level])
    outer = _fade_out(heights[-1], shape)
    yard = np.full((1 if flats else 0, SIDE, SIDE), 1e9, np.float32)
    _lay_flats(heights, shape, flats, yard)
    away, along = _lay_road(heights, shape, road, road_width)
    for level in range(LEVELS - 2, -1, -1):
        baking.follow_coarse(heights[level], heights[level + 1], RING)
    for level in range(LEVELS - 1):
        baking.follow_fine(heights[level + 1], heights[level], half // 2 - RING // 2)
    side = half // 4
    blocks = np.empty((2 * LEVELS, side, side), np.float32)
    for level in range(LEVELS):
        baking.measure_blocks(heights[level], CELL * 2**level, blocks[level], blocks[LEVELS + level])
    data = GroundData(
        heights=heights,
        blocks=blocks,
        top=float(blocks[:LEVELS].max()),
        cell=CELL,
        outer=outer,
        built=np.concatenate([away, along, yard]),
        roads=len(away),
        yards=len(yard),
        road_width=float(road_width),
        water=shape.water,
        material=material_numbers(shape.spec, forest_from),
        seed=shape.seed,
    )
    return Ground(data, shape)


def _places(x: npt.ArrayLike, z: npt.ArrayLike) -> tuple[Values, Values, tuple[int, ...]]:
    wide_x, wide_z = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(z, np.float64))
    return wide_x.ravel(), wide_z.ravel(), wide_x.shape


def _fade_out(far: npt.NDArray[np.float32], shape: GroundShape) -> float:
    """Let the rim of the last grid pass into one height, and return it."""
    outer = -6.0 if shape.spec.water == "sea" else 3.0
    steps = np.arange(SIDE)
    depth = np.minimum(steps, SIDE - 1 - steps)
    share = np.clip(np.minimum(depth[:, None], depth[None, :]) / 12.0, 0.0, 1.0)
    far[:] = outer + (far - outer) * share
    return outer


def _lay_flats(
    heights: npt.NDArray[np.float32],
    shape: GroundShape,
    flats: Sequence[Flat],
    yard: npt.NDArray[np.float32],
) -> None:
    if not flats:
        return
    for flat in flats:
        if not flat.radius > 0.0:
            raise SceneError(f"flat at ({flat.x:g}, {flat.z:g}): radius {flat.radius:g} must be above 0")
    own = shape.height([flat.x for flat in flats], [flat.z for flat in flats])
    rows = np.array(
        [
            (flat.x, flat.z, flat.radius, own[k] if flat.height is None else flat.height)
            for k, flat in enumerate(flats)
        ],
        np.float64,
    )
    nothing = np.empty((0, 0), np.float32)
    for level in range(LEVELS):
        baking.level_flats(heights[level], CELL * 2**level, rows, yard[0] if level == 0 else nothing)


def _lay_road(
    heights: npt.NDArray[np.float32], shape: GroundShape, road: npt.ArrayLike | None, width: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    if road is None:
        return np.empty((0, SIDE, SIDE), np.float32), np.empty((0, SIDE, SIDE), np.float32)
    points = np.asarray(road, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
        raise SceneError(f"road: array of shape {points.shape}; it must be (k, 2), finite, with k at least 2")
    if not width > 0.0:
        raise SceneError(f"road: width {width:g} must be above 0")
    metres = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    path = np.column_stack([points, metres])
    profile = _profile(shape, path)
    away = np.full((ROAD_LEVELS, SIDE, SIDE), 1e9, np.float32)
    along = np.zeros_like(away)
    for level in range(ROAD_LEVELS):
        cell = CELL * 2**level
        baking.measure_road(path, cell, width / 2.0 + 16.0 + 2.0 * cell, away[level], along[level])
        baking.level_road(heights[level], cell, away[level], along[level], width / 2.0, profile, ROAD_STEP)
    return away, along


def _profile(shape: GroundShape, path: Values) -> Values:
    """Return heights of a road every `ROAD_STEP` metres: the ground's own, evened out over some 60 m."""
    places = np.arange(0.0, path[-1, 2] + 2.0 * ROAD_STEP, ROAD_STEP)
    x = np.interp(places, path[:, 2], path[:, 0])
    z = np.interp(places, path[:, 2], path[:, 1])
    own = np.maximum(shape.height(x, z), shape.water + 1.2)
    window = np.hanning(17)[1:-1]
    window /= window.sum()
    room = len(window) // 2
    padded = np.pad(own, room, mode="edge")
    return np.convolve(
        np.convolve(padded, window, "valid")[[0] * room + list(range(len(own))) + [-1] * room],
        window,
        "valid",
    )
