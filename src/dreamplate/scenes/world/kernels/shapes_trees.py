"""Signed distances of conifers, leafy trees and bushes: ``(distance, part)`` of a point in own axes.

Crowns are one simple hull whose surface noise moves in and out; noise is looked at near the hull alone.
``fine`` says how much of it: 0 all, 1 the coarse octave, 2 a smaller hull without noise, for shadows.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import noise3
from dreamplate.scenes.world.kernels.shapes import cone, pick
from dreamplate.scenes.world.kernels.shapes_numbers import BARK, LEAF, WHITE_BARK

__all__ = ["birch", "broadleaf", "bush", "conifer"]


@scalar
def conifer(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A conifer: a stack of drooping cones with ragged edges."""
    rho = math.sqrt(x * x + z * z)
    high = 10.4 + 0.4 * (seed & 3)
    wide = 1.75 + 0.2 * ((seed >> 2) & 3)
    low = 0.9 + 0.3 * ((seed >> 4) & 1)
    away = cone(rho, y, wide + 0.95, 0.6, 0.2, high + 0.3)
    if away > 0.8:
        return min(away, max(rho - 0.3, y - low - 1.0, -1.0 - y)), LEAF
    layers = 8.0 + ((seed >> 5) & 1)
    step = (high - low) / (layers + 0.6)
    number = math.floor((y - low) / step)
    d = 1e9
    for i in range(-1, 2):
        layer = min(max(number + i, 0.0), layers - 1.0)
        foot = low + step * layer
        reach = wide * (1.0 - layer / layers) ** 0.85 + 0.2
        tall = step * 1.75
        side = (reach - 0.0) / tall
        shell = (rho - reach + side * (y - foot)) / math.sqrt(1.0 + side * side)
        d = min(d, max(shell, (foot - y + 0.22 * rho - 0.22 * reach - 0.1) * 0.97))
    if fine == 2:
        d += 0.22
    elif d > 0.5:
        d -= 0.4
    else:
        d += 0.34 * noise3(x * 1.9, y * 1.5, z * 1.9, seed)
        if fine == 0:
            d += 0.11 * noise3(x * 6.0, y * 5.0, z * 6.0, seed)
        d *= 0.5 if fine == 1 else 0.42
    if fine < 2:
        d = min(d, cone(rho, y, 0.3, 0.03, high - 1.7, high + 0.15))
    trunk = max(rho - 0.19, y - low - 1.0, -1.0 - y)
    return pick(d, LEAF, trunk, BARK)


@scalar
def _lumps(d: Any, x: Any, y: Any, z: Any, rough: Any, often: Any, seed: Any, fine: Any) -> Any:
    """Return the distance to a hull at distance d when its surface is lumpy, ``rough`` metres deep.

    Lumps are where the size of noise is large, so they are round and meet in creases, as clumps of leaves do.
    """
    if fine == 2:
        return d + 0.35 * rough
    most = 1.1 * rough
    if d > most + 0.3:
        return d - most
    d -= 1.5 * rough * (abs(noise3(x * often, y * often, z * often, seed)) - 0.24)
    if fine == 0:
        if d > 0.4 * rough + 0.2:
            return (d - 0.4 * rough) * 0.55
        many = often * 2.7
        d -= 0.55 * rough * (abs(noise3(x * many, y * many, z * many, seed + 1)) - 0.24)
        many = often * 9.0
        d -= 0.16 * rough * noise3(x * many, y * many, z * many, seed + 2)
        return d * 0.4
    return d * 0.55


@scalar
def _hull(x: Any, y: Any, z: Any, a: Any, up: Any, down: Any) -> Any:
    """Return the distance to a round hull, ``a`` wide, reaching ``up`` and ``down`` from its middle."""
    b = up if y > 0.0 else down
    r = math.sqrt((x * x + z * z) / (a * a) + y * y / (b * b))
    return (r - 1.0) * min(a, up, down)


@scalar
def broadleaf(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A leafy tree: a wide crown of lumps on a trunk that forks."""
    wide = 3.1 + 0.2 * ((seed >> 3) & 3)
    up = 3.0 + 0.25 * ((seed >> 5) & 3)
    middle = 5.4 + 0.3 * ((seed >> 1) & 1)
    lean = 0.12 * (((seed >> 7) & 3) - 1.5)
    d = _hull(x - lean * 2.0, y - middle, z, wide, up, 2.3)
    d = _lumps(d, x, y, z, 0.75, 0.62, seed, fine)
    trunk = cone(math.sqrt((x - lean * y * 0.3) * (x - lean * y * 0.3) + z * z), y, 0.36, 0.2, -1.0, 5.0)
    d, part = pick(d, LEAF, trunk * 0.97, BARK)
    if fine < 2 and y > 1.4:
        ax = abs(x)
        u = y - 2.0
        fork = (
            math.sqrt((ax - 0.55 * u) * (ax - 0.55 * u) * 0.77 + (z + 0.25 * x) * (z + 0.25 * x) * 0.9) - 0.13
        )
        d, part = pick(d, part, max(fork, y - 5.0, 2.0 - y) * 0.9, BARK)
    return d, part


@scalar
def birch(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A birch: a thin white trunk through a tall light crown."""
    bend = 0.018 * (((seed >> 1) & 7) - 3.5)
    u = x - bend * y * y * 0.14
    middle = 6.2 + 0.3 * ((seed >> 4) & 1)
    wide = 1.55 + 0.13 * ((seed >> 5) & 3)
    d = _hull(u, y - middle, z, wide, 4.4, 3.3) * 0.98
    d = _lumps(d, x, y * 0.75, z, 0.62, 1.05, seed, fine)
    trunk = cone(math.sqrt(u * u + z * z), y, 0.17, 0.05, -1.0, 9.6) * 0.95
    return pick(d, LEAF, trunk, WHITE_BARK)


@scalar
def bush(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A bush: a low lumpy dome."""
    wide = 1.1 + 0.1 * (seed & 3)
    d = _hull(x, y - 0.35, z, wide, 0.95, 0.75)
    d = _lumps(d, x, y, z, 0.26, 1.7, seed, fine)
    return max(d, -0.5 - y), LEAF
