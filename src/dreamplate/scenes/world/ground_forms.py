"""From a spec to the numbers of its landforms: where coast, lake or river lie, how bold it is."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dreamplate.scenes.world.kernels.ground_shape import NUMBERS
from dreamplate.scenes.world.spec import BIOMES, WorldSpec

__all__ = ["DRY_LEVEL", "ground_seed", "shape_numbers"]

Between = Callable[[float, float], float]
WATERS = ("none", "sea", "lake", "river")
DRY_LEVEL = -1e9
"""Level of the water of a world that has none."""


def ground_seed(spec: WorldSpec) -> int:
    """Return the seed of the ground's noise, 0 to 2**31 - 1."""
    return int(np.random.default_rng([spec.seed, 11]).integers(0, 2**31 - 1))


def shape_numbers(spec: WorldSpec) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the numbers of a world's shape, in the order of `kernels.ground_shape.NUMBERS`."""
    draws = np.random.default_rng([spec.seed, 12])

    def between(low: float, high: float) -> float:
        return float(draws.uniform(low, high))

    side = 1.0 if draws.random() < 0.5 else -1.0
    wind = between(0.0, 2.0 * math.pi)
    numbers = dict.fromkeys(NUMBERS, 0.0)
    numbers |= {
        "biome": float(BIOMES.index(spec.biome)),
        "relief": spec.relief,
        "water": float(WATERS.index(spec.water)),
        "style": between(0.0, 1.0),
        "wind_cos": math.cos(wind),
        "wind_sin": math.sin(wind),
    }
    if spec.biome == "islands" and spec.water != "river":
        numbers |= _islands(between, side)
    elif spec.water == "sea" or (spec.biome == "coast" and spec.water == "none"):
        numbers |= _sea(between, side)
    elif spec.water == "lake":
        numbers |= _lake(between, side)
    elif spec.water == "river":
        numbers |= _river(between, side)
    return np.array([numbers[name] for name in NUMBERS], np.float64)


def _islands(between: Between, side: float) -> dict[str, float]:
    radius = between(60.0, 130.0)
    return {
        "centre_x": side * between(0.0, 30.0),
        "centre_z": radius - between(34.0, 46.0),
        "radius_x": radius,
        "swing_1": side * between(-160.0, 260.0),
        "swing_2": -between(330.0, 620.0),
        "wave_1": between(90.0, 190.0),
    }


def _sea(between: Between, side: float) -> dict[str, float]:
    angle = side * between(-0.2, 0.4)
    return {
        "cos": math.cos(angle),
        "sin": math.sin(angle),
        "start": between(36.0, 66.0),
        "bend": between(-0.25, 0.25),
        "cliff": between(-1.0, 1.0),
        "islets": between(-1.0, 1.0),
        "centre_x": side * between(150.0, 330.0),
        "radius_x": between(75.0, 150.0),
        "radius_z": between(230.0, 560.0),
        "swing_1": -side * between(330.0, 900.0),
        "wave_1": between(150.0, 360.0),
        "swing_2": between(200.0, 900.0),
    }


def _lake(between: Between, side: float) -> dict[str, float]:
    deep = between(120.0, 330.0)
    return {
        "radius_x": deep * between(0.9, 1.9),
        "radius_z": deep,
        "centre_x": side * between(0.0, 0.25) * deep,
        "centre_z": -deep - between(34.0, 60.0),
    }


def _river(between: Between, side: float) -> dict[str, float]:
    angle = side * between(0.15, 1.1)
    half = between(9.0, 24.0)
    wave = between(60.0, 130.0)
    return {
        "cos": math.cos(angle),
        "sin": math.sin(angle),
        "half": half,
        "start": (half + between(34.0, 50.0)) / max(math.cos(angle), 0.45),
        "swing_1": wave * between(0.2, 0.55),
        "wave_1": wave,
        "phase_1": between(0.0, 6.28),
        "swing_2": between(20.0, 60.0),
        "wave_2": between(250.0, 480.0),
        "phase_2": between(0.0, 6.28),
    }
