"""Kernels of the picture: what a ray meets, what light it carries, and lists of rays on all cores.

A ray's answer depends on the ray alone, so the picture is the same on any number of threads.
"""

from __future__ import annotations

import math
from typing import Any

from numba import prange

from dreamplate.compiled import parallel, scalar
from dreamplate.scenes.world.kernels.ground import ground_hit, ground_material, ground_normal
from dreamplate.scenes.world.kernels.sky import air, sky
from dreamplate.scenes.world.kernels.surface import lit, plain
from dreamplate.scenes.world.kernels.things import fire_smoke, thing_hit, thing_surface
from dreamplate.scenes.world.kernels.waters import water_light
from dreamplate.scenes.world.light_layout import NIGHT

__all__ = ["BLOCK", "GROUND", "NOTHING", "THING", "WATER", "paint", "trace"]

NOTHING = 0
GROUND = 1
WATER = 2
THING = 3
FAR = 60000.0
"""Metres beyond which nothing is but sky."""
BLOCK = 32
"""Rays that a thread takes at once."""
WATER_LABEL = 1
FIRE = 19


@scalar
def trace(
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    time: Any,
    land: Any,
    things: Any,
) -> Any:
    """Return how far away a ray meets something, what (`NOTHING`, `GROUND`, ...), and which row of things."""
    t = ground_hit(ox, oy, oz, dx, dy, dz, 0.05, FAR, land)
    what = GROUND
    if not t < FAR:
        t = FAR
        what = NOTHING
    if dy < 0.0 and oy > land.water:
        level = (land.water - oy) / dy
        if level < t:
            t = level
            what = WATER
    found, row = thing_hit(ox, oy, oz, dx, dy, dz, 0.05, t, time, things)
    if row >= 0 and found < t:
        return found, THING, row
    return t, what, -1


@scalar
def _burning(
    r: Any,
    g: Any,
    b: Any,
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t: Any,
    time: Any,
    things: Any,
    light: Any,
) -> Any:
    """Return light from ``t`` metres away after flames and smoke on its way."""
    sr, sg, sb, er, eg, eb, hidden = fire_smoke(ox, oy, oz, dx, dy, dz, t, time, things)
    if hidden + er <= 0.0:
        return r, g, b
    sr, sg, sb = plain(sr, sg, sb, 0.0, 1.0, 0.0, light)
    clear = 1.0 - hidden
    return r * clear + sr + er, g * clear + sg + eg, b * clear + sb + eb


@scalar
def paint_one(
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    wide: Any,
    shaded: Any,
    time: Any,
    land: Any,
    things: Any,
    light: Any,
    lamps: Any,
) -> Any:
    """Return radiance, distance, kind of hit, row, normal, albedo and label of one ray."""
    t, what, row = trace(ox, oy, oz, dx, dy, dz, time, land, things)
    r = 0.0
    g = 0.0
    b = 0.0
    nx = 0.0
    ny = 0.0
    nz = 0.0
    ar = 0.0
    ag = 0.0
    ab = 0.0
    label = 0
    if what == NOTHING:
        if shaded:
            r, g, b = sky(dx, dy, dz, time, wide, light)
            r, g, b = _burning(r, g, b, ox, oy, oz, dx, dy, dz, t, time, things, light)
        return r, g, b, t, what, row, nx, ny, nz, ar, ag, ab, label
    x = ox + dx * t
    y = oy + dy * t
    z = oz + dz * t
    if what == WATER:
        label = WATER_LABEL
        r, g, b, nx, ny, nz, ar, ag, ab = water_light(x, y, z, dx, dy, dz, t, wide, time, land, things, light)
    else:
        er = 0.0
        eg = 0.0
        eb = 0.0
        if what == THING:
            nx, ny, nz, ar, ag, ab, er, eg, eb, label, rough = thing_surface(row, x, y, z, t, time, things)
            glow = 1.0 if label == FIRE else light[NIGHT]
            er *= glow
            eg *= glow
            eb *= glow
        else:
            nx, ny, nz = ground_normal(x, z, t, land)
            ar, ag, ab, label, rough, _ = ground_material(x, y, z, nx, ny, nz, t, land)
        cos = dx * nx + dy * ny + dz * nz
        if cos > -0.001:  # rounded edges and bumps may turn away; the eye sees what faces it
            nx -= (cos + 0.001) * dx
            ny -= (cos + 0.001) * dy
            nz -= (cos + 0.001) * dz
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            nx /= length
            ny /= length
            nz /= length
        if shaded:
            r, g, b = lit(
                x,
                y,
                z,
                nx,
                ny,
                nz,
                dx,
                dy,
                dz,
                t,
                ar,
                ag,
                ab,
                label,
                rough,
                what == THING,
                time,
                land,
                things,
                light,
                lamps,
            )
            r += er
            g += eg
            b += eb
    if shaded:
        r, g, b = air(r, g, b, ox, oy, oz, dx, dy, dz, t, light)
        r, g, b = _burning(r, g, b, ox, oy, oz, dx, dy, dz, t, time, things, light)
    return r, g, b, t, what, row, nx, ny, nz, ar, ag, ab, label


@parallel
def paint(
    order: Any,
    eye: Any,
    rays: Any,
    wide: Any,
    shaded: Any,
    full: Any,
    time: Any,
    land: Any,
    things: Any,
    light: Any,
    lamps: Any,
    colour: Any,
    reach: Any,
    kinds: Any,
    rows: Any,
    normals: Any,
    albedo: Any,
    labels: Any,
) -> None:
    """Follow rays from one point and note what they meet.

    Args:
        order: Order in which blocks of `BLOCK` rays are taken, such that threads have alike work.
        eye: ``(3,)`` where rays start.
        rays: ``(n, 3)`` unit directions.
        wide: Angle between neighbours, radians.
        shaded: Whether radiance is asked for.
        full: Whether all else is noted; else ``colour`` alone.
        time: Seconds.
        land: Ground.
        things: Things.
        light: Light.
        lamps: ``(k, 8)``, see `lamplight`.
        colour: ``(n, 3)`` float32, written; as are all below where ``full``.
        reach: ``(n,)`` float64 distance.
        kinds: ``(n,)`` uint8 what was met.
        rows: ``(n,)`` int32 row of things, or -1.
        normals: ``(n, 3)`` float32.
        albedo: ``(n, 3)`` float32.
        labels: ``(n,)`` uint8.
    """
    count = rays.shape[0]
    ox = eye[0]
    oy = eye[1]
    oz = eye[2]
    for block in prange(order.shape[0]):
        start = order[block] * BLOCK
        for i in range(start, min(start + BLOCK, count)):
            r, g, b, t, what, row, nx, ny, nz, ar, ag, ab, label = paint_one(
                ox, oy, oz, rays[i, 0], rays[i, 1], rays[i, 2], wide, shaded, time, land, things, light, lamps
            )
            colour[i, 0] = r
            colour[i, 1] = g
            colour[i, 2] = b
            if full:
                reach[i] = t
                kinds[i] = what
                rows[i] = row
                normals[i, 0] = nx
                normals[i, 1] = ny
                normals[i, 2] = nz
                albedo[i, 0] = ar
                albedo[i, 1] = ag
                albedo[i, 2] = ab
                labels[i] = label
