"""What a world is: a small readable description that everything else follows from. No torch, no numba.

A spec is a frozen dataclass that reads and writes as YAML; together with its seed it gives the same world on
every machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds, nearest

__all__ = [
    "BIOMES",
    "KINDS",
    "SEASONS",
    "WEATHERS",
    "Biome",
    "Kind",
    "Season",
    "ThingSpec",
    "Trees",
    "ViewSpec",
    "Water",
    "Weather",
    "WorldSpec",
]

Biome = Literal["mountains", "hills", "coast", "islands", "desert", "snow", "canyon", "plains"]
Season = Literal["spring", "summer", "autumn", "winter"]
Weather = Literal["clear", "cloudy", "overcast", "fog", "rain", "snowfall", "storm"]
Water = Literal["none", "sea", "lake", "river"]
Trees = Literal["none", "conifer", "broadleaf", "birch", "palm", "cactus", "bare"]
Kind = Literal[
    "house",
    "village",
    "castle",
    "lighthouse",
    "tower",
    "bridge",
    "windmill",
    "pyramid",
    "boat",
    "car",
    "campfire",
]
Distance = Literal["near", "middle", "far"]
Side = Literal["left", "centre", "right"]

BIOMES: tuple[Biome, ...] = get_args(Biome)
KINDS: tuple[Kind, ...] = get_args(Kind)
SEASONS: tuple[Season, ...] = get_args(Season)
WEATHERS: tuple[Weather, ...] = get_args(Weather)


@dataclass(frozen=True)
class ThingSpec:
    """Things of one kind; also written in words, such as ``castle`` or ``2 boat far left``."""

    kind: Kind = "house"
    """What they are."""
    count: Annotated[int, Bounds(ge=1, le=64)] = 1
    """How many, where there is room for them; a village is a group of houses and counts as one."""
    distance: Distance = "middle"
    """How far from the viewpoint."""
    side: Side = "centre"
    """Where in the picture, as seen from the viewpoint."""

    @classmethod
    def parse(cls, text: str) -> Mapping[str, Any]:
        """Return the fields that words stand for: a kind, and perhaps a number, a distance and a side.

        Raises:
            ConfigError: A word is none of these.
        """
        known: dict[str, str] = dict.fromkeys(KINDS, "kind")
        known |= dict.fromkeys(get_args(Distance), "distance") | dict.fromkeys(get_args(Side), "side")
        found: dict[str, Any] = {}
        for word in text.split():
            name = "count" if re.fullmatch(r"\d{1,9}", word) else known.get(word)
            if name is None:
                raise ConfigError(
                    f"{word!r} is no kind of thing, distance or side; {nearest(word, list(known))}"
                )
            if name in found:
                raise ConfigError(f"{text!r} gives the {name} twice; give it once")
            found[name] = int(word) if name == "count" else word
        return found


@dataclass(frozen=True)
class ViewSpec:
    """The viewpoint that the world is arranged for."""

    height: Annotated[float, Bounds(gt=0, le=2000)] = 6.0
    """Metres above the ground or the water."""
    pitch: Annotated[float, Bounds(ge=-89, le=89)] | None = None
    """Degrees above the horizon that the middle of the picture looks to; where it is not given the things in
    the picture decide."""
    fov: Annotated[float, Bounds(ge=5, le=150)] = 55.0
    """Horizontal field of view in degrees of a square picture; a wide one shows more to the sides."""


@dataclass(frozen=True)
class WorldSpec:
    """A world: ground, water, plants, weather, light, and things in it."""

    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Whatever the other fields leave open follows from it."""
    biome: Biome = "mountains"
    """What kind of country."""
    season: Season = "summer"
    """Colours of plants and fields, and snow in winter."""
    hour: Annotated[float, Bounds(ge=0, lt=24)] = 12.0
    """Time of day, hours."""
    weather: Weather = "clear"
    """State of the sky."""
    water: Water = "none"
    """What water lies in the view."""
    trees: Trees = "none"
    """Which trees grow; mixtures and their places follow from the seed."""
    forest: Annotated[float, Bounds(ge=0, le=1)] = 0.3
    """How densely they grow: 0.05 single trees, 1 closed forest."""
    things: tuple[ThingSpec, ...] = ()
    """Buildings, boats and so on; they are placed so that the viewpoint sees them."""
    road: bool = False
    """Whether a road leads from the viewpoint into the picture; cars then drive on it."""
    relief: Annotated[float, Bounds(ge=0, le=3)] = 1.0
    """Heights of the ground, as a factor."""
    wind: Annotated[float, Bounds(ge=0, le=3)] = 1.0
    """Strength: waves, clouds, flags, smoke, windmills."""
    moon: Annotated[float, Bounds(ge=0, le=1)] = 0.0
    """Share of the moon that is lit; 0: no moon in the sky."""
    view: ViewSpec = field(default_factory=ViewSpec)
