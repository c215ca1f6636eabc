"""Where things may stand: the eye's picture of the ground, and sites for buildings, boats and groups.

Picture coordinates here: x from -1 (left edge) to 1, y from -1 (lower edge) to 1, of a square picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dreamplate.scenes.world.spec import Distance, Side

__all__ = ["SITES", "Eye", "Heights", "Site", "SiteRule", "Taken", "best_site", "find_site", "ring", "sees"]

Floats = npt.NDArray[np.float64]
Heights = Callable[[Floats, Floats], Floats]
_STEPS = 20
_TRIES = 160
_SIDES: dict[Side, tuple[float, float]] = {
    "left": (-0.62, -0.26),
    "centre": (-0.16, 0.16),
    "right": (0.26, 0.62),
}
_SHARES: dict[Distance, tuple[float, float]] = {
    "near": (0.42, 0.6),
    "middle": (0.2, 0.36),
    "far": (0.08, 0.14),
}
"""Distance → which share of the picture's height a thing takes, from and to."""


@dataclass(frozen=True)
class Eye:
    """The viewpoint.

    Attributes:
        x: Metres.
        y: Height above the water's level, or the world's zero.
        z: Metres.
        yaw: Turn about +Y in radians; it looks along (-sin yaw, 0, -cos yaw).
        pitch: Radians above the horizon.
        half: Tangent of half the field of view.
        fixed: Whether the pitch may not be changed any more.
    """

    x: float
    y: float
    z: float
    yaw: float = 0.0
    pitch: float = 0.0
    half: float = 0.52
    fixed: bool = False

    def polar(self, across: npt.ArrayLike, distance: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return x and z of places seen at ``across`` in the picture, at distances along the ground."""
        angle = np.arctan(np.asarray(across, float) * self.half) - self.yaw
        away = np.asarray(distance, np.float64)
        return np.asarray(self.x + np.sin(angle) * away), np.asarray(self.z - np.cos(angle) * away)

    def across(self, x: npt.ArrayLike, z: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return where upright lines at x, z appear, and their distances ahead (negative: behind)."""
        dx, dz = np.asarray(x, float) - self.x, np.asarray(z, float) - self.z
        ahead = -math.sin(self.yaw) * dx - math.cos(self.yaw) * dz
        right = math.cos(self.yaw) * dx - math.sin(self.yaw) * dz
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(ahead > 0, right / (np.abs(ahead) * self.half + 1e-9), np.inf), ahead

    def up(self, y: npt.ArrayLike, distance: npt.ArrayLike) -> Floats:
        """Return where heights at distances appear, from -1 to 1."""
        angle = np.arctan2(np.asarray(y, float) - self.y, distance) - self.pitch
        return np.asarray(np.tan(angle) / self.half)


@dataclass(frozen=True)
class SiteRule:
    """What a kind of thing asks of its place.

    Attributes:
        radius: Metres of ground it covers, about.
        height: Metres it stands high: how large it is in the picture follows.
        width: Metres it is wide, for the same.
        ground: ``land``, ``water`` or ``shore`` (land with water near).
        hill: How much better a place is for every metre that it stands above its surroundings.
        rough: Metres that the ground may rise and fall under it.
    """

    radius: float
    height: float
    width: float
    ground: str = "land"
    hill: float = 0.0
    rough: float = 2.0


@dataclass(frozen=True)
class Site:
    """A place found.

    Attributes:
        x: Metres.
        y: Height of its ground, or of the water.
        z: Metres.
        score: How good; below 0 something is amiss.
        rise: Metres that it stands above its surroundings.
        seen: Share of its points that the eye sees.
    """

    x: float
    y: float
    z: float
    score: float = 0.0
    rise: float = 0.0
    seen: float = 1.0


SITES: dict[str, SiteRule] = {
    "house": SiteRule(7.0, 9.0, 11.0, rough=2.0),
    "village": SiteRule(27.0, 14.0, 56.0, rough=7.0),
    "castle": SiteRule(28.0, 36.0, 56.0, hill=0.05, rough=8.0),
    "lighthouse": SiteRule(6.0, 27.0, 9.0, "shore", hill=0.02, rough=3.0),
    "tower": SiteRule(5.0, 22.0, 10.0, hill=0.06, rough=3.0),
    "windmill": SiteRule(6.0, 19.0, 16.0, hill=0.05, rough=3.0),
    "pyramid": SiteRule(34.0, 38.0, 64.0, rough=9.0),
    "boat": SiteRule(5.0, 11.5, 9.0, "water"),
    "rowboat": SiteRule(2.5, 1.2, 4.2, "water"),
    "campfire": SiteRule(1.5, 3.4, 2.6, rough=0.6),
}
"""Kind → what it asks; sizes as those of `shapes.SHAPES` at size 1."""


@dataclass
class Taken:
    """Ground that is taken already: circles, each with its own radius."""

    circles: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, x: float, z: float, radius: float) -> None:
        """Take a circle."""
        self.circles.append((x, z, radius))

    def gap(self, x: Floats, z: Floats) -> Floats:
        """Return metres to the nearest edge of what is taken; negative inside."""
        best = np.full(np.shape(x), 1e9)
        if self.circles:
            c = np.array(self.circles)
            away = np.hypot(np.asarray(x)[..., None] - c[:, 0], np.asarray(z)[..., None] - c[:, 1]) - c[:, 2]
            best = away.min(axis=-1)
        return best

    def behind(self, eye: Eye, x: Floats, z: Floats, radius: float) -> Floats:
        """Return how much of a circle around each place lies behind or before what is taken, 0 to 1."""
        across, ahead = eye.across(x, z)
        half = radius / (np.maximum(ahead, 1.0) * eye.half)
        most = np.zeros(np.shape(x))
        for cx, cz, r in self.circles:
            if r < 2.4:
                continue
            middle, far = (float(value) for value in eye.across(cx, cz))
            if far > 1.0:
                wide = r / (far * eye.half)
                over = np.minimum(across + half, middle + wide) - np.maximum(across - half, middle - wide)
                most = np.maximum(most, np.clip(over / np.minimum(2 * half, 2 * wide), 0, 1))
        return most


def sees(
    heights: Heights, eye: Eye, x: Floats, y: Floats, z: Floats, water: float = -1e9
) -> npt.NDArray[np.bool_]:
    """Return whether the ground leaves free sight from the eye to points ``(n,)``."""
    share = np.linspace(0.04, 0.96, _STEPS)[:, None]
    over = np.maximum(
        heights((eye.x + share * (x - eye.x)).ravel(), (eye.z + share * (z - eye.z)).ravel()), water
    )
    line = eye.y + share * (y - eye.y)
    return np.asarray((over.reshape(line.shape) < line + 0.05).all(axis=0))


def find_site(
    heights: Heights,
    water: float,
    eye: Eye,
    rule: SiteRule,
    distance: Distance,
    side: Side,
    taken: Taken,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
) -> Site:
    """Return the best place for a thing, as the picture and the ground ask; there is always one.

    Places are drawn where the thing has the size in the picture that ``distance`` says; where no good one is
    among them, nearer, farther and to all sides.

    Args:
        heights: The ground: x and z ``(n,)`` to heights.
        water: Level of the water; -1e9 for none.
        eye: The viewpoint.
        rule: What the thing asks.
        distance: How large it shall be in the picture.
        side: Where.
        taken: Ground that is taken.
        rng: What is drawn is drawn from it.
        scale: Size of the thing, as a factor.
    """
    low, high = _SHARES[distance]
    span = 2 * eye.half
    nearest = max(rule.height * scale / (span * high), rule.width * scale / (span * (0.3 + 0.8 * high)))
    farthest = nearest * high / low
    # Nobody looks at roofs from straight above.
    above = eye.y - max(float(heights(np.array([eye.x]), np.array([eye.z]))[0]), water)
    floor = max(1.5 * rule.radius * scale + 6.0, 1.9 * above + 0.5 * rule.radius)
    best = Site(0, 0, 0, -1e9)
    # Where no good place is, rather a nearer one than one farther off.
    for near, far, anywhere in (
        (1, 1, False),
        (0.62, 1, False),
        (0.62, 1, True),
        (0.3, 1.7, True),
        (0.2, 4, True),
    ):
        start, stop = max(floor, nearest * near), max(floor * 1.4, farthest * far)
        edges = (-0.7, 0.7) if anywhere else _SIDES[side]
        away = start * (stop / start) ** rng.random(_TRIES)
        x, z = eye.polar(edges[0] + (edges[1] - edges[0]) * rng.random(_TRIES), away)
        found = best_site(heights, water, eye, rule, taken, x, z, scale)
        if found.score > best.score + (0.5 if far > 1 else 0.0):
            best = found
        if best.score > 0:
            break
    return best


def ring(x: Floats, z: Floats, radius: float, count: int) -> tuple[Floats, Floats]:
    """Return ``count`` places around each of ``(n,)``, ``(n, count)``."""
    angle = np.arange(count) * (2 * math.pi / count)
    return x[:, None] + radius * np.cos(angle), z[:, None] + radius * np.sin(angle)


def best_site(
    heights: Heights,
    water: float,
    eye: Eye,
    rule: SiteRule,
    taken: Taken,
    x: Floats,
    z: Floats,
    scale: float,
) -> Site:
    """Return the best of places ``(n,)``."""
    radius = rule.radius * scale

    def at(px: Floats, pz: Floats) -> Floats:
        return heights(px.ravel(), pz.ravel()).reshape(px.shape)

    ground = at(x, z)
    around = at(*ring(x, z, radius, 8))
    wide = at(*ring(x, z, 2.6 * radius + 12.0, 8))
    if rule.ground == "water":
        deep = water - np.maximum(ground, around.max(axis=1))
        score, rise = np.clip(deep, -4, 0.8) * 2.0, np.zeros_like(x)
        foot = np.full_like(x, water)
    else:
        foot = np.maximum(ground, around.mean(axis=1))
        rise = foot - np.maximum(wide, water).mean(axis=1)
        score = 1.0 - np.maximum(np.ptp(around, axis=1) / (rule.rough * scale) - 1.0, 0.0)
        score += rule.hill * np.clip(rise, -10, 30)
        lowest = np.minimum(ground, around.min(axis=1))
        score -= 6.0 * (lowest < water + 0.6)
        if rule.ground == "shore" and water > -1e8:
            by = np.minimum(wide, at(*ring(x, z, 2.6 * radius + 45.0, 8))).min(axis=1)
            score -= 2.5 * (by > water - 0.2)
    score -= 4.0 * (taken.gap(x, z) < radius + 2.0)
    score -= 1.6 * taken.behind(eye, x, z, radius)
    clear = np.zeros_like(x)
    away = np.hypot(x - eye.x, z - eye.z)
    score -= 6.0 * (away < radius + 5.0)  # nobody looks out of a wall
    for part in (0.35, 0.95):
        y = foot + part * rule.height * scale
        inside = np.abs(eye.up(y, away)) < (0.95 if eye.fixed else 1.35)
        clear += 0.5 * sees(heights, eye, x, y, z, water) * (0.4 + 0.6 * inside)
    score += 4.0 * clear - 3.6 - 3.0 * (np.abs(eye.across(x, z)[0]) > 0.82)
    k = int(np.argmax(score))
    return Site(float(x[k]), float(foot[k]), float(z[k]), float(score[k]), float(rise[k]), float(clear[k]))
