"""The viewpoint turns until the main things stand where the spec wants them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dreamplate.scenes.world.build import build
from dreamplate.scenes.world.draw import draw_spec

SIDES = {"left": (-0.6, -0.26), "centre": (-0.1, 0.1), "right": (0.26, 0.6)}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", ["tower", "boat"])
def test_a_thing_stands_on_the_side_it_was_asked_for(kind: str, side: str) -> None:
    low, high = SIDES[side]
    there = 0
    for seed in range(8):
        given: dict[str, Any] = {"things": [f"{kind} {side}"], "biome": "hills", "water": "lake"}
        world = build(draw_spec(seed, **given))
        main = next(standing for standing in world.standings.values() if standing.group == 0)
        across, ahead = world.eye.across(main.place[0], main.place[2])
        assert ahead > 0
        there += low - 1e-3 <= float(across) <= high + 1e-3
    assert there >= 7  # the eye turns 20 degrees at most


def test_a_world_without_things_is_not_turned() -> None:
    world = build(draw_spec(5, things=[], biome="plains"))
    assert abs(world.eye.yaw) <= 0.2  # as its place was drawn


def test_nothing_stands_around_the_eye() -> None:
    specs = [draw_spec(seed, things=["3 house near", "village near"], water="none") for seed in range(6)]
    for spec in (draw_spec(987), *specs):  # of the first, a house once stood there
        world = build(spec)
        for standing in world.standings.values():
            away = math.hypot(standing.place[0] - world.eye.x, standing.place[2] - world.eye.z)
            assert away > standing.radius + 2.5
