from __future__ import annotations

from functools import cache

import numpy as np
import pytest

pytest.importorskip("numba")

from dreamplate.errors import ConfigError, SceneError
from dreamplate.scenes.world.build import World, build
from dreamplate.scenes.world.draw import draw_spec
from dreamplate.scenes.world.placing_road import WIDTH, beside
from dreamplate.scenes.world.spec import ThingSpec, ViewSpec, WorldSpec
from dreamplate.scenes.world.things import SHAPES

NAMES = {shape.number: name for name, shape in SHAPES.items()}
PLANTS = ("conifer", "broadleaf", "birch", "palm", "cactus", "bare", "bush")
CASES = {
    "castle": {"biome": "hills", "things": ["castle"], "water": "lake", "trees": "broadleaf", "forest": 0.6},
    "village": {"biome": "plains", "things": ["village"], "road": True, "water": "none"},
    "boats": {"biome": "coast", "things": ["3 boat middle"]},
    "cars": {"biome": "desert", "things": ["2 car near"], "water": "none"},
    "lighthouse": {"biome": "islands", "things": ["lighthouse right"]},
    "bridge": {"biome": "mountains", "things": ["bridge"], "trees": "conifer", "forest": 0.8},
}


@cache
def world(name: str) -> World:
    return build(draw_spec(11, weather="clear", **CASES[name]))


def rows(made: World, *names: str) -> np.ndarray:
    return np.array([k for k, kind in enumerate(made.things.kind) if NAMES[int(kind)] in names], int)


@pytest.mark.parametrize("name", CASES)
def test_plants_stand_on_dry_free_ground(name: str) -> None:
    made = world(name)
    found = rows(made, *PLANTS)
    place = made.things.place[found].astype(float)
    ground = made.ground.height(place[:, 0], place[:, 2])
    assert np.abs(ground - place[:, 1]).max(initial=0) < 0.01
    assert (ground > made.ground.water).all()
    if made.road is not None:
        assert (beside(made.road, place[:, 0], place[:, 2]) > WIDTH / 2).all()
    for standing in made.standings.values():
        if standing.noun in ("house", "castle", "village", "church"):
            away = np.hypot(place[:, 0] - standing.place[0], place[:, 2] - standing.place[2])
            assert away.min(initial=99) > 0.5 * standing.radius


@pytest.mark.parametrize("name", CASES)
def test_nothing_stands_before_the_lens(name: str) -> None:
    made = world(name)
    place, reach = made.things.place.astype(float), made.things.reach.astype(float)
    away = np.hypot(place[:, 0] - made.eye.x, place[:, 2] - made.eye.z)
    assert (away > reach[:, 0]).all()


@pytest.mark.parametrize("name", CASES)
def test_the_main_thing_lies_in_the_picture(name: str) -> None:
    made = world(name)
    camera = made.camera(64, 64)
    main = [each for each in made.standings.values() if each.group == 0]
    assert main
    middles = np.array([each.place for each in main]) + np.array([0, 1, 0])
    pixels, z = camera.project(middles)
    inside = (z > 0) & (pixels > 0).all(axis=1) & (pixels < 64).all(axis=1)
    assert inside.any()


def test_boats_float_and_houses_do_not() -> None:
    boats = world("boats")
    for each in boats.standings.values():
        if "boat" in each.noun:
            assert each.place[1] == pytest.approx(boats.ground.water)
            assert boats.ground.is_water(each.place[0], each.place[2])
    for name in ("castle", "village", "lighthouse"):
        made = world(name)
        for each in made.standings.values():
            if each.group == 0:
                assert not made.ground.is_water(each.place[0], each.place[2])


def test_cars_drive_along_the_road() -> None:
    made = world("cars")
    assert made.road is not None
    for row in rows(made, "car", "truck"):
        place, speed = made.things.place[row].astype(float), made.things.speed[row].astype(float)
        for seconds in (0.0, 0.5):
            x, z = (place[k] + seconds * speed[k] for k in (0, 2))
            assert beside(made.road, np.array([x]), np.array([z]))[0] < WIDTH / 2
        assert np.hypot(*speed[[0, 2]]) > 5


def test_a_bridge_spans_water_from_bank_to_bank() -> None:
    made = world("bridge")
    (row,) = rows(made, "bridge", "suspension")
    place = made.things.place[row].astype(float)
    cosine, sine = made.things.turn[row].astype(float)
    half = SHAPES[NAMES[int(made.things.kind[row])]].width / 2 * float(made.things.size[row, 0])
    assert made.ground.is_water(place[0], place[2])
    for sign in (-1, 1):
        assert not made.ground.is_water(place[0] + sign * half * cosine, place[2] - sign * half * sine)


def test_the_eye_is_as_high_as_the_spec_says() -> None:
    for name in CASES:
        made = world(name)
        floor = max(float(made.ground.height(made.eye.x, made.eye.z)), made.ground.water)
        assert made.eye.y - floor == pytest.approx(made.spec.view.height)
        assert made.camera(64, 64).position.tolist() == [made.eye.x, made.eye.y, made.eye.z]


def test_a_given_pitch_is_kept_and_wide_pictures_show_more_at_the_sides() -> None:
    spec = WorldSpec(seed=3, biome="plains", view=ViewSpec(3.0, -10.0, 50.0))
    made = build(spec)
    camera, wide = made.camera(64, 64), made.camera(128, 64)
    assert np.degrees(np.arcsin(camera.forward[1])) == pytest.approx(-10)
    assert camera.horizontal_fov == pytest.approx(50)
    assert wide.fy == camera.fy and wide.horizontal_fov > 50


def test_the_same_spec_gives_the_same_world() -> None:
    spec = draw_spec(11, weather="clear", **CASES["castle"])
    first, second = world("castle"), build(spec)
    for one, other in zip(first.things, second.things, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(first.ground.data.heights, second.ground.data.heights)
    assert first.eye == second.eye and first.standings == second.standings


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SceneError, match="boat needs water"):
        build(WorldSpec(biome="desert", things=(ThingSpec("boat"),)))
    with pytest.raises(SceneError, match="car needs a road"):
        build(WorldSpec(biome="desert", things=(ThingSpec("car"),)))
    with pytest.raises(ConfigError, match="hour"):
        build(WorldSpec(hour=25))
