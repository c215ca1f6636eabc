"""Kernels of light on what is solid: sun and its shadows, sky, bounce, leaves lit through, lamps, wet ground.

Albedo times a sum of lights, each over pi; and a mirror part for what is smooth or wet.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.clouds import cloud_shadow
from dreamplate.scenes.world.kernels.ground import ground_height, ground_shadow
from dreamplate.scenes.world.kernels.noise import noise2
from dreamplate.scenes.world.kernels.sky import ambient, gradient, smooth
from dreamplate.scenes.world.kernels.things import thing_shadow
from dreamplate.scenes.world.light_layout import KEY, KEY_COLOUR, SOFT, WET

__all__ = ["lamplight", "lit", "plain"]

WATER = 1
GRASS = 3
SNOW = 5
ROAD = 7
TREE = 8
PLANT = 9
SHADOW_REACH = 700.0
"""Metres that shadows of things are looked for."""
SHELTER_REACH = 5.0
"""Metres upwards that things keep the sky off."""


@scalar
def lamplight(x: Any, y: Any, z: Any, nx: Any, ny: Any, nz: Any, time: Any, lamps: Any) -> Any:
    """Return light of fires and lamps, over pi, on a surface.

    Args:
        x: Place.
        y: Up.
        z: South.
        nx: Normal.
        ny: Up.
        nz: South.
        time: Seconds; fires flicker.
        lamps: ``(k, 8)`` place, colour, radius of the source, flicker.
    """
    r = 0.0
    g = 0.0
    b = 0.0
    for k in range(lamps.shape[0]):
        ax = lamps[k, 0] - x
        ay = lamps[k, 1] - y
        az = lamps[k, 2] - z
        square = ax * ax + ay * ay + az * az
        if square > 3600.0:
            continue
        away = math.sqrt(square) + 1e-6
        facing = max(0.0, 0.25 + 0.75 * (ax * nx + ay * ny + az * nz) / away)
        fall = facing / (square + lamps[k, 6] * lamps[k, 6]) * (1.0 - square / 3600.0)
        if lamps[k, 7] > 0.0:
            fall *= 1.0 + lamps[k, 7] * noise2(time * 3.0, k * 7.3 + 0.5, 77)
        r += fall * lamps[k, 3]
        g += fall * lamps[k, 4]
        b += fall * lamps[k, 5]
    return r, g, b


@scalar
def plain(ar: Any, ag: Any, ab: Any, nx: Any, ny: Any, nz: Any, light: Any) -> Any:
    """Return light from a surface without looking for shadows; for what is seen in a mirror."""
    facing = max(0.0, nx * light[KEY] + ny * light[KEY + 1] + nz * light[KEY + 2])
    facing = 0.75 * facing + 0.25 * light[SOFT] * (0.5 + 0.5 * ny)
    r, g, b = ambient(nx, ny, nz, light)
    return (
        ar * (0.8 * r + facing * light[KEY_COLOUR]),
        ag * (0.8 * g + facing * light[KEY_COLOUR + 1]),
        ab * (0.8 * b + facing * light[KEY_COLOUR + 2]),
    )


@scalar
def lit(
    x: Any,
    y: Any,
    z: Any,
    nx: Any,
    ny: Any,
    nz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t: Any,
    ar: Any,
    ag: Any,
    ab: Any,
    label: Any,
    rough: Any,
    thing: Any,
    time: Any,
    land: Any,
    things: Any,
    light: Any,
    lamps: Any,
) -> Any:
    """Return light that leaves a solid surface towards the eye.

    Args:
        x: Place.
        y: Up.
        z: South.
        nx: Unit normal towards the eye.
        ny: Up.
        nz: South.
        dx: Direction of the ray that met it.
        dy: Up.
        dz: South.
        t: Distance from the eye.
        ar: Albedo.
        ag: Green.
        ab: Blue.
        label: Class.
        rough: 1: matt; 0: like a mirror.
        thing: Whether it is one of the things, else ground.
        time: Seconds.
        land: Ground.
        things: Things.
        light: Light.
        lamps: See `lamplight`.
    """
    lx = light[KEY]
    ly = light[KEY + 1]
    lz = light[KEY + 2]
    leaves = label in (TREE, PLANT)
    facing = nx * lx + ny * ly + nz * lz
    soft = light[SOFT]
    wrap = 0.35 if leaves else 0.0
    front = max(0.0, (facing + wrap) / (1.0 + wrap))
    front = (1.0 - 0.5 * soft) * front + 0.5 * soft * (0.5 + 0.5 * ny)
    behind = 0.0
    if leaves or label == GRASS:
        # Leaves between eye and sun glow.
        against = max(0.0, dx * lx + dy * ly + dz * lz)
        behind = (0.5 if leaves else 0.2) * against * against * against
    sun = 0.0
    if front > 0.0 or behind > 0.0:
        lift = 0.03 + 0.0007 * t
        px = x + nx * lift
        py = y + ny * lift
        pz = z + nz * lift
        sun = ground_shadow(px, py, pz, lx, ly, lz, 6000.0, land)
        if sun > 0.0:
            sun *= thing_shadow(px, py, pz, lx, ly, lz, SHADOW_REACH, time, things)
        if sun > 0.0:
            sun *= cloud_shadow(x, y, z, time, light)
        sun = soft + (1.0 - soft) * sun
    open_sky = 1.0
    if thing:
        above = y - ground_height(x, z, land)
        open_sky = 0.55 + 0.45 * smooth(-0.2, 2.2, above)
    elif t < 90.0:
        over = thing_shadow(
            x + nx * 0.1, y + ny * 0.1, z + nz * 0.1, 0.3 * nx, 0.95, 0.3 * nz, SHELTER_REACH, time, things
        )
        open_sky = 0.5 + 0.5 * over
    r, g, b = ambient(nx, ny, nz, light)
    bounce = 0.10 * max(0.0, ly) * (1.0 - 0.7 * ny) * (0.4 + 0.6 * sun)
    warm = front * sun + bounce
    er, eg, eb = lamplight(x, y, z, nx, ny, nz, time, lamps)
    wet = 0.0
    if light[WET] > 0.0 and not leaves and label != SNOW:
        wet = light[WET] * (0.35 + 0.65 * max(ny, 0.0))
        dark = 1.0 - 0.42 * wet
        ar *= dark
        ag *= dark
        ab *= dark
    rr = ar * (open_sky * r + warm * light[KEY_COLOUR] + er) + ar * behind * sun * 1.25 * light[KEY_COLOUR]
    rg = (
        ag * (open_sky * g + warm * light[KEY_COLOUR + 1] + eg)
        + ag * behind * sun * 1.15 * light[KEY_COLOUR + 1]
    )
    rb = (
        ab * (open_sky * b + warm * light[KEY_COLOUR + 2] + eb)
        + ab * behind * sun * 0.5 * light[KEY_COLOUR + 2]
    )
    gloss = 1.0 - rough
    if wet > 0.0 and ny > 0.8:
        pool = 1.0 if label == ROAD else 0.5
        gloss = max(gloss, wet * pool * (0.55 + 0.45 * smooth(-0.1, 0.35, noise2(0.35 * x, 0.35 * z, 91))))
    if gloss > 0.02:
        cos = -(dx * nx + dy * ny + dz * nz)
        fresnel = 0.04 + 0.96 * (1.0 - min(max(cos, 0.0), 1.0)) ** 5
        mx = dx + 2.0 * cos * nx
        my = dy + 2.0 * cos * ny
        mz = dz + 2.0 * cos * nz
        sr, sg, sb = gradient(mx, abs(my), mz, light)
        share = gloss * fresnel * open_sky
        rr += share * (sr - rr)
        rg += share * (sg - rg)
        rb += share * (sb - rb)
        towards = max(0.0, mx * lx + my * ly + mz * lz)
        spark = gloss * gloss * (0.15 + fresnel) * sun * towards ** (8.0 + 90.0 * gloss) * 3.0
        rr += spark * light[KEY_COLOUR]
        rg += spark * light[KEY_COLOUR + 1]
        rb += spark * light[KEY_COLOUR + 2]
    return rr, rg, rb
