"""Signed distances of simple solids, which shapes are put together from.

Every function here returns a lower bound of the distance that changes by at most 1 a metre (Hart, "Sphere
tracing", 1996): many use the greatest of the distances to their faces, which is exact at faces and low at
corners, and cheap.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar

__all__ = ["block", "bound", "cone", "cord", "nearest_of", "pick", "ridge", "rod", "span", "square_root"]


@scalar
def square_root(x: Any) -> Any:
    """Return the root of a number that rounding may have made negative."""
    return math.sqrt(max(x, 0.0))


@scalar
def block(x: Any, y: Any, z: Any, a: Any, b: Any, c: Any) -> Any:
    """Return the distance to a box of half sides a, b, c around the origin; exact outside."""
    u = abs(x) - a
    v = abs(y) - b
    w = abs(z) - c
    inside = max(u, v, w)
    if inside <= 0.0:
        return inside
    u = max(u, 0.0)
    v = max(v, 0.0)
    w = max(w, 0.0)
    return math.sqrt(u * u + v * v + w * w)


@scalar
def span(x: Any, low: Any, high: Any) -> Any:
    """Return the distance of a number to an interval; negative within."""
    return max(low - x, x - high)


@scalar
def bound(rho: Any, y: Any, radius: Any, low: Any, high: Any) -> Any:
    """Return the distance to an upright cylinder, from the distance to its axis and the height."""
    return max(rho - radius, low - y, y - high)


@scalar
def cone(rho: Any, y: Any, r0: Any, r1: Any, low: Any, high: Any) -> Any:
    """Return the distance to a round frustum with radius r0 at its lower end and r1 at its upper."""
    slope = (r1 - r0) / (high - low)
    side = (rho - r0 - slope * (y - low)) / math.sqrt(1.0 + slope * slope)
    return max(side, low - y, y - high)


@scalar
def rod(x: Any, y: Any, z: Any, length: Any, radius: Any) -> Any:
    """Return the distance to an upright rod with round ends, from the origin up."""
    y -= min(max(y, 0.0), length)
    return math.sqrt(x * x + y * y + z * z) - radius


@scalar
def cord(x: Any, y: Any, z: Any, a: Any, b: Any, c: Any, u: Any, v: Any, w: Any, radius: Any) -> Any:
    """Return the distance to a rod with round ends from (a, b, c) to (u, v, w)."""
    x -= a
    y -= b
    z -= c
    u -= a
    v -= b
    w -= c
    share = (x * u + y * v + z * w) / (u * u + v * v + w * w)
    share = min(max(share, 0.0), 1.0)
    x -= share * u
    y -= share * v
    z -= share * w
    return math.sqrt(x * x + y * y + z * z) - radius


@scalar
def ridge(across: Any, y: Any, top: Any, slope: Any) -> Any:
    """Return the distance to what lies below two planes that meet in a ridge at height top.

    ``across`` is the distance from the ridge, at least 0; ``slope`` is the fall a metre.
    """
    return (y - top + slope * across) / math.sqrt(1.0 + slope * slope)


@scalar
def nearest_of(x: Any, step: Any, least: Any, most: Any) -> Any:
    """Return where x is within the nearest of cells of width step, numbered least to most."""
    return x - step * min(max(math.floor(x / step + 0.5), least), most)


@scalar
def pick(d: Any, part: Any, other: Any, other_part: Any) -> Any:
    """Return the nearer of two surfaces and its part."""
    if other < d:
        return other, other_part
    return d, part
