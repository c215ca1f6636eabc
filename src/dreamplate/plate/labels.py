"""Label maps: which class each pixel belongs to, and the palette that names the classes.

Inside, a class is its *index*: its place in the palette, 0 to ``len(palette) - 1``; pixels of no class hold
``len(palette)``. In files a class is its *id*, any whole number, or its colour.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamplate.errors import ConfigError, MediaError

__all__ = ["LabelClass", "Palette", "read_palette"]

MAX_ID = 2**24
"""Ids are below this, so that float32 holds them exactly."""


@dataclass(frozen=True)
class LabelClass:
    """One class.

    Attributes:
        id: Number that stands for it in files.
        name: For people; unique in its palette.
        colour: Red, green, blue, 0-255, display-encoded.
    """

    id: int
    name: str
    colour: tuple[int, int, int] = (128, 128, 128)


@dataclass(frozen=True)
class Palette:
    """The classes of a label map.

    Attributes:
        classes: In the order of their indices.
        unknown: Ids that mean "of no class"; such pixels are accepted, any other id is an error.

    Raises:
        ConfigError: There is no class, or two have one id or one name.
    """

    classes: tuple[LabelClass, ...]
    unknown: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.classes:
            raise ConfigError("palette: has no classes; name at least one")
        for what in ("id", "name"):
            values = [getattr(item, what) for item in self.classes]
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ConfigError(f"palette: {what} {twice!r} is given twice; make it unique")
        for item in self.classes:
            if not 0 <= item.id < MAX_ID or any(not 0 <= value <= 255 for value in item.colour):
                raise ConfigError(f"palette: class {item.name!r} needs 0 <= id < {MAX_ID}, colours 0-255")
        shared = set(self.unknown) & {item.id for item in self.classes}
        if shared:
            raise ConfigError(f"palette: id {min(shared)} is a class and unknown; decide for one")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def channels(self) -> int:
        """Channels of a one-hot map: a class each, and one more where pixels may be of no class."""
        return len(self.classes) + bool(self.unknown)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of indices."""
        return tuple(item.name for item in self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as in a palette file."""
        classes = [{"id": c.id, "name": c.name, "colour": list(c.colour)} for c in self.classes]
        return {"classes": classes, "unknown": list(self.unknown)}

    @classmethod
    def from_json(cls, data: Any, source: str = "palette") -> Palette:
        """Read plain data: ``{"classes": [{"id", "name", "colour"}], "unknown": [255]}`` or the list alone.

        Raises:
            ConfigError: Something is missing or of another type; names the entry.
        """
        given = data if isinstance(data, Mapping) else {"classes": data}
        extra = set(given) - {"classes", "unknown"}
        if extra or not isinstance(given.get("classes"), list):
            raise ConfigError(f"{source}: need 'classes' (a list) and perhaps 'unknown', found {list(given)}")
        classes = []
        for number, entry in enumerate(given["classes"]):
            try:
                colour = entry.get("colour", entry.get("color", (128, 128, 128)))
                red, green, blue = (int(value) for value in colour)
                classes.append(LabelClass(int(entry["id"]), str(entry["name"]), (red, green, blue)))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ConfigError(
                    f"{source}: classes[{number}] is {str(entry)[:80]!r};"
                    ' write {"id": 0, "name": "sky", "colour": [70, 130, 180]}'
                ) from error
        unknown = given.get("unknown", [])
        if not isinstance(unknown, list) or not all(isinstance(value, int) for value in unknown):
            raise ConfigError(f"{source}: unknown is {unknown!r}; write a list of ids, such as [255]")
        return cls(tuple(classes), tuple(unknown))


def read_palette(path: str | os.PathLike[str]) -> Palette:
    """Read a palette file (JSON).

    Raises:
        MediaError: It cannot be read.
        ConfigError: It is no palette; names the entry.
    """
    place = Path(path)
    try:
        data = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise MediaError(f"{place}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: is not JSON ({str(error)[:80]}); see docs/howto/translate.md") from error
    return Palette.from_json(data, str(place))
