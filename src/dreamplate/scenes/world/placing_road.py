"""A road from the viewpoint into the picture: of many courses the one that climbs and turns least."""

from __future__ import annotations

import math

import numpy as np

from dreamplate.scenes.world.placing import Eye, Floats, Heights

__all__ = ["WIDTH", "along", "beside", "find_road"]

WIDTH = 6.5
"""Metres."""
_STEP = 8.0
_COURSES = 40
_BEHIND = 30.0


def find_road(
    heights: Heights, water: float, eye: Eye, rng: np.random.Generator, *, length: float = 520.0
) -> Floats:
    """Return a road as x and z of points ``(k, 2)``, 8 m apart, that comes from behind the eye.

    It ends where the ground would be too steep or wet for it, but is never shorter than 80 m ahead.

    Args:
        heights: The ground.
        water: Level of the water; -1e9 for none.
        eye: The viewpoint.
        rng: What is drawn is drawn from it.
        length: Metres ahead, at most.
    """
    ahead = int(length / _STEP)
    back = int(_BEHIND / _STEP)
    offset = float(rng.choice([-1.0, 1.0])) * float(rng.uniform(2.2, 4.5))
    first = rng.uniform(-0.35, 0.35, _COURSES) * eye.half / 0.52
    bend = rng.uniform(-0.0045, 0.0045, _COURSES)
    swing, wave = rng.uniform(0, 0.5, _COURSES), rng.uniform(90, 260, _COURSES)
    phase = rng.uniform(0, 2 * math.pi, _COURSES)
    reach = _STEP * np.arange(1, ahead + 1)
    turn = first[:, None] + bend[:, None] * reach
    turn += swing[:, None] * (np.sin(reach / wave[:, None] + phase[:, None]) - np.sin(phase)[:, None])
    # It leaves along the view, and then takes its course.
    turn *= np.clip(reach / 60.0, 0, 1)
    right, on = np.cumsum(np.sin(turn), 1) * _STEP + offset, np.cumsum(np.cos(turn), 1) * _STEP
    cosine, sine = math.cos(eye.yaw), math.sin(eye.yaw)
    x = eye.x + cosine * right - sine * on
    z = eye.z - sine * right - cosine * on
    ground = heights(x.ravel(), z.ravel()).reshape(x.shape)
    climb = np.abs(np.diff(ground, axis=1)) / _STEP
    wet = ground[:, 1:] < water + 0.8
    bad = (climb > 0.22) | wet
    cost = np.clip(climb, 0, 0.4) + 1.5 * wet
    near = np.exp(-reach[1:] / 160.0)
    best = int(np.argmin((cost * near).sum(1)))
    stop = bad[best].copy()
    stop[: int(80 / _STEP)] = False
    end = int(np.argmax(stop)) + 1 if stop.any() else ahead
    behind = -_STEP * np.arange(back, -1, -1.0)
    bx = eye.x + cosine * offset - sine * behind
    bz = eye.z - sine * offset - cosine * behind
    return np.stack([np.concatenate([bx, x[best, :end]]), np.concatenate([bz, z[best, :end]])], axis=1)


def along(road: Floats, distance: Floats) -> tuple[Floats, Floats]:
    """Return points ``(n, 2)`` of a road and its directions there, metres from its first point."""
    legs = np.diff(road, axis=0)
    lengths = np.hypot(legs[:, 0], legs[:, 1])
    ends = np.concatenate([[0.0], np.cumsum(lengths)])
    k = np.clip(np.searchsorted(ends, distance, side="right") - 1, 0, len(legs) - 1)
    share = (distance - ends[k]) / lengths[k]
    return road[k] + share[:, None] * legs[k], legs[k] / lengths[k][:, None]


def beside(road: Floats, x: Floats, z: Floats) -> Floats:
    """Return the distances of places ``(n,)`` from the middle of a road."""
    start, legs = road[:-1], np.diff(road, axis=0)
    px, pz = np.asarray(x)[..., None] - start[:, 0], np.asarray(z)[..., None] - start[:, 1]
    share = np.clip((px * legs[:, 0] + pz * legs[:, 1]) / (legs**2).sum(1), 0, 1)
    return np.asarray(np.hypot(px - share * legs[:, 0], pz - share * legs[:, 1]).min(axis=-1))
