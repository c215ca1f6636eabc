from __future__ import annotations

import math

import numpy as np
import pytest

from dreamplate.errors import SceneError
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.kernels.shapes_all import shape_distance
from dreamplate.scenes.world.kernels.things import (
    fire_smoke,
    thing_carry,
    thing_hit,
    thing_shadow,
    thing_surface,
)
from dreamplate.scenes.world.kernels.things_frame import frame, swing_of, turn_in, turn_out
from dreamplate.scenes.world.shapes import SHAPES
from dreamplate.scenes.world.things import ThingRow, make_things

ORIGIN = (0.0, 0.0, 0.0)
DOWN = (0.0, -1.0, 0.0)


def scene(count=60, seed=2):
    """Things of all shapes close together, some on the move."""
    draws = np.random.default_rng(seed)
    rows = []
    for index in range(count):
        shape = list(SHAPES)[index % len(SHAPES)]
        x, z = draws.uniform(-90, 90, 2)
        speed = tuple(draws.uniform(-6, 6, 3).tolist()) if index % 7 == 0 else ORIGIN
        size = tuple(draws.uniform(0.7, 1.3, 3).tolist())
        place = (float(x), float(draws.uniform(-3, 3)), float(z))
        rows.append(
            ThingRow(shape, place, float(draws.uniform(0, 6)), size, seed=index, speed=speed, phase=index)
        )
    return rows


def rays(count, seed=3):
    draws = np.random.default_rng(seed)
    for _ in range(count):
        way = draws.normal(size=3) * (1.0, 0.4, 1.0)
        start = draws.uniform(-100, 100, 3) * (1.0, 0.15, 1.0) + (0.0, 10.0, 0.0)
        yield start.tolist(), (way / np.linalg.norm(way)).tolist()


def distance_at(things, row, point, time):
    """The signed distance of a thing at a point of the world."""
    x, y, z, *turn = frame(row, time, things.wind, things.kind[row], things.numbers)
    own = turn_in(point[0] - x, point[1] - y, point[2] - z, *turn) / things.size[row]
    swing = swing_of(things.kind[row], things.phase[row], time, things.wind)
    return (
        shape_distance(int(things.kind[row]), *own, int(things.seed[row]), swing, 0)[0]
        * things.size[row].min()
    )


def seen_points(row, count, time, seed=1):
    """Points of a single thing's surface: where rays towards it meet it."""
    things = make_things([row], wind=1.3)
    shape = SHAPES[row.shape]
    draws = np.random.default_rng(seed)
    points = []
    share = 0.87 if row.shape == "flag" else 0.45  # a flag's cloth is up its pole
    middle = np.array(row.place) + time * np.array(row.speed)
    middle[1] += share * shape.height * row.sizes[1]
    while len(points) < count:
        way = draws.normal(size=3)
        way /= np.linalg.norm(way)
        target = middle + draws.uniform(-0.5, 0.5, 3) * (shape.width, shape.height, shape.depth)
        start = target - 3.0 * shape.radius * way
        t, found = thing_hit(*start.tolist(), *way.tolist(), 0.0, 1e4, time, things)
        if found == 0:
            points.append(start + t * way)
    return things, np.array(points)


def test_the_nearest_of_all_things_is_found_through_the_grid():
    rows = scene()
    things = make_things(rows)
    single = [make_things([row]) for row in rows]
    met = 0
    for start, way in rays(150):
        for time in (0.0, 2.5):
            alone = [thing_hit(*start, *way, 0.05, 300.0, time, one)[0] for one in single]
            t, row = thing_hit(*start, *way, 0.05, 300.0, time, things)
            if row < 0:
                assert t == math.inf
                assert min(alone) == math.inf
                continue
            met += 1
            assert t == pytest.approx(min(alone), abs=1e-6)
            assert alone[row] == pytest.approx(t, abs=1e-6)
    assert met > 100


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("way", [DOWN, (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)])
def test_rays_along_the_axes(way, zero):
    way = tuple(part or zero for part in way)
    things = make_things([ThingRow("pyramid", ORIGIN)])
    start = [-100.0 * part for part in way]
    start[1] += 10.0 if way[1] == 0 else 0.0
    t, row = thing_hit(*start, *way, 0.0, 1e3, 0.0, things)
    assert row == 0
    top = {-1.0: 38.0, 1.0: -6.0}
    if way[1] != 0:
        assert start[1] + t * way[1] == pytest.approx(top[way[1]], abs=1.5)
    assert thing_hit(*[-part for part in start], *way, 0.0, 1e3, 0.0, things)[1] == -1 or way[1] == 0


def test_hits_lie_between_the_limits_of_the_ray():
    things = make_things([ThingRow("house", ORIGIN)])
    t, row = thing_hit(0.0, 2.0, 30.0, 0.0, 0.0, -1.0, 0.0, 100.0, 0.0, things)
    assert row == 0
    assert thing_hit(0.0, 2.0, 30.0, 0.0, 0.0, -1.0, 0.0, t - 0.1, 0.0, things) == (math.inf, -1)
    assert thing_hit(0.0, 2.0, 30.0, 0.0, 0.0, -1.0, 60.0, 100.0, 0.0, things)[1] == -1
    assert thing_hit(0.0, 2.0, 30.0, 0.0, 0.0, -1.0, 0.0, 100.0, 0.0, make_things([])) == (math.inf, -1)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_seen_has_its_class_and_faces_the_eye(shape):
    things = make_things([ThingRow(shape, (3.0, 1.0, -2.0), yaw=0.8, size=(1.2, 0.9, 1.1), seed=4)])
    facing = []
    for start, way in rays(400, seed=SHAPES[shape].number):
        scale = SHAPES[shape].radius / 60.0
        begin = np.array(start) * scale
        high, radius = SHAPES[shape].height, SHAPES[shape].radius
        aim = np.array([3.0, 1.0 + 0.45 * high, -2.0]) + 0.4 * radius * np.array(way)
        look = (aim - begin) / np.linalg.norm(aim - begin)
        t, row = thing_hit(*begin.tolist(), *look.tolist(), 0.05, 1e3, 0.0, things)
        if row < 0:
            continue
        seen = thing_surface(row, *(begin + t * look).tolist(), t, 0.0, things)
        assert seen[9] == SHAPES[shape].label
        assert np.linalg.norm(seen[:3]) == pytest.approx(1.0)
        assert min(seen[3:6]) >= 0.0
        assert max(seen[3:6]) <= 1.0
        assert min(seen[6:9]) >= 0.0
        assert 0.0 < seen[10] <= 1.0
        facing.append(np.dot(seen[:3], look))
    assert len(facing) > 5
    assert np.mean(np.array(facing) < 0.15) > 0.93


CARRIED = [
    ThingRow("car", (1.0, 0.2, 3.0), yaw=0.4, speed=(5.0, 0.3, -2.0)),
    ThingRow("boat", (1.0, 0.0, 3.0), yaw=1.4, phase=2.0, size=0.8),
    ThingRow("boat", (1.0, 0.0, 3.0), yaw=2.0, speed=(2.0, 0.0, 1.0), phase=4.0),
    ThingRow("rowboat", (0.0, 1.0, 0.0), phase=1.0),
    ThingRow("windmill", (4.0, 1.0, 2.0), yaw=0.9, phase=0.5, size=(1.1, 0.9, 1.0)),
    ThingRow("windmill", (4.0, 1.0, 2.0), yaw=2.9, phase=1.5),
    ThingRow("flag", (4.0, 1.0, 2.0), yaw=0.2, size=1.5, seed=2),
    ThingRow("house", (4.0, 1.0, 2.0), yaw=0.2),
]


@pytest.mark.parametrize("row", CARRIED, ids=[row.shape for row in CARRIED])
def test_a_point_of_a_surface_is_carried_along_the_surface(row):
    things, points = seen_points(row, 60, time=0.7)
    moved = 0.0
    for point in points:
        there = thing_carry(0, *point.tolist(), 0.7, 1.1, things)
        # Thin cloth and the joints of a turning part are looser than a rigid hull.
        loose = 0.05 if row.shape in {"flag", "windmill"} else 0.012
        assert abs(distance_at(things, 0, there, 1.1)) < loose
        back = thing_carry(0, *there, 1.1, 0.7, things)
        assert np.allclose(back, point, atol=1e-9)
        moved = max(moved, float(np.linalg.norm(there - point)))
    assert (moved > 1e-3) == (row.shape != "house")
    if any(row.speed) and row.shape == "car":
        assert np.allclose(there - point, 0.4 * np.array(row.speed))


def test_a_mill_turns_as_the_wind_blows():
    row = ThingRow("windmill", ORIGIN)
    tip = np.array([6.0, 12.2, -3.75])
    still = make_things([row], wind=0.0)
    assert np.allclose(thing_carry(0, *tip, 0.0, 5.0, still), tip)
    there = np.array(thing_carry(0, *tip, 0.0, 1.0, make_things([row], wind=1.0)))
    assert there[2] == tip[2]
    assert np.hypot(there[0], there[1] - 12.2) == pytest.approx(6.0)
    assert math.atan2(there[1] - 12.2, there[0]) == pytest.approx(0.9)


def test_bobbing_boats_stay_in_their_cylinders():
    row = ThingRow("boat", ORIGIN, phase=1.0)
    things, points = seen_points(row, 60, time=0.0)
    for moment in np.linspace(0.3, 9.0, 12).tolist():
        for point in points.tolist():
            x, y, z = thing_carry(0, *point, 0.0, moment, things)
            assert math.hypot(x, z) < things.reach[0, 0]
            assert things.reach[0, 1] < y < things.reach[0, 2]


def test_turns_in_and_out_undo_each_other():
    way = np.array([0.3, -0.7, 0.2])
    turn = (math.cos(0.8), math.sin(0.8), 0.05, -0.08)
    assert np.allclose(turn_out(*turn_in(*way, *turn), *turn), way)
    assert np.allclose(
        turn_out(1.0, 0.0, 0.0, math.cos(0.8), math.sin(0.8), 0.0, 0.0), (math.cos(0.8), 0, -math.sin(0.8))
    )


def test_houses_shade_the_ground_and_crowns_let_light_through():
    things = make_things([ThingRow("house", ORIGIN), ThingRow("broadleaf", (40.0, 0.0, 0.0))])
    low = np.array([0.6, 0.5, 0.0]) / math.hypot(0.6, 0.5)
    assert thing_shadow(-7.0, 0.1, 0.0, *low, 200.0, 0.0, things) < 0.01
    assert thing_shadow(9.0, 0.1, 0.0, *low, 20.0, 0.0, things) > 0.99
    assert 0.1 < thing_shadow(34.0, 0.1, 0.0, *low, 200.0, 0.0, things) < 0.5
    edge = [
        thing_shadow(-x, 0.1, 0.0, *low, 200.0, 0.0, things) for x in np.linspace(4.5, 30.0, 400).tolist()
    ]
    assert all(0.0 <= light <= 1.0 for light in edge)
    assert any(0.1 < light < 0.9 for light in edge)  # soft


def test_windows_and_lamps_give_light_and_snow_lies_on_roofs():
    lamp = make_things([ThingRow("lamp", ORIGIN, seed=0)])
    light = [
        thing_surface(0, 0.2 * math.cos(a), 5.3, 0.2 * math.sin(a), 5.0, 0.0, lamp)[6:9]
        for a in (0.0, 1.0, 2.0)
    ]
    assert np.min(light) > 0.5
    row = ThingRow("house", ORIGIN, accent=(0.4, 0.1, 0.1))
    bare, white = make_things([row]), make_things([row], snow=1.0)
    t, _ = thing_hit(0.0, 30.0, 1.5, *DOWN, 0.0, 100.0, 0.0, bare)
    roofs = [thing_surface(0, 0.0, 30.0 - t, 1.5, t, 0.0, things)[3:6] for things in (bare, white)]
    assert max(roofs[0]) < 0.6
    assert min(roofs[1]) > 0.75


def test_fires_burn_where_they_are():
    assert fire_smoke(0.0, 1.0, 9.0, 0.0, 0.0, -1.0, 50.0, 0.0, make_things(scene(6))) == (0.0,) * 6 + (0.0,)
    things = make_things(
        [ThingRow("campfire", ORIGIN), ThingRow("house", (50.0, 0.0, 0.0), smoke=True)], wind=0.5
    )
    through = np.array(fire_smoke(0.0, 0.6, 9.0, 0.0, 0.0, -1.0, 50.0, 0.0, things))
    assert min(through[3:5]) > 0.5
    assert 0.1 < through[6] <= 1.0
    assert fire_smoke(0.0, 0.6, 9.0, 0.0, 0.0, -1.0, 7.0, 0.0, things) == (0.0,) * 7  # something is before it
    assert fire_smoke(0.0, 0.6, 9.0, 0.0, 0.0, 1.0, 50.0, 0.0, things) == (0.0,) * 7
    assert fire_smoke(20.0, 0.6, 9.0, 0.0, 0.0, -1.0, 50.0, 0.0, things) == (0.0,) * 7
    smoke = [
        fire_smoke(53.0, 8.0 + h, 40.0, 0.0, 0.0, -1.0, 90.0, 3.0, things) for h in np.arange(0, 9, 0.25)
    ]
    assert max(one[6] for one in smoke) > 0.1
    assert all(0.0 <= one[6] <= 1.0 and one[3] == 0.0 for one in smoke)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"shape": "hose"}, "did you mean 'house'"),
        ({"place": (0.0, math.nan, 0.0)}, "place"),
        ({"size": 0.0}, "size"),
        ({"size": (1.0, -1.0, 1.0)}, "size"),
        ({"speed": (math.inf, 0.0, 0.0)}, "speed"),
    ],
)
def test_rows_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(SceneError, match=said):
        ThingRow(**{"shape": "house", "place": ORIGIN, **fields})


@pytest.mark.parametrize("more", [{"wind": -1.0}, {"wind": math.nan}, {"snow": 1.5}])
def test_weather_that_makes_no_sense_is_refused(more):
    with pytest.raises(SceneError, match=next(iter(more))):
        make_things([], **more)


def test_rows_become_arrays_with_the_names_of_their_fields():
    rows = scene(30)
    things = make_things(rows, wind=0.4)
    assert things.identity.tolist() == list(range(1, 31))
    assert np.allclose(things.place, [row.place for row in rows])
    assert np.allclose(things.accent, [row.accent for row in rows])
    assert things.movers.tolist() == [index for index in range(30) if index % 7 == 0]
    assert things.fires.tolist() == [index for index in range(30) if rows[index].shape == "campfire"]
    assert things.label[0] == CLASSES["house"]
    n = int(things.grid[3])
    starts = things.cells[: n * n + 1]
    assert starts[-1] == len(things.cells) - n * n - 1
    assert set(things.cells[n * n + 1 :].tolist()) == set(range(30)) - set(things.movers.tolist())
