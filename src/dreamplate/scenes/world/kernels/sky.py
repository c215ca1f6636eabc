"""Kernels of sky and air: gradient, glow, sun, moon, stars, clouds; what distance and fog do; ambient light.

The gradient is fitted, not simulated: three colours from horizon to zenith, with the horizon's colour turning
from the sun's side to the other, and a glow around the sun (what Rayleigh and Mie scattering make of it is in
`light_palettes`). Radiance 1 is display white.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.clouds import cirrus, clouds
from dreamplate.scenes.world.kernels.noise import fbm3, hash_unit, noise2
from dreamplate.scenes.world.light_layout import (
    AWAY,
    DISC,
    DISC_SIZE,
    DOWN,
    FALLOFF,
    FOG,
    FOG_BASE,
    FOG_COLOUR,
    FOG_SHARE,
    FOG_SPAN,
    GLOW,
    GLOW_FLAT,
    GLOW_WIDTH,
    HAZE,
    MIDDLE,
    MILK,
    MOON,
    MOON_COLOUR,
    MOON_SHARE,
    MOON_SIDE,
    SEED,
    SIDE,
    STARS,
    SUN,
    TOWARDS,
    UP,
    ZENITH,
)

__all__ = ["air", "ambient", "gradient", "sky"]

MOON_SIZE = 0.032
"""Radius of the moon, radians: about seven times the true one, as painters have it."""


@scalar
def smooth(low: Any, high: Any, x: Any) -> Any:
    """Return 0 below low, 1 above high, smooth between."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@scalar
def gradient(dx: Any, dy: Any, dz: Any, light: Any) -> Any:
    """Return the colour of the bare sky in a direction: no disc, no stars, no clouds."""
    y = max(dy, 0.0)
    sx = light[SUN]
    sz = light[SUN + 2]
    flat = math.sqrt((dx * dx + dz * dz) * (sx * sx + sz * sz)) + 1e-9
    side = 0.5 + 0.5 * (dx * sx + dz * sz) / flat
    side *= side * (3.0 - 2.0 * side)
    side *= 0.4 + 0.6 * side
    near = math.exp(-light[FALLOFF] * y)
    wide = math.exp(-2.3 * y)
    px = dx - sx
    py = (y - max(light[SUN + 1], -0.03)) * light[GLOW_FLAT]
    pz = dz - sz
    away = (px * px + py * py + pz * pz) / light[GLOW_WIDTH]
    glow = math.exp(-away) + 1.5 * math.exp(-12.0 * away)
    r = light[ZENITH] + wide * (light[MIDDLE] - light[ZENITH])
    g = light[ZENITH + 1] + wide * (light[MIDDLE + 1] - light[ZENITH + 1])
    b = light[ZENITH + 2] + wide * (light[MIDDLE + 2] - light[ZENITH + 2])
    r += near * (light[AWAY] + side * (light[TOWARDS] - light[AWAY]) - r) + glow * light[GLOW]
    g += near * (light[AWAY + 1] + side * (light[TOWARDS + 1] - light[AWAY + 1]) - g) + glow * light[GLOW + 1]
    b += near * (light[AWAY + 2] + side * (light[TOWARDS + 2] - light[AWAY + 2]) - b) + glow * light[GLOW + 2]
    return r, g, b


@scalar
def _stars(dx: Any, dy: Any, dz: Any, wide: Any, light: Any) -> Any:
    cells = 46.0
    qx = dx * cells
    qy = dy * cells
    qz = dz * cells
    i = math.floor(qx)
    j = math.floor(qy)
    k = math.floor(qz)
    lot = hash_unit(int(i), int(j), int(k), int(light[SEED]))
    if lot > 0.22:
        return 0.0, 0.0
    ex = qx - i - 0.25 - 0.5 * hash_unit(int(i), int(j), int(k), int(light[SEED]) + 1)
    ey = qy - j - 0.25 - 0.5 * hash_unit(int(i), int(j), int(k), int(light[SEED]) + 2)
    ez = qz - k - 0.25 - 0.5 * hash_unit(int(i), int(j), int(k), int(light[SEED]) + 3)
    along = ex * dx + ey * dy + ez * dz
    off = ex * ex + ey * ey + ez * ez - along * along
    radius = max(0.05, 0.42 * wide * cells)
    shine = lot / 0.22
    bright = 0.04 + 1.5 * shine**14
    return bright * math.exp(-off / (radius * radius)) * min(1.0, 0.08 / radius + 0.35), shine


@scalar
def _night(dx: Any, dy: Any, dz: Any, wide: Any, light: Any) -> Any:
    """Return light of stars and the milky way."""
    spot, tint = _stars(dx, dy, dz, wide, light)
    spot *= light[STARS]
    low = smooth(0.0, 0.16, dy)
    spot *= low
    turn = (tint * 37.0) % 1.0
    r = spot * (0.8 + 0.4 * turn)
    g = spot * 0.95
    b = spot * (1.2 - 0.4 * turn)
    if light[MILK] > 0.0:
        lean = hash_unit(1, 2, 3, int(light[SEED])) - 0.5
        across = 0.75 * dx + 0.45 * dy + lean * dz
        band = math.exp(-9.0 * across * across)
        cloud = 0.55 + 1.6 * fbm3(3.0 * dx, 3.0 * dy, 3.0 * dz, 4, int(light[SEED]) + 7)
        milk = light[MILK] * band * low * max(cloud, 0.0)
        r += milk * 0.85
        g += milk * 0.9
        b += milk * 1.25
    return r, g, b


@scalar
def _moon(dx: Any, dy: Any, dz: Any, wide: Any, light: Any) -> Any:
    """Return cover of the disc and its light, and the light around it."""
    if light[MOON_SHARE] <= 0.0:
        return 0.0, 0.0, 0.0
    mx = light[MOON]
    my = light[MOON + 1]
    mz = light[MOON + 2]
    mu = dx * mx + dy * my + dz * mz
    if mu < 0.5:
        return 0.0, 0.0, 0.0
    apart = 2.0 * (1.0 - mu)
    around = 0.12 * math.exp(-apart / 0.03) + 0.2 * math.exp(-apart / 0.004)
    around *= 0.15 + 0.85 * light[MOON_SHARE]
    flat = math.sqrt(mx * mx + mz * mz) + 1e-9
    u = (dx * (-mz) + dz * mx) / flat / MOON_SIZE
    up = (dy - my * mu) / (flat + 1e-9) / MOON_SIZE
    far = math.sqrt(u * u + up * up)
    edge = 0.7 * wide / MOON_SIZE
    disc = 1.0 - smooth(1.0 - edge, 1.0 + edge, far)
    if disc <= 0.0:
        return 0.0, 0.0, around
    bound = (1.0 - 2.0 * light[MOON_SHARE]) * math.sqrt(max(1.0 - up * up, 0.0))
    lit = smooth(bound - 0.12 - edge, bound + 0.12 + edge, u * light[MOON_SIDE])
    face = 0.85 + 0.35 * noise2(u * 1.7 + 5.0, up * 1.7, int(light[SEED]) + 11)
    return disc, lit * face, around


@scalar
def sky(dx: Any, dy: Any, dz: Any, time: Any, wide: Any, light: Any) -> Any:
    """Return the radiance of the sky in a unit direction.

    Args:
        dx: Direction.
        dy: Up.
        dz: South.
        time: Seconds; clouds drift.
        wide: Angle of a pixel in radians: nothing is drawn finer.
        light: Light.
    """
    r, g, b = gradient(dx, dy, dz, light)
    low = dy
    dy = max(dy, 0.006)
    if light[STARS] > 0.0:
        sr, sg, sb = _night(dx, dy, dz, wide, light)
        r += sr
        g += sg
        b += sb
    disc, face, around = _moon(dx, dy, dz, wide, light)
    r += around * light[MOON_COLOUR]
    g += around * light[MOON_COLOUR + 1]
    b += around * light[MOON_COLOUR + 2]
    if disc > 0.0:
        r += disc * (face * light[MOON_COLOUR] - 0.5 * face * r)
        g += disc * (face * light[MOON_COLOUR + 1] - 0.5 * face * g)
        b += disc * (face * light[MOON_COLOUR + 2] - 0.5 * face * b)
    mu = dx * light[SUN] + dy * light[SUN + 1] + dz * light[SUN + 2]
    if mu > 0.98:
        angle = math.sqrt(max(2.0 * (1.0 - mu), 0.0))
        edge = max(0.25 * light[DISC_SIZE], 0.6 * wide)
        shine = 1.0 - smooth(light[DISC_SIZE] - edge, light[DISC_SIZE] + edge, angle)
        if low < 0.0:
            shine *= max(0.0, 1.0 + low * 50.0)
        r += shine * light[DISC]
        g += shine * light[DISC + 1]
        b += shine * light[DISC + 2]
    cr, cg, cb, through = cirrus(dx, dy, dz, mu, time, light)
    r = r * through + cr
    g = g * through + cg
    b = b * through + cb
    cr, cg, cb, through, fade = clouds(dx, dy, dz, mu, time, light)
    if through < 1.0:
        er, eg, eb = gradient(dx, 0.02 + 0.3 * max(dy, 0.0), dz, light)
        r = r * through + cr * fade + (1.0 - through) * (1.0 - fade) * er
        g = g * through + cg * fade + (1.0 - through) * (1.0 - fade) * eg
        b = b * through + cb * fade + (1.0 - through) * (1.0 - fade) * eb
    veil = _veil(dy, light)
    if veil > 0.0:
        er, eg, eb = _fog_colour(dx, dy, dz, light)
        r += veil * (er - r)
        g += veil * (eg - g)
        b += veil * (eb - b)
    return r, g, b


@scalar
def _fog_colour(dx: Any, dy: Any, dz: Any, light: Any) -> Any:
    er, eg, eb = gradient(dx, 0.03 + 0.5 * max(dy, 0.0), dz, light)
    share = light[FOG_SHARE]
    return (
        er + share * (light[FOG_COLOUR] - er),
        eg + share * (light[FOG_COLOUR + 1] - eg),
        eb + share * (light[FOG_COLOUR + 2] - eb),
    )


@scalar
def _veil(dy: Any, light: Any) -> Any:
    """Return how much of the sky the fog hides, seen from its base."""
    if light[FOG] <= 0.0:
        return 0.0
    return 1.0 - math.exp(-0.6 * light[FOG] * light[FOG_SPAN] / max(dy, 0.004))


@scalar
def air(
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
    light: Any,
) -> Any:
    """Return a radiance as seen through ``t`` metres of air from a point, haze and fog in between."""
    er, eg, eb = gradient(dx, max(dy, 0.0) * 0.5 + 0.02, dz, light)
    keep = math.exp(-light[HAZE] * t)
    r = r * keep + (1.0 - keep) * er
    keep = math.exp(-light[HAZE + 1] * t)
    g = g * keep + (1.0 - keep) * eg
    keep = math.exp(-light[HAZE + 2] * t)
    b = b * keep + (1.0 - keep) * eb
    if light[FOG] > 0.0:
        # The integral of exp(-(y - base) / span) along the ray (Quilez, "Better fog", 2010).
        start = math.exp(-max(min((oy - light[FOG_BASE]) / light[FOG_SPAN], 60.0), -1.0))
        rise = dy * t / light[FOG_SPAN]
        if rise > 1e-4 or rise < -1e-4:
            path = t * (1.0 - math.exp(-max(min(rise, 60.0), -3.0))) / max(min(rise, 60.0), -3.0)
        else:
            path = t
        keep = math.exp(-light[FOG] * start * path)
        er, eg, eb = _fog_colour(dx, dy, dz, light)
        r = r * keep + (1.0 - keep) * er
        g = g * keep + (1.0 - keep) * eg
        b = b * keep + (1.0 - keep) * eb
    return r, g, b


@scalar
def ambient(nx: Any, ny: Any, nz: Any, light: Any) -> Any:
    """Return light from sky and ground on a surface of a normal, over pi: times albedo it is radiance."""
    up = 0.5 + 0.5 * ny
    down = 1.0 - up
    flat = math.sqrt(light[SUN] * light[SUN] + light[SUN + 2] * light[SUN + 2]) + 1e-9
    side = max(0.0, 0.35 + 0.65 * (nx * light[SUN] + nz * light[SUN + 2]) / flat)
    return (
        up * light[UP] + down * light[DOWN] + side * light[SIDE],
        up * light[UP + 1] + down * light[DOWN + 1] + side * light[SIDE + 1],
        up * light[UP + 2] + down * light[DOWN + 2] + side * light[SIDE + 2],
    )
