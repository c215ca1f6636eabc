"""Kernels of what people laid upon the ground: fields of crops, roads, yards."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.ground_numbers import CROPS, FIELD_COS, FIELD_SIN, PAVED
from dreamplate.scenes.world.kernels.noise import hash_unit, noise2

__all__ = ["field", "road"]


@scalar
def _floor(x: Any) -> Any:
    return math.floor(x)


@scalar
def field(x: Any, z: Any, width: Any, g: Any) -> Any:
    """Return the field at a place: its colour, and how much of a hedge or a strip of grass lies there.

    Fields are oblongs of about 130 by 74 metres in slanted rows; crops differ from field to field and stand
    in rows that near ones show.

    Args:
        x: Metres.
        z: Metres.
        width: Metres on the ground that a pixel sees.
        g: The ground (`GroundData`).

    Returns:
        Red, green, blue, number of the crop, hedge (0 to 1).
    """
    m = g.material
    wx = x + 26.0 * noise2(x / 520.0, z / 520.0, g.seed + 80)
    wz = z + 26.0 * noise2(x / 520.0 + 9.7, z / 520.0, g.seed + 81)
    u = float(m[FIELD_COS]) * wx + float(m[FIELD_SIN]) * wz + 31.0
    v = float(m[FIELD_COS]) * wz - float(m[FIELD_SIN]) * wx + 23.0
    row = _floor(v / 74.0)
    u += 140.0 * hash_unit(row, 5, 0, g.seed)
    long = 80.0 + 100.0 * hash_unit(row, 6, 0, g.seed)
    column = _floor(u / long)
    in_u = u - column * long
    in_v = v - row * 74.0
    crop = int(6.0 * hash_unit(row, column, 7, g.seed))
    k = CROPS + 3 * crop
    red = float(m[k])
    green = float(m[k + 1])
    blue = float(m[k + 2])
    shade = 0.86 + 0.28 * hash_unit(row, column, 8, g.seed)
    across = in_u if hash_unit(row, column, 9, g.seed) < 0.5 else in_v
    wave = 0.9 if crop % 2 == 0 else 1.5
    sharp = 1.0 - min(max((width - 0.18 * wave) / (0.3 * wave), 0.0), 1.0)
    if sharp > 0.0:
        shade *= 1.0 + 0.15 * sharp * math.sin(across * (2.0 * math.pi / wave))
    tracks = 24.0
    place = abs(across - tracks * _floor(across / tracks) - 0.5 * tracks)
    shade *= 1.0 - 0.2 * min(1.0, 1.4 / (width + 0.6)) * (1.0 if place < 0.7 + 0.5 * width else 0.0)
    edge = min(in_u, long - in_u, in_v, 74.0 - in_v)
    thick = 1.4 + 2.0 * hash_unit(row, column, 10, g.seed)
    soft = 0.5 + 0.5 * width
    hedge = min(max((thick + soft - edge) / (2.0 * soft), 0.0), 1.0) * min(1.0, 2.0 * thick / (soft + 0.01))
    return red * shade, green * shade, blue * shade, crop, hedge


@scalar
def _line(away: Any, half: Any, width: Any) -> Any:
    """Return how much of a pixel a painted line covers whose middle is ``away`` metres off."""
    return min(max((half + 0.5 * width - away) / width, 0.0), 1.0) * min(1.0, 2.0 * half / width)


@scalar
def road(away: Any, along: Any, x: Any, z: Any, width: Any, g: Any) -> Any:
    """Return the road at a place: its colour and how much of the ground it covers, 0 to 1.

    Args:
        away: Metres from its middle.
        along: Metres along it.
        x: Metres.
        z: Metres.
        width: Metres on the ground that a pixel sees.
        g: The ground (`GroundData`).
    """
    half = 0.5 * g.road_width
    soft = max(width, 0.25)
    cover = min(max((half - away) / soft + 0.5, 0.0), 1.0)
    if cover <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    grain = noise2(x / 0.9, z / 0.9, g.seed + 90) if width < 0.6 else 0.0
    broad = noise2(x / 9.0, z / 9.0, g.seed + 91) if width < 6.0 else 0.0
    if g.material[PAVED] > 0.5:
        shade = 0.068 * (1.0 + 0.14 * grain + 0.2 * broad)
        lane = abs(away - 0.5 * half)
        shade *= 1.0 - 0.12 * min(max(1.0 - abs(lane - 0.22 * half) / 0.35, 0.0), 1.0)
        step = along / 9.0 - _floor(along / 9.0)
        dash = 1.0 if step < 0.38 else 0.0
        if width > 4.0:
            dash = 0.38
        thin = max(width, 0.03)
        paint = max(dash * _line(away, 0.07, thin), _line(abs(away - half + 0.32), 0.06, thin))
        paint *= 0.85
        return (
            shade + paint * (0.62 - shade),
            shade * 1.0 + paint * (0.61 - shade),
            shade * 1.04 + paint * (0.57 - shade),
            cover,
        )
    red = 0.27 * (1.0 + 0.2 * grain + 0.2 * broad)
    worn = min(max(1.6 - abs(away - 0.42 * half) / (0.2 * half), 0.0), 1.0)
    cover *= 0.55 + 0.45 * worn
    return red, red * 0.76, red * 0.53, cover
