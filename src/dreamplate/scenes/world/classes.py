"""Classes of a world's label maps: their numbers, names and colours."""

from __future__ import annotations

from dreamplate.plate.labels import LabelClass, Palette

__all__ = ["CLASSES", "PALETTE"]

_COLOURS: dict[str, tuple[int, int, int]] = {
    "sky": (135, 190, 235),
    "water": (40, 95, 160),
    "sand": (226, 202, 140),
    "grass": (112, 160, 64),
    "rock": (128, 122, 118),
    "snow": (240, 244, 250),
    "soil": (140, 100, 66),
    "road": (82, 82, 88),
    "tree": (28, 92, 44),
    "plant": (150, 190, 80),
    "house": (190, 80, 62),
    "castle": (160, 140, 175),
    "lighthouse": (250, 120, 110),
    "tower": (120, 100, 140),
    "bridge": (200, 160, 110),
    "windmill": (245, 225, 190),
    "pyramid": (230, 180, 70),
    "boat": (120, 60, 30),
    "car": (220, 40, 120),
    "fire": (255, 150, 20),
    "smoke": (180, 180, 180),
}

CLASSES: dict[str, int] = {name: index for index, name in enumerate(_COLOURS)}
"""Name → id, which is also the index in `PALETTE`."""
PALETTE = Palette(tuple(LabelClass(CLASSES[name], name, colour) for name, colour in _COLOURS.items()))
"""The classes, in the order of their ids."""
