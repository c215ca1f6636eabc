from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from dreamplate.errors import ConfigError
from dreamplate.scenes.world.draw import HOURS, draw_spec, time_of_day
from dreamplate.scenes.world.spec import BIOMES, KINDS, ThingSpec, WorldSpec
from dreamplate.take.config import check, from_yaml, to_yaml

SPECS = [draw_spec(seed) for seed in range(600)]


def test_what_is_drawn_is_sound_and_survives_yaml() -> None:
    for spec in SPECS[:50]:
        assert check(spec) == spec
        assert from_yaml(WorldSpec, to_yaml(spec)) == spec
        assert draw_spec(spec.seed) == spec


def test_worlds_are_coherent() -> None:
    for spec in SPECS:
        kinds = {thing.kind for thing in spec.things}
        if spec.trees == "palm":
            assert spec.season not in ("winter", "autumn")
            assert spec.biome in ("coast", "islands") or (spec.biome == "desert" and spec.water == "lake")
        if "boat" in kinds:
            assert spec.water in ("sea", "lake")
        if "bridge" in kinds:
            assert spec.water == "river"
        if "lighthouse" in kinds:
            assert spec.water in ("sea", "lake")
        if "pyramid" in kinds:
            assert spec.biome == "desert"
        if "car" in kinds:
            assert spec.road
        if spec.weather == "snowfall":
            assert spec.season == "winter" or spec.biome == "snow"
        if spec.biome == "snow":
            assert spec.trees in ("conifer", "bare", "none")
        if spec.moon > 0:
            assert time_of_day(spec.hour) == "night"
        if spec.trees == "none":
            assert spec.forest == 0


def test_draws_are_balanced() -> None:
    biomes = Counter(spec.biome for spec in SPECS)
    assert set(biomes) == set(BIOMES)
    assert min(biomes.values()) > 0.6 * len(SPECS) / len(BIOMES)
    times = Counter(time_of_day(spec.hour) for spec in SPECS)
    for name, share in {"dawn": 0.15, "day": 0.35, "sunset": 0.2, "dusk": 0.15, "night": 0.15}.items():
        assert abs(times[name] / len(SPECS) - share) < 0.06
    assert {thing.kind for spec in SPECS for thing in spec.things} == set(KINDS)
    assert 0.65 < sum(bool(spec.things) for spec in SPECS) / len(SPECS) < 0.85


def test_every_hour_has_one_time() -> None:
    edges = sorted(HOURS.values())
    assert all(first[1] == second[0] for first, second in pairwise(edges))
    assert edges[-1][1] - edges[0][0] == 24
    assert [time_of_day(hour) for hour in (6, 12, 18, 19, 23, 2)] == [
        "dawn", "day", "sunset", "dusk", "night", "night",
    ]  # fmt: skip


def test_a_fixed_field_is_kept_and_leaves_others_alone() -> None:
    for seed in range(20):
        plain = draw_spec(seed)
        fixed = draw_spec(seed, wind=2.5)
        assert replace(plain, wind=2.5) == fixed


def test_what_is_drawn_follows_what_is_fixed() -> None:
    for seed in range(40):
        assert draw_spec(seed, things=["boat"]).water in ("sea", "lake")
        assert draw_spec(seed, things=["pyramid"]).biome == "desert"
        assert draw_spec(seed, things=["2 car near"]).road
        assert draw_spec(seed, water="sea").biome in ("coast", "islands")
        assert draw_spec(seed, trees="palm").season in ("spring", "summer")
        assert draw_spec(seed, **{"view.fov": 40.0}).view.fov == 40


def test_unknown_names_are_refused_with_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'biome'"):
        draw_spec(0, bioem="coast")
    with pytest.raises(ConfigError, match="did you mean 'coast'"):
        draw_spec(0, biome="cost")
    with pytest.raises(ConfigError, match="castle"):
        draw_spec(0, things=["castel"])
    with pytest.raises(ConfigError, match=r"view\.fov"):
        draw_spec(0, **{"view.fof": 40})


def test_things_are_written_in_words() -> None:
    made = draw_spec(0, things=["3 boat far left", "house"]).things
    assert made == (ThingSpec("boat", 3, "far", "left"), ThingSpec())
    with pytest.raises(ConfigError, match="twice"):
        draw_spec(0, things=["boat near far"])
