"""Colours of sky and light over the day, for clear air; fitted by eye so that pictures are well lit.

Between the hours of the table colours go smoothly, in the encoding they are written in. What scattering does
is put in here: blue zenith and pale horizon by day; red and orange near a low sun, which shines through long
air, and a violet band opposite; pale pink over mist in the morning; afterglow and deep blue after sunset.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

__all__ = ["Palette", "linear", "palette_at"]

Colour = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Row:
    """One hour of the table: sky colours in sRGB, 0 to 255; lights linear, 1 shows white as white."""

    hour: float
    zenith: tuple[float, ...]
    middle: tuple[float, ...]
    towards: tuple[float, ...]
    away: tuple[float, ...]
    glow: tuple[float, ...]
    sun: tuple[float, ...]
    up: tuple[float, ...]
    down: tuple[float, ...]
    side: tuple[float, ...]
    lit: tuple[float, ...]
    shade: tuple[float, ...]
    more: tuple[float, ...]
    """Width and flatness of the glow, haze, ground mist, stars, lamps, falloff of the horizon."""


# fmt: off
def _night(hour: float) -> _Row:
    return _Row(hour,
         zenith=(12, 20, 54), middle=(22, 36, 80), towards=(44, 62, 110), away=(38, 56, 102), glow=(0, 0, 0),
         sun=(0.30, 0.37, 0.56), up=(0.10, 0.13, 0.235), down=(0.02, 0.026, 0.045),
         side=(0.004, 0.006, 0.01), lit=(0.07, 0.09, 0.15), shade=(0.02, 0.028, 0.06),
         more=(0.1, 1.0, 0.8, 0.0, 1.0, 1.0, 7.5))


def _day(hour: float) -> _Row:
    return _Row(hour,
         zenith=(44, 104, 190), middle=(104, 164, 226), towards=(196, 220, 238), away=(182, 210, 236),
         glow=(0.30, 0.28, 0.24),
         sun=(1.72, 1.64, 1.46), up=(0.36, 0.46, 0.64), down=(0.14, 0.13, 0.10), side=(0.03, 0.03, 0.03),
         lit=(0.62, 0.60, 0.56), shade=(0.40, 0.45, 0.54), more=(0.16, 1.0, 1.0, 0.0, 0.0, 0.0, 7.5))


_ROWS = (
    _night(0.0),
    _night(4.3),
    _Row(5.2,
         zenith=(66, 92, 156), middle=(146, 150, 196), towards=(255, 190, 164), away=(172, 158, 196),
         glow=(0.26, 0.10, 0.10),
         sun=(0.85, 0.56, 0.50), up=(0.32, 0.35, 0.50), down=(0.07, 0.07, 0.08), side=(0.16, 0.10, 0.10),
         lit=(0.34, 0.20, 0.22), shade=(0.13, 0.13, 0.22), more=(0.35, 2.2, 2.0, 0.6, 0.12, 0.5, 6.5)),
    _Row(6.2,
         zenith=(108, 152, 212), middle=(186, 204, 232), towards=(255, 214, 180), away=(236, 206, 216),
         glow=(0.42, 0.22, 0.16),
         sun=(1.70, 1.16, 0.94), up=(0.46, 0.49, 0.64), down=(0.13, 0.12, 0.12), side=(0.18, 0.12, 0.10),
         lit=(0.60, 0.40, 0.36), shade=(0.38, 0.36, 0.46), more=(0.22, 1.5, 2.2, 0.75, 0.0, 0.05, 5.5)),
    _Row(7.4,
         zenith=(80, 134, 206), middle=(146, 186, 226), towards=(248, 226, 206), away=(200, 212, 230),
         glow=(0.40, 0.30, 0.22),
         sun=(1.8, 1.52, 1.2), up=(0.38, 0.46, 0.62), down=(0.15, 0.14, 0.11), side=(0.08, 0.07, 0.05),
         lit=(0.64, 0.56, 0.48), shade=(0.40, 0.43, 0.52), more=(0.2, 1.2, 1.6, 0.45, 0.0, 0.0, 6.5)),
    _day(9.5),
    _day(15.0),
    _Row(16.3,
         zenith=(58, 108, 184), middle=(136, 170, 210), towards=(250, 220, 168), away=(196, 200, 214),
         glow=(0.50, 0.36, 0.18),
         sun=(2.2, 1.78, 1.16), up=(0.38, 0.44, 0.58), down=(0.16, 0.13, 0.09), side=(0.10, 0.08, 0.04),
         lit=(0.72, 0.58, 0.40), shade=(0.38, 0.39, 0.46), more=(0.2, 1.2, 1.2, 0.0, 0.0, 0.0, 7.5)),
    _Row(17.2,
         zenith=(66, 92, 156), middle=(178, 150, 142), towards=(255, 172, 76), away=(190, 150, 156),
         glow=(0.85, 0.42, 0.10),
         sun=(2.15, 1.16, 0.46), up=(0.34, 0.33, 0.42), down=(0.15, 0.10, 0.06), side=(0.22, 0.11, 0.03),
         lit=(0.95, 0.50, 0.20), shade=(0.34, 0.27, 0.31), more=(0.28, 1.6, 1.6, 0.0, 0.0, 0.1, 6.5)),
    _Row(17.85,
         zenith=(56, 66, 126), middle=(164, 100, 104), towards=(255, 112, 36), away=(150, 104, 128),
         glow=(0.95, 0.28, 0.04),
         sun=(1.50, 0.58, 0.20), up=(0.30, 0.26, 0.36), down=(0.11, 0.07, 0.05), side=(0.30, 0.11, 0.03),
         lit=(0.95, 0.32, 0.10), shade=(0.26, 0.17, 0.24), more=(0.34, 2.2, 1.8, 0.0, 0.0, 0.5, 6.5)),
    _Row(18.3,
         zenith=(20, 42, 110), middle=(50, 78, 150), towards=(232, 142, 98), away=(62, 84, 148),
         glow=(0.24, 0.07, 0.03),
         sun=(0.26, 0.29, 0.42), up=(0.19, 0.24, 0.42), down=(0.05, 0.04, 0.05), side=(0.10, 0.055, 0.05),
         lit=(0.20, 0.12, 0.15), shade=(0.08, 0.10, 0.20), more=(0.4, 3.0, 1.2, 0.0, 0.04, 0.8, 11.0)),
    _Row(18.75,
         zenith=(15, 35, 98), middle=(34, 64, 140), towards=(190, 122, 112), away=(44, 66, 132),
         glow=(0.12, 0.03, 0.02),
         sun=(0.22, 0.26, 0.40), up=(0.16, 0.20, 0.37), down=(0.035, 0.04, 0.055), side=(0.05, 0.03, 0.035),
         lit=(0.14, 0.075, 0.11), shade=(0.05, 0.065, 0.145), more=(0.4, 3.0, 1.0, 0.0, 0.15, 1.0, 11.0)),
    _Row(19.2,
         zenith=(13, 26, 78), middle=(28, 48, 110), towards=(110, 84, 118), away=(40, 52, 106),
         glow=(0.03, 0.01, 0.01),
         sun=(0.22, 0.27, 0.43), up=(0.125, 0.16, 0.31), down=(0.025, 0.03, 0.045), side=(0.015, 0.012, 0.02),
         lit=(0.07, 0.06, 0.10), shade=(0.028, 0.04, 0.095), more=(0.4, 3.0, 0.9, 0.0, 0.35, 1.0, 10.0)),
    _night(20.0),
    _night(24.0),
)
# fmt: on


@dataclass(frozen=True)
class Palette:
    """Colours at one hour, all linear; see `light_layout` for what each is. ``more`` as in the table."""

    zenith: Colour
    middle: Colour
    towards: Colour
    away: Colour
    glow: Colour
    sun: Colour
    up: Colour
    down: Colour
    side: Colour
    lit: Colour
    shade: Colour
    more: Colour


_SKY = ("zenith", "middle", "towards", "away")


def linear(encoded: Colour) -> Colour:
    """Return linear light of sRGB values from 0 to 255."""
    share = np.asarray(encoded, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((np.maximum(share, 0.04045) + 0.055) / 1.055) ** 2.4)


def palette_at(hour: float) -> Palette:
    """Return the colours of clear air at an hour, 0 to 24."""
    hours = [row.hour for row in _ROWS]
    right = min(max(int(np.searchsorted(hours, hour, side="right")), 1), len(_ROWS) - 1)
    share = (hour - hours[right - 1]) / (hours[right] - hours[right - 1])
    share = share * share * (3 - 2 * share)
    found: dict[str, Colour] = {}
    for field in fields(Palette):
        ends = [np.asarray(getattr(_ROWS[k], field.name), float) for k in (right - 1, right)]
        if field.name in _SKY:
            found[field.name] = linear(ends[0] + share * (ends[1] - ends[0]))
        else:  # lights cross magnitudes: roots go more evenly than the values
            roots = [np.sqrt(end) for end in ends]
            found[field.name] = (roots[0] + share * (roots[1] - roots[0])) ** 2
    return Palette(**found)
