"""Ports of checkpoints that came without: what their shapes and their authors' habits say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.train.port import Port

__all__ = ["ENCODING", "default_ports", "with_encoding", "with_palette"]

ENCODING = {"display": "srgb_display", "log": "log", "linear": "scene_linear"}
"""Option → encoding of a port."""
_CHANNELS = {1: ("Y",), 3: ("R", "G", "B")}

Settings = Mapping[str, int | float | str]


def default_ports(settings: Settings, source: str) -> tuple[Port | None, Port]:
    """Return ports for a network of which nothing but its settings is known.

    One channel is grey, three are colour, display-encoded. Other numbers of channels are classes, called
    ``class 0`` and so on with their numbers as ids; where the network takes the borders of objects, the last
    channel is theirs.

    Args:
        settings: Of the network.
        source: What it is called in messages.

    Raises:
        ConfigError: What it makes is neither grey nor colour.
    """
    made = int(settings.get("made", settings.get("channels", 3)))
    if made not in _CHANNELS:
        raise ConfigError(f"{source}: makes {made} channels, which is neither grey nor colour")
    given = settings.get("given", settings.get("entry"))
    out = Port(channels=_CHANNELS[made])
    if given is None:
        return None, out
    edges = int(settings.get("edges", 0))
    count = int(given)
    if not edges and count in _CHANNELS:
        return Port(channels=_CHANNELS[count]), out
    classes = tuple(LabelClass(number, f"class {number}", _colour(number)) for number in range(count - edges))
    return Port("labels", ("Y",), palette=Palette(classes), instances=bool(edges)), out


def with_palette(port: Port | None, palette: Palette, source: str) -> Port:
    """Return a port of labels with another palette.

    Raises:
        ConfigError: The model takes no labels, or another number of classes.
    """
    if port is None or port.palette is None:
        raise ConfigError(f"palette: {source} takes pictures, not label maps; leave it out")
    if palette.channels != port.palette.channels:
        raise ConfigError(
            f"palette: has {palette.channels} classes (unknown counts as one), {source} takes"
            f" {port.palette.channels}"
        )
    return replace(port, palette=palette)


def with_encoding(port: Port, encoding: str) -> Port:
    """Return a port of pictures with another encoding (a key of `ENCODING`); labels and data stay."""
    if port.kind == "labels" or port.encoding == "raw":
        return port
    return replace(port, encoding=ENCODING[encoding])


def _colour(number: int) -> tuple[int, int, int]:
    """Return a colour for a class, all different: bits of its number spread over red, green and blue."""
    red = green = blue = 0
    for bit in range(8):
        red |= (number >> (3 * bit) & 1) << (7 - bit)
        green |= (number >> (3 * bit + 1) & 1) << (7 - bit)
        blue |= (number >> (3 * bit + 2) & 1) << (7 - bit)
    return red, green, blue
