"""Smooth curves through keys: positions, rotations, and the times that make a speed constant."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.scenes.rotations import matrix_of, quaternion_of

__all__ = ["catmull_rom", "even_times", "squad", "steps_between"]

Doubles = npt.NDArray[np.float64]


def steps_between(points: Doubles, closed: bool) -> Doubles:
    """Return centripetal steps between keys: square roots of distances, at least a tenth of their mean."""
    ends = np.concatenate([points[1:], points[:1]]) if closed else points[1:]
    roots = np.sqrt(np.linalg.norm(ends - points[: len(ends)], axis=1))
    return np.maximum(roots, roots.mean() / 10) if roots.any() else np.ones(len(ends))


def catmull_rom(points: Doubles, steps: Doubles, closed: bool) -> Callable[[float], Doubles]:
    """Return the Catmull-Rom spline through rows of ``points`` as a function of the key's number.

    Its own parameter grows by ``steps`` from key to key. It is run through by a monotone cubic of the key's
    number (Fritsch and Butland 1984), so that keys fall on whole numbers and the speed makes no jumps.

    Args:
        points: ``(n, d)``.
        steps: ``(n - 1,)``, or ``(n,)`` closed; see ``steps_between``.
        closed: Whether it returns to the first point.
    """
    count = len(points)
    last = count if closed else count - 1

    def slope(key: int) -> Doubles:
        """Derivative at a key, by its own parameter: the parabola through it and its neighbours."""
        if not closed and count == 2:
            return np.asarray((points[1] - points[0]) / steps[0])
        if not closed and key in (0, last):
            inner = 1 if key == 0 else last - 1
            near = 0 if key == 0 else last - 1
            chord = (points[near + 1] - points[near]) / steps[near]
            return np.asarray(2 * chord - slope(inner))
        before, after = steps[(key - 1) % count], steps[key % count]
        coming = (points[key % count] - points[(key - 1) % count]) / before
        going = (points[(key + 1) % count] - points[key % count]) / after
        return np.asarray((coming * after + going * before) / (before + after))

    def pace(key: int) -> float:
        if not closed and key in (0, last):
            return float(steps[min(key, last - 1)])
        before, after = steps[(key - 1) % count], steps[key % count]
        return float(2 * before * after / (before + after))

    def at(time: float) -> Doubles:
        key = min(int(time), last - 1)
        step = steps[key % count]
        u = _hermite(time - key, 0.0, pace(key) / step, 1.0, pace(key + 1) / step)
        start, stop = points[key % count], points[(key + 1) % count]
        return np.asarray(_hermite(u, start, slope(key) * step, stop, slope(key + 1) * step))

    return at


def _hermite(u: float, start: Any, leave: Any, stop: Any, arrive: Any) -> Any:
    rise = u * u * (3 - 2 * u)
    return (1 - rise) * start + u * (1 - u) ** 2 * leave + rise * stop - u * u * (1 - u) * arrive


def squad(rotations: Sequence[Doubles], closed: bool) -> Callable[[float], Doubles]:
    """Return the smooth rotation through ``(3, 3)`` rotations as a function of the key's number."""
    keys = [quaternion_of(rotation) for rotation in rotations]
    count = len(keys)
    for number in range(1, count):  # the short way round between neighbours
        if keys[number] @ keys[number - 1] < 0:
            keys[number] = -keys[number]
    flip = -1.0 if closed and keys[-1] @ keys[0] < 0 else 1.0

    def key(number: int) -> Doubles:
        if closed:
            # Going round may end on the other of the two quaternions that mean one rotation.
            return np.asarray(keys[number % count] * flip ** abs(number // count))
        return keys[min(max(number, 0), count - 1)]

    def inner(number: int) -> Doubles:
        middle = key(number)
        back = np.array([middle[0], *-middle[1:]])
        pull = _log(_times(back, key(number + 1))) + _log(_times(back, key(number - 1)))
        return _times(middle, _exp(-pull / 4))

    def at(time: float) -> Doubles:
        number = min(int(time), (count if closed else count - 1) - 1)
        u = time - number
        outer = _slerp(key(number), key(number + 1), u)
        control = _slerp(inner(number), inner(number + 1), u)
        return matrix_of(_slerp(outer, control, 2 * u * (1 - u)))

    return at


def _times(a: Doubles, b: Doubles) -> Doubles:
    real = a[0] * b[0] - a[1:] @ b[1:]
    return np.array([real, *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))])


def _log(q: Doubles) -> Doubles:
    length = float(np.linalg.norm(q[1:]))
    return (
        np.asarray(q[1:] * (math.atan2(length, q[0]) / length)) if length > 1e-12 else np.asarray(q[1:] * 1.0)
    )


def _exp(v: Doubles) -> Doubles:
    length = float(np.linalg.norm(v))
    return np.array([math.cos(length), *(v * (math.sin(length) / length if length > 1e-12 else 1.0))])


def _slerp(a: Doubles, b: Doubles, share: float) -> Doubles:
    angle = math.acos(min(1.0, max(-1.0, float(a @ b))))
    if angle < 1e-9:
        return np.asarray((1 - share) * a + share * b)
    return np.asarray((math.sin((1 - share) * angle) * a + math.sin(share * angle) * b) / math.sin(angle))


def even_times(position: Callable[[float], Doubles], count: int, frames: int, closed: bool) -> Doubles:
    """Return the key numbers at which equal parts of a path's length are gone.

    Args:
        position: The path over key numbers 0 to ``count``.
        count: Number of the path's last key.
        frames: How many times.
        closed: Whether the end is the start again, and is left out.

    Raises:
        SceneError: The path has no length.
    """
    fine = np.linspace(0.0, count, max(200 * count, 20 * frames) + 1)
    way = np.array([position(time) for time in fine])
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
    if not gone[-1] > 1e-9 * np.abs(way).max():
        raise SceneError("spline: all cameras stand in one place; constant speed needs a way to go")
    wanted = np.linspace(0.0, gone[-1], frames, endpoint=not closed) if frames > 1 else np.zeros(1)
    return np.asarray(np.interp(wanted, gone, fine))
