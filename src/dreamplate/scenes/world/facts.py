"""What a picture of a world shows, as words: from its label and instance passes, never from the spec alone.

time            dawn day sunset dusk night          season       spring summer autumn winter
weather         clear cloudy overcast fog rain      season_seen  yes, where plants or snow tell it
                snowfall storm                      snow         yes, where snow covers much of the land
biome           that the picture shows              ground       what covers most of the land
landmark        main kind of thing, or none         trees        kind, or none
count           0 1 2 3 many: of the landmark       forest       none few many
side            left centre right: of it            water        none sea lake river
size            small (and far), medium, large      road         yes no
site            key of `words.SITES`, or none       sky          none some much
second          another kind, or none               moon         yes, where it is in the picture
second_count    of that                             behind       yes, where land rises behind
church          yes, where one is seen              height       eye rise air: of the viewpoint
noon            yes from 11:30 to 12:30
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dreamplate.plate.camera import Camera
from dreamplate.scenes.world import light_layout as at
from dreamplate.scenes.world.build import Standing, World
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.country import LAND, country_seen
from dreamplate.scenes.world.draw import time_of_day
from dreamplate.scenes.world.light import moon_direction

__all__ = ["LEAST", "facts_of"]

Ids = npt.NDArray[np.generic]
LEAST = 0.003
"""Share of the picture that a kind of thing must fill to count."""
_EACH = 0.0012
"""Share that each of them must fill to be counted."""
_SIMPLE = {"sailing boat": "boat", "rowing boat": "boat", "truck": "car", "suspension bridge": "bridge"}
"""Noun → what a group of mixed kinds is called after."""
_MIXED = {"boat": "boat", "car": "vehicle", "bridge": "bridge"}


def facts_of(
    world: World, labels: Ids, instances: Ids, distances: npt.ArrayLike, camera: Camera
) -> dict[str, str]:
    """Return the facts of a picture. What fog hides is not there.

    Args:
        world: What it shows.
        labels: ``(height, width)`` class ids of its pixels.
        instances: ``(height, width)`` instance ids; 0 where there are none.
        distances: ``(height, width)`` metres along the ray.
        camera: It was seen by.
    """
    spec = world.spec
    metres = np.asarray(distances, np.float64)
    hidden = metres > _sight(world)
    labels, instances = np.array(labels), np.array(instances)
    labels[hidden], instances[hidden] = CLASSES["sky"], 0
    share = _shares(labels)
    found = {
        "time": time_of_day(spec.hour),
        "noon": "yes" if 11.5 <= spec.hour <= 12.5 else "no",
        "weather": spec.weather,
        "season": spec.season,
        "biome": country_seen(spec.biome, labels, metres, camera),
    }
    found |= _things(world, instances, camera)
    land = sum(share[name] for name in LAND)
    snow = share["snow"] / max(land, 1e-9)
    found["snow"] = "yes" if share["snow"] > 0.02 and snow > 0.3 and spec.biome != "desert" else "no"
    # The label of snow on mountains is of their tops in every season; a snowy country is white below too.
    if found["biome"] == "mountains" and spec.season != "winter" and snow > 0.12 and share["snow"] > 0.02:
        found["snow"] = "yes"
    found["ground"] = max(LAND[:-1], key=lambda name: share[name]) if land > 0.05 else "none"
    trees = share["tree"] + (share["plant"] if spec.trees == "cactus" else 0.0)
    found["trees"] = spec.trees if trees > 0.008 and spec.trees != "none" else "none"
    found["forest"] = "none" if found["trees"] == "none" else "many" if trees > 0.09 else "few"
    leafy = found["trees"] in ("broadleaf", "birch", "bare")
    cold = spec.season == "winter" and found["snow"] == "yes"
    found["season_seen"] = "yes" if leafy or cold or found["ground"] == "grass" else "no"
    found["water"] = _water(spec.biome, spec.water) if share["water"] > 0.012 else "none"
    found["road"] = "yes" if share["road"] > 0.006 else "no"
    found["sky"] = "none" if share["sky"] < 0.03 else "some" if share["sky"] < 0.35 else "much"
    found["moon"] = "yes" if _moon_seen(world, labels, camera) else "no"
    found["behind"] = "yes" if _rises(labels, camera) > 0.05 else "no"
    high = spec.view.height
    found["height"] = "air" if high > 22 else "rise" if high > 4 else "eye"
    return found


def _sight(world: World) -> float:
    """Return how far away fog and haze leave a tenth of what is there, metres."""
    numbers = world.light.numbers
    haze = float(np.mean(numbers[at.HAZE : at.HAZE + 3]))
    return math.log(10.0) / max(haze + float(numbers[at.FOG]), 1e-9)


def _shares(labels: Ids) -> dict[str, float]:
    counts = np.bincount(np.asarray(labels, np.int64).ravel(), minlength=len(CLASSES))
    return {name: float(counts[number]) / labels.size for name, number in CLASSES.items()}


def _things(world: World, instances: Ids, camera: Camera) -> dict[str, str]:
    """Return facts about the things in the picture, those the world was made for first."""
    numbers = np.asarray(instances, np.int64).ravel()
    counts = np.bincount(numbers, minlength=1).astype(float) / numbers.size
    seen: dict[str, list[tuple[int, Standing, float]]] = {}
    church = 0.0
    for number, share in enumerate(counts[1:], 1):
        standing = world.standings.get(number)
        if standing is None or share == 0:
            continue
        if standing.noun == "church":
            church += share
        noun = "village" if standing.noun == "church" and standing.group >= 0 else standing.noun
        if noun != "church":
            seen.setdefault(_SIMPLE.get(noun, noun), []).append((number, standing, float(share)))
    large = {kind: all_ for kind, all_ in seen.items() if sum(share for _, _, share in all_) >= LEAST}
    if not large:
        none = {"landmark": "none", "count": "0", "side": "centre", "size": "medium", "site": "none"}
        return none | {"second": "none", "second_count": "0", "church": "no"}

    def weight(kind: str) -> tuple[bool, float]:
        return any(s.group == 0 for _, s, _ in large[kind]), sum(share for _, _, share in large[kind])

    order = sorted(large, key=weight, reverse=True)
    main = large[order[0]]
    found = {"landmark": _noun(order[0], main), "count": _count(order[0], main)}
    where = np.isin(np.asarray(instances), [number for number, _, _ in main])
    middle = (float(np.nonzero(where)[1].mean()) + 0.5) / where.shape[1]
    found["side"] = "left" if middle < 0.42 else "right" if middle > 0.58 else "centre"
    total = sum(share for _, _, share in main)
    near = min(math.dist(standing.place, camera.position) for _, standing, _ in main)
    found["size"] = "small" if total < 0.012 and near > 60 else "large" if total > 0.09 else "medium"
    found["site"] = main[0][1].site or "none"
    found["second"] = _noun(order[1], large[order[1]]) if len(order) > 1 else "none"
    found["second_count"] = _count(order[1], large[order[1]]) if len(order) > 1 else "0"
    found["church"] = "yes" if church > 0.002 else "no"
    return found


def _noun(kind: str, all_: list[tuple[int, Standing, float]]) -> str:
    if kind not in _MIXED:
        return kind
    nouns = {standing.noun for _, standing, share in all_ if share >= _EACH}
    return nouns.pop() if len(nouns) == 1 else _MIXED[kind]


def _count(kind: str, all_: list[tuple[int, Standing, float]]) -> str:
    if kind == "village":
        return "1"
    number = max(1, sum(share >= _EACH for _, _, share in all_))
    return str(number) if number < 4 else "many"


def _water(biome: str, water: str) -> str:
    if biome == "islands" and water != "river":
        return "sea"
    return water if water != "none" else "sea"


def _moon_seen(world: World, labels: Ids, camera: Camera) -> bool:
    if not world.spec.moon > 0 or world.spec.weather not in ("clear", "cloudy"):
        return False
    (pixel,), (z,) = camera.project(camera.position + 1e6 * moon_direction(world.spec)[None])
    if z <= 0 or not np.isfinite(pixel).all():
        return False
    column, row = (math.floor(value) for value in pixel)
    inside = 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]
    return inside and int(labels[row, column]) == CLASSES["sky"]


def _rises(labels: Ids, camera: Camera) -> float:
    """Return the share of the picture that is land seen above the eye's own height."""
    rows = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    down = camera.camera_to_world[1, :3]
    ahead = -down[2] - rows * down[1]  # height of each row's ray, for no roll
    high = ahead > 0.03 * np.sqrt(1 + rows**2)
    land = np.isin(labels, [CLASSES[name] for name in (*LAND, "tree")])
    return float((land & high[:, None]).mean())
