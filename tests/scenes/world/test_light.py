"""Light of a world: where sun and moon stand, and colours over the day."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dreamplate.scenes.world import light_layout as at
from dreamplate.scenes.world.light import RISE, SET, make_light, moon_direction, sun_direction
from dreamplate.scenes.world.light_palettes import Palette, linear, palette_at
from dreamplate.scenes.world.spec import WorldSpec

WEATHERS = ("clear", "cloudy", "overcast", "fog", "rain", "snowfall", "storm")
HOURS = (0.5, 5.4, 6.2, 9.0, 13.0, 17.5, 18.0, 18.6, 19.3, 22.0)


def test_the_sun_rises_and_sets_at_its_hours() -> None:
    heights = {hour: sun_direction(WorldSpec(seed=3, hour=hour))[1] for hour in np.arange(0, 24, 0.25)}
    assert {hour for hour, y in heights.items() if y > 1e-9} == {h for h in heights if RISE < h < SET}
    assert max(heights, key=lambda hour: heights[hour]) == pytest.approx((RISE + SET) / 2, abs=0.25)


@pytest.mark.parametrize("seed", range(4))
def test_the_sun_moves_without_jumps(seed: int) -> None:
    ways = [sun_direction(WorldSpec(seed=seed, hour=hour)) for hour in np.arange(0, 23.99, 0.05)]
    assert np.allclose(np.linalg.norm(ways, axis=1), 1)
    turns = [float(np.dot(a, b)) for a, b in itertools.pairwise(ways)]
    assert np.degrees(np.arccos(np.clip(min(turns), -1, 1))) < 3


def test_low_suns_stand_ahead_aside_and_behind() -> None:
    ahead = [-sun_direction(WorldSpec(seed=seed, hour=17.6))[2] for seed in range(120)]
    assert sum(a > 0.85 for a in ahead) > 30
    assert sum(-0.3 < a < 0.85 for a in ahead) > 25
    assert sum(a < -0.3 for a in ahead) > 8


def test_colours_go_smoothly_over_the_day() -> None:
    def flat(hour: float) -> np.ndarray:
        palette = palette_at(hour)
        return np.concatenate([getattr(palette, name) for name in Palette.__dataclass_fields__])

    hours = np.arange(0, 24, 0.01)
    steps = np.abs(np.diff([flat(hour) for hour in hours], axis=0))
    assert steps.max() < 0.2  # the falloff of the horizon, a number of about 10, goes fastest
    assert np.array_equal(flat(0.0), flat(23.999))


def test_linear_is_the_srgb_curve() -> None:
    assert np.allclose(linear(np.array([0.0, 255.0])), [0, 1])
    assert linear(np.array([188.0]))[0] == pytest.approx(0.5029, abs=1e-3)


@pytest.mark.parametrize("weather", WEATHERS)
def test_every_hour_and_weather_gives_sound_numbers(weather: str) -> None:
    for hour, moon in itertools.product(HOURS, (0.0, 0.7)):
        light = make_light(WorldSpec(seed=9, hour=hour, weather=weather, moon=moon))  # type: ignore[arg-type]
        assert light.numbers.shape == (at.COUNT,)
        assert np.isfinite(light.numbers).all() and np.isfinite(light.sun_colour).all()
        colours = [at.ZENITH, at.MIDDLE, at.TOWARDS, at.AWAY, at.UP, at.DOWN, at.LIT, at.SHADE, at.FOG_COLOUR]
        assert all((light.numbers[k : k + 3] >= 0).all() for k in colours)
        assert np.linalg.norm(light.sun) == pytest.approx(1, abs=1e-6)
        assert light.sun[1] >= np.sin(np.radians(7.9))


def test_weather_darkens_and_softens() -> None:
    of = {w: make_light(WorldSpec(seed=1, hour=12.0, weather=w)) for w in WEATHERS}  # type: ignore[arg-type]
    assert of["clear"].sun_colour[1] > 3 * of["overcast"].sun_colour[1]
    assert of["storm"].numbers[at.SHADE + 1] < 0.5 * of["clear"].numbers[at.SHADE + 1]
    assert {w for w in WEATHERS if of[w].numbers[at.RAIN] > 0} == {"rain", "storm"}
    assert {w for w in WEATHERS if of[w].numbers[at.SNOW] > 0} == {"snowfall"}
    assert of["fog"].numbers[at.FOG] == max(light.numbers[at.FOG] for light in of.values())


def test_lamps_burn_at_night_alone() -> None:
    lamps = {hour: make_light(WorldSpec(hour=hour)).numbers[at.NIGHT] for hour in (0.0, 12.0, 22.0)}
    assert lamps[12.0] == 0 and lamps[0.0] == lamps[22.0] == 1


def test_the_moon_shines_where_it_stands() -> None:
    spec = WorldSpec(seed=4, hour=23.0, moon=0.8)
    light = make_light(spec)
    assert np.allclose(light.sun, moon_direction(spec), atol=1e-6)
    dark = make_light(WorldSpec(seed=4, hour=23.0, moon=0.0))
    assert light.sun_colour[1] > 1.5 * dark.sun_colour[1]
    assert dark.numbers[at.MOON_SHARE] == 0


def test_a_seed_gives_one_light() -> None:
    first, again, other = (make_light(WorldSpec(seed=seed, hour=10.0)) for seed in (8, 8, 9))
    assert np.array_equal(first.numbers, again.numbers) and first.seed == again.seed
    assert not np.array_equal(first.numbers, other.numbers)
    assert make_light(WorldSpec(seed=2**63 - 1)).seed >= 0
