"""How a thing stands at a moment, and vectors into its own axes and back."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n

__all__ = ["frame", "swing_of", "turn_in", "turn_out"]


@scalar
def frame(row: Any, time: Any, wind: Any, kind: Any, numbers: Any) -> Any:
    """Return how a thing stands at a moment: place (3), cosine and sine of yaw, pitch and roll.

    Args:
        row: The thing.
        time: Seconds.
        wind: Strength; boats roll with it.
        kind: Number of the thing's shape.
        numbers: ``ThingData.numbers``.
    """
    x = numbers[row, 0] + time * numbers[row, 14]
    y = numbers[row, 1] + time * numbers[row, 15]
    z = numbers[row, 2] + time * numbers[row, 16]
    pitch = 0.0
    roll = 0.0
    if kind in (n.BOAT, n.ROWBOAT):
        phase = numbers[row, 17]
        sway = min(0.3 + 0.7 * wind, 2.0)
        y += sway * (0.09 * math.sin(1.3 * time + phase) + 0.05 * math.sin(2.1 * time + 2.0 * phase))
        pitch = 0.022 * sway * math.sin(1.1 * time + 1.7 * phase)
        roll = 0.035 * sway * math.sin(0.9 * time + phase)
    return x, y, z, numbers[row, 3], numbers[row, 4], pitch, roll


@scalar
def swing_of(kind: Any, phase: Any, time: Any, wind: Any) -> Any:
    """Return a thing's own motion: the angle of a windmill's sails, the wave of a flag."""
    if kind == n.WINDMILL:
        return phase + 0.9 * wind * time
    if kind == n.FLAG:
        return phase + (1.0 + 4.5 * wind) * time
    return 0.0


@scalar
def turn_in(x: Any, y: Any, z: Any, c: Any, s: Any, pitch: Any, roll: Any) -> Any:
    """Return a vector of the world in a thing's own axes."""
    u = c * x - s * z
    w = s * x + c * z
    v = y
    if pitch != 0.0 or roll != 0.0:
        c = math.cos(pitch)
        s = math.sin(pitch)
        v, w = c * v + s * w, c * w - s * v
        c = math.cos(roll)
        s = math.sin(roll)
        u, v = c * u + s * v, c * v - s * u
    return u, v, w


@scalar
def turn_out(u: Any, v: Any, w: Any, c: Any, s: Any, pitch: Any, roll: Any) -> Any:
    """Return a vector of a thing's own axes in the world."""
    if pitch != 0.0 or roll != 0.0:
        cr = math.cos(roll)
        sr = math.sin(roll)
        u, v = cr * u - sr * v, cr * v + sr * u
        cp = math.cos(pitch)
        sp = math.sin(pitch)
        v, w = cp * v - sp * w, cp * w + sp * v
    return c * u + s * w, v, c * w - s * u
