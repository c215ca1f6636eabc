"""Signed distances of windmills, flags, campfires, fences and lamps: ``(distance, part)`` in own axes."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import noise3
from dreamplate.scenes.world.kernels.shapes import block, bound, cone, cord, nearest_of, pick, rod, span
from dreamplate.scenes.world.kernels.shapes_numbers import (
    BARK,
    CLOTH,
    EMBER,
    GLASS,
    GLOW,
    METAL,
    ROOF,
    SAILS,
    SLATE,
    STONE,
    STRIPE,
    TRIM,
    WALL,
    WOOD,
)

__all__ = ["campfire", "cloth_offset", "fence", "flag", "lamp", "windmill"]

HUB_Y = 12.2
HUB_Z = -3.75


@scalar
def windmill(x: Any, y: Any, z: Any, seed: Any, swing: Any) -> Any:
    """A windmill: a tapering body, a cap, and four lattice sails that ``swing`` turns about Z."""
    rho = math.sqrt(x * x + z * z)
    if seed & 1:
        wide = max(abs(x), abs(z), (abs(x) + abs(z)) * 0.70711)
        own = WOOD if (seed >> 1) & 1 else WALL
    else:
        wide = rho
        own = WALL
    d = cone(wide, y, 4.1, 2.35, -3.0, 11.2)
    part = own
    if y < 0.8:
        part = STONE
    v = nearest_of(y - 3.4, 3.3, 0.0, 2.0)
    u = min(abs(x), abs(z))
    if u < 0.4 and abs(v) < 0.6:
        part = GLASS if u < 0.34 and abs(v) < 0.54 and abs(v) > 0.04 and u > 0.03 else TRIM
    if z < 0.0 and abs(x) < 0.62 and y < 2.2:
        part = WOOD if abs(x) < 0.52 and y < 2.1 else TRIM
    d, part = pick(d, part, bound(rho, y, 2.75, 10.9, 11.3), TRIM)
    u = max(y - 11.3, 0.0)
    cap = max(math.sqrt(rho * rho + u * u * 0.95) - 2.6, 11.2 - y)
    d, part = pick(d, part, cap * 0.98, ROOF)
    px = x
    py = y - HUB_Y
    pz = z - HUB_Z
    axle = max(math.sqrt(px * px + py * py) - 0.28, span(pz, -0.4, 2.0))
    d, part = pick(d, part, axle, WOOD)
    if abs(pz) - 0.3 > d:
        return d, part
    c = math.cos(swing)
    s = math.sin(swing)
    u = c * px + s * py
    v = c * py - s * px
    # Turn into the quarter of one sail; the sail before it may be as near.
    if abs(u) >= abs(v):
        if u < 0.0:
            u, v = -u, -v
    elif v > 0.0:
        u, v = v, -u
    else:
        u, v = -v, u
    for _ in range(2):
        stock = block(u - 4.1, v, pz, 4.2, 0.13, 0.12)
        if stock < d:
            d = stock
            part = WOOD
        sail = block(u - 5.2, v - 0.85, pz + 0.02, 3.0, 0.85, 0.045)
        if sail < d:
            d = sail
            bar = u * 1.6
            bar = abs(bar - math.floor(bar) - 0.5)
            edge = abs(v - 0.85)
            part = WOOD if bar > 0.42 or edge > 0.78 or abs(edge - 0.1) < 0.03 else SAILS
        u, v = -v, u
    return d, part


@scalar
def cloth_offset(x: Any, y: Any, swing: Any) -> Any:
    """Return how far a flag's cloth stands out along Z, x along it from the pole."""
    share = min(max(x, 0.0) / 2.6, 1.0)
    return 0.26 * share * math.sin(2.6 * x - swing + 0.5 * y) + 0.1 * share * math.sin(1.1 * x - 0.6 * swing)


@scalar
def flag(x: Any, y: Any, z: Any, seed: Any, swing: Any) -> Any:
    """A flag that waves from a pole; its pattern follows from the seed."""
    d = rod(x, y + 0.5, z, 9.4, 0.065)
    part = METAL
    u = y - 9.05
    d, part = pick(d, part, math.sqrt(x * x + u * u + z * z) - 0.14, EMBER if seed < 0 else TRIM)
    edge = max(span(x, 0.05, 2.6), span(y, 6.95, 8.65))
    if edge > 1.0:
        return min(d, edge), part
    sheet = max((abs(z - cloth_offset(x, y, swing)) - 0.025) * 0.72, edge)
    pattern = seed % 5
    own = CLOTH
    across = (x - 0.05) / 2.55
    down = (y - 6.95) / 1.7
    if pattern == 0:
        own = STRIPE if math.floor(down * 3.0) == 1 else CLOTH
    elif pattern == 1:
        own = STRIPE if across < 0.34 else (TRIM if across < 0.67 else CLOTH)
    elif pattern == 2:
        own = STRIPE if abs(across - 0.36) < 0.085 or abs(down - 0.5) < 0.12 else CLOTH
    elif pattern == 3:
        r = (across - 0.5) * 1.5
        own = STRIPE if r * r + (down - 0.5) * (down - 0.5) < 0.09 else CLOTH
    elif math.floor(down * 5.0) % 2 == 1:
        own = STRIPE
    return pick(d, part, sheet, own)


@scalar
def campfire(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """Logs leaning together in a ring of stones; the flames are `shapes_fire.fire_smoke`'s."""
    rho = math.sqrt(x * x + z * z)
    turn = math.atan2(z, x)
    a = nearest_of(turn, 2.0 * math.pi / 11.0, -6.0, 6.0)
    u = rho * math.cos(a) - 0.92
    v = rho * math.sin(a)
    number = math.floor(turn / (2.0 * math.pi / 11.0) + 0.5)
    r = 0.17 + 0.05 * math.sin(number * 2.4 + (seed & 7))
    d = math.sqrt(u * u + (y - 0.05) * (y - 0.05) * 1.5 + v * v) - r
    d *= 0.7
    part = STONE
    a = nearest_of(turn + 0.3, 2.0 * math.pi / 6.0, -4.0, 4.0)
    u = rho * math.cos(a)
    v = rho * math.sin(a)
    d, part = pick(d, part, cord(u, y, v, 0.62, 0.04, 0.0, 0.03, 0.66, 0.03, 0.085), BARK)
    d, part = pick(d, part, cord(x, y, z, -0.5, 0.1, 0.3, 0.5, 0.12, -0.25, 0.1), BARK)
    ash = (math.sqrt(rho * rho + 16.0 * y * y) - 0.66) * 0.25
    d, part = pick(d, part, ash, EMBER)
    return d * 0.95, part


@scalar
def fence(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """Six metres of wooden fence along X."""
    u = nearest_of(x, 1.5, -2.0, 2.0)
    lean = z + 0.03 * math.sin(x * 1.3 + (seed & 15))
    d = block(u, y - 0.15, lean, 0.07, 0.95, 0.07)
    rail = min(abs(y - 0.9), abs(y - 0.45)) - 0.06
    d = min(d, max(rail, abs(lean) - 0.035, abs(x) - 3.05))
    return d * 0.95, WOOD


@scalar
def lamp(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """A street lamp: a post, an arm along +X, and a lantern that lights up at night."""
    rho = math.sqrt(x * x + z * z)
    d = cone(rho, y, 0.11, 0.06, -0.3, 5.4)
    part = METAL
    d, part = pick(d, part, bound(rho, y, 0.17, -0.3, 0.7), METAL)
    if seed & 1:
        d, part = pick(d, part, cord(x, y, z, 0.0, 5.3, 0.0, 1.15, 5.55, 0.0, 0.05), METAL)
        d, part = pick(d, part, block(x - 1.2, y - 5.52, z, 0.32, 0.05, 0.13), METAL)
        return pick(d, part, block(x - 1.2, y - 5.45, z, 0.28, 0.04, 0.11), GLOW)
    d, part = pick(d, part, cone(rho, y, 0.13, 0.24, 5.0, 5.5), GLOW)
    return pick(d, part, cone(rho, y, 0.3, 0.05, 5.5, 5.75), SLATE)


@scalar
def ember_noise(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """Return how brightly coals glow at a point, 0 to 1."""
    return min(max(0.5 + 1.1 * noise3(x * 7.0, y * 7.0, z * 7.0, seed), 0.0), 1.0)
