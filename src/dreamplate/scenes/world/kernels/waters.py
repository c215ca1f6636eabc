"""Kernels of light on water: the mirrored sky and shore, the sun's glitter, what lies below, foam.

A mirror by Schlick's approximation of Fresnel's law ("An inexpensive BRDF model", 1994). Glitter is the share
of wave facets that turn the sun to the eye, after Cox and Munk's normally distributed slopes ("Measurement of
the roughness of the sea surface", 1954); slopes that the normal already shows are left out of the spread.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.clouds import cloud_shadow
from dreamplate.scenes.world.kernels.ground import (
    ground_height,
    ground_hit,
    ground_material,
    ground_normal,
    ground_shadow,
)
from dreamplate.scenes.world.kernels.sky import air, ambient, sky
from dreamplate.scenes.world.kernels.surface import plain
from dreamplate.scenes.world.kernels.things import thing_hit, thing_shadow, thing_surface
from dreamplate.scenes.world.kernels.water import water_blur, water_body, water_foam, water_normal
from dreamplate.scenes.world.light_layout import GLINT, KEY, KEY_COLOUR, NIGHT, SOFT

__all__ = ["water_light"]

FIRE = 19


@scalar
def _mirrored(
    x: Any,
    y: Any,
    z: Any,
    mx: Any,
    my: Any,
    mz: Any,
    t: Any,
    wide: Any,
    time: Any,
    land: Any,
    things: Any,
    light: Any,
) -> Any:
    """Return what the water's surface mirrors in a direction."""
    near = ground_hit(x, y, z, mx, my, mz, 0.05, 5000.0, land)
    found, row = thing_hit(x, y, z, mx, my, mz, 0.05, min(near, 900.0), time, things)
    if row >= 0:
        nx, ny, nz, ar, ag, ab, er, eg, eb, label, _ = thing_surface(
            row, x + mx * found, y + my * found, z + mz * found, t + found, time, things
        )
        r, g, b = plain(ar, ag, ab, nx, ny, nz, light)
        glow = 1.0 if label == FIRE else light[NIGHT]
        return air(r + glow * er, g + glow * eg, b + glow * eb, x, y, z, mx, my, mz, found, light)
    if near < 5000.0:
        px = x + mx * near
        py = y + my * near
        pz = z + mz * near
        nx, ny, nz = ground_normal(px, pz, t + near + 20.0, land)
        ar, ag, ab, _, _, _ = ground_material(px, py, pz, nx, ny, nz, t + near + 20.0, land)
        r, g, b = plain(ar, ag, ab, nx, ny, nz, light)
        return air(r, g, b, x, y, z, mx, my, mz, near, light)
    return sky(mx, my, mz, time, wide, light)


@scalar
def water_light(
    x: Any,
    y: Any,
    z: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t: Any,
    wide: Any,
    time: Any,
    land: Any,
    things: Any,
    light: Any,
) -> Any:
    """Return radiance of water, its normal, and the colour of its body.

    Args:
        x: Place on the surface.
        y: Up.
        z: South.
        dx: Direction of the ray.
        dy: Up.
        dz: South.
        t: Distance from the eye.
        wide: Angle of a pixel.
        time: Seconds.
        land: Ground.
        things: Things.
        light: Light.
    """
    nx, ny, nz = water_normal(x, z, t, time, land)
    cos = -(dx * nx + dy * ny + dz * nz)
    if cos < 0.02:  # a facet that looks away cannot be seen
        nx -= dx * (0.02 - cos)
        ny -= dy * (0.02 - cos)
        nz -= dz * (0.02 - cos)
        length = math.sqrt(nx * nx + ny * ny + nz * nz)
        nx /= length
        ny /= length
        nz /= length
        cos = max(0.02, -(dx * nx + dy * ny + dz * nz))
    blur = water_blur(t, land)
    spread = 0.0012 + 2.0 * blur * blur
    # Waves too fine to be drawn still tilt the mirror: grazing looks see less of it.
    slant = math.sqrt(cos * cos + 1.2 * spread)
    fresnel = 0.02 + 0.98 * (1.0 - min(slant, 1.0)) ** 5
    mx = dx + 2.0 * cos * nx
    my = dy + 2.0 * cos * ny
    mz = dz + 2.0 * cos * nz
    my = max(abs(my), 0.004) + 0.9 * spread
    length = math.sqrt(mx * mx + my * my + mz * mz)
    mx /= length
    my /= length
    mz /= length
    sr, sg, sb = _mirrored(x, y, z, mx, my, mz, t, wide + 0.02, time, land, things, light)
    top = 4.0
    sr = min(sr, top)
    sg = min(sg, top)
    sb = min(sb, top)
    lx = light[KEY]
    ly = light[KEY + 1]
    lz = light[KEY + 2]
    shine = ground_shadow(x, y + 0.1, z, lx, ly, lz, 6000.0, land)
    if shine > 0.0 and t < 900.0:
        shine *= thing_shadow(x, y + 0.1, z, lx, ly, lz, 400.0, time, things)
    shine *= cloud_shadow(x, y, z, time, light)
    shine = light[SOFT] + (1.0 - light[SOFT]) * shine
    ur, ug, ub = ambient(0.0, 1.0, 0.0, light)
    ur += 0.55 * ly * shine * light[KEY_COLOUR]
    ug += 0.55 * ly * shine * light[KEY_COLOUR + 1]
    ub += 0.55 * ly * shine * light[KEY_COLOUR + 2]
    depth = max(y - ground_height(x, z, land), 0.0)
    ar, ag, ab, kr, kg, kb = water_body(depth * (1.0 + 0.6 * (1.0 - cos)), land)
    wr = ar * ur
    wg = ag * ug
    wb = ab * ub
    if kg > 0.02:
        br, bg, bb, _, _, _ = ground_material(x, y - depth, z, 0.0, 1.0, 0.0, t, land)
        wr += kr * (0.75 * br * ur - wr)
        wg += kg * (0.75 * bg * ug - wg)
        wb += kb * (0.75 * bb * ub - wb)
    r = wr + fresnel * (sr - wr)
    g = wg + fresnel * (sg - wg)
    b = wb + fresnel * (sb - wb)
    hx = lx - dx
    hy = ly - dy
    hz = lz - dz
    length = math.sqrt(hx * hx + hy * hy + hz * hz)
    tilt = (hx * nx + hy * ny + hz * nz) / length
    if tilt > 0.3:
        square = tilt * tilt
        lobe = math.exp(-(1.0 / square - 1.0) / spread) / (spread * square * square)
        toward = (hx * lx + hy * ly + hz * lz) / length
        mirror = 0.02 + 0.98 * (1.0 - toward) ** 5
        glint = light[GLINT] * shine * min(lobe * mirror / (4.0 * max(slant, 0.08)), 3.0)
        r += glint * light[KEY_COLOUR]
        g += glint * light[KEY_COLOUR + 1]
        b += glint * light[KEY_COLOUR + 2]
    foam = water_foam(x, z, depth, t, time, land)
    r += foam * (0.75 * ur - r)
    g += foam * (0.75 * ug - g)
    b += foam * (0.75 * ub - b)
    white = 0.8 * foam
    return r, g, b, nx, ny, nz, min(ar + white, 1.0), min(ag + white, 1.0), min(ab + white, 1.0)
