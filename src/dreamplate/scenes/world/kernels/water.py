"""Kernels of water: its waves, what a pixel cannot see of them, and its body's colour.

A sea has a swell of long sines and chop upon it; lakes have small ripples that come in gusts; rivers carry
theirs along. Waves shorter than what a pixel sees are left out of the normal and counted as blur instead.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.ground_material import PIXEL
from dreamplate.scenes.world.kernels.ground_numbers import (
    CLEAR,
    DEEP,
    FLOW_X,
    FLOW_Z,
    SHALLOW,
    WATER_KIND,
    WIND,
)
from dreamplate.scenes.world.kernels.noise import noise2, noise2_slope

__all__ = ["water_blur", "water_body", "water_foam", "water_normal"]


@scalar
def _left(wave: Any, width: Any) -> Any:
    """Return how much of waves a pixel still shows."""
    return min(max((0.5 * wave - width) / (0.35 * wave), 0.0), 1.0)


@scalar
def _strength(g: Any) -> Any:
    """Return the slope of the longest ripples: seas are rougher than lakes, wind stirs all."""
    kind = int(g.material[WATER_KIND])
    wind = float(g.material[WIND])
    if kind == 1:
        return 0.035 + 0.065 * wind
    if kind == 2:
        return 0.006 + 0.028 * wind
    return 0.02 + 0.015 * wind


@scalar
def water_normal(x: Any, z: Any, t: Any, time: Any, g: Any) -> Any:
    """Return the unit normal of the water's surface.

    Args:
        x: Metres.
        z: Metres.
        t: Metres from the eye; waves finer than a pixel sees are left out.
        time: Seconds.
        g: The ground (`GroundData`).
    """
    m = g.material
    kind = int(m[WATER_KIND])
    width = PIXEL * t
    strength = _strength(g)
    flow_x = float(m[FLOW_X])
    flow_z = float(m[FLOW_Z])
    right = 0.0
    up = 0.0
    if kind == 1:
        for k in range(4):
            wave = 46.0 / (1.0 + 0.83 * k)
            left = _left(wave, width)
            if left <= 0.0:
                continue
            turn = (0.55 * k - 0.6) if k % 2 == 0 else (0.9 - 0.4 * k)
            cosine = math.cos(turn)
            sine = math.sin(turn)
            ax = flow_x * cosine - flow_z * sine
            az = flow_x * sine + flow_z * cosine
            number = 2.0 * math.pi / wave
            bend = 2.2 * noise2(x / 90.0 + k, z / 90.0, g.seed + 100)
            phase = number * (ax * x + az * z) - (9.81 * number) ** 0.5 * time + bend + 1.7 * k
            slope = 0.6 * strength * left * math.cos(phase) / (1.0 + 0.35 * k)
            right += slope * ax
            up += slope * az
    gust = 1.0
    if kind == 2:
        gust = 0.35 + 0.9 * max(0.0, 0.5 + noise2(x / 120.0 - 0.02 * time, z / 46.0, g.seed + 101))
    wave = 7.0 if kind == 1 else 2.6
    weight = strength * gust
    for k in range(5):
        left = _left(wave, width)
        if left <= 0.0:
            break
        speed = (1.56 * wave) ** 0.5 * 0.6 if kind != 3 else 1.1
        drift = speed * time * (1.0 if k % 2 == 0 else 0.7)
        px = x - flow_x * drift
        pz = z - flow_z * drift
        along = (flow_x * px + flow_z * pz) / wave
        across = (flow_x * pz - flow_z * px) / (wave * 1.7)
        lift = 0.25 * time / (wave**0.5 + 0.3)
        _, du, dv = noise2_slope(along + 0.3 * k, across + 0.31 * lift, g.seed + 102 + k)
        _, eu, ev = noise2_slope(along - 0.4 * lift + 5.2, across - 0.37 * lift + 1.3, g.seed + 110 + k)
        du += eu
        dv = (dv + ev) / 1.7
        scale = 0.55 * weight * left
        right += scale * (flow_x * du - flow_z * dv)
        up += scale * (flow_z * du + flow_x * dv)
        wave *= 0.52
        weight *= 0.86
    length = 1.0 / (1.0 + right * right + up * up) ** 0.5
    return -right * length, length, -up * length


@scalar
def water_blur(t: Any, g: Any) -> Any:
    """Return the slope (root mean square) of waves that `water_normal` leaves out at a distance."""
    kind = int(g.material[WATER_KIND])
    width = PIXEL * t
    strength = _strength(g)
    wave = 7.0 if kind == 1 else 2.6
    weight = strength
    total = 0.0002
    for _ in range(5):
        gone = 1.0 - _left(wave, width)
        total += (0.7 * weight * gone) ** 2
        wave *= 0.52
        weight *= 0.86
    if kind == 1:
        for k in range(4):
            gone = 1.0 - _left(46.0 / (1.0 + 0.83 * k), width)
            total += 0.5 * (0.6 * strength * gone / (1.0 + 0.35 * k)) ** 2
    return total**0.5


@scalar
def water_body(depth: Any, g: Any) -> Any:
    """Return the colour that a body of water scatters back, and how much of its bed is seen through it.

    Args:
        depth: Metres of water along the way that light takes to the bed.
        g: The ground (`GroundData`).

    Returns:
        Red, green, blue (as an albedo), and the bed's share per colour: three numbers, 0 to 1.
    """
    m = g.material
    clear = float(m[CLEAR])
    depth = max(depth, 0.0)
    share = 1.0 - math.exp(-depth / (1.6 * clear))
    red = float(m[SHALLOW]) + share * (float(m[DEEP]) - float(m[SHALLOW]))
    green = float(m[SHALLOW + 1]) + share * (float(m[DEEP + 1]) - float(m[SHALLOW + 1]))
    blue = float(m[SHALLOW + 2]) + share * (float(m[DEEP + 2]) - float(m[SHALLOW + 2]))
    return (
        red,
        green,
        blue,
        math.exp(-depth / (0.45 * clear)),
        math.exp(-depth / (0.95 * clear)),
        math.exp(-depth / (0.8 * clear)),
    )


@scalar
def water_foam(x: Any, z: Any, depth: Any, t: Any, time: Any, g: Any) -> Any:
    """Return how much foam lies on the water, 0 to 1: breakers at the shore of a sea, white caps in wind.

    Args:
        x: Metres.
        z: Metres.
        depth: Metres of water under the place.
        t: Metres from the eye.
        time: Seconds.
        g: The ground (`GroundData`).
    """
    m = g.material
    if int(m[WATER_KIND]) != 1:
        return 0.0
    width = PIXEL * t
    wind = float(m[WIND])
    foam = 0.0
    if depth < 2.6:
        slow = noise2(x / 31.0, z / 31.0, g.seed + 120)
        lace = noise2(x / 1.3, z / 1.3 + 0.2 * time, g.seed + 121) * _left(1.3, width)
        lace += 0.7 * noise2(x / 4.1, z / 4.1, g.seed + 122) * _left(4.1, width)
        phase = 2.2 * depth + 0.55 * time + 2.0 * slow
        band = 0.5 + 0.5 * math.sin(phase)
        near = math.exp(-depth / 0.16)
        run = band**6 * math.exp(-depth / 0.8)
        foam = (0.9 * near + 0.75 * run) * (0.7 + 0.9 * lace)
    if wind > 0.9:
        cap = noise2(
            x / 9.0 - float(m[FLOW_X]) * 0.5 * time, z / 5.0 - float(m[FLOW_Z]) * 0.5 * time, g.seed + 123
        )
        cap += 0.5 * noise2(x / 1.9, z / 1.9, g.seed + 124) * _left(1.9, width)
        edge = 1.05 - 0.18 * wind
        foam += 0.8 * _left(9.0, width) * min(max((cap - edge) / 0.18, 0.0), 1.0)
    return min(max(foam, 0.0), 1.0)
