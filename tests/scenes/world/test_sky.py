"""Kernels of sky and air: laws of distance, light and noise that pictures rest on."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from dreamplate.scenes.world import light_layout as at
from dreamplate.scenes.world.data import LightData
from dreamplate.scenes.world.kernels.clouds import cloud_shadow
from dreamplate.scenes.world.kernels.sky import air, ambient, gradient, sky
from dreamplate.scenes.world.light import make_light, sun_direction
from dreamplate.scenes.world.passes import display
from dreamplate.scenes.world.spec import WorldSpec

WEATHERS = ("clear", "cloudy", "overcast", "fog", "rain", "snowfall", "storm")


def ways(count: int, seed: int = 0, least: float = -0.2) -> np.ndarray:
    """Unit directions, not far below the horizon."""
    found = np.random.default_rng(seed).normal(size=(4 * count, 3))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found[found[:, 1] > least][:count]


def seen(light: LightData, directions: np.ndarray, time: float = 0.0) -> np.ndarray:
    """Radiance of the sky in directions."""
    return np.array([sky(*way, time, 0.008, light.numbers) for way in directions.tolist()])


@pytest.mark.parametrize("weather", WEATHERS)
@pytest.mark.parametrize("hour", [0.0, 5.8, 12.0, 17.7, 18.7])
def test_skies_are_finite_and_never_negative(weather: str, hour: float) -> None:
    light = make_light(WorldSpec(seed=2, hour=hour, weather=weather, moon=0.5))  # type: ignore[arg-type]
    found = seen(light, ways(150))
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_the_five_times_of_day_look_different() -> None:
    """Mean displayed colour low and high in the sky, over seeds: every pair is far apart."""
    low, high = ways(60, least=0.02), ways(60, seed=1, least=0.3)
    low[:, 1] *= 0.3
    low /= np.linalg.norm(low, axis=1, keepdims=True)
    looks = {}
    for name, hour in {"dawn": 6.0, "day": 12.0, "sunset": 17.6, "dusk": 18.7, "night": 23.0}.items():
        lights = [make_light(WorldSpec(seed=seed, hour=hour)) for seed in range(4)]
        looks[name] = np.concatenate(
            [
                np.mean([display(seen(light, part)).mean(axis=0) for light in lights], axis=0)
                for part in (low, high)
            ]
        )
    for a, b in itertools.combinations(looks, 2):
        assert np.abs(looks[a] - looks[b]).max() > 30, (a, b)
    red, _, blue = looks["sunset"][:3]
    assert red > blue + 25
    red, _, blue = looks["dusk"][:3]
    assert blue > red


def test_the_sun_is_a_disc_brighter_than_white() -> None:
    spec = WorldSpec(seed=11, hour=13.0)
    sun, light = sun_direction(spec), make_light(spec)
    assert seen(light, sun[None]).min() > 5
    aside = sun + 0.05 * np.array([sun[2], 0, -sun[0]])
    assert seen(light, aside[None] / np.linalg.norm(aside)).max() < 3


def test_stars_are_out_at_night_alone() -> None:
    # Cirrus aside: the eye of a needle, so that a star is a spike.
    directions = ways(3000, seed=5, least=0.5)
    spread = {}
    for hour in (12.0, 23.0):
        light = make_light(WorldSpec(seed=21, hour=hour))
        bare = np.array([gradient(*way, light.numbers) for way in directions.tolist()])
        spread[hour] = float(np.percentile(seen(light, directions)[:, 1] - bare[:, 1], 99.8))
    assert spread[23.0] > 0.1
    dark = make_light(WorldSpec(seed=21, hour=23.0, weather="overcast"))
    assert dark.numbers[at.STARS] == 0


def test_clouds_drift_and_follow_the_seed() -> None:
    directions = ways(200, seed=6, least=0.15)
    light = make_light(WorldSpec(seed=3, hour=12.0, weather="cloudy"))
    now = seen(light, directions)
    assert np.array_equal(now, seen(light, directions))
    assert np.abs(now - seen(light, directions, time=60.0)).mean() > 0.01
    other = make_light(WorldSpec(seed=4, hour=12.0, weather="cloudy"))
    assert np.abs(now - seen(other, directions)).mean() > 0.05


@pytest.mark.parametrize("weather", ["clear", "fog", "rain"])
def test_air_leaves_near_things_alone_and_hides_far_ones(weather: str) -> None:
    light = make_light(WorldSpec(seed=1, hour=9.0, weather=weather))  # type: ignore[arg-type]
    way = (0.6, -0.01, -math.sqrt(1 - 0.36 - 0.0001))
    assert np.allclose(air(0.3, 0.2, 0.1, 0.0, 5.0, 0.0, *way, 0.0, light.numbers), (0.3, 0.2, 0.1))
    apart = []
    for t in (10.0, 100.0, 1000.0, 10_000.0, 200_000.0):
        dark = np.array(air(0.0, 0.0, 0.0, 0.0, 5.0, 0.0, *way, t, light.numbers))
        bright = np.array(air(1.0, 1.0, 1.0, 0.0, 5.0, 0.0, *way, t, light.numbers))
        apart.append(bright - dark)
    assert (np.diff(apart, axis=0) <= 1e-12).all()
    assert np.abs(apart[-1]).max() < 1e-4
    assert apart[1][0] >= apart[1][2]  # blue goes first


def test_two_stretches_of_air_are_one() -> None:
    """Looking level, light through 300 m and then 700 m more is light through 1000 m."""
    light = make_light(WorldSpec(seed=1, hour=9.0, weather="fog"))
    light.numbers[at.HAZE : at.HAZE + 3] = 0  # haze and fog are put in one after the other, which do not swap
    way = (0.8, 0.0, -0.6)
    far = air(0.4, 0.5, 0.6, 0.8 * 300, 4.0, -0.6 * 300, *way, 700.0, light.numbers)
    assert np.allclose(
        air(*far, 0.0, 4.0, 0.0, *way, 300.0, light.numbers),
        air(0.4, 0.5, 0.6, 0, 4.0, 0, *way, 1000.0, light.numbers),
    )


def test_fog_lies_low() -> None:
    light = make_light(WorldSpec(seed=1, hour=9.0, weather="fog"))
    through = []
    for y in (2.0, 60.0, 250.0):
        bright, dark = (
            air(c, c, c, 0.0, y, 0.0, 0.8, 0.0, -0.6, 200.0, light.numbers)[0] for c in (1.0, 0.0)
        )
        through.append(bright - dark)
    assert through[0] < through[1] < through[2]


def test_ambient_light_comes_from_above() -> None:
    light = make_light(WorldSpec(seed=1, hour=12.0))
    up, down = (np.array(ambient(0.0, y, 0.0, light.numbers)) for y in (1.0, -1.0))
    assert (up > down).all() and (down > 0).all()


def test_clouds_shade_the_ground_in_part() -> None:
    light = make_light(WorldSpec(seed=1, hour=12.0, weather="cloudy"))
    spots = np.random.default_rng(0).uniform(-9000, 9000, (400, 2))
    share = np.array([cloud_shadow(x, 10.0, z, 0.0, light.numbers) for x, z in spots.tolist()])
    assert 0 < share.min() < 0.6 and share.max() == 1
    clear = make_light(WorldSpec(seed=1, hour=12.0, weather="overcast"))
    assert cloud_shadow(0.0, 0.0, 0.0, 0.0, clear.numbers) == 1


def test_the_gradient_has_no_seam() -> None:
    light = make_light(WorldSpec(seed=6, hour=17.7))
    turn = np.linspace(0, 2 * np.pi, 2000)
    for height in (0.0, 0.2, 0.7):
        flat = math.sqrt(1 - height * height)
        found = np.array(
            [gradient(flat * math.sin(a), height, flat * math.cos(a), light.numbers) for a in turn.tolist()]
        )
        assert np.abs(np.diff(found, axis=0)).max() < 0.05
