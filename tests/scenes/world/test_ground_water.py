from __future__ import annotations

import numpy as np
import pytest

from dreamplate.scenes.world.ground import bake, shape_of
from dreamplate.scenes.world.kernels import ground as kernels
from dreamplate.scenes.world.spec import WorldSpec

PLACES = np.random.default_rng(2).uniform(-300, 300, (300, 2))


def data_of(water, wind=1.0):
    return bake(shape_of(WorldSpec(seed=3, biome="coast", water=water, wind=wind))).data


@pytest.fixture(scope="module")
def waters():
    return {name: data_of(name) for name in ("sea", "lake", "river")}


def normals(data, t=5.0, time=0.0):
    return np.array([kernels.water_normal(x, z, t, time, data) for x, z in PLACES])


def slopes(data, t=5.0):
    made = normals(data, t)
    return np.hypot(made[:, 0], made[:, 2]) / made[:, 1]


def test_waves_are_unit_normals_that_point_up_on_average(waters):
    for data in waters.values():
        made = normals(data)
        np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-9)
        assert made[:, 1].min() > 0.5
        assert np.abs(made.mean(0)[[0, 2]]).max() < 0.03


def test_seas_are_rougher_than_lakes_and_wind_stirs_both(waters):
    assert slopes(waters["sea"]).std() > 2 * slopes(waters["lake"]).std()
    for water in ("sea", "lake"):
        calm, windy = (slopes(data_of(water, wind)).mean() for wind in (0.1, 2.0))
        assert windy > 1.5 * calm


def test_what_the_normal_leaves_out_far_off_is_counted_as_blur(waters):
    for data in waters.values():
        blurs = [kernels.water_blur(t, data) for t in (1.0, 30.0, 300.0, 5000.0)]
        assert (np.diff(blurs) >= 0).all()
        assert blurs[-1] > blurs[0]
        assert slopes(data, 1e5).max() < 1e-9


def test_waves_move(waters):
    for data in waters.values():
        assert np.abs(normals(data, time=0.0) - normals(data, time=1.0)).max() > 0.01
        np.testing.assert_array_equal(normals(data, time=2.0), normals(data, time=2.0))


def test_shallow_water_shows_its_bed_and_deep_water_its_own_colour(waters):
    for data in waters.values():
        depths = (0.0, 0.3, 1.0, 4.0, 200.0)
        seen = np.array([kernels.water_body(depth, data)[3:] for depth in depths])
        np.testing.assert_allclose(seen[0], 1.0)
        assert (np.diff(seen, axis=0) < 0).all()
        assert seen[-1].max() < 1e-6
        assert (seen[1:, 0] < seen[1:, 1]).all()  # red goes first
        assert (
            np.abs(
                np.subtract(kernels.water_body(200.0, data)[:3], kernels.water_body(400.0, data)[:3])
            ).max()
            < 1e-6
        )


def test_only_a_sea_foams_and_most_at_its_edge(waters):
    for name, data in waters.items():
        edge, deep = (
            np.array([kernels.water_foam(x, z, depth, 10.0, 0.5, data) for x, z in PLACES])
            for depth in (0.02, 9.0)
        )
        assert edge.min() >= 0
        assert edge.max() <= 1
        if name == "sea":
            assert edge.mean() > 0.4 > deep.mean()
        else:
            assert edge.max() == deep.max() == 0
