from __future__ import annotations

import numpy as np
import pytest

from dreamplate.scenes.world.kernels import noise as kernels

POINTS = np.random.default_rng(4).uniform(-900, 900, (300, 3))


def test_numbers_from_lattice_points_are_spread_evenly_and_do_not_follow_their_neighbours():
    grid = np.array([[kernels.hash_unit(i, j, 3, 2**62 + 5) for i in range(-40, 40)] for j in range(-40, 40)])
    assert grid.min() >= 0
    assert grid.max() < 1
    counts = np.histogram(grid, 16, (0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 38  # chi squared, 15 degrees of freedom: 1 in 1,000
    for shifted in (grid[1:], grid[:, 1:].T):
        same = grid[:-1] if shifted.shape == grid[1:].shape else grid[:, :-1].T
        assert abs(np.corrcoef(same.ravel(), shifted.ravel())[0, 1]) < 0.05


def test_hash_changes_with_each_argument():
    base = (7, -3, 11, 2)
    there = kernels.hash_unit(*base)
    assert there == kernels.hash_unit(*base)
    for k in range(4):
        other = list(base)
        other[k] += 1
        assert kernels.hash_unit(*other) != there


@pytest.mark.parametrize("axes", [2, 3])
def test_noise_vanishes_on_the_lattice_and_stays_within_one(axes):
    function = {2: kernels.noise2, 3: kernels.noise3}[axes]
    values = np.array([function(*p[:axes], 9) for p in POINTS])
    assert np.abs(values).max() <= 1
    assert values.std() > 0.15
    assert all(function(*np.round(p[:axes]), 9) == 0 for p in POINTS[:20])


@pytest.mark.parametrize("axes", [2, 3])
def test_noise_and_its_slope_are_continuous_across_cells(axes):
    function = {2: kernels.noise2, 3: kernels.noise3}[axes]
    step = 1e-4
    for p in POINTS[:40, :axes]:
        edge = p.copy()
        edge[0] = np.round(edge[0])
        values = [function(*(edge + np.eye(axes)[0] * k * step), 9) for k in (-2, -1, 0, 1, 2)]
        before, after = np.diff(values)[:2].mean(), np.diff(values)[2:].mean()
        assert abs(before - after) / step < 5e-3


def test_slope_is_the_derivative_of_the_noise():
    step = 1e-5
    for x, y, _ in POINTS[:60]:
        value, right, up = kernels.noise2_slope(x, y, 5)
        assert value == pytest.approx(kernels.noise2(x, y, 5), abs=1e-12)
        across = (kernels.noise2(x + step, y, 5) - kernels.noise2(x - step, y, 5)) / (2 * step)
        along = (kernels.noise2(x, y + step, 5) - kernels.noise2(x, y - step, 5)) / (2 * step)
        assert (right, up) == pytest.approx((across, along), abs=1e-6)


def test_sums_of_octaves_stay_in_their_range():
    for x, y, z in POINTS:
        assert -1 <= kernels.fbm2(x, y, 5, 1) <= 1
        assert -1 <= kernels.fbm3(x, y, z, 5, 1) <= 1
        assert 0 <= kernels.ridged2(x, y, 5, 1) <= 1


def test_one_octave_is_the_noise_itself():
    x, y, z = POINTS[0]
    assert kernels.fbm2(x, y, 1, 8) == kernels.noise2(x, y, 8)
    assert kernels.fbm3(x, y, z, 1, 8) == kernels.noise3(x, y, z, 8)
    assert kernels.ridged2(x, y, 1, 8) == pytest.approx((1 - abs(kernels.noise2(x, y, 8))) ** 2)
