"""Specs from a seed: varied, and coherent as a landscape is.

Every field has its own stream of random numbers, so that fixing one leaves the draws of the others alone.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.scenes.world.spec import BIOMES, SEASONS, Kind, ThingSpec, ViewSpec, WorldSpec
from dreamplate.take.config import from_dict, replace_fields
from dreamplate.take.fields import nearest

__all__ = ["HOURS", "draw_spec", "stream", "time_of_day"]

HOURS: dict[str, tuple[float, float]] = {
    "dawn": (4.75, 7.3),
    "day": (7.3, 16.9),
    "sunset": (16.9, 18.65),
    "dusk": (18.65, 20.2),
    "night": (20.2, 28.75),
}
"""Time of day → from which hour to which; the sun rises about 6 and sets about 18:30."""
_DRAWN_HOURS: dict[str, tuple[float, float, float]] = {
    "dawn": (0.15, 5.2, 6.7),
    "day": (0.35, 8.6, 16.2),
    "sunset": (0.20, 17.45, 18.45),
    "dusk": (0.15, 18.8, 19.7),
    "night": (0.15, 20.6, 28.0),
}
"""Time of day → share, and hours drawn: well inside, so that nobody doubts what it is."""
_WEATHER = {
    "clear": 0.44,
    "cloudy": 0.2,
    "overcast": 0.1,
    "fog": 0.09,
    "rain": 0.07,
    "snowfall": 0.05,
    "storm": 0.05,
}
_WATER: dict[str, dict[str, float]] = {
    "mountains": {"none": 0.45, "lake": 0.42, "river": 0.13},
    "hills": {"none": 0.5, "lake": 0.3, "river": 0.2},
    "coast": {"sea": 1},
    "islands": {"sea": 1},
    "desert": {"none": 0.85, "lake": 0.15},
    "snow": {"none": 0.6, "lake": 0.3, "river": 0.1},
    "canyon": {"none": 0.4, "river": 0.6},
    "plains": {"none": 0.5, "lake": 0.25, "river": 0.25},
}
_TREES: dict[str, dict[str, float]] = {
    "mountains": {"conifer": 0.72, "broadleaf": 0.1, "birch": 0.06, "bare": 0.04, "none": 0.08},
    "hills": {"broadleaf": 0.5, "conifer": 0.2, "birch": 0.2, "none": 0.1},
    "coast": {"broadleaf": 0.3, "conifer": 0.2, "palm": 0.25, "none": 0.25},
    "islands": {"palm": 0.45, "broadleaf": 0.2, "conifer": 0.15, "none": 0.2},
    "desert": {"cactus": 0.5, "none": 0.35, "bare": 0.15},
    "snow": {"conifer": 0.7, "bare": 0.15, "none": 0.15},
    "canyon": {"cactus": 0.35, "conifer": 0.15, "bare": 0.2, "none": 0.3},
    "plains": {"broadleaf": 0.5, "birch": 0.25, "conifer": 0.1, "none": 0.15},
}


def _weights(text: str) -> dict[str, float]:
    """Return names and numbers in turn as a table."""
    words = text.split()
    return dict(zip(words[::2], map(float, words[1::2]), strict=True))


_KINDS: dict[str, dict[str, float]] = {
    "mountains": _weights("castle 4 house 3 village 2.5 tower 2 campfire 1.5 bridge 2 boat 2 car 1.5"),
    "hills": _weights("castle 3 windmill 3 house 3 village 3 tower 1.5 bridge 1.5 boat 1 car 1.5 campfire 1"),
    "coast": _weights("lighthouse 5 boat 4.5 house 2 village 2 castle 1.5 tower 1 car 1.5 campfire 1"),
    "islands": _weights("lighthouse 4 boat 5 house 1.5 tower 1.2 castle 1.5 campfire 1"),
    "desert": _weights("pyramid 6 tower 1.2 house 1.2 village 1 car 1.5 campfire 1.5 castle 0.7"),
    "snow": _weights("house 4 village 2.5 castle 2 campfire 1.5 car 1.5 tower 1.2 boat 0.6"),
    "canyon": _weights("bridge 3 house 1 tower 2 campfire 2 car 1.7 castle 1"),
    "plains": _weights("windmill 4 house 3 village 3 car 2 castle 1 tower 1 bridge 1.5 boat 1 campfire 1"),
}
"""Biome → kinds that belong there, and how often each."""
_COUNTS: dict[str, dict[int, float]] = {
    "house": {1: 0.55, 2: 0.2, 3: 0.17, 5: 0.08},
    "boat": {1: 0.4, 2: 0.27, 3: 0.18, 5: 0.15},
    "car": {1: 0.4, 2: 0.3, 3: 0.2, 5: 0.1},
    "windmill": {1: 0.6, 2: 0.2, 3: 0.2},
    "pyramid": {1: 0.45, 2: 0.25, 3: 0.3},
    "tower": {1: 0.8, 2: 0.2},
}
_WET: dict[str, tuple[str, ...]] = {
    "boat": ("sea", "lake"),
    "bridge": ("river",),
    "lighthouse": ("sea", "lake"),
}
"""Kinds that want water, and which."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers that one named decision of a world is made with."""
    return np.random.default_rng([seed & 0xFFFFFFFF, seed >> 32, zlib.crc32(name.encode())])


def time_of_day(hour: float) -> str:
    """Return ``dawn day sunset dusk`` or ``night``."""
    late = hour + 24 if hour < HOURS["dawn"][0] else hour
    return next(name for name, (start, end) in HOURS.items() if start <= late < end)


def draw_spec(seed: int, **fixed: Any) -> WorldSpec:
    """Return the spec of a seed.

    Args:
        seed: 0 or more.
        **fixed: Fields that are not drawn; those of the view by their dotted names (``view.fov``). What is
            drawn fits what is fixed: a fixed boat brings water.

    Raises:
        ConfigError: There is no such field, or a value is none of it.
    """
    known = [each.name for each in dataclasses.fields(WorldSpec) if each.name not in ("seed", "view")]
    names = ["view", *known, *(f"view.{each.name}" for each in dataclasses.fields(ViewSpec))]
    for name in fixed:
        if name not in names:
            raise ConfigError(f"world: unknown field {name!r}; {nearest(name, names)}")
    asked = {name: value for name, value in fixed.items() if not name.startswith("view")}
    # Checked before anything is drawn with them.
    given = from_dict(WorldSpec, {"seed": seed, **asked}, source="world")
    done: dict[str, Any] = {name: getattr(given, name) for name in asked}
    for name in ("biome", "things", "water", "season", "hour", "weather", "trees", "forest", "road"):
        if name not in done:
            done[name] = _DRAWN[name](stream(seed, name), done)
    if any(thing.kind == "car" for thing in done["things"]) and "road" not in fixed:
        done["road"] = True
    for name in ("relief", "wind", "moon"):
        if name not in done:
            done[name] = _DRAWN[name](stream(seed, name), done)
    if done["weather"] == "fog" and "things" not in fixed:  # what is far off nobody sees
        done["things"] = tuple(dataclasses.replace(thing, distance="near") for thing in done["things"])
    made = WorldSpec(seed=seed, **done, view=_view(stream(seed, "view"), done))
    view = {name: value for name, value in fixed.items() if name.startswith("view")}
    return replace_fields(made, view, source="world")


def _pick(rng: np.random.Generator, weights: Mapping[Any, float]) -> Any:
    names, sizes = list(weights), np.array(list(weights.values()), np.float64)
    return names[int(np.searchsorted(np.cumsum(sizes), rng.random() * sizes.sum(), side="right"))]


def _biome(rng: np.random.Generator, done: Mapping[str, Any]) -> str:
    """Return one where the fixed kinds, water and trees belong; all alike where they belong everywhere."""
    kinds = [thing.kind for thing in done.get("things", ())]
    weights = {}
    for name in BIOMES:
        fits = all(kind in _KINDS[name] for kind in kinds)
        fits = fits and done.get("water", "") in ("", *_WATER[name])
        weights[name] = float(fits and done.get("trees", "") in ("", *_TREES[name]))
    return str(_pick(rng, weights if any(weights.values()) else dict.fromkeys(BIOMES, 1.0)))


def _things(rng: np.random.Generator, done: Mapping[str, Any]) -> tuple[ThingSpec, ...]:
    if rng.random() > 0.78:
        return ()
    kinds = {
        kind: weight
        for kind, weight in _KINDS[done["biome"]].items()
        if ("water" not in done or done["water"] in _WET.get(kind, (done["water"],)))
        and (kind != "car" or done.get("road", True))
    }
    first: Kind = _pick(rng, kinds)
    made = [_thing(rng, first)]
    if rng.random() < 0.25:  # a second kind, smaller in the picture, that the same water will do for
        wet = _WET.get(first, ())
        others = {
            kind: weight
            for kind, weight in kinds.items()
            if kind not in (first, "pyramid", "village", "bridge")
            and (not wet or not set(_WET.get(kind, wet)).isdisjoint(wet))
            and (kind not in _WET or done["biome"] in ("coast", "islands") or wet)
        }
        if others:
            second = _thing(rng, _pick(rng, others))
            away = {"left": "right", "right": "left"}.get(
                made[0].side, str(_pick(rng, {"left": 1, "right": 1}))
            )
            far = "far" if second.distance == "middle" else second.distance
            made.append(dataclasses.replace(second, side=away, distance=far))  # type: ignore[arg-type]
    return tuple(made)


def _thing(rng: np.random.Generator, kind: Kind) -> ThingSpec:
    count = int(_pick(rng, _COUNTS.get(kind, {1: 1})))
    far = {"near": 0.34, "middle": 0.5, "far": 0.16}
    if kind in ("campfire", "car"):
        far = {"near": 0.55, "middle": 0.45}
    side = _pick(rng, {"left": 0.33, "centre": 0.34, "right": 0.33})
    return ThingSpec(kind, count, _pick(rng, far), side)


def _water(rng: np.random.Generator, done: Mapping[str, Any]) -> str:
    allowed = dict(_WATER[done["biome"]])
    for thing in done["things"]:
        wet = _WET.get(thing.kind)
        if wet is not None and not set(wet).isdisjoint({name for name, share in allowed.items() if share}):
            allowed = {name: share for name, share in allowed.items() if name in wet}
        elif wet is not None:
            allowed = {wet[-1]: 1.0}
    return str(_pick(rng, allowed))


def _season(rng: np.random.Generator, done: Mapping[str, Any]) -> str:
    share = dict.fromkeys(SEASONS, 1.0)
    if done["biome"] == "snow":
        share = {"winter": 0.9, "autumn": 0.1}
    elif done["biome"] in ("desert", "canyon"):
        share = {"spring": 1, "summer": 2, "autumn": 1}
    elif done["biome"] == "islands":
        share = {"spring": 1, "summer": 2, "autumn": 1, "winter": 0.4}
    if done.get("trees") in ("palm", "cactus"):
        share = {"spring": 1, "summer": 2}
    if done.get("weather") == "snowfall":
        share = {"winter": 1}
    return str(_pick(rng, share))


def _hour(rng: np.random.Generator, done: Mapping[str, Any]) -> float:
    name = _pick(rng, {name: share for name, (share, _, _) in _DRAWN_HOURS.items()})
    _, start, end = _DRAWN_HOURS[name]
    return round(float(rng.uniform(start, end)) % 24, 2)


def _weather(rng: np.random.Generator, done: Mapping[str, Any]) -> str:
    share = dict(_WEATHER)
    cold = done["biome"] == "snow" or done["season"] == "winter"
    share["snowfall"] = {True: 0.22, False: 0.0}[cold and done["biome"] not in ("desert", "canyon")]
    if not done["things"]:
        share["fog"] *= 0.4
    if cold:
        share |= {"rain": 0.0, "storm": 0.02}
    if done["biome"] in ("desert", "canyon"):
        share |= {"clear": 0.62, "rain": 0.02, "fog": 0.04, "storm": 0.03}
    return str(_pick(rng, share))


def _trees(rng: np.random.Generator, done: Mapping[str, Any]) -> str:
    share = dict(_TREES[done["biome"]])
    if done["biome"] == "desert" and done["water"] != "none":
        share = {"palm": 0.9, "none": 0.1}  # an oasis
    cold = done["season"] == "winter" or done["weather"] == "snowfall"
    if cold or done["season"] == "autumn":
        share.pop("palm", None)
    if done["season"] == "winter":
        bare = share.pop("broadleaf", 0) + share.get("birch", 0) * 0.3
        share["bare"] = share.get("bare", 0) + 0.7 * bare
        share["conifer"] = share.get("conifer", 0) + 0.3 * bare
    return str(_pick(rng, share))


def _forest(rng: np.random.Generator, done: Mapping[str, Any]) -> float:
    if done["trees"] == "none":
        return 0.0
    low, high = {"palm": (0.06, 0.35), "cactus": (0.05, 0.3), "bare": (0.05, 0.35)}.get(
        done["trees"], (0.08, 0.9)
    )
    return round(float(low + (high - low) * rng.random() ** 1.3), 2)


def _road(rng: np.random.Generator, done: Mapping[str, Any]) -> bool:
    kinds = {thing.kind for thing in done["things"]}
    if "car" in kinds:
        return True
    if kinds & {"boat", "lighthouse", "campfire", "bridge"} or done["biome"] == "islands":
        return False
    return bool(rng.random() < (0.3 if kinds & {"village", "house"} else 0.12))


def _relief(rng: np.random.Generator, done: Mapping[str, Any]) -> float:
    return round(float(rng.uniform(0.75, 1.35)), 2)


def _wind(rng: np.random.Generator, done: Mapping[str, Any]) -> float:
    low, high = {"storm": (1.6, 2.6), "rain": (0.6, 1.6), "fog": (0.1, 0.5)}.get(done["weather"], (0.2, 1.4))
    return round(float(rng.uniform(low, high)), 2)


def _moon(rng: np.random.Generator, done: Mapping[str, Any]) -> float:
    share = round(float(rng.uniform(0.25, 1.0)), 2)
    return share if time_of_day(done["hour"]) == "night" and rng.random() < 0.75 else 0.0


def _view(rng: np.random.Generator, done: Mapping[str, Any]) -> ViewSpec:
    """Return a view of the height of a person, of a small rise, or now and then from the air."""
    kinds = {thing.kind for thing in done["things"]}
    share = {"eye": 0.45, "rise": 0.43, "air": 0.12}
    if kinds & {"car", "campfire"}:
        share = {"eye": 1.0}
    elif done["weather"] == "fog" or kinds & {"house", "village"}:
        share = (
            {"eye": 0.5, "rise": 0.5} if done["weather"] == "fog" else {"eye": 0.5, "rise": 0.42, "air": 0.08}
        )
    low, high = {"eye": (1.7, 3.5), "rise": (4, 11), "air": (22, 50)}[_pick(rng, share)]
    height = low * (high / low) ** rng.random()
    return ViewSpec(round(float(height), 1), None, round(float(rng.uniform(44, 66)), 1))


_DRAWN = {
    "biome": _biome,
    "things": _things,
    "water": _water,
    "season": _season,
    "hour": _hour,
    "weather": _weather,
    "trees": _trees,
    "forest": _forest,
    "road": _road,
    "relief": _relief,
    "wind": _wind,
    "moon": _moon,
}
