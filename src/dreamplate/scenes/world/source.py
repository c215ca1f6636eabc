"""Pictures of worlds by number: what streams into training, and what `files` writes.

Every picture follows from the seed of the set and its number alone, in whatever order and on however many
threads they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import ConfigError
from dreamplate.plate.camera import Camera
from dreamplate.plate.plate import Plate
from dreamplate.scenes.world.build import World, build
from dreamplate.scenes.world.caption import captions
from dreamplate.scenes.world.draw import draw_spec, stream
from dreamplate.scenes.world.facts import facts_of
from dreamplate.scenes.world.passes import NOTHING, Frame, checked_passes, display
from dreamplate.scenes.world.render import SAMPLES, render
from dreamplate.scenes.world.spec import WorldSpec

__all__ = ["CAPTIONS", "LARGEST", "Sample", "Seen", "WorldPictures", "check_size", "see", "seed_of", "shown"]

LARGEST = 8192
"""Pixels along a side, at most."""
CAPTIONS = 4
"""Captions of every picture."""
HELD_OUT = 20
"""Every so many pictures one is for validation."""
_NEEDED = ("rgb", "label", "instance", "range")


@dataclass(frozen=True, eq=False)
class Seen:
    """A world as a camera saw it.

    Attributes:
        world: The world.
        frame: All passes that were asked for, and rgb, label, instance and range.
        facts: See `facts`.
        captions: Sentences about it, the fullest first.
    """

    world: World
    frame: Frame
    facts: Mapping[str, str]
    captions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of a set.

    Attributes:
        rgb: Display-encoded ``R G B``, as an 8-bit file would hold it.
        passes: Other passes as pictures, by name: see `shown`.
        captions: Sentences about it.
        facts: See `facts`.
    """

    rgb: Plate
    passes: Mapping[str, Plate]
    captions: tuple[str, ...]
    facts: Mapping[str, str]


class WorldPictures:
    """A set of pictures of drawn worlds, rendered when they are asked for.

    Args:
        seed: That all follow from.
        count: How many there are.
        size: Side of the square pictures in pixels, or width and height.
        passes: What is wanted besides rgb.
        samples: Rays through a pixel on an edge.
        fixed: Fields of every spec that are not drawn (see `draw_spec`).

    Raises:
        ConfigError: A number is out of bounds, or a field unknown.
        SceneError: A pass is unknown.
    """

    def __init__(
        self,
        seed: int,
        count: int,
        size: int | tuple[int, int] = 128,
        passes: Sequence[str] = (),
        *,
        samples: int = SAMPLES,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        self.width, self.height = check_size((size, size) if isinstance(size, int) else size)
        if count < 1:
            raise ConfigError(f"count is {count}; need at least 1")
        self.seed, self.count, self.samples = seed, count, samples
        self.passes = checked_passes(("rgb", *passes))[1:]
        self.fixed = dict(fixed or {})
        draw_spec(0, **self.fixed)

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """Return its name: its number with at least six digits."""
        return f"{index:06d}"

    def split(self, index: int) -> str:
        """Return ``train`` or ``val``: every twentieth is held out."""
        return "val" if index % HELD_OUT == HELD_OUT - 1 else "train"

    def spec(self, index: int) -> WorldSpec:
        """Return the spec of a picture.

        Raises:
            ConfigError: There is no such picture.
        """
        if not 0 <= index < self.count:
            raise ConfigError(f"picture {index}: there are {self.count}, from 0")
        return draw_spec(seed_of(self.seed, index), **self.fixed)

    def see(self, index: int) -> Seen:
        """Return a picture with its world and all passes."""
        return see(self.spec(index), self.width, self.height, self.passes, samples=self.samples)

    def read(self, index: int) -> Sample:
        """Return a picture as training wants it."""
        seen = self.see(index)
        passes = {name: shown(name, seen.frame[name]) for name in self.passes}
        return Sample(shown("rgb", seen.frame["rgb"]), passes, seen.captions, seen.facts)


def check_size(size: Sequence[int]) -> tuple[int, int]:
    """Return width and height.

    Raises:
        ConfigError: One is below 8 or above `LARGEST`.
    """
    width, height = (int(side) for side in size)
    if not (8 <= width <= LARGEST and 8 <= height <= LARGEST):
        raise ConfigError(f"size is {width} x {height}; each side must be from 8 to {LARGEST} pixels")
    return width, height


def seed_of(seed: int, index: int) -> int:
    """Return the seed of a picture of a set: the set's own for the first, then well mixed ones."""
    return seed if index == 0 else int(stream(seed, f"picture {index}").integers(0, 2**62))


def see(
    spec: WorldSpec,
    width: int,
    height: int,
    passes: Sequence[str] = (),
    *,
    samples: int = SAMPLES,
    world: World | None = None,
    camera: Camera | None = None,
    time: float = 0.0,
    **others: Any,
) -> Seen:
    """Build a world, render it, and say what is seen.

    Args:
        spec: The world.
        width: Pixels.
        height: Pixels.
        passes: What is wanted besides rgb, label, instance and range.
        samples: Rays through a pixel on an edge.
        world: The world, where it is built already.
        camera: Where it is seen from; the viewpoint of the world when None.
        time: Seconds.
        **others: As in `render`: the next and the previous camera and time.

    Raises:
        ConfigError: A field of the spec is out of bounds.
        SceneError: The world cannot be, or a pass is unknown.
    """
    made = build(spec) if world is None else world
    eye = made.camera(width, height, time) if camera is None else camera
    names = checked_passes((*_NEEDED, *passes))
    frame = render(made, eye, time, passes=names, samples=samples, **others)
    facts = facts_of(made, frame["label"], frame["instance"], frame["range"], eye)
    return Seen(made, frame, facts, captions(facts, spec.seed, CAPTIONS))


def shown(name: str, values: npt.NDArray[Any]) -> Plate:
    """Return a pass as a picture of one or three channels.

        rgb         display-encoded R G B, 8 bits         line       Y, display-encoded, 8 bits
        label       Y, class ids                          albedo     display-encoded R G B
        instance    Y, ids                                normal     R G B: (n + 1) / 2; grey: none
        depth       Y: 1 / (1 + metres / 20), near is bright; so has range
        others      their own channels

    Args:
        name: Of the pass.
        values: ``(height, width)`` or ``(height, width, k)``.
    """
    if name in ("rgb", "albedo"):
        return Plate(display(values).astype(np.float32) / np.float32(255), ("R", "G", "B"), "srgb_display")
    if name == "line":
        levels = np.rint(np.clip(values, 0, 1) * 255) / 255
        return Plate(levels.astype(np.float32)[:, :, None], ("Y",), "srgb_display")
    if name in ("depth", "range"):
        near = np.where(values >= NOTHING, 0, 1 / (1 + np.maximum(values, 0) / 20))
        return Plate(near.astype(np.float32)[:, :, None], ("Y",), "raw")
    if name == "normal":
        return Plate((values / 2 + 0.5).astype(np.float32), ("R", "G", "B"), "raw")
    if values.ndim == 2:
        return Plate(values.astype(np.float32)[:, :, None], ("Y",), "raw")
    channels = tuple("xyz"[: values.shape[2]]) if name == "position" else tuple("uv"[: values.shape[2]])
    return Plate(values.astype(np.float32), channels, "raw")
