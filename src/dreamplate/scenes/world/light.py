"""Light of a world: where sun and moon stand, and the colours of sky, clouds and air for hour and weather.

The sun rises at 6 and sets at 18:09; it is highest between, 56 degrees up. Where it rises and sets, seen from
the viewpoint, follows from the seed: often in the picture, else from a side or behind. Colours are exposed
for the hour, as a photographer would: 1 is display white, and a night can be read.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dreamplate.scenes.world import light_layout as at
from dreamplate.scenes.world.data import LightData
from dreamplate.scenes.world.light_palettes import Palette, palette_at
from dreamplate.scenes.world.spec import Weather, WorldSpec

__all__ = ["RISE", "SET", "make_light", "moon_direction", "sun_direction"]

Vector = npt.NDArray[np.float64]
RISE = 6.0
"""Hour of sunrise."""
SET = 18.15
"""Hour of sunset."""
HIGHEST = math.radians(56)
LOWEST = math.radians(8)
"""The light that casts shadows never comes from lower: no world lies all in the shadow of its hills."""


class _Air(NamedTuple):
    """What weather does to light.

    `grey` takes colour from the sky towards ``tone`` times its brightness; `direct` is what is left of the
    sun; `soft` goes from sun to sky; `cover`, `dense`, `base`, `deep`, `scale` are those of low clouds.
    """

    grey: float
    tone: float
    direct: float
    soft: float
    cover: tuple[float, float]
    dense: float
    base: float
    deep: float
    scale: float
    shadow: float
    dark: float
    haze: float
    fog: float
    span: float
    wet: float
    stars: float


# fmt: off
_AIR: dict[Weather, _Air] = {  # in the order of the fields above
    "clear": _Air(
        0.0, 1.0, 1.0, 0.0, (0.9, 3.0),
        1.1, 1500, 500, 1900, 0.5, 1.0, 1.0, 0.0, 60, 0.0, 1.0,
    ),
    "cloudy": _Air(
        0.05, 1.0, 0.95, 0.06, (-0.1, 0.55),
        1.5, 1300, 700, 2300, 0.7, 0.92, 1.2, 0.0, 60, 0.0, 0.8,
    ),
    "overcast": _Air(
        0.82, 0.95, 0.2, 0.45, (-3.0, -2.2),
        0.9, 1000, 600, 2600, 0.0, 1.05, 1.7, 0.0, 60, 0.0, 0.0,
    ),
    "fog": _Air(
        0.86, 1.05, 0.16, 0.42, (-1.6, -1.0),
        0.5, 1000, 400, 2600, 0.0, 1.0, 2.5, 1 / 95, 60, 0.2, 0.0,
    ),
    "rain": _Air(
        0.9, 0.7, 0.1, 0.36, (-2.6, -1.6),
        1.2, 800, 600, 2200, 0.0, 0.72, 3.5, 1 / 1100, 160, 0.9, 0.0,
    ),
    "snowfall": _Air(
        0.9, 1.0, 0.16, 0.46, (-3.2, -2.4),
        0.7, 900, 500, 2600, 0.0, 0.98, 3.5, 1 / 420, 120, 0.0, 0.0,
    ),
    "storm": _Air(
        0.78, 0.36, 0.5, 0.2, (-1.7, -1.0),
        2.6, 700, 1000, 1500, 0.6, 0.36, 1.8, 1 / 3500, 200, 0.7, 0.0,
    ),
}
# fmt: on
_HAZE = np.array([0.65, 0.85, 1.3]) / 9000
"""Extinction of clear day air, per metre: blue fades first."""
_LUMA = np.array([0.2126, 0.7152, 0.0722])


def make_light(spec: WorldSpec) -> LightData:
    """Return the light of a world.

    Args:
        spec: The world: its hour, weather, moon, wind and seed matter here.
    """
    draws = np.random.default_rng([spec.seed, 0x5F1E])
    mood = draws.random(16)
    air = _AIR[spec.weather]
    colours = _exposed(_weathered(palette_at(spec.hour), air, spec), spec)
    sun = sun_direction(spec)
    moon = moon_direction(spec)
    width, flat, haze, mist, stars, lamps, falloff = colours.more
    night = _night(spec.hour)
    key = moon if night > 0.5 else sun
    n = np.zeros(at.COUNT)

    def put(where: int, *values: float | Vector) -> None:
        flat_values = np.concatenate([np.atleast_1d(np.asarray(value, float)) for value in values])
        n[where : where + len(flat_values)] = flat_values

    put(at.SUN, sun)
    put(at.MOON, moon, spec.moon * float(np.clip(1 - 3 * air.grey, 0, 1)), 1.0 if mood[0] < 0.5 else -1.0)
    put(at.ZENITH, colours.zenith, colours.middle, colours.towards, colours.away)
    put(at.GLOW, colours.glow, width, flat)
    strength = max(0.0, 1 - 1.35 * air.grey) * float(np.clip(air.direct, 0, 1))
    tint = colours.sun / max(float(colours.sun.max()), 1e-6)
    low = float(np.clip(math.degrees(math.asin(sun[1])) / 25, 0, 1))
    put(at.DISC, strength * (10 + 30 * low) * tint * float(sun[1] > -0.012), 0.0105 + 0.006 * (1 - low))
    put(at.UP, colours.up, colours.down, colours.side)
    share = float(mood[1])
    put(
        at.COVER,
        air.cover[0] + share * (air.cover[1] - air.cover[0]),
        air.dense,
        air.base,
        air.deep,
        air.scale,
    )
    put(at.LIT, colours.lit, colours.shade)
    cirrus = {"clear": 0.45 * float(mood[2] > 0.45), "cloudy": 0.25}.get(spec.weather, 0.0) * (
        0.4 + 0.6 * mood[3]
    )
    put(at.CIRRUS, cirrus * (1 - 0.75 * night), 1.35 * colours.lit + 0.6 * colours.shade)
    way = 2 * math.pi * mood[4]
    speed = 9.0 * (0.3 + spec.wind)
    put(at.WIND, speed * math.cos(way), speed * math.sin(way), 21000.0 if air.grey < 0.5 else 15000.0)
    put(at.HAZE, _HAZE * haze * air.haze)
    horizon = 0.5 * (colours.towards + colours.away)
    density = air.fog + (mist / 520 if spec.weather in ("clear", "cloudy") else 0.0)
    put(
        at.FOG,
        density,
        0.0,
        air.span if air.fog > 0 else 26.0,
        _mist_colour(horizon, air.grey),
        0.6,
    )
    put(at.STARS, 1.6 * stars * air.stars, lamps)
    wet = air.wet
    put(at.RAIN, {"rain": 0.85, "storm": 0.55}.get(spec.weather, 0.0), float(spec.weather == "snowfall"), wet)
    put(at.CLOUD_SHADOW, air.shadow)
    moonlight = np.array([1.25, 1.2, 1.08]) * (0.35 + 0.65 * night)
    put(at.MOON_COLOUR, moonlight)
    bright = float(colours.up @ _LUMA)
    put(at.FALL, np.array([0.9, 0.97, 1.05]) * (0.08 + 1.15 * bright))
    put(at.STREAK, float(np.clip((mood[5] - 0.5) * (0.3 + 0.5 * spec.wind), -0.7, 0.7)), air.soft)
    put(at.FALLOFF, falloff)
    put(at.GLINT, (0.5 + 0.5 * spec.moon if night > 0.5 else float(sun[1] > -0.01)) * (1 - air.grey) ** 2)
    put(at.MILK, 0.11 * stars * air.stars * float(mood[6] > 0.3) * (1 - 0.6 * spec.moon))
    key = _lifted(key)
    seed = int(spec.seed % (1 << 31))
    put(at.KEY, key, colours.sun, float(seed))
    return LightData(
        sun=key.astype(np.float32), sun_colour=colours.sun.astype(np.float32), numbers=n, seed=seed
    )


def _mist_colour(horizon: Vector, grey: float) -> Vector:
    """Return the colour of fog: the horizon's, paler under a grey sky."""
    pale = float(horizon @ _LUMA) * np.array([0.97, 1.0, 1.05])
    share = 0.1 + 0.5 * grey
    return np.asarray((1 + 0.22 * grey) * ((1 - share) * horizon + share * pale))


def _night(hour: float) -> float:
    """Return 1 while the moon gives the light, 0 while the sun or its glow does."""
    return 1.0 if hour < 4.75 or hour >= 19.6 else 0.0


def _weathered(clear: Palette, air: _Air, spec: WorldSpec) -> Palette:
    """Return what weather makes of the colours of clear air."""
    moonlit = 0.45 + 0.75 * spec.moon if _night(spec.hour) > 0.5 else 1.0
    middle = 0.25 * (clear.zenith + clear.middle + clear.towards + clear.away)
    cool = np.array([0.94, 1.0, 1.09])

    def greyed(colour: Vector, share: float) -> Vector:
        # What is left of the hour's tint keeps a rainy evening apart from a rainy noon.
        mean = 0.55 * float(middle @ _LUMA) + 0.45 * float(colour @ _LUMA)
        tinted = 0.22 * middle / max(float(middle @ _LUMA), 1e-6) + 0.78 * cool
        grey = air.tone * mean * tinted
        return np.asarray(colour + share * (grey - colour))

    g = air.grey
    sun = clear.sun * moonlit
    up = clear.up + air.soft * 0.55 * (0.5 * sun + 0.5 * float(sun @ _LUMA))
    up = greyed(up, 0.75 * g) if g > 0.3 else up
    if _night(spec.hour) > 0.5:
        up = up * (1 + 0.7 * g)
    dim = air.dark
    lift = 0.55 + 0.45 * moonlit if _night(spec.hour) > 0.5 else 1.0
    return replace(
        clear,
        zenith=greyed(clear.zenith, g) * (lift if g < 0.3 else 1.0),
        middle=greyed(clear.middle, g),
        towards=greyed(clear.towards, g * 0.93),
        away=greyed(clear.away, g),
        glow=clear.glow * max(0.0, 1 - 1.15 * g),
        sun=sun * air.direct,
        up=up * (0.6 + 0.4 * dim),
        down=clear.down * (1 - 0.45 * g),
        side=clear.side * (1 - 0.6 * g),
        lit=greyed(clear.lit, 0.85 * g) * dim * (0.5 + 0.5 * lift),
        shade=greyed(clear.shade, 0.9 * g) * dim * dim,
    )


def _exposed(colours: Palette, spec: WorldSpec) -> Palette:
    """Return colours as exposed for bright ground: snow and sand would else be white all over."""
    bright = {"snow": 0.68, "desert": 0.74}.get(spec.biome, 1.0)
    if spec.season == "winter" and spec.biome in ("mountains", "hills", "plains"):
        bright = min(bright, 0.76)
    if _night(spec.hour) > 0.5:
        bright = bright**0.4
    sky = bright**0.4
    lights = {name: bright * getattr(colours, name) for name in ("sun", "up", "down", "side")}
    skies = {
        name: sky * getattr(colours, name)
        for name in ("zenith", "middle", "towards", "away", "glow", "lit", "shade")
    }
    return replace(colours, **lights, **skies)


def sun_direction(spec: WorldSpec) -> Vector:
    """Return the unit vector towards the sun; below the horizon at night."""
    span = SET - RISE
    hour = spec.hour
    if RISE <= hour <= SET:
        height = HIGHEST * math.sin(math.pi * (hour - RISE) / span)
    else:
        since = (hour - SET) % 24
        height = -math.radians(38) * math.sin(math.pi * since / (24 - span))
    draws = np.random.default_rng([spec.seed, 0x50AA]).random(4)
    rise, fall = _azimuth(draws[0], draws[1]), _azimuth(draws[2], draws[3])
    share = min(max((hour - RISE) / span, 0.0), 1.0)
    turn = rise + share * ((fall - rise + math.pi) % (2 * math.pi) - math.pi)
    return _direction(turn, height)


def moon_direction(spec: WorldSpec) -> Vector:
    """Return the unit vector towards the moon."""
    draws = np.random.default_rng([spec.seed, 0x300A]).random(3)
    turn = _azimuth(0.6 * draws[0], draws[1])
    return _direction(turn, math.radians(11 + 16 * draws[2]))


def _azimuth(kind: float, where: float) -> float:
    """Return an angle from straight ahead (-Z), to the right: ahead, to a side, or behind."""
    sign = 1.0 if where < 0.5 else -1.0
    part = 2 * where % 1.0
    if kind < 0.45:
        return sign * math.radians(24 * part)
    if kind < 0.82:
        return sign * math.radians(35 + 75 * part)
    return sign * math.radians(110 + 65 * part)


def _direction(turn: float, height: float) -> Vector:
    return np.array([math.sin(turn) * math.cos(height), math.sin(height), -math.cos(turn) * math.cos(height)])


def _lifted(direction: Vector) -> Vector:
    """Return a direction no lower than `LOWEST`."""
    if direction[1] >= math.sin(LOWEST):
        return direction
    flat = np.array([direction[0], 0.0, direction[2]])
    flat /= np.linalg.norm(flat)
    found = flat * math.cos(LOWEST)
    found[1] = math.sin(LOWEST)
    return found
