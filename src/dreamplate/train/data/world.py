"""A drawn world as examples: ``--data world:count=1000,size=128,condition=label``, nothing on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.plate.colour import convert
from dreamplate.plate.label_files import LabelMap
from dreamplate.plate.plate import Plate
from dreamplate.take.config import from_dict
from dreamplate.take.fields import Bounds
from dreamplate.train.data.raw import RawExample

if TYPE_CHECKING:
    from dreamplate.scenes.world.source import WorldPictures

__all__ = ["WorldData", "WorldExamples", "is_world", "parse_world"]

PREFIX = "world:"
LEVELS = 255
"""Pictures are as 8-bit files of them would be, so that training on either is the same."""


@dataclass(frozen=True)
class WorldData:
    """Which pictures of the world."""

    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that all of them follow from."""
    count: Annotated[int, Bounds(ge=2, le=10**7)] = 1000
    """How many."""
    size: Annotated[int, Bounds(ge=16, le=4096)] = 128
    """Side in pixels."""
    condition: Literal["none", "label", "line", "depth", "normal"] = "none"
    """What a model is given: nothing, or this pass."""


def is_world(data: Path) -> bool:
    """Say whether ``--data`` means a drawn world; the path may have been made absolute."""
    return data.name.startswith(PREFIX)


def parse_world(data: Path) -> WorldData:
    """Read ``world:NAME=VALUE,…``.

    Raises:
        ConfigError: A name is unknown, or a value is out of bounds.
    """
    entries: dict[str, Any] = {}
    for item in data.name.removeprefix(PREFIX).split(","):
        name, equals, value = item.partition("=")
        if not item:
            continue
        if not equals:
            raise ConfigError(f"data {data.name}: {item!r} says nothing; write world:count=1000,size=128")
        entries[name.strip()] = int(value) if value.strip().isdecimal() else value.strip()
    return from_dict(WorldData, entries, source=f"data {PREFIX}")


class WorldExamples:
    """Pictures of the world, as `RawExamples`; rendered when they are asked for.

    Args:
        about: Which.
        pictures: The renderer.
    """

    def __init__(self, about: WorldData, pictures: WorldPictures) -> None:
        self.about, self.pictures = about, pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def name(self, index: int) -> str:
        """Return its name."""
        return self.pictures.name(index)

    def split(self, index: int) -> str:
        """Return its split."""
        return self.pictures.split(index)

    def read(self, index: int) -> RawExample:
        """Return it: the picture as an 8-bit file would hold it, and the pass that is the condition."""
        seen = self.pictures.read(index)
        image = convert(seen.rgb, "srgb_display")
        levels = np.rint(np.clip(image.rgb(), 0, 1) * LEVELS) / LEVELS
        image = Plate(levels.astype(np.float32), ("R", "G", "B"), "srgb_display")
        return RawExample(
            (image,),
            condition_of(seen.passes, self.about.condition),
            types={"image": "uint8"},
            texts=tuple(seen.captions),
            facts=dict(seen.facts),
        )


def condition_of(passes: Mapping[str, Plate], name: str) -> Plate | LabelMap | None:
    """Return the pass that a model is given."""
    if name == "none":
        return None
    plate = passes[name]
    if name == "label":
        return LabelMap(np.rint(plate.pixels[:, :, 0]).astype(np.int64))
    return plate
