from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from dreamplate.errors import SceneError
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.ground import CELL, LEVELS, SIDE, Flat, bake, shape_of
from dreamplate.scenes.world.kernels import ground as kernels
from dreamplate.scenes.world.spec import BIOMES, WorldSpec

DRAWS = np.random.default_rng(8)


@pytest.fixture(scope="module")
def mountains():
    return bake(shape_of(WorldSpec(seed=5, biome="mountains", water="lake")))


@pytest.fixture(scope="module")
def built():
    shape = shape_of(WorldSpec(seed=9, biome="hills"))
    flats = [Flat(60.0, -120.0, 14.0), Flat(-80.0, -90.0, 10.0, height=33.0)]
    road = np.array([[0.0, 20.0], [4.0, -60.0], [40.0, -180.0], [30.0, -300.0]])
    return bake(shape, flats, road, road_width=7.0)


def ring(low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places whose larger coordinate is between two numbers."""
    points = DRAWS.uniform(-high, high, (count * 8, 2))
    far = np.abs(points).max(1)
    kept = points[(far > low) & (far < high)][:count]
    return kept[:, 0], kept[:, 1]


@pytest.mark.parametrize("biome", BIOMES)
@pytest.mark.parametrize("water", ["none", "river"])
def test_baked_ground_is_the_shape_at_its_points(biome, water):
    shape = shape_of(WorldSpec(seed=3, biome=biome, water=water))
    ground = bake(shape)
    for level in range(LEVELS - 1):
        cell = CELL * 2**level
        inner = 0 if level == 0 else SIDE // 4 + 1
        index = DRAWS.integers(-SIDE // 2 + 18, SIDE // 2 - 17, (200, 2))
        index = index[np.abs(index).max(1) > inner]
        x, z = index[:, 0] * cell, index[:, 1] * cell
        assert len(x) > 20
        np.testing.assert_allclose(ground.height(x, z), shape.height(x, z, 2.0 * cell), atol=1e-3)


def test_ground_between_points_stays_near_the_shape(mountains):
    x, z = ring(0.0, 250.0, 400)
    errors = np.abs(mountains.height(x, z) - mountains.shape.height(x, z))
    assert np.quantile(errors, 0.95) < 0.4


def test_there_is_no_step_where_one_grid_passes_into_the_next(mountains):
    half = SIDE // 2
    for level in range(LEVELS - 1):
        edge = half * CELL * 2**level
        along = DRAWS.uniform(-edge, edge, 60)
        step = 1e-6 * edge
        for x0, z0, x1, z1 in (
            (edge - step, along, edge + step, along),
            (along, -edge + step, along, -edge - step),
        ):
            inside, outside = mountains.height(x0, z0), mountains.height(x1, z1)
            np.testing.assert_allclose(inside, outside, atol=2e-2 * 2**level)


def test_beyond_the_last_grid_the_ground_is_flat(mountains):
    far = CELL * 2 ** (LEVELS - 1) * (SIDE // 2)
    assert set(mountains.height([far + 1, -2 * far, 0.0], [0.0, 0.0, 5 * far])) == {mountains.data.outer}
    assert mountains.height(far - 1e-3, 0.0) == pytest.approx(mountains.data.outer, abs=1e-2)


@pytest.mark.parametrize("biome", BIOMES)
def test_the_ground_is_gentle_around_the_viewpoint(biome):
    for seed in range(6):
        shape = shape_of(WorldSpec(seed=seed, biome=biome))
        angles = np.linspace(0, 2 * math.pi, 40)
        own = shape.height(0.0, 0.0)
        near = shape.height(12 * np.cos(angles), 12 * np.sin(angles))
        assert np.abs(near - own).max() < 5.0  # no wall before the lens


def test_relief_makes_ground_higher_and_none_makes_it_flat():
    x, z = ring(400.0, 3000.0, 300)
    spreads = [
        shape_of(WorldSpec(seed=2, biome="mountains", relief=relief)).height(x, z).std()
        for relief in (0.0, 0.5, 1.0, 2.0)
    ]
    assert spreads[0] < 1e-9
    np.testing.assert_allclose(np.array(spreads) / spreads[2], (0.0, 0.5, 1.0, 2.0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("water", ["sea", "lake", "river"])
@pytest.mark.parametrize("biome", BIOMES)
def test_water_lies_before_the_viewpoint_and_the_viewpoint_is_dry(biome, water):
    z, x = np.meshgrid(np.linspace(-700, -8, 90), np.linspace(-0.5, 0.5, 41), indexing="ij")
    x = x * np.abs(z)  # a field of view of 53 degrees
    for seed in range(12):
        shape = shape_of(WorldSpec(seed=seed, biome=biome, water=water))
        wet = shape.is_water(x, z)
        share = {"sea": 0.12, "lake": 0.08, "river": 0.012}[water]
        assert wet.mean() > share, seed
        assert not shape.is_water(0.0, 0.0)
        assert shape.height(0.0, 0.0) > 0.5
        angles = np.linspace(0, 2 * math.pi, 24)
        assert not shape.is_water(25 * np.cos(angles), 25 * np.sin(angles)).any()


def test_water_is_where_the_ground_is_below_its_level(mountains):
    x, z = ring(0.0, 1500.0, 500)
    np.testing.assert_array_equal(mountains.is_water(x, z), mountains.height(x, z) < mountains.water)
    assert mountains.is_water(x, z).any()
    np.testing.assert_array_equal(mountains.shape.shore(x, z) < 0, mountains.shape.is_water(x, z))
    dry = shape_of(WorldSpec(biome="plains"))
    assert dry.water == -1e9
    assert not dry.is_water(x, z).any()


def test_flats_are_level_and_yards(built):
    for x, z, radius, height in ((60.0, -120.0, 14.0, None), (-80.0, -90.0, 10.0, 33.0)):
        angles = DRAWS.uniform(0, 2 * math.pi, 50)
        out = DRAWS.uniform(0, 0.95 * radius, 50)
        heights = built.height(x + out * np.cos(angles), z + out * np.sin(angles))
        expected = built.shape.height(x, z) if height is None else height
        np.testing.assert_allclose(heights, expected, atol=1e-3)
        row, column = round(z / CELL) + SIDE // 2, round(x / CELL) + SIDE // 2
        assert built.data.yard[0, row, column] <= 0.0


def test_away_from_what_was_built_the_ground_is_its_own(built):
    plain = bake(built.shape)
    x, z = ring(0.0, 300.0, 600)
    road = built.data.road[0]
    rows, columns = (np.round(axis / CELL).astype(int) + SIDE // 2 for axis in (z, x))
    away = np.abs(road[rows, columns])
    free = (away > 30) & (np.hypot(x - 60, z + 120) > 45) & (np.hypot(x + 80, z + 90) > 40)
    assert free.sum() > 100
    np.testing.assert_array_equal(built.height(x[free], z[free]), plain.height(x[free], z[free]))


def test_a_road_is_gentle_along_and_level_across(built):
    rows = np.linspace(-100.0, -20.0, 60)
    middle = np.interp(-rows, [-20.0, 60.0, 180.0], [0.0, 4.0, 40.0])
    heights = built.height(middle, rows)
    assert np.abs(np.diff(heights) / np.diff(rows)).max() < 0.25
    tilt = np.abs(built.height(middle + 2.0, rows) - built.height(middle - 2.0, rows)) / 4.0
    assert np.median(tilt) < 0.06
    assert (np.abs(built.data.road[0]) <= 0.5 * built.data.road_width).any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"road": np.zeros((1, 2))}, "k at least 2"),
        ({"road": np.zeros((4, 3))}, r"\(4, 3\)"),
        ({"road": np.array([[0, 0], [np.nan, 1]])}, "finite"),
        ({"road": np.eye(2), "road_width": 0.0}, "width 0"),
        ({"flats": [Flat(1.0, 2.0, 0.0)]}, "radius 0"),
    ],
)
def test_what_cannot_be_built_is_refused(options, words):
    with pytest.raises(SceneError, match=words):
        bake(shape_of(WorldSpec()), **options)


def test_the_same_world_on_one_and_two_threads():
    shape = shape_of(WorldSpec(seed=6, biome="canyon", water="river"))
    before = numba.get_num_threads()
    baked = []
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            baked.append(bake(shape, [Flat(40.0, -60.0, 12.0)]).data)
    finally:
        numba.set_num_threads(before)
    for name in ("heights", "blocks", "built", "top"):
        np.testing.assert_array_equal(getattr(baked[0], name), getattr(baked[1], name))


def test_another_seed_is_another_world():
    x, z = ring(100.0, 900.0, 50)
    heights = [shape_of(WorldSpec(seed=seed)).height(x, z) for seed in (1, 2, 2**63 - 1)]
    assert np.abs(heights[0] - heights[1]).mean() > 1
    assert np.abs(heights[0] - heights[2]).mean() > 1


def test_normals_are_those_of_finite_differences(mountains):
    x, z = ring(0.0, 2000.0, 300)
    level = np.maximum(0, np.ceil(np.log2(np.maximum(np.abs(x), np.abs(z)) / (CELL * (SIDE // 2 - 2)))))
    step = CELL * 2**level
    right = (mountains.height(x + step, z) - mountains.height(x - step, z)) / (2 * step)
    up = (mountains.height(x, z + step) - mountains.height(x, z - step)) / (2 * step)
    expected = np.stack([-right, np.ones_like(right), -up], -1)
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    normals = mountains.normal(x, z)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1.0, atol=1e-6)
    assert np.quantile((normals * expected).sum(-1), 0.02) > 0.995


def test_bumps_leave_the_slope_as_it_is_on_average(mountains):
    x, z = ring(20.0, 280.0, 400)
    bumpy = np.array([kernels.ground_normal(a, b, 30.0, mountains.data) for a, b in zip(x, z, strict=True)])
    np.testing.assert_allclose(np.linalg.norm(bumpy, axis=-1), 1.0, atol=1e-6)
    assert np.abs((bumpy - mountains.normal(x, z)).mean(0)).max() < 0.03


def test_materials_are_colours_and_known_classes(built, mountains):
    for ground in (built, mountains):
        x, z = ring(0.0, 900.0, 300)
        y, normal = ground.height(x, z), ground.normal(x, z)
        labels = set()
        for k in range(len(x)):
            *colour, label, rough, forest = kernels.ground_material(
                x[k], y[k], z[k], *normal[k], 50.0, ground.data
            )
            assert min(colour) >= 0
            assert max(colour) <= 0.95
            assert 0.2 <= rough <= 1
            assert 0 <= forest <= 1
            labels.add(label)
        assert labels <= {
            CLASSES[name] for name in ("sand", "grass", "rock", "snow", "soil", "road", "tree", "plant")
        }
        assert len(labels) >= 2


def test_the_middle_of_the_road_is_road(built):
    for z in (0.0, -30.0, -50.0):
        x = (20.0 - z) / 80.0 * 4.0
        label = kernels.ground_material(x, float(built.height(x, z)), z, 0.0, 1.0, 0.0, 20.0, built.data)[3]
        assert label == CLASSES["road"]


def test_no_forest_in_water_on_roads_and_without_trees(built):
    bare = bake(shape_of(WorldSpec(seed=5, biome="hills", water="lake", trees="none", forest=1.0)))
    full = bake(shape_of(WorldSpec(seed=5, biome="hills", water="lake", trees="conifer", forest=1.0)))
    thin = bake(shape_of(WorldSpec(seed=5, biome="hills", water="lake", trees="conifer", forest=0.2)))
    x, z = ring(0.0, 1500.0, 600)
    assert bare.forest(x, z).max() == 0
    assert full.forest(x, z)[full.is_water(x, z)].max() == 0
    assert full.forest(x, z).mean() > 0.6 > 0.3 > thin.forest(x, z).mean() > 0
