from __future__ import annotations

import math

import numpy as np
import pytest

from dreamplate.scenes.world.ground import Flat, bake, shape_of
from dreamplate.scenes.world.kernels import ground as kernels
from dreamplate.scenes.world.spec import WorldSpec


@pytest.fixture(scope="module", params=["mountains", "canyon", "plains", "desert"])
def ground(request):
    return bake(shape_of(WorldSpec(seed=4, biome=request.param)))


def rays(ground, count, seed, spread=0.35):
    """Origins a few metres over the ground and directions around the horizon."""
    draws = np.random.default_rng(seed)
    place = draws.uniform(-200, 200, (count, 2))
    over = draws.choice([1.7, 6.0, 40.0, 300.0], count)
    origin = np.column_stack([place[:, 0], ground.height(*place.T) + over, place[:, 1]])
    turn = draws.uniform(0, 2 * math.pi, count)
    tilt = draws.normal(-0.05, spread, count)
    direction = np.column_stack([np.cos(turn) * np.cos(tilt), np.sin(tilt), np.sin(turn) * np.cos(tilt)])
    return origin, direction


def march(ground, origin, direction, far, step):
    """First place below the ground among many along a ray; the plain way."""
    t = np.arange(0.05, far, step)
    points = origin + t[:, None] * direction
    below = points[:, 1] < ground.height(points[:, 0], points[:, 2])
    return t[below.argmax()] if below.any() else np.inf


def test_a_ray_meets_the_ground_where_small_steps_meet_it(ground):
    origin, direction = rays(ground, 120, 1)
    far, step = 2500.0, 0.25
    met = 0
    for o, d in zip(origin, direction, strict=True):
        t = kernels.ground_hit(*o, *d, 0.05, far, ground.data)
        plain = march(ground, o, d, far, step)
        assert t <= plain + 1e-6  # small steps may pass through a crest, the ray never does
        if math.isfinite(t):
            met += 1
            x, y, z = o + t * d
            assert abs(y - ground.height(x, z)) < 2e-3 + 1e-5 * t
            if math.isinf(plain) or t < plain - step:
                inside = o + (t + np.linspace(0.0, step, 9)[1:-1])[:, None] * d
                assert (inside[:, 1] < ground.height(inside[:, 0], inside[:, 2]) + 5e-3 + 1e-5 * t).any()
    assert 30 < met < 120


def test_straight_down_is_the_height(ground):
    x, z = np.random.default_rng(3).uniform(-3000, 3000, (2, 60))
    heights = ground.height(x, z)
    for a, b, height in zip(x, z, heights, strict=True):
        assert kernels.ground_hit(a, 2500.0, b, 0.0, -1.0, 0.0, 0.0, 1e5, ground.data) == pytest.approx(
            2500.0 - height, abs=5e-3
        )
        assert kernels.ground_hit(a, height + 5.0, b, 0.0, 1.0, 0.0, 0.0, 1e5, ground.data) == math.inf


def test_a_ray_stops_at_its_ends(ground):
    height = float(ground.height(10.0, 20.0))
    assert kernels.ground_hit(10.0, height + 9.0, 20.0, 0.0, -1.0, 0.0, 0.0, 8.9, ground.data) == math.inf
    assert kernels.ground_hit(10.0, height + 9.0, 20.0, 0.0, -1.0, 0.0, 9.5, 99.0, ground.data) == 9.5


def test_a_ray_over_everything_meets_the_plane_beyond_the_last_grid(ground):
    top = ground.data.top + 100.0
    d = np.array([0.6, -0.001, -0.8])
    d /= np.linalg.norm(d)
    t = kernels.ground_hit(0.0, top, 0.0, *d, 0.0, 1e9, ground.data)
    assert top + t * d[1] == pytest.approx(ground.data.outer, abs=1e-3)


def test_shadows_are_full_behind_and_none_above(ground):
    origin, _ = rays(ground, 60, 5)
    for x, _, z in origin:
        surface = float(ground.height(x, z))
        assert kernels.ground_shadow(x, ground.data.top + 1, z, 0.0, 1.0, 0.0, 1e4, ground.data) == 1.0
        assert kernels.ground_shadow(x, surface, z, 0.0, 1.0, 0.0, 1e4, ground.data) == 1.0
        assert kernels.ground_shadow(x, surface, z, 0.8, -0.6, 0.0, 1e4, ground.data) == 0.0


def test_shadows_agree_with_rays(ground):
    origin, _ = rays(ground, 400, 6)
    sun = np.array([0.7, 0.12, -0.3])
    sun /= np.linalg.norm(sun)
    wrong = dark = 0
    for x, _, z in origin:
        y = float(ground.height(x, z))
        seen = kernels.ground_shadow(x, y, z, *sun, 2e4, ground.data)
        assert 0 <= seen <= 1
        blocked = math.isfinite(kernels.ground_hit(x, y + 0.06, z, *sun, 1.0, 2e4, ground.data))
        dark += blocked
        wrong += (seen > 0.75 and blocked) or (seen < 0.25 and not blocked)
    assert wrong <= 8


def test_a_wall_casts_a_shadow_with_a_soft_edge():
    shape = shape_of(WorldSpec(seed=1, biome="plains", relief=0.0))
    ground = bake(shape, [Flat(0.0, -100.0, 30.0, height=40.0)])
    sun = np.array([0.0, 0.5, -1.0])
    sun /= np.linalg.norm(sun)
    seen = [kernels.ground_shadow(0.0, 2.0, z, *sun, 1e4, ground.data) for z in np.linspace(-30, 60, 200)]
    assert seen[0] == 0
    assert seen[-1] == 1
    assert (np.diff(seen) > -0.02).all()
    assert sum(0.02 < s < 0.98 for s in seen) >= 3
