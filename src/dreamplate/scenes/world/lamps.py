"""Lamps of a world: which things shine on their surroundings, for `kernels.surface.lamplight`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dreamplate.scenes.world import light_layout as at
from dreamplate.scenes.world.data import LightData, ThingData
from dreamplate.scenes.world.kernels import shapes_numbers as shapes

__all__ = ["MOST", "lamps_of"]

MOST = 10
"""Lamps that count at once: those nearest to the eye."""
_KINDS: dict[int, tuple[tuple[float, float, float], float, float, float, bool]] = {
    shapes.CAMPFIRE: ((11.0, 4.6, 1.2), 1.0, 1.6, 0.5, True),
    shapes.LAMP: ((7.0, 5.0, 2.6), 4.8, 1.2, 0.0, False),
    shapes.LIGHTHOUSE: ((40.0, 34.0, 22.0), 25.0, 8.0, 0.0, False),
    shapes.HOUSE: ((5.0, 3.2, 1.3), 2.2, 3.5, 0.0, False),
}
"""Shape → colour times square metres, height, radius, flicker, whether it burns by day too."""


def lamps_of(things: ThingData, light: LightData, eye: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the lamps that matter around a viewpoint, ``(k, 8)``: place, colour, radius, flicker.

    Args:
        things: All things.
        light: How much lamps are lit.
        eye: ``(3,)``.
    """
    lit = float(light.numbers[at.NIGHT])
    found: list[tuple[float, list[float]]] = []
    for kind, (colour, height, radius, flicker, always) in _KINDS.items():
        share = max(lit, 0.5) if always else lit
        if share < 0.02:
            continue
        for row in np.flatnonzero(things.kind == kind).tolist():
            place = things.place[row].astype(float)
            scale = float(things.size[row, 1])
            middle = place + np.array([0.0, height * scale, 0.0])
            if kind == shapes.HOUSE:  # its windows: before the front
                cos, sin = (float(value) for value in things.turn[row])
                middle += 6.5 * float(things.size[row, 2]) * np.array([-sin, 0.0, -cos])
            away = float(np.linalg.norm(middle - eye))
            found.append(
                (away, [*middle.tolist(), *(share * part for part in colour), radius * scale, flicker])
            )
    found.sort(key=lambda pair: pair[0])
    return np.array([values for _, values in found[:MOST]], np.float64).reshape(-1, 8)
