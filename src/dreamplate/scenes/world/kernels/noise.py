"""Kernels of noise: numbers from lattice points, and smooth noise between them.

Gradient noise (Perlin, "Improving noise", 2002: quintic fade, gradients of about unit length at lattice
points) in two and three dimensions, sums of octaves of it, and ridges. All of it follows from the coordinates
and an integer seed alone; nothing is kept. A lattice cell is one unit wide.
"""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar

__all__ = ["fbm2", "fbm3", "hash_bits", "hash_unit", "noise2", "noise2_slope", "noise3", "ridged2"]

BIT24 = 1.0 / 16777216.0


@scalar
def hash_bits(i: Any, j: Any, k: Any, seed: Any) -> Any:
    """Return 48 mixed bits of three integers and a seed, as an integer that is never negative."""
    h = i * 0x1B873593CC9E2D51 + j * 0x2545F4914F6CDD1D + k * 0x369DEA0F31A53F85 + seed * 0x5851F42D4C957F2D
    h ^= (h >> 32) & 0xFFFFFFFF
    h *= 0x2127599BF4325C37
    h ^= (h >> 29) & 0x7FFFFFFFF
    h *= 0x4CF5AD432745937F
    return (h >> 16) & 0xFFFFFFFFFFFF


@scalar
def hash_unit(i: Any, j: Any, k: Any, seed: Any) -> Any:
    """Return a number in [0, 1) that follows from three integers and a seed."""
    return (hash_bits(i, j, k, seed) >> 24) * BIT24


@scalar
def _sine(turn: Any) -> Any:
    """Return about sin(pi turn) for a turn in [-1, 1): a parabola each way, right within 6 %."""
    return 4.0 * turn * (1.0 - abs(turn))


@scalar
def _floor(x: Any) -> Any:
    i = int(x)
    return i - 1 if x < i else i


@scalar
def _fade(t: Any) -> Any:
    return t * t * t * (t * (t * 6.0 - 15.0) + 10.0)


@scalar
def _fade_slope(t: Any) -> Any:
    return 30.0 * t * t * (t - 1.0) * (t - 1.0)


@scalar
def _gradient2(i: Any, j: Any, seed: Any) -> Any:
    turn = (hash_bits(i, j, 0, seed) >> 24) * (2.0 * BIT24) - 1.0
    other = turn + 0.5
    if other >= 1.0:
        other -= 2.0
    return _sine(other), _sine(turn)


@scalar
def noise2(x: Any, y: Any, seed: Any) -> Any:
    """Return gradient noise at a point of the plane: -1 to 1, smooth, mean 0, deviation about 0.3."""
    i = _floor(x)
    j = _floor(y)
    u = x - i
    v = y - j
    ax, ay = _gradient2(i, j, seed)
    bx, by = _gradient2(i + 1, j, seed)
    cx, cy = _gradient2(i, j + 1, seed)
    dx, dy = _gradient2(i + 1, j + 1, seed)
    a = ax * u + ay * v
    b = bx * (u - 1.0) + by * v
    c = cx * u + cy * (v - 1.0)
    d = dx * (u - 1.0) + dy * (v - 1.0)
    s = _fade(u)
    low = a + s * (b - a)
    high = c + s * (d - c)
    return 1.35 * (low + _fade(v) * (high - low))


@scalar
def noise2_slope(x: Any, y: Any, seed: Any) -> Any:
    """Return `noise2` and its derivatives by x and y."""
    i = _floor(x)
    j = _floor(y)
    u = x - i
    v = y - j
    ax, ay = _gradient2(i, j, seed)
    bx, by = _gradient2(i + 1, j, seed)
    cx, cy = _gradient2(i, j + 1, seed)
    dx, dy = _gradient2(i + 1, j + 1, seed)
    a = ax * u + ay * v
    b = bx * (u - 1.0) + by * v
    c = cx * u + cy * (v - 1.0)
    d = dx * (u - 1.0) + dy * (v - 1.0)
    s = _fade(u)
    t = _fade(v)
    cross = a - b - c + d
    value = a + s * (b - a) + t * (c - a + s * cross)
    along = (
        ax + s * (bx - ax) + t * (cx - ax + s * (ax - bx - cx + dx)) + _fade_slope(u) * (b - a + t * cross)
    )
    across = (
        ay + s * (by - ay) + t * (cy - ay + s * (ay - by - cy + dy)) + _fade_slope(v) * (c - a + s * cross)
    )
    return 1.35 * value, 1.35 * along, 1.35 * across


@scalar
def _corner3(i: Any, j: Any, k: Any, u: Any, v: Any, w: Any, seed: Any) -> Any:
    bits = hash_bits(i, j, k, seed)
    turn = (bits >> 24) * (2.0 * BIT24) - 1.0
    other = turn + 0.5
    if other >= 1.0:
        other -= 2.0
    up = (bits & 0xFFFFFF) * (2.0 * BIT24) - 1.0
    flat = (1.0 - up * up) ** 0.5
    return flat * (_sine(other) * u + _sine(turn) * v) + up * w


@scalar
def noise3(x: Any, y: Any, z: Any, seed: Any) -> Any:
    """Return gradient noise at a point of space: -1 to 1, smooth, mean 0, deviation about 0.21."""
    i = _floor(x)
    j = _floor(y)
    k = _floor(z)
    u = x - i
    v = y - j
    w = z - k
    s = _fade(u)
    t = _fade(v)
    a = _corner3(i, j, k, u, v, w, seed)
    b = _corner3(i + 1, j, k, u - 1.0, v, w, seed)
    c = _corner3(i, j + 1, k, u, v - 1.0, w, seed)
    d = _corner3(i + 1, j + 1, k, u - 1.0, v - 1.0, w, seed)
    low = a + s * (b - a)
    near = low + t * (c + s * (d - c) - low)
    a = _corner3(i, j, k + 1, u, v, w - 1.0, seed)
    b = _corner3(i + 1, j, k + 1, u - 1.0, v, w - 1.0, seed)
    c = _corner3(i, j + 1, k + 1, u, v - 1.0, w - 1.0, seed)
    d = _corner3(i + 1, j + 1, k + 1, u - 1.0, v - 1.0, w - 1.0, seed)
    low = a + s * (b - a)
    far = low + t * (c + s * (d - c) - low)
    return 1.1 * (near + _fade(w) * (far - near))


@scalar
def fbm2(x: Any, y: Any, octaves: Any, seed: Any) -> Any:
    """Return octaves of `noise2`, each half as strong and wide and turned by 37 degrees: -1 to 1."""
    total = 0.0
    weight = 1.0
    weights = 0.0
    for octave in range(octaves):
        total += weight * noise2(x, y, seed + octave)
        weights += weight
        weight *= 0.5
        x, y = 1.6 * x - 1.2 * y + 17.3, 1.2 * x + 1.6 * y - 31.7
    return total / weights


@scalar
def fbm3(x: Any, y: Any, z: Any, octaves: Any, seed: Any) -> Any:
    """Return octaves of `noise3`, each half as strong and as wide, turned in x and z: within -1 to 1."""
    total = 0.0
    weight = 1.0
    weights = 0.0
    for octave in range(octaves):
        total += weight * noise3(x, y, z, seed + octave)
        weights += weight
        weight *= 0.5
        x, y, z = 1.6 * x - 1.2 * z + 17.3, 2.0 * y + 5.1, 1.2 * x + 1.6 * z - 31.7
    return total / weights


@scalar
def ridged2(x: Any, y: Any, octaves: Any, seed: Any) -> Any:
    """Return ridges, 0 to 1: crests where octaves of `noise2` pass zero, finer ones mostly upon high ground.

    After Musgrave's ridged multifractal (Ebert et al., "Texturing and modeling", chapter 16): an octave is
    weighed by the height of the one before.
    """
    total = 0.0
    weight = 1.0
    weights = 0.0
    above = 1.0
    for octave in range(octaves):
        crest = 1.0 - abs(noise2(x, y, seed + octave))
        crest *= crest
        total += weight * above * crest
        weights += weight
        above = crest
        weight *= 0.5
        x, y = 1.6 * x - 1.2 * y + 17.3, 1.2 * x + 1.6 * y - 31.7
    return total / weights
