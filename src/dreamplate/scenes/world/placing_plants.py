"""Where trees, bushes and stones grow: clumps that thin out with distance, and never before what matters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamplate.scenes.world.ground import Ground
from dreamplate.scenes.world.placing import Eye, Floats, Taken
from dreamplate.scenes.world.placing_road import WIDTH, beside
from dreamplate.scenes.world.spec import WorldSpec
from dreamplate.scenes.world.things import SHAPES, ThingRow

__all__ = ["plant"]

Mask = npt.NDArray[np.bool_]

REACH = 330.0
"""Metres from the viewpoint within which trees are things; farther off the ground is coloured as forest."""
_TRIES = 2400
_HALF_ANGLE = 1.25
"""Trees are planted this many half fields of view to each side: some stand beside the picture."""
_LEAVES: dict[str, dict[str, tuple[tuple[float, float, float], ...]]] = {
    "conifer": {"": ((0.030, 0.085, 0.035), (0.045, 0.105, 0.040), (0.025, 0.070, 0.042))},
    "broadleaf": {
        "spring": ((0.13, 0.24, 0.05), (0.10, 0.21, 0.045), (0.17, 0.25, 0.07)),
        "summer": ((0.055, 0.14, 0.03), (0.075, 0.16, 0.035), (0.045, 0.115, 0.03)),
        "autumn": ((0.48, 0.17, 0.03), (0.42, 0.10, 0.025), (0.52, 0.30, 0.045), (0.30, 0.16, 0.04)),
    },
    "birch": {
        "spring": ((0.16, 0.27, 0.06), (0.13, 0.24, 0.05)),
        "summer": ((0.09, 0.19, 0.045), (0.11, 0.21, 0.05)),
        "autumn": ((0.55, 0.34, 0.045), (0.50, 0.28, 0.04)),
        "winter": ((0.10, 0.075, 0.06),),
    },
    "palm": {"": ((0.075, 0.17, 0.035), (0.10, 0.19, 0.045))},
    "cactus": {"": ((0.075, 0.15, 0.055), (0.09, 0.16, 0.06))},
    "bare": {"": ((0.105, 0.075, 0.055), (0.13, 0.10, 0.075), (0.08, 0.06, 0.05))},
    "bush": {
        "spring": ((0.11, 0.20, 0.05),),
        "summer": ((0.07, 0.14, 0.04), (0.10, 0.15, 0.05)),
        "autumn": ((0.27, 0.15, 0.045), (0.20, 0.17, 0.05)),
        "winter": ((0.12, 0.095, 0.065),),
    },
}
"""Plant → season → colours of leaves, linear."""
_BUSHES = {"desert": 0.35, "canyon": 0.5, "snow": 0.15, "coast": 0.7, "islands": 0.8}
_ROCKS = {"desert": 0.5, "canyon": 1.0, "snow": 0.5, "coast": 0.9, "islands": 0.9, "mountains": 1.0}
_STONE = {
    "desert": (0.42, 0.29, 0.18),
    "canyon": (0.40, 0.20, 0.12),
    "snow": (0.26, 0.27, 0.29),
    "islands": (0.28, 0.26, 0.23),
}
_OTHERS = {"conifer": "birch", "broadleaf": "conifer", "birch": "conifer", "bare": "conifer"}


def plant(
    spec: WorldSpec,
    ground: Ground,
    eye: Eye,
    taken: Taken,
    shown: Sequence[tuple[float, float, float]],
    road: Floats | None,
    rng: np.random.Generator,
) -> list[ThingRow]:
    """Return trees, bushes and stones.

    Args:
        spec: The world.
        ground: As it is built.
        eye: The viewpoint.
        taken: Ground that is taken.
        shown: What must be seen freely: x, z and radius of each.
        road: Points of the road ``(k, 2)``, or None.
        rng: What is drawn is drawn from it.
    """
    land = _Land(spec, ground, eye, taken, tuple(shown), road)
    rows: list[ThingRow] = []
    if spec.trees != "none" and spec.forest > 0:
        rows += _trees(land, rng)
    rows += _low(land, "bush", int(90 * _BUSHES.get(spec.biome, 1.0)), rng)
    rows += _low(land, "rock", int(60 * _ROCKS.get(spec.biome, 0.4)), rng)
    return rows


@dataclass(frozen=True, eq=False)
class _Land:
    """All that plants must know."""

    spec: WorldSpec
    ground: Ground
    eye: Eye
    taken: Taken
    shown: tuple[tuple[float, float, float], ...]
    road: Floats | None

    def fit(self, x: Floats, z: Floats, room: float, steep: float) -> Mask:
        """Return where a plant may grow: dry, not steep, not on what is taken."""
        step = 3.0
        here = self.ground.height(x, z)
        slopes = self.ground.height(x + step, z) - here, self.ground.height(x, z + step) - here
        good = (here > self.ground.water + 0.7) & (np.hypot(*slopes) / step < steep)
        good &= self.taken.gap(x, z) > room
        if self.road is not None:
            good &= beside(self.road, x, z) > WIDTH / 2 + room
        return np.asarray(good)

    def free(self, x: Floats, z: Floats, radius: Floats, height: Floats) -> Mask:
        """Return which plants hide nothing that must be seen, and do not stand before the lens."""
        across, ahead = self.eye.across(x, z)
        half = radius / (np.maximum(ahead, 1.0) * self.eye.half)
        good = half < 0.3
        for sx, sz, sr in self.shown:
            middle, far = (float(value) for value in self.eye.across(sx, sz))
            if far <= 0:
                continue
            before = (ahead < far - 0.2 * sr) & (
                np.abs(across - middle) < half + sr / (far * self.eye.half) + 0.02
            )
            # What ends below the foot of the thing hides nothing of it.
            foot = float(self.eye.up(float(self.ground.height(sx, sz)), far))
            low = self.eye.up(self.ground.height(x, z) + height, np.maximum(ahead, 1.0)) < foot + 0.03
            good &= ~before | low
        return np.asarray(good)


def _trees(land: _Land, rng: np.random.Generator) -> list[ThingRow]:
    spec, eye = land.spec, land.eye
    tries = int(_TRIES * (0.35 + 0.65 * spec.forest))
    across, away = _spread(eye, tries, 9.0, REACH, 0.62, rng)
    x, z = eye.polar(across, away)
    dense = land.ground.forest(x, z)
    # Evenly over the ground there are fewer near the eye than what is drawn here: leave the same share out.
    even = np.clip(away / 120.0, 0.25, 1.0)
    wanted = rng.random(tries) < dense * even * np.clip(1.25 - away / REACH, 0.15, 1.0)
    wanted |= rng.random(tries) < (0.015 + 0.03 * spec.forest) * even
    # Whoever stands in a forest stands in a clearing of it, and looks along a glade.
    glade = np.clip(away / 150.0, 0, 1) ** 0.7 + 1.1 * np.clip(np.abs(across) - 0.35, 0, 1)
    wanted &= rng.random(tries) < np.clip(glade, 0, 1)
    size = (0.72 + 0.62 * rng.random(tries) ** 1.2) * (0.8 if spec.trees == "cactus" else 1.0)
    shape = SHAPES[spec.trees]
    good = wanted & land.fit(x, z, 2.5, 0.62)
    good &= land.free(x, z, shape.radius * 0.8 * size, shape.height * size)
    kinds = _mixture(spec, tries, rng)
    chosen = rng.permutation(np.flatnonzero(good))
    chosen = chosen[_apart(x[chosen], z[chosen], (1.3 if spec.forest > 0.5 else 2.2) * size[chosen])]
    return _plants(land, [kinds[k] for k in chosen], x[chosen], z[chosen], size[chosen], rng)


def _low(land: _Land, shape: str, count: int, rng: np.random.Generator) -> list[ThingRow]:
    """Return bushes or stones: many small ones near, for scale."""
    across, away = _spread(land.eye, count, 7.0, 160.0, 0.5, rng)
    x, z = land.eye.polar(across, away)
    good = land.fit(x, z, 1.2, 1.1)
    good &= (_clumps(x, z, rng) < 0.1) | (rng.random(count) < 0.2)
    size = (0.4 + 0.9 * rng.random(count) ** 2.5) * np.clip(away / 30.0, 0.4, 1.0)
    good &= land.free(x, z, SHAPES[shape].radius * 0.8 * size, SHAPES[shape].height * size)
    return _plants(land, [shape] * int(good.sum()), x[good], z[good], size[good], rng)


def _apart(x: Floats, z: Floats, room: Floats) -> Mask:
    """Return which of plants, the first ones first, keep apart from those kept before them."""
    kept = np.zeros(len(x), bool)
    cells: dict[tuple[int, int], list[int]] = {}
    for k in range(len(x)):
        column, row = int(x[k] // 6), int(z[k] // 6)
        close = (
            other for i in (-1, 0, 1) for j in (-1, 0, 1) for other in cells.get((column + i, row + j), ())
        )
        if all(math.hypot(x[k] - x[o], z[k] - z[o]) > room[k] + room[o] for o in close):
            kept[k] = True
            cells.setdefault((column, row), []).append(k)
    return kept


def _spread(
    eye: Eye, count: int, near: float, far: float, power: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return places in the picture and distances, denser near the eye than evenly over the ground."""
    across = rng.uniform(-_HALF_ANGLE, _HALF_ANGLE, count)
    away = near + (far - near) * rng.random(count) ** (1 / (2 * power))
    return across, away


def _clumps(x: Floats, z: Floats, rng: np.random.Generator) -> Floats:
    """Return smooth noise of a few waves, about -1 to 1."""
    total = np.zeros_like(x)
    for wave, weight in ((150.0, 0.55), (61.0, 0.35), (27.0, 0.25)):
        for _ in range(3):
            turn, phase = rng.uniform(0, 2 * math.pi, 2)
            total += (
                weight / 1.6 * np.sin((x * math.cos(turn) + z * math.sin(turn)) * 2 * math.pi / wave + phase)
            )
    return total


def _mixture(spec: WorldSpec, count: int, rng: np.random.Generator) -> list[str]:
    """Return the kind of each tree: mostly the spec's, here and there its companion."""
    other = _OTHERS.get(spec.trees)
    mixed = rng.random(count) < float(rng.uniform(0.0, 0.22))
    return [other if other is not None and each else spec.trees for each in mixed]


def _plants(
    land: _Land, shapes: Sequence[str], x: Floats, z: Floats, size: Floats, rng: np.random.Generator
) -> list[ThingRow]:
    """Return rows of plants of some shapes at places ``(n,)``."""
    y = land.ground.height(x, z)
    draws = rng.random((len(x), 6))
    rows = []
    for k, shape in enumerate(shapes):
        colours = _LEAVES.get(shape, {})
        choices = colours.get(land.spec.season) or colours.get("") or _LEAVES["bare"][""]
        if shape == "rock":
            choices = (_STONE.get(land.spec.biome, (0.27, 0.255, 0.24)),)
        bright = 0.8 + 0.4 * draws[k, 0]
        red, green, blue = (bright * value for value in choices[int(draws[k, 1] * len(choices))])
        tall = size[k] * (0.88 + 0.26 * draws[k, 2])
        rows.append(
            ThingRow(
                "bare" if shape == "broadleaf" and land.spec.season == "winter" else shape,
                (float(x[k]), float(y[k]), float(z[k])),
                yaw=2 * math.pi * float(draws[k, 3]),
                size=(float(size[k]), float(tall), float(size[k])),
                colour=(red, green, blue),
                accent=(red, green, blue),
                seed=int(draws[k, 4] * (1 << 31)),
                phase=2 * math.pi * float(draws[k, 5]),
            )
        )
    return rows
