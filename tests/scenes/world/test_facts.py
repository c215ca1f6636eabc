from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.build import Standing, camera_at
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.facts import facts_of
from dreamplate.scenes.world.light import make_light, moon_direction
from dreamplate.scenes.world.placing import Eye
from dreamplate.scenes.world.spec import WorldSpec

SIZE = 100


def look(
    spec: WorldSpec,
    things: dict[int, tuple[str, int, int, int]],
    water: int = 0,
    away: float = 50.0,
    **more: Any,
) -> dict[str, str]:
    """Facts of sky over grass, with squares of things: number → noun, column, row, side in pixels."""
    labels = np.full((SIZE, SIZE), CLASSES["sky"], np.uint8)
    labels[50:] = CLASSES["grass"]
    labels[50 : 50 + water] = CLASSES["water"]
    instances = np.zeros((SIZE, SIZE), np.int32)
    for number, (noun, column, row, side) in things.items():
        labels[row : row + side, column : column + side] = CLASSES.get(noun, CLASSES["boat"])
        instances[row : row + side, column : column + side] = number
    distances = np.where(labels == CLASSES["sky"], 1e10, away)
    standings = {
        number: Standing(noun, more.get("group", 0), "hill", (0, 0, 0), 5, 9)
        for number, (noun, *_) in things.items()
    }
    world: Any = SimpleNamespace(spec=spec, standings=standings, light=make_light(spec))
    camera: Camera = more.get("camera") or camera_at(Eye(0, 2, 0), SIZE, SIZE)
    return facts_of(world, labels, instances, distances, camera)


def test_things_are_counted_by_what_is_seen_of_them() -> None:
    spec = WorldSpec(biome="hills", hour=17.8)
    one = look(spec, {1: ("castle", 10, 40, 20)})
    assert (one["landmark"], one["count"], one["side"], one["site"]) == ("castle", "1", "left", "hill")
    assert (one["time"], one["biome"], one["second"]) == ("sunset", "plains", "none")
    three = look(spec, {1: ("house", 60, 45, 9), 2: ("house", 72, 45, 9), 3: ("house", 84, 45, 9)})
    assert (three["count"], three["side"]) == ("3", "right")
    # Of the third hardly anything is to be seen.
    two = look(spec, {1: ("house", 60, 45, 9), 2: ("house", 72, 45, 9), 3: ("house", 84, 45, 3)})
    assert two["count"] == "2"


def test_what_is_too_small_or_hidden_by_fog_is_not_there() -> None:
    spec = WorldSpec(biome="hills")
    assert look(spec, {1: ("castle", 10, 40, 5)})["landmark"] == "none"
    assert look(spec, {1: ("castle", 10, 40, 6)})["landmark"] == "castle"
    fog = WorldSpec(biome="hills", weather="fog", water="lake")
    assert look(fog, {1: ("castle", 10, 40, 20)}, 9, away=30)["landmark"] == "castle"
    far = look(fog, {1: ("castle", 10, 40, 20)}, 9, away=900)
    assert far["landmark"] == "none" and far["water"] == "none" and far["ground"] == "none"


def test_mixed_kinds_get_the_common_name() -> None:
    spec = WorldSpec(biome="coast", water="sea")
    both = look(spec, {1: ("sailing boat", 10, 40, 12), 2: ("rowing boat", 40, 60, 12)})
    assert (both["landmark"], both["count"]) == ("boat", "2")
    assert look(spec, {1: ("rowing boat", 40, 60, 12)})["landmark"] == "rowing boat"
    village = look(spec, {k: ("village", 20 * k, 40, 9) for k in range(4)} | {9: ("church", 90, 30, 9)})
    assert (village["landmark"], village["count"], village["church"]) == ("village", "1", "yes")


def test_water_counts_when_it_is_seen() -> None:
    spec = WorldSpec(biome="hills", water="lake")
    assert look(spec, {}, water=0)["water"] == "none"
    assert look(spec, {}, water=20)["water"] == "lake"
    assert look(WorldSpec(biome="islands", water="lake"), {}, water=20)["water"] == "sea"


def test_the_moon_counts_where_it_stands_in_free_sky() -> None:
    spec = WorldSpec(hour=23, moon=0.8)
    way = moon_direction(spec)
    eye = Eye(0, 2, 0, yaw=float(np.arctan2(-way[0], -way[2])), pitch=0.1)
    towards, aside = camera_at(eye, SIZE, SIZE), camera_at(Eye(0, 2, 0, yaw=eye.yaw + 3.0), SIZE, SIZE)
    assert look(spec, {}, camera=towards)["moon"] == "yes"
    assert look(spec, {}, camera=aside)["moon"] == "no"
    assert look(WorldSpec(hour=23), {}, camera=towards)["moon"] == "no"
