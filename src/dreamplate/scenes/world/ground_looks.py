"""From a spec to the numbers of its ground's look: colours by season and biome, snow, shores, fields, water.

Colours are linear Rec. 709 albedos of our own choice, near what such surfaces have in daylight.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dreamplate.scenes.world.kernels.ground_numbers import COLOURS, COUNT, NUMBERS
from dreamplate.scenes.world.spec import WorldSpec

__all__ = ["material_numbers"]

Colour = tuple[float, float, float]
NEVER = 1e6
WATERS = ("none", "sea", "lake", "river")

GRASS: dict[str, tuple[Colour, Colour]] = {
    "spring": ((0.090, 0.175, 0.034), (0.150, 0.210, 0.055)),
    "summer": ((0.082, 0.136, 0.032), (0.175, 0.170, 0.062)),
    "autumn": ((0.118, 0.126, 0.040), (0.235, 0.170, 0.062)),
    "winter": ((0.165, 0.140, 0.080), (0.220, 0.185, 0.120)),
}
"""Fresh and dry grass."""
ROCK: tuple[tuple[Colour, Colour], ...] = (
    ((0.235, 0.222, 0.210), (0.145, 0.140, 0.138)),
    ((0.250, 0.222, 0.190), (0.165, 0.142, 0.122)),
    ((0.205, 0.205, 0.212), (0.120, 0.124, 0.132)),
)
CHALK: tuple[tuple[Colour, Colour], ...] = (
    ((0.560, 0.545, 0.500), (0.400, 0.385, 0.340)),
    ((0.300, 0.215, 0.150), (0.200, 0.140, 0.100)),
    ((0.220, 0.210, 0.198), (0.140, 0.134, 0.128)),
)
"""Cliffs at a coast: white, brown, grey."""
RED_ROCK: tuple[tuple[Colour, Colour], ...] = (
    ((0.400, 0.150, 0.068), (0.560, 0.300, 0.165)),
    ((0.450, 0.200, 0.090), (0.600, 0.380, 0.220)),
    ((0.330, 0.120, 0.065), (0.520, 0.260, 0.150)),
)
DUNE: tuple[tuple[Colour, Colour], ...] = (
    ((0.470, 0.285, 0.130), (0.400, 0.215, 0.085)),
    ((0.480, 0.340, 0.190), (0.420, 0.275, 0.140)),
    ((0.440, 0.205, 0.085), (0.370, 0.155, 0.060)),
    ((0.520, 0.425, 0.285), (0.450, 0.350, 0.220)),
)
CANOPY: dict[str, dict[str, tuple[Colour, Colour]]] = {
    "conifer": {
        "spring": ((0.026, 0.058, 0.021), (0.050, 0.092, 0.030)),
        "summer": ((0.022, 0.050, 0.020), (0.042, 0.078, 0.028)),
        "autumn": ((0.024, 0.048, 0.020), (0.050, 0.072, 0.026)),
        "winter": ((0.022, 0.042, 0.024), (0.040, 0.062, 0.034)),
    },
    "broadleaf": {
        "spring": ((0.075, 0.160, 0.028), (0.130, 0.215, 0.046)),
        "summer": ((0.038, 0.088, 0.020), (0.072, 0.125, 0.030)),
        "autumn": ((0.330, 0.105, 0.026), (0.400, 0.235, 0.040)),
        "winter": ((0.120, 0.095, 0.078), (0.165, 0.138, 0.112)),
    },
    "birch": {
        "spring": ((0.095, 0.180, 0.036), (0.150, 0.230, 0.056)),
        "summer": ((0.070, 0.130, 0.030), (0.110, 0.165, 0.044)),
        "autumn": ((0.470, 0.330, 0.046), (0.420, 0.225, 0.036)),
        "winter": ((0.170, 0.140, 0.125), (0.230, 0.200, 0.180)),
    },
    "palm": dict.fromkeys(
        ("spring", "summer", "autumn", "winter"), ((0.042, 0.098, 0.022), (0.082, 0.135, 0.036))
    ),
    "bare": dict.fromkeys(
        ("spring", "summer", "autumn", "winter"), ((0.120, 0.095, 0.078), (0.165, 0.138, 0.112))
    ),
}
HEDGE: dict[str, tuple[Colour, Colour]] = {
    "spring": ((0.050, 0.115, 0.024), (0.055, 0.120, 0.026)),
    "summer": ((0.034, 0.078, 0.020), (0.040, 0.086, 0.022)),
    "autumn": ((0.120, 0.085, 0.026), (0.120, 0.090, 0.028)),
    "winter": ((0.080, 0.068, 0.050), (0.085, 0.070, 0.052)),
}
CROPS: dict[str, tuple[Colour, ...]] = {
    "spring": (
        (0.100, 0.200, 0.036),
        (0.140, 0.240, 0.050),
        (0.560, 0.470, 0.035),
        (0.085, 0.165, 0.040),
        (0.200, 0.250, 0.080),
        (0.165, 0.110, 0.070),
    ),
    "summer": (
        (0.100, 0.165, 0.036),
        (0.400, 0.295, 0.105),
        (0.260, 0.250, 0.085),
        (0.065, 0.125, 0.028),
        (0.200, 0.200, 0.068),
        (0.185, 0.125, 0.078),
    ),
    "autumn": (
        (0.130, 0.140, 0.042),
        (0.330, 0.235, 0.110),
        (0.260, 0.180, 0.085),
        (0.150, 0.098, 0.058),
        (0.220, 0.150, 0.065),
        (0.130, 0.085, 0.054),
    ),
    "winter": (
        (0.150, 0.150, 0.070),
        (0.200, 0.155, 0.100),
        (0.170, 0.125, 0.080),
        (0.130, 0.095, 0.066),
        (0.090, 0.120, 0.042),
        (0.115, 0.082, 0.058),
    ),
}
"""Six kinds of field: meadow, two of corn, two of greens, ploughed earth."""
WATER: dict[str, tuple[tuple[Colour, Colour], ...]] = {
    "sea": (
        ((0.006, 0.032, 0.060), (0.030, 0.120, 0.125)),
        ((0.008, 0.050, 0.080), (0.050, 0.200, 0.190)),
        ((0.010, 0.030, 0.042), (0.040, 0.085, 0.080)),
    ),
    "lake": (
        ((0.006, 0.026, 0.034), (0.030, 0.075, 0.062)),
        ((0.010, 0.070, 0.085), (0.045, 0.150, 0.145)),
        ((0.012, 0.024, 0.020), (0.045, 0.060, 0.036)),
    ),
    "river": (
        ((0.014, 0.034, 0.030), (0.045, 0.065, 0.042)),
        ((0.012, 0.045, 0.050), (0.045, 0.090, 0.076)),
        ((0.050, 0.040, 0.022), (0.090, 0.068, 0.036)),
    ),
}
"""Deep and shallow."""


def material_numbers(spec: WorldSpec, forest_from: float) -> npt.NDArray[np.float32]:
    """Return the numbers of a ground's look, laid out as `kernels.ground_numbers` says.

    Args:
        spec: The world.
        forest_from: Metres from the origin from which forest is painted upon the ground.
    """
    draws = np.random.default_rng([spec.seed, 13])
    colours = _colours(spec, draws)
    numbers = _numbers(spec, draws, forest_from)
    values = np.zeros(COUNT, np.float32)
    for k, name in enumerate(COLOURS):
        values[3 * k : 3 * k + 3] = colours[name]
    values[3 * len(COLOURS) :] = [numbers[name] for name in NUMBERS]
    return values


def _colours(spec: WorldSpec, draws: np.random.Generator) -> dict[str, Colour]:
    season, biome = spec.season, spec.biome
    grass, dry = GRASS[season]
    rocks = {"canyon": RED_ROCK, "coast": CHALK, "islands": CHALK[1:], "desert": RED_ROCK}.get(biome, ROCK)
    rock, stone = rocks[int(draws.integers(len(rocks)))]
    sand: Colour = (
        (0.43, 0.36, 0.245) if biome in {"coast", "islands"} or spec.water == "sea" else (0.30, 0.265, 0.205)
    )
    soil: Colour = (0.150, 0.100, 0.064)
    canopy, leaves = CANOPY.get(spec.trees, HEDGE)[season] if spec.trees in CANOPY else HEDGE[season]
    if biome == "desert":
        sand, dry = DUNE[int(draws.integers(len(DUNE)))]
    if biome == "canyon":
        soil, sand = _scaled(rock, 0.82), _scaled(stone, 0.85)
        grass = (0.150, 0.135, 0.060)
    water = WATER.get(spec.water, WATER["lake"])
    deep, shallow = water[int(draws.integers(len(water)))]
    tint = draws.uniform(0.9, 1.1, 3)
    bloom: Colour = ((0.75, 0.62, 0.04), (0.72, 0.70, 0.66), (0.42, 0.14, 0.50), (0.62, 0.06, 0.05))[
        int(draws.integers(4))
    ]
    named: dict[str, Colour] = {
        "grass": _times(grass, tint),
        "dry": _times(dry, tint),
        "rock": rock,
        "stone": stone,
        "sand": sand,
        "soil": soil,
        "snow": (0.80, 0.83, 0.88),
        "canopy": canopy,
        "leaves": leaves,
        "bloom": bloom,
        "deep": deep,
        "shallow": shallow,
    }
    return named | {f"crop_{k}": crop for k, crop in enumerate(CROPS[season])}


def _numbers(spec: WorldSpec, draws: np.random.Generator, forest_from: float) -> dict[str, float]:
    season, biome = spec.season, spec.biome
    chance = float(draws.random())
    share = float(draws.random())
    angle = float(draws.uniform(0.0, math.pi))
    flow = float(draws.uniform(-0.5, 0.5)) + (math.pi / 2 if spec.water == "sea" else 0.0)
    line, soft = _snow(spec, chance, share)
    return {
        "snow_line": line,
        "snow_soft": soft,
        "rock_slope": {"canyon": 0.12, "desert": 0.34, "coast": 0.2, "islands": 0.2, "mountains": 0.2}.get(
            biome, 0.24
        ),
        "shore": {"sea": 1.9, "lake": 0.55, "river": 0.4}.get(
            spec.water, 1.6 if biome in {"coast", "islands"} else 0.0
        ),
        "forest": 0.0 if spec.trees in {"none", "cactus"} else spec.forest,
        "forest_from": forest_from,
        "tree_line": {"mountains": 330.0 + 160.0 * share, "snow": 300.0, "canyon": 60.0}.get(biome, NEVER),
        "fields": float(biome == "plains" or (biome == "hills" and chance < 0.3 and spec.season != "winter")),
        "strata": {"canyon": 1.0, "desert": 1.0, "coast": 0.95}.get(biome, 0.0),
        "ripples": float(biome == "desert"),
        "wind": spec.wind * (1.6 if spec.weather == "storm" else 1.0),
        "water_kind": float(WATERS.index(spec.water)),
        "paved": float(biome not in {"desert", "canyon", "islands"} and share < 0.75),
        "base": {"desert": 1.0, "canyon": 3.0}.get(biome, 0.0),
        "flow_x": math.cos(flow),
        "flow_z": math.sin(flow),
        "clear": {"sea": 4.0, "lake": 3.0, "river": 1.4}.get(spec.water, 1.0),
        "bumps": {"canyon": 1.0, "mountains": 0.9, "desert": 0.25, "snow": 0.7}.get(biome, 0.7),
        "field_cos": math.cos(angle),
        "field_sin": math.sin(angle),
        "flowers": {"spring": 0.85, "summer": 0.45}.get(season, 0.0) * float(share > 0.4),
        "canopies": 1.0,
    }


def _snow(spec: WorldSpec, chance: float, share: float) -> tuple[float, float]:
    """Return the height from which snow lies, and the height over which it thickens."""
    biome, season = spec.biome, spec.season
    if biome == "snow" or spec.weather == "snowfall":
        return -260.0, 60.0
    if biome == "mountains":
        low, high = {"spring": (190, 420), "summer": (380, 700), "autumn": (300, 560), "winter": (-60, 130)}[
            season
        ]
        return low + share * (high - low), 90.0
    if season == "winter" and biome in {"hills", "plains", "coast"}:
        return (-90.0, 50.0) if chance < 0.5 else (15.0 + 20.0 * share, 45.0)
    if biome == "hills" and season in {"spring", "autumn"}:
        return 330.0, 60.0
    return NEVER, 60.0


def _scaled(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def _times(colour: Colour, factors: npt.NDArray[np.float64]) -> Colour:
    return (colour[0] * float(factors[0]), colour[1] * float(factors[1]), colour[2] * float(factors[2]))
