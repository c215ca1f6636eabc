"""Buildings, boats, cars and fires: each kind's own way to its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.scenes.world.ground import Flat, GroundShape
from dreamplate.scenes.world.placing import (
    SITES,
    Eye,
    Floats,
    Site,
    SiteRule,
    Taken,
    best_site,
    find_site,
    sees,
)
from dreamplate.scenes.world.placing_road import along
from dreamplate.scenes.world.spec import ThingSpec, WorldSpec
from dreamplate.scenes.world.things import Triple

__all__ = ["Item", "Plan", "place_things"]

NO_ROOM = -2.0
"""Score of a site below which only the first of some things is put there: the others are left out."""
_WALLS: tuple[Triple, ...] = (
    (0.72, 0.68, 0.60),
    (0.62, 0.52, 0.38),
    (0.55, 0.30, 0.20),
    (0.70, 0.60, 0.36),
    (0.42, 0.36, 0.31),
    (0.30, 0.17, 0.10),
    (0.46, 0.52, 0.56),
)
_ROOFS: tuple[Triple, ...] = (
    (0.36, 0.10, 0.06),
    (0.28, 0.12, 0.08),
    (0.14, 0.13, 0.14),
    (0.20, 0.14, 0.10),
    (0.11, 0.14, 0.19),
)
_CLAY: tuple[Triple, ...] = ((0.58, 0.42, 0.27), (0.66, 0.52, 0.36), (0.50, 0.34, 0.21))
_STONE: tuple[Triple, ...] = ((0.42, 0.40, 0.37), (0.50, 0.45, 0.38), (0.36, 0.35, 0.35), (0.55, 0.50, 0.43))
_PAINT: tuple[Triple, ...] = (
    (0.55, 0.03, 0.02),
    (0.02, 0.08, 0.36),
    (0.75, 0.74, 0.72),
    (0.65, 0.42, 0.02),
    (0.03, 0.20, 0.08),
    (0.06, 0.06, 0.07),
    (0.10, 0.32, 0.45),
)
_SAILS: tuple[Triple, ...] = ((0.85, 0.83, 0.78), (0.85, 0.83, 0.78), (0.62, 0.10, 0.06), (0.80, 0.66, 0.40))


@dataclass
class Item:
    """A thing that has its place, but perhaps no height yet.

    Attributes:
        shape: Name in `things.SHAPES`.
        x: Metres.
        z: Metres.
        y: Height of its foot; None: that of the ground as it is built.
        noun: What it is called, a key of `words.NOUNS`; empty: nothing anybody speaks of.
        group: Number of its spec in ``WorldSpec.things``; -1: none.
        site: Where it stands, a key of `words.SITES`.
    """

    shape: str
    x: float
    z: float
    y: float | None = None
    yaw: float = 0.0
    size: Triple = (1.0, 1.0, 1.0)
    colour: Triple = (0.5, 0.5, 0.5)
    accent: Triple = (0.4, 0.12, 0.08)
    speed: Triple = (0.0, 0.0, 0.0)
    smoke: bool = False
    noun: str = ""
    group: int = -1
    site: str = ""


@dataclass
class Plan:
    """A world in the making.

    Attributes:
        spec: What is asked.
        shape: The ground of itself.
        eye: The viewpoint.
        road: Points ``(k, 2)``, or None.
        items: What has its place.
        flats: What is made level for it.
        taken: Ground that is taken.
        shown: What must be seen freely: x, z, radius.
    """

    spec: WorldSpec
    shape: GroundShape
    eye: Eye
    road: Floats | None = None
    items: list[Item] = field(default_factory=list)
    flats: list[Flat] = field(default_factory=list)
    taken: Taken = field(default_factory=Taken)
    shown: list[tuple[float, float, float]] = field(default_factory=list)

    def heights(self, x: Floats, z: Floats) -> Floats:
        """Return heights of the ground of itself, without what is finer than a house."""
        return self.shape.height(x, z, 12.0)

    def towards_eye(self, x: float, z: float) -> float:
        """Return the yaw at which a thing's front faces the eye."""
        return math.atan2(x - self.eye.x, z - self.eye.z)

    def site(self, rule: SiteRule, thing: ThingSpec, rng: np.random.Generator, scale: float = 1.0) -> Site:
        """Return a place for the first of some things."""
        where = (thing.distance, thing.side, self.taken, rng)
        return find_site(self.heights, self.shape.water, self.eye, rule, *where, scale=scale)

    def beside(
        self,
        rule: SiteRule,
        first: Site,
        gap: tuple[float, float],
        rng: np.random.Generator,
        scale: float = 1.0,
    ) -> Site:
        """Return a place for one more of them, so many metres from the first."""
        turn, away = rng.uniform(0, 2 * math.pi, 90), rng.uniform(*gap, 90)
        x, z = first.x + away * np.cos(turn), first.z + away * np.sin(turn)
        return best_site(self.heights, self.shape.water, self.eye, rule, self.taken, x, z, scale)

    def put(self, item: Item, radius: float, *, flat: float = 0.0, shown: bool = True) -> None:
        """Put a thing down, on level ground of radius ``flat`` where that is above 0."""
        self.items.append(item)
        self.taken.add(item.x, item.z, radius)
        if flat > 0:
            self.flats.append(Flat(item.x, item.z, flat, item.y))
        if shown:
            self.shown.append((item.x, item.z, radius))


def place_things(plan: Plan, rng: np.random.Generator) -> None:
    """Put all things of the spec down, the first ones first.

    Raises:
        SceneError: Boats without water, or cars without a road.
    """
    for group, thing in enumerate(plan.spec.things):
        _PLACERS[thing.kind](plan, thing, group, rng)


def _one(choices: tuple[Triple, ...], rng: np.random.Generator) -> Triple:
    red, green, blue = choices[int(rng.integers(len(choices)))]
    bright = float(rng.uniform(0.88, 1.1))
    return (red * bright, green * bright, blue * bright)


def _cube(scale: float) -> Triple:
    return (scale, scale, scale)


def _house(
    plan: Plan, x: float, z: float, yaw: float, group: int, noun: str, rng: np.random.Generator
) -> Item:
    """Return a house of the country."""
    clay = plan.spec.biome == "desert"
    wall, roof = _one(_CLAY if clay else _WALLS, rng), _one(_CLAY if clay else _ROOFS, rng)
    wide, tall = float(rng.uniform(0.85, 1.25)), float(rng.uniform(0.88, 1.12))
    cold = plan.spec.season in ("autumn", "winter") or plan.spec.hour > 17 or plan.spec.hour < 8
    smoke = bool(rng.random() < (0.5 if cold else 0.15)) and not clay
    return Item("house", x, z, None, yaw, (wide, tall, 1.0), wall, roof, smoke=smoke, noun=noun, group=group)


def _on(site: Site, plan: Plan) -> str:
    """Return what a site is called."""
    if plan.shape.water > -1e8:
        around = plan.shape.shore(np.array([site.x]), np.array([site.z]))[0]
        if around < 40 and site.y < plan.shape.water + 12:
            return "shore"
    if site.rise > 4.0:
        return "hill"
    return "slope" if site.rise > 2.0 and plan.spec.biome in ("mountains", "hills") else "flat"


def _houses(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    rule, first = SITES["house"], None
    for _ in range(thing.count):
        site = plan.site(rule, thing, rng) if first is None else plan.beside(rule, first, (15, 45), rng)
        if first is not None and site.score < NO_ROOM:
            continue
        first = first or site
        yaw = plan.towards_eye(site.x, site.z) + float(rng.choice([-1, 1]) * rng.uniform(0.25, 0.8))
        item = _house(plan, site.x, site.z, yaw, group, "house", rng)
        item.site = _on(site, plan)
        plan.put(item, 8.0, flat=7.0)


def _village(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    for _ in range(thing.count):
        houses = int(rng.integers(7, 14))
        if (
            plan.road is not None
            and len(plan.road) > 16
            and plan.eye.y < 40 + float(plan.heights(np.array([plan.eye.x]), np.array([plan.eye.z]))[0])
        ):
            _street(plan, houses, thing, group, rng)
        else:
            _cluster(plan, houses, thing, group, rng)


def _cluster(plan: Plan, houses: int, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    """Put houses down around a church."""
    site = plan.site(SITES["village"], thing, rng)
    where = _on(site, plan)
    church = rng.random() < 0.75 and plan.spec.biome != "desert"
    if church:
        yaw = plan.towards_eye(site.x, site.z) + float(rng.uniform(-1.2, 1.2))
        walls = _one(_WALLS[:2], rng)
        item = Item("church", site.x, site.z, None, yaw, _cube(0.75), walls, _one(_ROOFS, rng), noun="church")
        item.group, item.site = group, where
        plan.put(item, 13.0, flat=11.0, shown=False)
    spread = 14.0 + 4.2 * math.sqrt(houses) * 2.0
    for _ in range(houses):
        turn, away = rng.uniform(0, 2 * math.pi, 60), spread * np.sqrt(rng.uniform(0.1, 1, 60))
        x, z = site.x + away * np.cos(turn), site.z + 0.8 * away * np.sin(turn)
        rule = SITES["house"]
        found = best_site(plan.heights, plan.shape.water, plan.eye, rule, plan.taken, x, z, 1.0)
        if found.score < NO_ROOM:
            continue
        yaw = math.atan2(found.x - site.x, found.z - site.z) + float(rng.uniform(-0.5, 0.5))
        made = _house(plan, found.x, found.z, yaw, group, "village", rng)
        made.site = where
        plan.put(made, 7.5, flat=6.5, shown=False)
    plan.shown.append((site.x, site.z, 0.55 * spread))


def _street(plan: Plan, houses: int, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    """Put houses down along the road, on both sides, and lamps between them."""
    assert plan.road is not None
    reach = float(np.hypot(*np.diff(plan.road, axis=0).T).sum())
    start = 30.0 + {"near": 16.0, "middle": 26.0, "far": 60.0}[thing.distance]
    church = int(rng.integers(2, max(3, houses - 1))) if rng.random() < 0.7 else -1
    place = {1: start, -1: start + float(rng.uniform(0, 9))}
    for number in range(houses):
        side = 1 if number % 2 else -1
        here = place[side]
        place[side] += float(rng.uniform(14, 20)) + (8.0 if number == church else 0.0)
        if here > reach - 12:
            break
        (point,), (way,) = along(plan.road, np.array([here]))
        off = float(rng.uniform(11.5, 14.5)) + (5.0 if number == church else 0.0)
        x, z = float(point[0] - side * way[1] * off), float(point[1] + side * way[0] * off)
        low = float(plan.heights(np.array([x]), np.array([z]))[0])
        if low < plan.shape.water + 0.8 or float(plan.taken.gap(np.array([x]), np.array([z]))[0]) < 7:
            continue
        yaw = math.atan2(x - point[0], z - point[1]) + float(rng.uniform(-0.12, 0.12))
        if number == church and plan.spec.biome != "desert":
            walls, roof = _one(_WALLS[:2], rng), _one(_ROOFS, rng)
            made = Item("church", x, z, None, yaw, _cube(0.8), walls, roof, noun="church", group=group)
        else:
            made = _house(plan, x, z, yaw, group, "village", rng)
        made.site = "beside road"
        plan.put(made, 8.0, flat=6.5, shown=False)
        lx, lz = float(point[0] - side * way[1] * 4.6), float(point[1] + side * way[0] * 4.6)
        if number % 2 == 0:
            plan.put(Item("lamp", lx, lz, None, yaw, colour=(0.1, 0.1, 0.1)), 0.5, shown=False)


def _castle(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    _stand(plan, thing, group, rng, "castle", (0.8, 1.1), _STONE, _ROOFS, 0.6, 1.0)


def _tower(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    _stand(plan, thing, group, rng, "tower", (0.85, 1.2), _STONE, _ROOFS, 1.0, 1.2)


def _windmill(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    _stand(plan, thing, group, rng, "windmill", (0.9, 1.2), _WALLS[:4], _ROOFS, 0.7, 1.2)


def _lighthouse(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    white: tuple[Triple, ...] = ((0.82, 0.81, 0.78),)
    _stand(plan, thing, group, rng, "lighthouse", (0.85, 1.25), white, ((0.55, 0.04, 0.03),), 1.0, 1.2)
    if rng.random() < 0.4:
        last = plan.items[-1]
        first = Site(last.x, 0.0, last.z)
        near = plan.beside(SITES["house"], first, (14, 22), rng)
        if near.score > 0:
            yaw = plan.towards_eye(near.x, near.z) + float(rng.uniform(-0.8, 0.8))
            plan.put(_house(plan, near.x, near.z, yaw, -1, "house", rng), 7.0, flat=6.0, shown=False)


def _pyramid(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    sand: tuple[Triple, ...] = ((0.60, 0.43, 0.24), (0.55, 0.41, 0.26))
    _stand(plan, thing, group, rng, "pyramid", (0.75, 1.25), sand, sand, 0.8, 0.85)


def _stand(
    plan: Plan,
    thing: ThingSpec,
    group: int,
    rng: np.random.Generator,
    kind: str,
    scales: tuple[float, float],
    colours: tuple[Triple, ...],
    accents: tuple[Triple, ...],
    turn: float,
    level: float,
) -> None:
    """Put single buildings down, their fronts to the eye but for a turn."""
    rule, first = SITES[kind], None
    colour, accent = _one(colours, rng), _one(accents, rng)
    for _ in range(thing.count):
        scale = float(rng.uniform(*scales))
        gap = (2.5 * rule.radius, 6.0 * rule.radius + 20)
        site = (
            plan.site(rule, thing, rng, scale) if first is None else plan.beside(rule, first, gap, rng, scale)
        )
        if first is not None and site.score < NO_ROOM:
            continue
        first = first or site
        yaw = plan.towards_eye(site.x, site.z) + float(rng.choice([-1, 1]) * rng.uniform(0.15, turn))
        item = Item(kind, site.x, site.z, site.y, yaw, _cube(scale), colour, accent)
        item.noun, item.group, item.site = kind, group, _on(site, plan)
        plan.put(item, rule.radius * scale * 1.1, flat=rule.radius * scale * level)


def _boat(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    water = plan.shape.water
    if water < -1e8:
        raise SceneError("things: a boat needs water; set water to sea, lake or river")
    where = plan.spec.water if plan.spec.water != "none" else "sea"
    if plan.spec.biome == "islands" and where == "lake":
        where = "sea"
    calm, first = where != "sea", None
    for _ in range(thing.count):
        rows = bool(rng.random() < (0.3 if calm else 0.12))
        rule = SITES["boat"]
        site = plan.site(rule, thing, rng) if first is None else plan.beside(rule, first, (14, 60), rng)
        if first is not None and site.score < NO_ROOM:
            continue
        first = first or site
        yaw = plan.towards_eye(site.x, site.z) + float(rng.choice([-1, 1]) * rng.uniform(0.7, 2.2))
        fast = float(rng.uniform(0.2, 0.6) if rows else rng.uniform(0.4, 1.4) * (0.4 + plan.spec.wind))
        speed = (-math.sin(yaw) * fast, 0.0, -math.cos(yaw) * fast)
        scale = float(rng.uniform(0.9, 1.35) if rows else rng.uniform(0.85, 1.3))
        shape, noun = ("rowboat", "rowing boat") if rows else ("boat", "sailing boat")
        item = Item(
            shape, site.x, site.z, water, yaw, _cube(scale), _one(_PAINT, rng), _one(_SAILS, rng), speed
        )
        item.noun, item.group, item.site = noun, group, where
        plan.put(item, 7.0)


def _car(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    if plan.road is None:
        raise SceneError("things: a car needs a road; set road to true")
    low, high = {"near": (8.0, 12.5), "middle": (12.5, 23.0), "far": (24.0, 46.0)}[thing.distance]
    ground = float(plan.heights(np.array([plan.eye.x]), np.array([plan.eye.z]))[0])
    low, high = (max(value, 1.6 * (plan.eye.y - ground) + 3.0) for value in (low, high + 1.0))
    place = 24.0 + float(rng.uniform(low, max(high, low + 2.0)))  # the road begins 24 m behind the eye
    for _ in range(thing.count):
        truck = bool(rng.random() < 0.2)
        comes = bool(rng.random() < 0.45)
        (point,), (way,) = along(plan.road, np.array([place]))
        lane = -1.6 if comes else 1.6  # they keep to the right
        x, z = float(point[0] - way[1] * lane), float(point[1] + way[0] * lane)
        if comes:
            way = -way
        yaw = math.atan2(-way[0], -way[1])
        fast = float(rng.uniform(8, 14))
        item = Item("truck" if truck else "car", x, z, None, yaw, _cube(1.0), _one(_PAINT, rng))
        item.accent = (0.75, 0.74, 0.72) if truck else item.colour
        item.speed = (float(way[0]) * fast, 0.0, float(way[1]) * fast)
        item.noun, item.group, item.site = item.shape, group, "road"
        plan.put(item, 3.0)
        place += float(rng.uniform(9, 22))


def _campfire(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    rule, first = SITES["campfire"], None
    for _ in range(thing.count):
        scale = float(rng.uniform(1.0, 1.7))
        site = plan.site(rule, thing, rng) if first is None else plan.beside(rule, first, (5, 20), rng)
        if first is not None and site.score < NO_ROOM:
            continue
        first = first or site
        item = Item("campfire", site.x, site.z, None, float(rng.uniform(0, 6)), _cube(scale))
        item.noun, item.group, item.site = "campfire", group, _on(site, plan)
        plan.put(item, 2.5)


def _bridge(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    for _ in range(thing.count):
        _span(plan, thing, group, rng)


def _span(plan: Plan, thing: ThingSpec, group: int, rng: np.random.Generator) -> None:
    """Put a bridge down where both its ends stand on land, and it is seen from a side."""
    tries, wet = 420, plan.spec.water == "river"
    low, high = {"near": (34.0, 70.0), "middle": (55.0, 120.0), "far": (100.0, 220.0)}[thing.distance]
    away = rng.uniform(low, high, 4000)
    centre = {"left": -0.4, "centre": 0.0, "right": 0.4}[thing.side]
    x, z = plan.eye.polar(np.clip(centre + rng.uniform(-0.45, 0.45, 4000), -0.7, 0.7), away)
    # Of a river only its middle will do.
    kept = np.argsort(plan.shape.shore(x, z), kind="stable")[:tries] if wet else np.arange(tries)
    x, z = x[kept], z[kept]
    turn = rng.uniform(0, math.pi, tries)
    half = 22.0 * rng.uniform(0.55, 1.7, tries)
    ax, az = np.cos(turn), -np.sin(turn)
    middle = plan.heights(x, z)
    ends = [plan.heights(x + sign * half * ax, z + sign * half * az) for sign in (-1.0, 1.0)]
    inner = [plan.heights(x + sign * 0.7 * half * ax, z + sign * 0.7 * half * az) for sign in (-1.0, 1.0)]
    base = np.maximum(middle, plan.shape.water) if wet else middle
    score = -0.25 * np.abs(ends[0] - ends[1]) - 0.12 * np.abs(np.maximum(*ends) - base - 3.5) * (
        1 if wet else 0.5
    )
    if wet:
        score += 4.0 * (middle < plan.shape.water - 1.0)
        score += 3.0 * ((ends[0] > plan.shape.water + 0.3) & (ends[1] > plan.shape.water + 0.3))
        score += 0.5 * ((inner[0] < plan.shape.water) & (inner[1] < plan.shape.water))
    else:
        score += 0.3 * np.minimum(np.minimum(*ends) - middle, 5.0)
    bearing = np.arctan2(x - plan.eye.x, z - plan.eye.z)
    score += 2.0 * np.abs(np.cos(turn - bearing))
    score -= 5.0 * (plan.taken.gap(x, z) < half)
    score += 2.5 * sees(plan.heights, plan.eye, x, base + 5.0, z, plan.shape.water)
    k = int(np.argmax(score))
    long = half[k] > 24.0  # what three arches do not span hangs on ropes
    scale = float(half[k] / (32.0 if long else 22.0))
    tall = float(np.clip(scale, 0.75, 1.1))
    y = float(base[k])
    item = Item("suspension" if long else "bridge", float(x[k]), float(z[k]), y, float(turn[k]))
    item.size, item.colour = (scale, tall, 1.0), _one(_STONE, rng)
    item.noun, item.group = "suspension bridge" if long else "bridge", group
    item.site = "over river" if wet else ""
    deck = y + tall * (5.9 if long else 0.6)
    for sign in (-1.0, 1.0):  # banks come up, or down, to where it begins
        reach = half[k] + 2.0
        plan.flats.append(
            Flat(float(x[k] + sign * reach * ax[k]), float(z[k] + sign * reach * az[k]), 3.5, deck)
        )
    plan.put(item, float(half[k]) * 0.6)
    plan.shown[-1] = (item.x, item.z, float(half[k]))


_PLACERS: dict[str, Callable[[Plan, ThingSpec, int, np.random.Generator], None]] = {
    "house": _houses,
    "village": _village,
    "castle": _castle,
    "lighthouse": _lighthouse,
    "tower": _tower,
    "bridge": _bridge,
    "windmill": _windmill,
    "pyramid": _pyramid,
    "boat": _boat,
    "car": _car,
    "campfire": _campfire,
}
