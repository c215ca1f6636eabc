"""The note: what a plate knows and a file format has no place for, kept in the file as JSON text.

Every format but DPX has some corner for free text. There we keep the colour space, the windows and
those metadata entries that the format itself would drop or round, so that a plate comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamplate.plate.plate import Box, MetaValue, Plate

NOTE_KEY = "dreamplate:plate"
"""Name of the attribute or text chunk that holds the note."""


@dataclass(frozen=True)
class Note:
    """What a file says about its plate beyond the format's own header.

    Attributes:
        colourspace: Name of the colour space, or None.
        data_window: Where the pixels lie, or None.
        display_window: The frame, or None.
        metadata: Entries that the format would not keep exactly.
    """

    colourspace: str | None = None
    data_window: Box | None = None
    display_window: Box | None = None
    metadata: Mapping[str, MetaValue] = field(default_factory=dict)


def write_note(plate: Plate, metadata: Mapping[str, MetaValue], *, windows: bool) -> str:
    """Return the note of a plate as pure ASCII text without line ends."""
    note: dict[str, Any] = {"colourspace": plate.colourspace}
    if windows and (plate.data != plate.display or plate.data[:2] != (0, 0)):
        note |= {"data_window": plate.data, "display_window": plate.display}
    if metadata:
        note["metadata"] = dict(metadata)
    return json.dumps(note, ensure_ascii=True, separators=(",", ":"))


def read_note(text: str | None, width: int, height: int) -> Note:
    """Return the note in ``text``; whatever is malformed or does not fit the picture is left out.

    A note comes from a file and may hold anything, so every part is checked by itself.
    """
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        return Note()
    space = found.get("colourspace")
    data, display = _box(found.get("data_window")), _box(found.get("display_window"))
    if data is None or display is None or (data.width, data.height) != (width, height):
        data = display = None
    entries = found.get("metadata")
    kept: dict[str, MetaValue] = {}
    for key, value in entries.items() if isinstance(entries, dict) else ():
        checked = tuple(value) if isinstance(value, list) else value
        if key and key.isprintable() and _plain(checked):
            kept[key] = checked
    known = isinstance(space, str) and space.strip() != "" and space.isprintable()
    return Note(space if known else None, data, display, kept)


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, tuple):
        return len(value) > 0 and all(type(v) is float for v in value)
    return type(value) in (int, float)


def _box(value: Any) -> Box | None:
    if not (isinstance(value, list) and len(value) == 4 and all(type(v) is int for v in value)):
        return None
    box = Box(*value)
    return box if box.sound() else None
