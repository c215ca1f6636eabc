"""Kernel of what the ground is made of: colour, class, roughness, forest.

Layers lie over each other in the order in which nature laid them: soil and grass, fields, rock where it is
steep, sand at the shore, forest, snow, and last what people built. Noise at several scales moves every
border. What is finer than a pixel sees is left out, so that nothing flickers.
"""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.kernels.ground_fields import field, road
from dreamplate.scenes.world.kernels.ground_forest import built_distance, forest_density
from dreamplate.scenes.world.kernels.ground_land import smooth
from dreamplate.scenes.world.kernels.ground_numbers import (
    BASE,
    BLOOM,
    CANOPIES,
    CANOPY,
    DRY,
    FIELDS,
    FLOWERS,
    FOREST_FROM,
    GRASS,
    LEAVES,
    ROCK,
    ROCK_SLOPE,
    SAND,
    SHORE,
    SNOW,
    SNOW_LINE,
    SNOW_SOFT,
    SOIL,
    STONE,
    STRATA,
)
from dreamplate.scenes.world.kernels.noise import noise2

__all__ = ["PIXEL", "ground_material"]

PIXEL = 0.006
"""Metres that a pixel sees at a distance of one metre: that of a picture of some 150 pixels across."""
SAND_CLASS, GRASS_CLASS, ROCK_CLASS = CLASSES["sand"], CLASSES["grass"], CLASSES["rock"]
SNOW_CLASS, SOIL_CLASS, ROAD_CLASS = CLASSES["snow"], CLASSES["soil"], CLASSES["road"]
TREE_CLASS, PLANT_CLASS = CLASSES["tree"], CLASSES["plant"]


@scalar
def _seen(wave: Any, width: Any) -> Any:
    """Return how much of a wave a pixel of a width still shows, 1 to 0."""
    return min(max((0.62 * wave - width) / (0.4 * wave), 0.0), 1.0)


@scalar
def _mix(a: Any, b: Any, share: Any) -> Any:
    return a + share * (b - a)


@scalar
def ground_material(x: Any, y: Any, z: Any, nx: Any, ny: Any, nz: Any, t: Any, g: Any) -> Any:
    """Return what the ground is made of at a place.

    Args:
        x: The place, on the ground.
        y: Likewise.
        z: Likewise.
        nx: Unit normal there.
        ny: Likewise.
        nz: Likewise.
        t: Metres from the eye; detail finer than `PIXEL` times that is left out.
        g: The ground (`GroundData`).

    Returns:
        Red, green, blue (linear albedo), class id, roughness (0.2 to 1), forest (0 to 1).
    """
    m = g.material
    seed = g.seed
    width = PIXEL * t
    base = int(m[BASE])
    broad = noise2(x / 170.0 + 0.7, z / 170.0, seed + 30) * _seen(170.0, width)
    sx = x + 0.55 * y  # noise that also runs down a wall
    sz = z - 0.83 * y
    see_mid = _seen(14.0, width)
    middle = noise2(sx / 14.0, sz / 14.0, seed + 31) * see_mid if see_mid > 0.0 else 0.0
    see_fine = _seen(1.7, width)
    fine = noise2(sx / 1.7, sz / 1.7, seed + 32) * see_fine if see_fine > 0.0 else 0.0
    see_grain = _seen(0.35, width)
    grain = noise2(sx / 0.35, sz / 0.35, seed + 33) * see_grain if see_grain > 0.0 else 0.0
    mixed = 0.55 * broad + 0.3 * middle + 0.2 * fine
    above = y - g.water
    rough = 0.9
    label = GRASS_CLASS

    # base: grass that dries out in patches, sand, snow country's grass, red soil
    if base == 1:
        share = 0.5 + 0.6 * broad
        red = _mix(float(m[SAND]), float(m[DRY]), 0.3 * share)
        green = _mix(float(m[SAND + 1]), float(m[DRY + 1]), 0.3 * share)
        blue = _mix(float(m[SAND + 2]), float(m[DRY + 2]), 0.3 * share)
        label = SAND_CLASS
    elif base == 3:
        share = smooth(0.1 + 1.3 * mixed, -0.3, 0.6)
        red = _mix(float(m[SOIL]), float(m[SAND]), share)
        green = _mix(float(m[SOIL + 1]), float(m[SAND + 1]), share)
        blue = _mix(float(m[SOIL + 2]), float(m[SAND + 2]), share)
        label = SOIL_CLASS
        scrub = smooth(broad + 0.8 * middle + 0.5 * fine, 0.3, 0.6) * smooth(ny, 0.8, 0.95) * 0.7
        red = _mix(red, float(m[GRASS]), scrub)
        green = _mix(green, float(m[GRASS + 1]), scrub)
        blue = _mix(blue, float(m[GRASS + 2]), scrub)
        if scrub > 0.5:
            label = PLANT_CLASS
    else:
        share = smooth(mixed + 0.12 * (1.0 - ny), -0.35, 0.4)
        red = _mix(float(m[GRASS]), float(m[DRY]), share)
        green = _mix(float(m[GRASS + 1]), float(m[DRY + 1]), share)
        blue = _mix(float(m[GRASS + 2]), float(m[DRY + 2]), share)
        if m[FLOWERS] > 0.0 and see_grain > 0.0:
            bloom = smooth(noise2(x / 0.23, z / 0.23, seed + 34), 0.5, 0.62) * see_grain
            bloom *= float(m[FLOWERS]) * smooth(noise2(x / 6.0, z / 6.0, seed + 35), -0.1, 0.3)
            red = _mix(red, float(m[BLOOM]), bloom)
            green = _mix(green, float(m[BLOOM + 1]), bloom)
            blue = _mix(blue, float(m[BLOOM + 2]), bloom)
    shade = (
        1.0 + 0.16 * middle + 0.3 * fine + 0.38 * grain if base != 1 else 1.0 + 0.05 * middle + 0.05 * grain
    )
    red *= shade
    green *= shade
    blue *= shade

    forest = forest_density(x, y, z, ny, g)
    if m[FIELDS] > 0.0 and above > 1.2:
        flat = smooth(ny, 0.965, 0.985) * smooth(above, 1.2, 2.6)
        if flat > 0.0:
            fr, fg, fb, crop, hedge = field(x, z, width, g)
            tone = 1.0 + 0.12 * broad + 0.1 * middle + 0.16 * fine + 0.2 * grain
            red = _mix(red, fr * tone, flat)
            green = _mix(green, fg * tone, flat)
            blue = _mix(blue, fb * tone, flat)
            if flat > 0.5:
                label = SOIL_CLASS if crop == 5 else (GRASS_CLASS if crop == 0 else PLANT_CLASS)
            hedge *= flat
            leafy = 1.0 + 0.5 * fine + 0.4 * middle
            red = _mix(red, float(m[LEAVES]) * leafy, hedge)
            green = _mix(green, float(m[LEAVES + 1]) * leafy, hedge)
            blue = _mix(blue, float(m[LEAVES + 2]) * leafy, hedge)
            if hedge > 0.5:
                label = PLANT_CLASS

    # rock
    limit = float(m[ROCK_SLOPE])
    rocky = smooth(1.0 - ny + 0.10 * mixed + 0.05 * fine, limit, limit + 0.13)
    if rocky > 0.0:
        if m[STRATA] > 0.0:
            bend = 5.0 * noise2(x / 210.0, z / 210.0, seed + 36) + 1.2 * middle
            layer = y + bend
            wide = noise2(layer / 15.0, 0.37, seed + 37) * _seen(15.0, width)
            thin = noise2(layer / 3.6, 0.61, seed + 38) * _seen(3.6, width)
            share = smooth(wide + 0.5 * thin, -0.35, 0.4)
            tone = (1.0 + 0.35 * thin + 0.25 * fine + 0.14 * middle) * float(m[STRATA])
        else:
            layer = (y + 0.35 * x) / 23.0 + 0.8 * broad
            wide = noise2(layer, 0.3 + 0.01 * z, seed + 37) * _seen(23.0, width)
            share = smooth(0.6 * broad + 0.5 * middle + wide, -0.4, 0.45)
            tone = 1.0 + 0.3 * middle + 0.38 * fine + 0.3 * grain
        red = _mix(red, tone * _mix(float(m[ROCK]), float(m[STONE]), share), rocky)
        green = _mix(green, tone * _mix(float(m[ROCK + 1]), float(m[STONE + 1]), share), rocky)
        blue = _mix(blue, tone * _mix(float(m[ROCK + 2]), float(m[STONE + 2]), share), rocky)
        rough = _mix(rough, 0.8, rocky)
        if rocky > 0.5:
            label = ROCK_CLASS

    # shore and bed
    if above < 12.0:
        band = float(m[SHORE])
        sandy = 1.0 - smooth(above + band * (0.5 * broad + 0.5 * middle), 0.75 * band, 1.2 * band)
        sandy *= 1.0 - 0.85 * smooth(1.0 - ny, 0.25, 0.4)
        if sandy > 0.0:
            tone = 1.0 + 0.08 * middle + 0.1 * fine + 0.12 * grain
            wet = 1.0 - smooth(above + 0.1 * middle, 0.05, 0.45)
            tone *= 1.0 - 0.42 * wet
            red = _mix(red, tone * float(m[SAND]), sandy)
            green = _mix(green, tone * float(m[SAND + 1]), sandy)
            blue = _mix(blue, tone * float(m[SAND + 2]), sandy)
            rough = _mix(rough, 0.9 - 0.55 * wet, sandy)
            if sandy > 0.5:
                label = SAND_CLASS
            forest *= 1.0 - sandy

    # far forest
    if forest > 0.0:
        forest *= 1.0 - rocky
        r = (x * x + z * z) ** 0.5
        begin = float(m[FOREST_FROM])
        painted = forest * smooth(r, 0.8 * begin, 1.15 * begin) * float(m[CANOPIES])
        if painted > 0.0:
            crown = noise2(x / 7.0, z / 7.0, seed + 72) * _seen(7.0, width)
            clump = noise2(x / 31.0, z / 31.0, seed + 73) * _seen(31.0, width)
            painted = smooth(painted + 0.35 * crown + 0.2 * clump, 0.3, 0.62)
            share = smooth(0.5 * clump + 0.6 * crown + 0.5 * broad, -0.4, 0.4)
            tone = 0.82 + 0.75 * crown + 0.2 * clump
            red = _mix(red, tone * _mix(float(m[CANOPY]), float(m[LEAVES]), share), painted)
            green = _mix(green, tone * _mix(float(m[CANOPY + 1]), float(m[LEAVES + 1]), share), painted)
            blue = _mix(blue, tone * _mix(float(m[CANOPY + 2]), float(m[LEAVES + 2]), share), painted)
            if painted > 0.5:
                label = TREE_CLASS

    # snow
    line = float(m[SNOW_LINE])
    if y > line - 3.0 * float(m[SNOW_SOFT]):
        lying = (y - line) / float(m[SNOW_SOFT]) + 1.3 * broad + 0.7 * middle + 0.25 * fine
        white = smooth(lying, -0.25, 0.3) * smooth(ny + 0.10 * middle + 0.06 * fine, 0.66, 0.8)
        white *= smooth(above, 0.15, 0.6)
        if label == TREE_CLASS:
            white *= 0.35
        if white > 0.0:
            tone = 1.0 + 0.03 * middle + 0.02 * fine
            red = _mix(red, tone * float(m[SNOW]), white)
            green = _mix(green, tone * float(m[SNOW + 1]), white)
            blue = _mix(blue, tone * float(m[SNOW + 2]), white)
            rough = _mix(rough, 0.6, white)
            if white > 0.5:
                label = SNOW_CLASS

    # built
    if g.yards > 0:
        out = built_distance(x, z, 2 * g.roads, g.yards, g)
        if out < 3.0:
            packed = 0.8 * (1.0 - smooth(out + 1.6 * fine + middle, -1.5, 1.5))
            tone = 1.0 + 0.2 * fine + 0.2 * grain + 0.1 * middle
            red = _mix(red, tone * 1.5 * float(m[SOIL]), packed)
            green = _mix(green, tone * 1.5 * float(m[SOIL + 1]), packed)
            blue = _mix(blue, tone * 1.5 * float(m[SOIL + 2]), packed)
            if packed > 0.5:
                label = SOIL_CLASS
    if g.roads > 0:
        away = abs(built_distance(x, z, 0, g.roads, g))
        if away < 0.5 * g.road_width + 2.0 + width:
            along = built_distance(x, z, g.roads, g.roads, g)
            rr, rg, rb, cover = road(away, along, x, z, width, g)
            red = _mix(red, rr, cover)
            green = _mix(green, rg, cover)
            blue = _mix(blue, rb, cover)
            rough = _mix(rough, 0.75, cover)
            if away < 0.5 * g.road_width:
                label = ROAD_CLASS
    return (
        min(max(red, 0.0), 0.95),
        min(max(green, 0.0), 0.95),
        min(max(blue, 0.0), 0.95),
        label,
        rough,
        forest,
    )
