"""A rectangle of pixels, and the checks that a plate makes of its parts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dreamplate.errors import MediaError

MetaValue = str | int | float | tuple[float, ...]
"""What a metadata entry may hold."""

WINDOW_LIMIT = 1 << 30
"""Largest coordinate of a window."""


class Box(NamedTuple):
    """A rectangle of pixels: its left column, top row, width and height. Rows grow downwards."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column to the right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    def intersect(self, other: Box) -> Box:
        """Return the part that both boxes cover (width or height 0 when they do not meet)."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Box(x, y, max(0, right - x), max(0, bottom - y))

    def sound(self) -> bool:
        """Return whether the box has an inside and lies within the range of coordinates."""
        return self.width > 0 and self.height > 0 and max(map(abs, self)) <= WINDOW_LIMIT

    def __str__(self) -> str:
        return f"{self.width}x{self.height}{self.x:+d}{self.y:+d}"


def check_channels(names: tuple[str, ...], count: int) -> None:
    """Refuse channel names that are not ``count`` different printable texts.

    Raises:
        MediaError: They are not.
    """
    if len(names) != count:
        raise MediaError(f"channels: {len(names)} names for {count} channels; give one name each")
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name.encode()) < 256:
            raise MediaError(f"channels: {name!r} is no channel name; use 1 to 255 printable characters")
    if len(set(names)) != count:
        twice = next(name for name in names if names.count(name) > 1)
        raise MediaError(f"channels: {twice!r} appears twice; every name must differ")


def meta_value(key: object, value: Any) -> MetaValue:
    """Return a metadata entry as one of the plain types that files can hold.

    Raises:
        MediaError: The name or the value cannot be stored.
    """
    if not isinstance(key, str) or not key or not key.isprintable():
        raise MediaError(f"metadata: {key!r} is no name; use printable text")
    if isinstance(value, str):
        if "\0" in value:
            raise MediaError(f"metadata {key}: text holds a NUL character; remove it")
        return value
    if isinstance(value, bool | int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, tuple | list | np.ndarray) and len(value) and np.asarray(value).dtype.kind in "fiu":
        return tuple(float(v) for v in np.asarray(value).reshape(-1))
    kind = type(value).__name__
    raise MediaError(f"metadata {key}: cannot store a {kind}; use text, a number or a tuple of numbers")
