"""The ground's kernels in one place, and its normal with small bumps.

Others import from here: `ground_height`, `ground_hit`, `ground_shadow`, `ground_normal`, `ground_material`,
and of water `water_normal`, `water_blur`, `water_body`, `water_foam`.
"""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.ground_forest import forest_density
from dreamplate.scenes.world.kernels.ground_grid import ground_height, ground_hit, ground_shadow, ground_slope
from dreamplate.scenes.world.kernels.ground_land import smooth
from dreamplate.scenes.world.kernels.ground_material import PIXEL, ground_material
from dreamplate.scenes.world.kernels.ground_numbers import BUMPS, RIPPLES
from dreamplate.scenes.world.kernels.noise import noise2, noise2_slope
from dreamplate.scenes.world.kernels.water import water_blur, water_body, water_foam, water_normal

__all__ = [
    "forest_density",
    "ground_height",
    "ground_hit",
    "ground_material",
    "ground_normal",
    "ground_shadow",
    "ground_slope",
    "water_blur",
    "water_body",
    "water_foam",
    "water_normal",
]


@scalar
def ground_normal(x: Any, z: Any, t: Any, g: Any) -> Any:
    """Return the unit normal of the ground at a place, with bumps as fine as a pixel sees at a distance.

    The bumps are a few octaves of noise whose finest is about three pixels wide, so that near ground has
    pebbles, and far rock has ribs, and nothing flickers. Steep ground is rougher. Desert sand has ripples.

    Args:
        x: Metres.
        z: Metres.
        t: Metres from the eye.
        g: The ground (`GroundData`).
    """
    right, up = ground_slope(x, z, g)
    steep = right * right + up * up
    strength = float(g.material[BUMPS]) * (0.06 + 0.5 * smooth(steep, 0.12, 0.9))
    width = max(PIXEL * t, 0.03)
    wave = 0.12
    octave = 0
    while wave < 3.0 * width:
        wave *= 2.0
        octave += 1
    part = min(max((wave / width - 3.0) / 3.0, 0.0), 1.0)
    for k in range(3):
        share = part if k == 0 else 1.0 if k == 1 else 1.0 - part
        if wave < 260.0:
            _, du, dv = noise2_slope(x / wave, z / wave, g.seed + 200 + octave)
            right += strength * share * du
            up += strength * share * dv
        wave *= 2.0
        octave += 1
    if g.material[RIPPLES] > 0.0 and width < 0.14 and steep < 0.3:
        bend = 1.1 * noise2(x / 5.0, z / 5.0, g.seed + 230) + 3.0 * noise2(x / 31.0, z / 31.0, g.seed + 231)
        _, du, dv = noise2_slope(x / 0.5 + bend, z / 2.6 + 0.3 * bend, g.seed + 232)
        keep = 0.16 * (1.0 - smooth(width, 0.05, 0.14)) * (1.0 - smooth(steep, 0.12, 0.3))
        right += keep * du
        up += keep * dv / 5.0
    length = 1.0 / (1.0 + right * right + up * up) ** 0.5
    return -right * length, length, -up * length
