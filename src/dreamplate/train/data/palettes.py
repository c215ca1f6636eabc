"""Finding the palette of a label map: a file, a list of classes beside the data, PNG colours, or the ids."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterable
from pathlib import Path

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import LabelClass, Palette, read_palette
from dreamplate.train.data.listing import SPLITS

__all__ = ["classes_beside", "palette_of_ids"]

UNKNOWN = ("unlabelled", "unlabeled", "void", "ignore", "unknown")
"""Names of classes that mean "of no class"."""
_GOLDEN = 0.618033988749895
Table = tuple[tuple[int, int, int], ...]


def classes_beside(data: Path) -> tuple[Palette | None, str]:
    """Return the palette that lies in a data folder (or next to one that is a split), and where it was found.

    That is ``palette.json`` (see ``plate.read_palette``), or ``source.json`` with ``classes``, a list of
    names by id, and perhaps ``colours``.

    Raises:
        ConfigError: A palette file is none.
    """
    # Of a folder that is one split, the classes lie beside it.
    for folder in (data, data.parent) if data.name.lower() in SPLITS else (data,):
        place = folder / "palette.json"
        if place.is_file():
            return read_palette(place), str(place)
        place = folder / "source.json"
        try:
            about = json.loads(place.read_text(encoding="utf-8"))
            names = about.get("classes")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            colours = about.get("colours", about.get("colors", []))
            table = tuple((int(r), int(g), int(b)) for r, g, b in colours)
            return _named(names, table), str(place)
    return None, ""


def with_table(palette: Palette, table: Table) -> Palette:
    """Return a palette whose classes have the colours of an indexed PNG's table, where it has their ids."""
    classes = tuple(
        LabelClass(c.id, c.name, table[c.id] if c.id < len(table) else c.colour) for c in palette.classes
    )
    return Palette(classes, palette.unknown)


def palette_of_ids(ids: Iterable[int], table: Table = ()) -> Palette:
    """Return a palette of the ids that occur, with names and colours made up.

    255 and 65535 mean "of no class" by custom, unless the ids run on without a gap up to them.

    Args:
        ids: All that occur.
        table: Colours of indexed PNGs, by id.

    Raises:
        ConfigError: There are more than 1024, which is no label map.
    """
    found = sorted(set(ids))
    if len(found) > 1024:
        raise ConfigError(
            f"source.condition: holds {len(found)} different values, too many for classes; if it is a "
            "picture, use --source.condition-kind picture, otherwise give --source.palette"
        )
    unknown = tuple(value for value in found[-1:] if value in (255, 65535) and value - 1 not in found)
    classes = [value for value in found if value not in unknown]
    return Palette(tuple(LabelClass(v, f"class {v}", _colour(v, table)) for v in classes), unknown)


def _named(names: list[str], table: Table) -> Palette:
    unknown = tuple(number for number, name in enumerate(names) if name.lower() in UNKNOWN)
    classes = [
        LabelClass(number, name, _colour(number, table))
        for number, name in enumerate(names)
        if number not in unknown
    ]
    if not classes:
        raise ConfigError(f"classes {names}: all mean 'of no class'")
    return Palette(tuple(classes), unknown)


def _colour(number: int, table: Table) -> tuple[int, int, int]:
    """Return a table's colour, or one far from those of the numbers around it."""
    if number < len(table):
        return table[number]
    hue, lightness = number * _GOLDEN % 1, (0.45, 0.65, 0.55)[number % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.65)
    return round(red * 255), round(green * 255), round(blue * 255)
