"""A result held to a matte: outside it the source stays to the bit, at soft edges the two are mixed."""

from __future__ import annotations

import numpy as np

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.plate import Pixels, Plate

__all__ = ["matte_of", "mixed"]


def mixed(made: Plate, source: Plate, amount: Pixels, name: str = "source") -> Plate:
    """Return ``source + amount * (made - source)`` in every channel that both have, exact at 0 and 1.

    Args:
        made: The result; its other channels are kept.
        source: What it was made of, in the same colour space.
        amount: ``(height, width)``; not limited to 0-1.
        name: Of the source, for messages.

    Raises:
        ConfigError: A channel was made that the source does not have.
    """
    changed = [channel for channel in made.channels if channel not in source.channels]
    if changed:
        raise ConfigError(
            f"matte or mix: {name} has no channel {changed[0]} to keep outside the matte; use a source that"
            " has what the model makes"
        )
    pixels = made.pixels.copy()
    for place, channel in enumerate(made.channels):
        before, after = source.channel(channel), made.pixels[:, :, place]
        # Outside, the source may hold what cannot be mixed, such as an infinite depth.
        with np.errstate(invalid="ignore", over="ignore"):
            blend = before + amount * (after - before)
        pixels[:, :, place] = np.where(amount == 0, before, np.where(amount == 1, after, blend))
    return made.with_(pixels=pixels)


def matte_of(plate: Plate, like: Plate, name: str, channel: str = "") -> Pixels:
    """Return a matte ``(height, width)`` for a frame.

    Args:
        plate: Holds it: in ``channel``, or in ``A``, ``Y``, its only channel, or equal ``R G B``.
        like: The frame. A matte of the same display window may have another data window: it is 0 outside.
        name: Of the matte, for messages.
        channel: Which, where there are several.

    Raises:
        MediaError: There is no such channel, it is not clear which one is the matte, values are not finite,
            or the size is another.
    """
    plate = plate.select(channel) if channel else _only(plate, name)
    if plate.data != like.data:
        if plate.display != like.display:
            found = f"{plate.display.width}x{plate.display.height}"
            raise MediaError(
                f"{name}: the matte is {found}, the frame {like.display.width}x{like.display.height}; render"
                " it at the same size"
            )
        plate = plate.reframe(like.data)
    return plate.check_finite(name).pixels[:, :, 0]


def _only(plate: Plate, name: str) -> Plate:
    for choice in ("A", "Y"):
        if choice in plate.channels:
            return plate.select(choice)
    if len(plate.channels) == 1:
        return plate
    if plate.channels == ("R", "G", "B") and (plate.pixels == plate.pixels[:, :, :1]).all():
        return plate.select("R")
    raise MediaError(
        f"{name}: has channels {' '.join(plate.channels)}; a matte is A, Y, or grey: save it as one channel"
    )
