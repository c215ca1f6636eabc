"""Where examples come from, as the rest sees it: a few methods, whether files or a renderer answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dreamplate.plate.label_files import Ids, LabelMap
from dreamplate.plate.plate import Pixels, Plate

__all__ = ["RawExample", "RawExamples"]


@dataclass(frozen=True, eq=False)
class RawExample:
    """One example as it is stored; all parts are of one size.

    Attributes:
        image: What the model shall make; several where there are several right answers.
        condition: What it is given: a plate, a label map, or nothing.
        instances: ``(height, width)`` object ids.
        weight: ``(height, width)`` how much each pixel counts, 0-1.
        files: Name of each part's file, by field, for messages.
        types: Sample type of each part's file, by field: ``uint8 uint16 half float``; where known.
        texts: What is said of it: one caption or several.
        facts: What is known of it, by name: ``time`` → ``night``.
    """

    image: tuple[Plate, ...]
    condition: Plate | LabelMap | None = None
    instances: Ids | None = None
    weight: Pixels | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


class RawExamples(Protocol):
    """A source of examples: files, shards, or a program that renders them on demand.

    ``read`` is called from several threads, and more than once for an example, which must stay the same.
    """

    def __len__(self) -> int:
        """How many there are."""
        ...

    def name(self, index: int) -> str:
        """Return its name, unique in this source."""
        ...

    def split(self, index: int) -> str:
        """Return the split it belongs to, such as ``train``; empty where there are no splits."""
        ...

    def read(self, index: int) -> RawExample:
        """Return it.

        Raises:
            MediaError: It cannot be read.
        """
        ...
