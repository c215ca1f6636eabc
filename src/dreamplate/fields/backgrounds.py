"""What lies behind clear pixels."""

from __future__ import annotations

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.fields.photographs import Encoding
from dreamplate.plate import Plate, convert

__all__ = ["Colour", "backgrounds", "encoded"]

Colour = tuple[float, float, float]


def backgrounds(
    name: str, stated: Colour | None, clear: bool, encoding: Encoding
) -> tuple[Colour | None, Colour]:
    """Return the colour behind clear pixels while learning (None: a random one) and in figures.

    Args:
        name: As in the config.
        stated: Display-encoded colour that the scene names, or None.
        clear: Whether photographs have alpha.
        encoding: Of the fit; colours come back in it.

    Raises:
        ConfigError: A sky cannot be learnt behind photographs with alpha.
    """
    if name == "learn" and clear:
        raise ConfigError(
            "background is learn, but photographs have alpha, which says what is clear: use random"
        )
    shown = encoded(stated, encoding) if stated is not None else (0.0, 0.0, 0.0)
    if name == "random":
        return None, shown
    if name == "auto":
        return (None if clear and stated is None else shown), shown
    plain = {"white": "#ffffff", "black": "#000000", "none": "#000000", "learn": "#000000"}.get(name, name)
    red, green, blue = (int(plain[at : at + 2], 16) / 255 for at in (1, 3, 5))
    chosen = encoded((red, green, blue), encoding)
    return chosen, chosen


def encoded(colour: Colour, encoding: Encoding) -> Colour:
    """Return a display-encoded colour in an encoding."""
    plate = Plate(np.asarray(colour, np.float32).reshape(1, 1, 3), ("R", "G", "B"), "srgb_display")
    red, green, blue = (float(value) for value in convert(plate, encoding).pixels[0, 0])
    return red, green, blue
