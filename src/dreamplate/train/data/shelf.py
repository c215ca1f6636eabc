"""Examples of one source, decoded and scaled, kept in memory as far as it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Sequence

from dreamplate.errors import MediaError
from dreamplate.train.data.assemble import check_one_size
from dreamplate.train.data.geometry import scaled_size
from dreamplate.train.data.prepare import Prepared, check_sizes, prepare
from dreamplate.train.data.raw import RawExample, RawExamples
from dreamplate.train.options import SourceOptions
from dreamplate.train.port import Port

__all__ = ["Shelf"]

Reader = Callable[[RawExamples, int], RawExample]


class Shelf:
    """Some examples of a source.

    Every epoch asks for each example once, in a new order, so the first that come are kept until the memory
    is used up, and none is thrown out again: any other rule would read more.

    Args:
        raw: The source.
        chosen: Numbers of the examples in it.
        ports: Of condition and image.
        source: ``shortest``, ``stretch`` and ``crop``.
        memory: Bytes that prepared examples may take.
    """

    def __init__(
        self,
        raw: RawExamples,
        chosen: Sequence[int],
        ports: tuple[Port | None, Port],
        source: SourceOptions,
        memory: int,
    ) -> None:
        self.raw, self.chosen, self.ports, self.source = raw, tuple(chosen), ports, source
        self._free, self._lock = memory, threading.Lock()
        self._kept: dict[tuple[int, bool], Prepared] = {}
        self._sizes: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.chosen)

    def name(self, index: int) -> str:
        """Return an example's name."""
        return self.raw.name(self.chosen[index])

    def remove(self, places: Container[int]) -> None:
        """Take examples off the shelf; the others move up."""
        left = [place for place in range(len(self.chosen)) if place not in places]
        moved = {old: new for new, old in enumerate(left)}
        self._kept = {
            (moved[old], fitted): kept for (old, fitted), kept in self._kept.items() if old in moved
        }
        self.chosen = tuple(self.chosen[place] for place in left)

    def take(self, index: int, *, measuring: bool = False, read: Reader | None = None) -> Prepared:
        """Return an example scaled as the options say.

        Args:
            index: Its number on this shelf.
            measuring: With ``stretch``, make it as large as the crop.
            read: In place of the source's own method.

        Raises:
            MediaError: It cannot be read, or does not fit.
        """
        fitted = measuring and self.source.stretch and self.source.crop != (0, 0)
        kept = self._kept.get((index, fitted))
        if kept is not None:
            return kept
        number = self.chosen[index]
        raw = read(self.raw, number) if read is not None else self.raw.read(number)
        size = check_sizes(raw)
        if fitted:
            size = (self.source.crop[1], self.source.crop[0])
        else:
            size = scaled_size(size, self.source.shortest, stretch=self.source.stretch)
        self._check_crop(raw, size)
        made = prepare(raw, *self.ports, size)
        with self._lock:
            self._sizes[number] = size
            if made.bytes <= self._free and (index, fitted) not in self._kept:
                self._free -= made.bytes
                self._kept[index, fitted] = made
        return made

    def check_one_size(self) -> None:
        """Refuse examples that cannot lie side by side whole.

        Raises:
            MediaError: Two differ in size; names both.
        """
        check_one_size(
            [self._sizes[number] for number in self.chosen], [self.raw.name(n) for n in self.chosen]
        )

    def whole(self, index: int) -> Prepared:
        """Return an example at its full size; it is not kept."""
        raw = self.raw.read(self.chosen[index])
        return prepare(raw, *self.ports, check_sizes(raw))

    def _check_crop(self, raw: RawExample, size: tuple[int, int]) -> None:
        width, height = self.source.crop
        if size[0] < height or size[1] < width:
            name = next(iter(raw.files.values()), "example")
            raise MediaError(
                f"{name}: is {size[1]}x{size[0]} when it is cut, smaller than source.crop {width}x{height}; "
                "enlarge it with --source.shortest, or use a smaller crop"
            )
