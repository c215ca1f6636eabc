"""Where a world is seen from: a place that looks out well, then turned to what stands there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dreamplate.scenes.world.ground import Ground, GroundShape
from dreamplate.scenes.world.placing import SITES, Eye, Floats
from dreamplate.scenes.world.placing_things import Item, Plan
from dreamplate.scenes.world.spec import Side, WorldSpec
from dreamplate.scenes.world.things import SHAPES

__all__ = ["first_viewpoint", "settled"]

_CANDIDATES = 9
_BANDS: dict[Side, tuple[float, float]] = {"left": (-0.6, -0.26), "centre": (-0.1, 0.1), "right": (0.26, 0.6)}
"""Side → where in the picture the main things stand, -1 to 1."""
_MOST = 0.35
"""Radians that the eye turns at most for them: what else it was placed for stays in sight."""


def first_viewpoint(spec: WorldSpec, shape: GroundShape, rng: np.random.Generator) -> Eye:
    """Return the best of a few places near the origin: where the country lies open, and water is seen."""
    half = math.tan(math.radians(spec.view.fov) / 2)
    turn, away = rng.uniform(0, 2 * math.pi, _CANDIDATES), 22.0 * np.sqrt(rng.random(_CANDIDATES))
    back = _step_back(spec, half) * rng.uniform(0.85, 1.1, _CANDIDATES)
    yaws = rng.uniform(-0.2, 0.2, _CANDIDATES)
    reach = 8.0 * (1500 / 8.0) ** np.linspace(0, 1, 18)
    best, chosen = -1e9, None
    pitch = 0.0 if spec.view.pitch is None else math.radians(spec.view.pitch)
    for k in range(_CANDIDATES):
        x, z = float(away[k] * math.cos(turn[k])), float(away[k] * math.sin(turn[k]) + back[k])
        ground = float(shape.height(x, z))
        own = max(ground, shape.water)
        eye = Eye(x, own + spec.view.height, z, float(yaws[k]), pitch, half, spec.view.pitch is not None)
        score = _outlook(shape, eye, reach, wet=spec.water != "none") - 4.0 * (ground < shape.water + 0.5)
        if score > best:
            best, chosen = score, eye
    assert chosen is not None
    return chosen


def _step_back(spec: WorldSpec, half: float) -> float:
    """Return how many metres the viewpoint draws back from the water, for what stands before it."""
    rule = SITES.get(spec.things[0].kind) if spec.things else None
    if spec.water == "none" or rule is None or rule.ground == "water":
        return 0.0
    share = {"near": 0.5, "middle": 0.3, "far": 0.2}[spec.things[0].distance]
    room = max(rule.height / (2 * half * share), rule.width / (2 * half * (0.3 + share))) + rule.radius
    return min(max(room - 34.0, 0.0), 80.0)


def _outlook(shape: GroundShape, eye: Eye, reach: Floats, *, wet: bool) -> float:
    """Return how well a place looks out."""
    across = np.linspace(-0.9, 0.9, 9)
    px, pz = eye.polar(across[:, None], reach)
    ground = np.asarray(shape.height(px, pz, 20.0))
    rise = (np.maximum(ground, shape.water) - eye.y) / reach
    skyline = np.maximum.accumulate(rise, axis=1)
    # Ground close by that stands above the eye hides all else.
    blocked = np.clip(skyline[:, reach < 90].max(axis=1) - 0.02, 0, 0.5).mean()
    top = np.clip(skyline[:, -1], -0.2, 0.4)
    score = (
        -6.0 * blocked
        + 1.2 * float(np.ptp(top))
        - 2.0 * float(np.clip(top - 0.3 * eye.half / 0.52, 0, 1).mean())
    )
    if wet:
        seen = (rise >= skyline - 1e-9) & (ground < shape.water)
        span = np.diff(skyline, axis=1, prepend=skyline[:, :1] - 0.1)
        score += 5.0 * min(float((seen * span).sum(axis=1).mean()), 0.12)
    return float(score)


def settled(plan: Plan, ground: Ground, rng: np.random.Generator) -> Eye:
    """Return the eye above the ground as it was built, turned as the main things ask.

    It turns a little to a side until they stand on the side that the spec names, and looks up or down until
    they are in the picture. A pitch in the spec stays.
    """
    spec, eye = plan.spec, plan.eye
    own = max(float(ground.height(eye.x, eye.z)), ground.water)
    main = [item for item in plan.items if item.group == 0]
    yaw = eye.yaw + _turn(eye, main, spec.things[0].side) if main else eye.yaw
    eye = Eye(eye.x, own + spec.view.height, eye.z, yaw, eye.pitch, eye.half, eye.fixed)
    if eye.fixed:
        return eye
    # The horizon lies a little below or above the middle; from high up the land fills more of the picture.
    down = 0.1 + 0.28 * min(max(math.log(spec.view.height / 5.0), 0.0) / 2.5, 1.0)
    wanted = -down + float(rng.uniform(-0.12, 0.22))
    if main:
        low, high = 9.0, -9.0
        for item in main[:20]:
            away = math.hypot(item.x - eye.x, item.z - eye.z)
            foot = item.y if item.y is not None else float(ground.height(item.x, item.z))
            low = min(low, (foot - eye.y) / away / eye.half)
            high = max(high, (foot + SHAPES[item.shape].height * item.size[1] - eye.y) / away / eye.half)
        wanted = min(max(wanted, high - 0.82), low + 0.8) if high - low < 1.6 else (low + high) / 2
    pitch = math.atan(wanted * eye.half)
    return Eye(eye.x, eye.y, eye.z, eye.yaw, pitch, eye.half, eye.fixed)


def _turn(eye: Eye, main: Sequence[Item], side: Side) -> float:
    """Return by how many radians to turn so that things stand where they should, as large as each looks."""
    across, ahead = eye.across([item.x for item in main], [item.z for item in main])
    there = ahead > 1.0
    if not there.any():
        return 0.0
    size = np.array([SHAPES[item.shape].radius * max(item.size) for item in main])[there] / ahead[there]
    middle = float(np.average(np.clip(across[there], -1.5, 1.5), weights=size**2))
    low, high = _BANDS[side]
    wanted = min(max(middle, low), high)
    turn = math.atan(middle * eye.half) - math.atan(wanted * eye.half)
    return -min(max(turn, -_MOST), _MOST)
