"""Kernels of clouds: a slab of heaped clouds that is marched through, a high thin layer, and their shadows.

Density is noise over a threshold that rises with height in the slab: clouds have flat bases and heaped tops.
Light falls off with the density towards the sun (one look), and brightens thin parts near the sun.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import fbm2, noise3
from dreamplate.scenes.world.light_layout import (
    BASE,
    CIRRUS,
    CIRRUS_COLOUR,
    CLOUD_SHADOW,
    COVER,
    DEEP,
    DENSE,
    FADE,
    KEY,
    LIT,
    SCALE,
    SEED,
    SHADE,
    WIND,
)

__all__ = ["cirrus", "cloud_shadow", "clouds"]

STEPS = 8
"""Looks into the slab along a ray."""


@scalar
def _excess(x: Any, h: Any, z: Any, octaves: Any, light: Any) -> Any:
    """Return how far the noise is above its threshold at a place of the slab; h: 0 at its base, 1 at its top.

    Deviations of the noise. Octaves are added while they can still lift it above.
    """
    bar = light[COVER] + 1.5 * h * h + max(0.0, 1.0 - 12.0 * h)
    x /= light[SCALE]
    y = 0.55 * h
    z /= light[SCALE]
    value = 0.0
    weight = 3.1
    for octave in range(octaves):
        value += weight * noise3(x, y, z, int(light[SEED]) + 21 + octave)
        if value + 0.6 * weight < bar:
            return -1.0
        weight *= 0.5
        x, y, z = 1.6 * x - 1.2 * z + 17.3, 2.0 * y + 5.1, 1.2 * x + 1.6 * z - 31.7
    return value - bar


@scalar
def _density(x: Any, h: Any, z: Any, octaves: Any, light: Any) -> Any:
    """Return density there, 0 to 1."""
    return min(max(0.9 * _excess(x, h, z, octaves, light), 0.0), 1.0)


@scalar
def clouds(dx: Any, dy: Any, dz: Any, mu: Any, time: Any, light: Any) -> Any:
    """Return light of low clouds in a direction, premultiplied, the share that shows through, and nearness.

    Args:
        dx: Direction.
        dy: Up.
        dz: South.
        mu: Cosine of the angle to the sun.
        time: Seconds.
        light: Light.
    """
    if light[DENSE] <= 0.0 or dy < 0.004:
        return 0.0, 0.0, 0.0, 1.0, 1.0
    rise = dy + 0.026
    start = light[BASE] / rise
    span = light[DEEP] / rise
    fade = math.exp(-((start / light[FADE]) ** 2))
    octaves = 5 if start < 9.0 * light[SCALE] else 3
    through = 1.0
    r = 0.0
    g = 0.0
    b = 0.0
    lx = light[KEY]
    ly = max(light[KEY + 1], 0.12)
    lz = light[KEY + 2]
    forward = max(mu, 0.0)
    forward *= forward
    forward *= forward
    for step in range(STEPS):
        h = (step + 0.5) / STEPS
        t = start + span * h
        x = dx * t + light[WIND] * time
        z = dz * t + light[WIND + 1] * time
        excess = _excess(x, h, z, octaves, light)
        if excess > 0.0:
            dense = min(0.9 * excess, 1.0)
            reach = 0.28 * light[SCALE]
            more = _density(x + lx * reach, min(h + 0.25 * ly, 1.0), z + lz * reach, 2, light)
            sunlit = math.exp(-1.7 * more) * (0.45 + 0.55 * h)
            sunlit += forward * (1.0 - dense) * 0.9
            deep = max(0.25, 1.15 - 0.22 * max(excess - 0.4, 0.0))
            part = 1.0 - math.exp(-light[DENSE] * dense * (1.0 + 0.4 * (1.0 / (dy + 0.3) - 0.77)))
            a = part * through
            ground = (0.75 + 0.25 * h) * deep
            r += a * (light[SHADE] * ground + sunlit * deep * light[LIT])
            g += a * (light[SHADE + 1] * ground + sunlit * deep * light[LIT + 1])
            b += a * (light[SHADE + 2] * ground + sunlit * deep * light[LIT + 2])
            through -= a
            if through < 0.02:
                through = 0.0
                break
    return r, g, b, through, fade


@scalar
def cirrus(dx: Any, dy: Any, dz: Any, mu: Any, time: Any, light: Any) -> Any:
    """Return light of the high layer in a direction, premultiplied, and what share shows through."""
    if light[CIRRUS] <= 0.0 or dy < 0.01:
        return 0.0, 0.0, 0.0, 1.0
    t = 5.0 / (dy + 0.05)
    x = dx * t + 0.0012 * light[WIND] * time
    z = dz * t + 0.0012 * light[WIND + 1] * time
    turn = 0.7 + 0.001 * (int(light[SEED]) % 1000)
    u = x * math.cos(turn) + z * math.sin(turn)
    v = z * math.cos(turn) - x * math.sin(turn)
    bend = fbm2(u * 0.12, v * 0.12, 2, int(light[SEED]) + 31)
    value = fbm2(u * 0.13 + bend, v * 0.45 + 2.2 * bend, 4, int(light[SEED]) + 33)
    patch = fbm2(u * 0.05 + 3.0, v * 0.06, 2, int(light[SEED]) + 35)
    veil = min(max(2.0 * value + 1.6 * patch + 0.25, 0.0), 1.0)
    a = light[CIRRUS] * veil * min(1.0, dy * 9.0)
    bright = 0.8 + 0.5 * max(mu, 0.0) ** 8
    return (
        a * bright * light[CIRRUS_COLOUR],
        a * bright * light[CIRRUS_COLOUR + 1],
        a * bright * light[CIRRUS_COLOUR + 2],
        1.0 - a,
    )


@scalar
def cloud_shadow(x: Any, y: Any, z: Any, time: Any, light: Any) -> Any:
    """Return what share of the sun's light low clouds let through to a point."""
    if light[CLOUD_SHADOW] <= 0.0 or light[DENSE] <= 0.0:
        return 1.0
    t = (light[BASE] + 0.3 * light[DEEP] - y) / max(light[KEY + 1], 0.15)
    dense = _density(
        x + light[KEY] * t + light[WIND] * time,
        0.3,
        z + light[KEY + 2] * t + light[WIND + 1] * time,
        2,
        light,
    )
    return 1.0 - light[CLOUD_SHADOW] * min(1.0, 1.6 * dense)
