"""Signed distances of palms, cacti, leafless trees and rocks: ``(distance, part)`` of a point in own axes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import hash_unit, noise3
from dreamplate.scenes.world.kernels.shapes import cord, nearest_of, pick, rod
from dreamplate.scenes.world.kernels.shapes_numbers import BARK, FLESH, LEAF, STONE, STRIPE, WOOD

__all__ = ["bare", "cactus", "palm", "rock"]


@scalar
def _fronds(rho: Any, turn: Any, y: Any, count: Any, long: Any, rise: Any, fall: Any) -> Any:
    """Leaves of a palm in a ring: each rises, then bends down, a roof-shaped strip with a tip."""
    a = nearest_of(turn, 2.0 * math.pi / count, -count, count)
    u = rho * math.cos(a)
    v = abs(rho * math.sin(a))
    along = min(max(u, 0.0), long)
    curve = rise * along - fall * along * along
    share = along / long
    wide = 0.5 * (share * 2.2 + 0.12 if share < 0.35 else 1.35 * (1.0 - share) + 0.01)
    teeth = along * 5.0 + v * 3.0
    teeth = abs(teeth - math.floor(teeth) - 0.5)
    sheet = abs(y - curve + 0.55 * v) - 0.04
    edge = max(v - wide + 0.14 * teeth * min(wide * 4.0, 1.0), u - long, -u)
    return max(sheet * 0.55, edge * 0.6)


@scalar
def palm(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A palm: a leaning ringed trunk and two rings of bent leaves."""
    lean = 0.006 + 0.006 * (seed & 3)
    high = 7.6 + 0.3 * ((seed >> 2) & 3)
    up = min(max(y, -1.0), high)
    u = x - lean * up * up
    ring = y * 2.6
    thick = 0.24 - 0.012 * up + 0.03 * (ring - math.floor(ring))
    trunk = max(math.sqrt(u * u + z * z) - thick, y - high, -1.0 - y) * 0.9
    cx = x - lean * high * high
    cy = y - high
    far = math.sqrt(cx * cx + cy * cy + z * z) - 3.5
    if far > 0.4:
        return pick(far, LEAF, trunk, BARK)
    rho = math.sqrt(cx * cx + z * z)
    turn = math.atan2(z, cx)
    d = _fronds(rho, turn + 0.3, cy, 7.0, 3.1, 0.62, 0.27)
    d = min(d, _fronds(rho, turn, cy - 0.05, 8.0, 2.7, 0.1, 0.3))
    d = min(d, _fronds(rho, turn + 0.7, cy - 0.1, 5.0, 2.3, 1.05, 0.22))
    part = LEAF
    d, part = pick(d, part, trunk, BARK)
    if (seed >> 5) & 1:
        a = nearest_of(turn, 2.0 * math.pi / 3.0, -2.0, 2.0)
        nut = math.sqrt((rho * math.cos(a) - 0.26) ** 2 + (rho * math.sin(a)) ** 2 + (cy + 0.22) ** 2) - 0.16
        d, part = pick(d, part, nut, WOOD)
    return d, part


@scalar
def cactus(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A saguaro: a ribbed column with up to three arms that bend upwards."""
    high = 4.6 + 0.2 * (seed & 3)
    d = rod(x, y + 0.5, z, high + 0.1, 0.36)
    side = 1.0 if (seed >> 2) & 1 else -1.0
    u = x * side
    low = 1.6 + 0.25 * ((seed >> 3) & 3)
    d = min(d, cord(u, y, z, 0.0, low, 0.0, 1.05, low + 0.12, 0.0, 0.22))
    d = min(d, cord(u, y, z, 1.05, low + 0.12, 0.0, 1.12, low + 1.9, 0.05, 0.24))
    if (seed >> 5) & 3 != 0:
        low += 0.75
        d = min(d, cord(-u, y, z, 0.0, low, 0.0, 0.9, low + 0.15, 0.1, 0.2))
        d = min(d, cord(-u, y, z, 0.9, low + 0.15, 0.1, 0.95, low + 1.3, 0.1, 0.22))
    if (seed >> 7) & 1:
        d = min(d, cord(x, y, z, 0.0, 1.5, 0.0, 0.1, 1.6, 0.75, 0.18))
        d = min(d, cord(x, y, z, 0.1, 1.6, 0.75, 0.1, 2.5, 0.8, 0.19))
    part = FLESH
    if y > high - 0.17 and noise3(x * 8.0, y * 8.0, z * 8.0, seed) > 0.1:
        part = STRIPE
    return d, part


@scalar
def bare(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A tree without leaves: every branch forks in two, again and again, mirrored and turned."""
    long = 2.5 + 0.15 * (seed & 3)
    thick = 0.3
    d = rod(x, y + 1.0, z, long + 1.0, 0.0)
    d -= thick - 0.025 * min(max(y, 0.0), long)
    d *= 0.96
    spread = 0.42 + 0.05 * ((seed >> 2) & 3)
    c = math.cos(spread)
    s = math.sin(spread)
    twist = 1.25 + 0.1 * ((seed >> 4) & 3)
    ct = math.cos(twist)
    st = math.sin(twist)
    for _ in range(6 if fine < 2 else 3):
        y -= long * 0.92
        x, z = ct * x + st * z, ct * z - st * x
        x = abs(x)
        z += 0.06 * long
        x, y = c * x - s * y, c * y + s * x
        long *= 0.76
        thick *= 0.66
        d = min(d, (rod(x, y, z, long, thick) + 0.2 * thick * min(max(y / long, 0.0), 1.0)) * 0.96)
    return d, BARK


@scalar
def rock(x: Any, y: Any, z: Any, seed: Any, fine: Any) -> Any:
    """A boulder: a round hull cut by planes, weathered by noise."""
    d = (math.sqrt(x * x / 1.44 + (y - 0.35) * (y - 0.35) / 1.21 + z * z) - 1.0) * 0.95
    if d > 0.8:
        return d - 0.2, STONE
    for i in range(5):
        up = hash_unit(i, 1, 0, seed) * 1.1 - 0.15
        turn = 6.2832 * hash_unit(i, 2, 0, seed)
        flat = math.sqrt(max(1.0 - up * up, 0.0))
        cut = x * flat * math.cos(turn) + (y - 0.35) * up + z * flat * math.sin(turn)
        d = max(d, cut - 0.62 - 0.25 * hash_unit(i, 3, 0, seed))
    d += 0.1 * noise3(x * 2.2, y * 2.2, z * 2.2, seed)
    if fine == 0:
        d += 0.03 * noise3(x * 7.0, y * 7.0, z * 7.0, seed)
    return d * 0.7, STONE
