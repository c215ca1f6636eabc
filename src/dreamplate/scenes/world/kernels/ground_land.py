"""Kernels of landforms: how high the country of each biome stands above its lowest ground.

Every function returns metres, from about 0 up, for a relief of 1. ``detail`` is the shortest wave (metres)
that is worth its time: a grid with cells of 3 m can hold waves of 6 m. Around the origin the ground is
gentle, so that a viewpoint there looks out freely; what stands high begins some way off, sooner at the sides
than ahead (-Z).
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import noise2, noise2_slope

__all__ = [
    "canyon",
    "dunes",
    "eroded",
    "hills",
    "isles",
    "mountains",
    "plains",
    "rise",
    "smooth",
    "snowfields",
    "terraces",
]


@scalar
def smooth(x: Any, low: Any, high: Any) -> Any:
    """Return 0 below ``low``, 1 above ``high``, and a cubic without corners between."""
    t = (x - low) / (high - low)
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@scalar
def rise(x: Any, z: Any, begin: Any, full: Any) -> Any:
    """Return 0 around the origin and 1 far off: at the sides sooner than ahead or behind."""
    r = (x * x + z * z) ** 0.5
    side = x * x / (r * r + 2500.0)
    return smooth(r * (0.6 + 0.7 * side), begin, full)


@scalar
def eroded(x: Any, z: Any, wave: Any, detail: Any, damping: Any, seed: Any) -> Any:
    """Return octaves of noise, about -1 to 1, that fade where the ground is already steep.

    Fine waves lie in valleys and on tops and leave slopes clean, which looks washed by rain.
    """
    x /= wave
    z /= wave
    total = 0.0
    weight = 1.0
    right = 0.0
    up = 0.0
    octave = 0
    while octave < 11 and wave >= detail:
        value, dx, dz = noise2_slope(x, z, seed + octave)
        right += dx * weight
        up += dz * weight
        total += weight * value / (1.0 + damping * (right * right + up * up))
        weight *= 0.5
        wave *= 0.5
        x, z = 1.6 * x - 1.2 * z + 7.31, 1.2 * x + 1.6 * z - 3.77
        octave += 1
    return total


@scalar
def crests(x: Any, z: Any, wave: Any, detail: Any, seed: Any) -> Any:
    """Return mountain chains, 0 to about 1: crests with ribs that run down their sides."""
    x /= wave
    z /= wave
    total = 0.0
    weight = 1.0
    above = 1.0
    right = 0.0
    up = 0.0
    octave = 0
    while octave < 11 and wave >= detail:
        value, dx, dz = noise2_slope(x, z, seed + octave)
        bend = 0.04 + 0.02 * octave
        crest = 1.0 - (value * value + bend * bend) ** 0.5  # rounded a little: a crest is no knife
        sign = -value / (value * value + bend * bend) ** 0.5
        right += sign * dx * weight * 0.5
        up += sign * dz * weight * 0.5
        calm = 1.0 / (1.0 + 0.35 * (right * right + up * up))
        total += weight * above * crest * crest * (calm if octave > 1 else 1.0)
        above = min(1.0, 0.25 + 0.95 * crest * above)
        weight *= 0.47
        wave *= 0.5
        x, z = 1.6 * x - 1.2 * z + 7.31, 1.2 * x + 1.6 * z - 3.77
        octave += 1
    return total * 0.56


@scalar
def _peaked(chain: Any) -> Any:
    """Return heights of chains: valleys flattened, the rare needle where many crests meet cut down."""
    high = 1.45 * chain * (0.25 + 0.75 * chain)
    return high if high < 0.85 else 0.85 + 0.4 * (1.0 - math.exp(-(high - 0.85) / 0.4))


@scalar
def mountains(x: Any, z: Any, detail: Any, style: Any, seed: Any) -> Any:
    """Return alps: meadows around the origin, foothills, chains that grow with distance."""
    wx = x + 260.0 * noise2(x / 1300.0, z / 1300.0, seed + 40)
    wz = z + 260.0 * noise2(x / 1300.0 + 9.7, z / 1300.0, seed + 41)
    far = rise(x + 0.4 * (wx - x), z + 0.4 * (wz - z), 130.0, 1150.0 + 500.0 * style)
    r = (x * x + z * z) ** 0.5
    chain = crests(wx, wz, 2300.0 + 900.0 * style, detail, seed)
    broad = 0.5 + 0.5 * noise2(x / 5200.0 + 3.3, z / 5200.0, seed + 42)
    height = (620.0 + 900.0 * smooth(r, 800.0, 5500.0)) * (0.45 + 0.85 * broad)
    foot = eroded(x, z, 420.0, detail, 1.0, seed + 20)
    near = 7.0 + 38.0 * smooth(r, 30.0, 500.0)
    return max(0.0, far * _peaked(chain) * height + near * (0.5 + 0.9 * foot))


@scalar
def hills(x: Any, z: Any, detail: Any, style: Any, seed: Any) -> Any:
    """Return rolling hills, smooth, with higher ones behind."""
    r = (x * x + z * z) ** 0.5
    far = smooth(r, 30.0, 520.0)
    wx = x + 70.0 * noise2(x / 500.0, z / 500.0, seed + 40)
    low = eroded(wx, z, 430.0 + 220.0 * style, max(detail, 18.0), 0.5, seed)
    high = noise2(x / 1700.0 + 0.4, z / 1700.0, seed + 20) + 0.35 * noise2(x / 640.0, z / 640.0, seed + 21)
    rough = noise2(x / 34.0, z / 34.0, seed + 30) if detail <= 34.0 else 0.0
    back = smooth(r, 400.0, 3500.0)
    near = 9.0 + 95.0 * far
    return max(0.0, near * (0.5 + 1.15 * low) + back * 230.0 * max(0.0, 0.25 + high) + 0.5 * rough + 2.0)


@scalar
def isles(x: Any, z: Any, distance: Any, detail: Any, style: Any, seed: Any) -> Any:
    """Return islands: low and sandy, green and hilly, or steep, as the style says; higher inland."""
    back = smooth(distance, 0.0, 150.0)
    bulk = eroded(x, z, 380.0, detail, 0.9, seed)
    knob = crests(x, z, 300.0, detail, seed + 20)
    r = (x * x + z * z) ** 0.5
    tall = (10.0 + 80.0 * smooth(style, 0.05, 0.6)) * (0.1 + 0.9 * smooth(r, 25.0, 280.0))
    steep = smooth(style, 0.6, 0.95)
    high = (
        tall * (0.45 + 0.75 * bulk) * (0.25 + 0.9 * back)
        + (20.0 + 150.0 * steep) * tall / 90.0 * back * knob * knob
    )
    return max(0.0, high + 3.0)


@scalar
def plains(x: Any, z: Any, detail: Any, style: Any, seed: Any) -> Any:
    """Return flat country, with a line of hills at the horizon."""
    r = (x * x + z * z) ** 0.5
    roll = noise2(x / 610.0, z / 610.0, seed) + 0.4 * noise2(x / 240.0, z / 240.0, seed + 1)
    rough = noise2(x / 27.0, z / 27.0, seed + 30) if detail <= 27.0 else 0.0
    back = smooth(r, 2500.0, 8000.0)
    line = eroded(x, z, 2600.0, max(detail, 60.0), 0.8, seed + 20) if back > 0.0 else 0.0
    swell = 3.0 + 5.0 * smooth(r, 50.0, 700.0)
    return max(0.0, 4.5 + swell * roll + 0.25 * rough + back * (60.0 + 340.0 * style) * max(0.0, 0.45 + line))


@scalar
def dunes(x: Any, z: Any, detail: Any, style: Any, cosine: Any, sine: Any, seed: Any) -> Any:
    """Return sand dunes: long windward sides, crisp crests, steep lee sides; rock far behind."""
    r = (x * x + z * z) ** 0.5
    total = 0.0
    for layer in range(2):
        wave = 190.0 + 120.0 * style if layer == 0 else 53.0
        along = (cosine * x + sine * z) / wave + 0.31 + 0.37 * layer
        wide = 2.6 * wave
        along += 0.85 * noise2(x / wide, z / wide, seed + 40 + layer)
        along += 0.28 * noise2(x / (0.9 * wave), z / (0.9 * wave), seed + 42 + layer)
        part = along - math.floor(along)
        lean = 0.7
        up = part / lean
        down = (1.0 - part) / (1.0 - lean)
        crest = up**1.35 if part < lean else down**1.15
        strength = 0.65 + 1.15 * noise2(x / (2.1 * wave) + 3.7, z / (2.1 * wave), seed + 44 + layer)
        strength = max(0.0, strength) if layer == 0 else 0.13 * max(0.0, strength) * (1.0 - 0.6 * crest)
        total += crest * strength
    broad = 0.7 + 0.55 * noise2(x / 1500.0 + 0.3, z / 1500.0, seed + 20)
    tall = 5.0 + (46.0 + 22.0 * style) * rise(x, z, 15.0, 250.0)
    low = 7.0 * noise2(x / 330.0, z / 330.0, seed + 21) * smooth(r, 10.0, 250.0)
    high = tall * total * broad + low + 4.0 + 8.0 * math.exp(-r * r / 9000.0)
    back = smooth(r, 2600.0, 6000.0) * smooth(style, 0.3, 0.9)
    if back > 0.0:
        rock = crests(x, z, 3100.0, max(detail, 40.0), seed + 22)
        high += back * 620.0 * rock * rock
    return max(0.0, high)


@scalar
def snowfields(x: Any, z: Any, detail: Any, style: Any, seed: Any) -> Any:
    """Return snow country: soft fields blown by wind, high mountains behind."""
    r = (x * x + z * z) ** 0.5
    low = eroded(x, z, 520.0, max(detail, 14.0), 0.8, seed)
    drift = noise2(x / 46.0 + 0.5 * noise2(x / 120.0, z / 120.0, seed + 31), z / 17.0, seed + 30)
    wx = x + 240.0 * noise2(x / 1300.0, z / 1300.0, seed + 40)
    wz = z + 240.0 * noise2(x / 1300.0 + 9.7, z / 1300.0, seed + 41)
    back = rise(x, z, 500.0, 3200.0)
    chain = 0.0
    if back > 0.0:
        chain = crests(wx, wz, 2700.0, detail, seed + 20)
    near = 6.0 + 34.0 * smooth(r, 25.0, 450.0)
    height = 300.0 + 900.0 * style * smooth(r, 1200.0, 7000.0)
    return max(0.0, near * (0.6 + 0.7 * low) + 0.6 * drift + 2.0 + back * height * _peaked(chain))


@scalar
def terraces(height: Any, step: Any, x: Any, z: Any, seed: Any) -> Any:
    """Return a height drawn towards flat steps with steep walls between, as layers of rock weather."""
    shift = 0.35 * noise2(x / 900.0, z / 900.0, seed + 50)
    layer = height / step + shift
    base = float(int(layer + 64.0)) - 64.0
    part = layer - base
    wall = smooth(part, 0.56, 0.8)
    return step * (base + 0.34 * part + 0.66 * wall - shift)


@scalar
def canyon(x: Any, z: Any, detail: Any, style: Any, seed: Any) -> Any:
    """Return table land cut by a net of canyons, before its walls are stepped by `terraces`."""
    wx = x + 130.0 * noise2(x / 620.0, z / 620.0, seed + 40) + 34.0 * noise2(x / 170.0, z / 170.0, seed + 42)
    wz = (
        z
        + 130.0 * noise2(x / 620.0 + 9.7, z / 620.0, seed + 41)
        + 34.0 * noise2(x / 170.0 + 9.7, z / 170.0, seed + 43)
    )
    if detail <= 60.0:
        wx += 13.0 * noise2(x / 58.0, z / 58.0, seed + 44) + 5.0 * noise2(x / 23.0, z / 23.0, seed + 45)
        wz += 13.0 * noise2(x / 58.0 + 9.7, z / 58.0, seed + 46) + 5.0 * noise2(
            x / 23.0 + 9.7, z / 23.0, seed + 47
        )
    cut = abs(noise2(wx / 1150.0, wz / 1150.0, seed))
    side = abs(noise2(wx / 470.0, wz / 470.0, seed + 1))
    far = rise(x, z, 55.0, 330.0)
    block = smooth(cut, 0.05, 0.34) * (0.45 + 0.55 * smooth(side, 0.02, 0.3))
    broad = noise2(x / 1900.0 + 3.3, z / 1900.0, seed + 2)
    tall = 150.0 + 90.0 * style + 90.0 * broad
    rough = eroded(x, z, 120.0, detail, 0.6, seed + 20)
    butte = smooth(noise2(wx / 330.0 + 5.0, wz / 330.0, seed + 3), 0.36, 0.55) * smooth(
        0.3 - block, 0.0, 0.25
    )
    r = (x * x + z * z) ** 0.5
    butte *= smooth(r, 160.0, 380.0)
    return max(0.0, far * tall * max(block, 0.75 * butte) + (2.0 + 10.0 * far) * (0.5 + 0.5 * rough) + 1.0)
