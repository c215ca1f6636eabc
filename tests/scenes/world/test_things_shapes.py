from __future__ import annotations

import numpy as np
import pytest

from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.kernels import shapes_numbers
from dreamplate.scenes.world.kernels.shapes_all import shape_distance
from dreamplate.scenes.world.shapes import PLANTS, SHAPES
from dreamplate.scenes.world.things import ThingRow, make_things

SEEDS = (0, 1, 2, 3, 4, 5)


def mixed(seed):
    return int(make_things([ThingRow("house", (0.0, 0.0, 0.0), seed=seed)]).seed[0])


def distances(name, points, seed, swing=0.3, fine=0):
    number, bits = SHAPES[name].number, mixed(seed)
    return np.array([shape_distance(number, *point, bits, swing, fine)[0] for point in points.tolist()])


def around(name, count, draws, wider=1.2):
    """Points in and around the cylinder that is said to hold a shape."""
    shape = SHAPES[name]
    turn = draws.uniform(0, 2 * np.pi, count)
    rho = wider * shape.radius * np.sqrt(draws.uniform(0, 1, count))
    middle, half = (shape.low + shape.high) / 2, wider * (shape.high - shape.low) / 2
    return np.stack(
        [rho * np.cos(turn), draws.uniform(middle - half, middle + half, count), rho * np.sin(turn)], 1
    )


def test_table_has_every_number_once():
    numbers = [shape.number for shape in SHAPES.values()]
    assert sorted(numbers) == list(range(shapes_numbers.SHAPE_COUNT))
    assert all(name.upper() in vars(shapes_numbers) for name in SHAPES)
    assert all(getattr(shapes_numbers, name.upper()) == shape.number for name, shape in SHAPES.items())
    assert {shape.label for shape in SHAPES.values()} <= set(CLASSES.values())
    assert {SHAPES[name].label for name in PLANTS} == {CLASSES["tree"], CLASSES["plant"]}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("fine", [0, 1, 2])
def test_a_step_by_the_distance_never_leads_past_the_surface(name, fine):
    """Within the distance of a point everything is outside, up to a centimetre a metre of height."""
    draws = np.random.default_rng(SHAPES[name].number)
    allowed = max(0.05, 0.01 * SHAPES[name].height)
    for seed in SEEDS[:3]:
        points = around(name, 250, draws)
        d = distances(name, points, seed, fine=fine)
        points, d = points[d > 0], d[d > 0]
        step = 1e-3
        slope = np.stack(
            [distances(name, points + step * axis, seed, fine=fine) - d for axis in np.eye(3)], axis=1
        )
        for way in (-slope, draws.normal(size=points.shape)):
            ahead = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-12)
            assert distances(name, points + d[:, None] * ahead, seed, fine=fine).min() >= -allowed


@pytest.mark.parametrize("name", SHAPES)
def test_the_cylinder_holds_the_shape_whatever_the_seed_and_the_moment(name):
    shape = SHAPES[name]
    draws = np.random.default_rng(shape.number + 50)
    found = 0
    for seed in range(8):
        points = around(name, 300, draws, wider=1.3)
        d = distances(name, points, seed, swing=float(draws.uniform(0, 6)), fine=seed % 2)
        inside = points[d <= 0]
        found += len(inside)
        assert (np.hypot(inside[:, 0], inside[:, 2]) <= shape.radius).all()
        assert (inside[:, 1] >= shape.low).all()
        assert (inside[:, 1] <= shape.high).all()
    if name in {"house", "church", "castle", "pyramid", "bus", "rock", "conifer", "broadleaf"}:  # stout ones
        assert found > 10


@pytest.mark.parametrize("name", ["house", "castle", "conifer", "rock", "bush", "bare", "tower", "boat"])
def test_seeds_vary_a_shape_and_the_same_seed_repeats_it(name):
    points = around(name, 200, np.random.default_rng(3), wider=0.9)
    fields = [distances(name, points, seed) for seed in SEEDS]
    assert np.array_equal(fields[0], distances(name, points, SEEDS[0]))
    assert any(not np.array_equal(fields[0], other) for other in fields[1:])


def test_coarse_crowns_lie_inside_fine_ones():
    """What stands for a crown in shadows is smaller on the whole, so that leaves do not shade themselves."""
    for name in ("conifer", "broadleaf", "birch", "bush"):
        points = around(name, 3000, np.random.default_rng(4), wider=1.0)
        fine = distances(name, points, 1) <= 0
        coarse = distances(name, points, 1, fine=2) <= 0
        assert 0.4 * fine.sum() < coarse.sum() < fine.sum()


def test_a_mill_turns_and_a_flag_waves_with_their_swing():
    draws = np.random.default_rng(5)
    points = around("windmill", 400, draws)
    quarter = distances("windmill", points, 1, swing=0.4 + np.pi / 2)
    assert np.allclose(distances("windmill", points, 1, swing=0.4), quarter, atol=1e-9)  # four sails
    assert not np.allclose(distances("windmill", points, 1, swing=0.8), quarter, atol=1e-3)
    points = np.stack(
        [draws.uniform(0, 2.7, 400), draws.uniform(7, 8.6, 400), draws.uniform(-0.5, 0.5, 400)], 1
    )
    assert not np.allclose(distances("flag", points, 1, swing=0.0), distances("flag", points, 1, swing=2.0))
