"""Examples to learn from: all that one split holds, and a batch of them for every step."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from dreamplate.train.batch import Batch
from dreamplate.train.data.assemble import assemble
from dreamplate.train.data.geometry import centre, draw_places
from dreamplate.train.data.shelf import Shelf
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions
from dreamplate.train.port import Port

__all__ = ["Examples"]

WAITING = 8
"""Most batches made ahead that nobody has asked for yet."""


class Examples:
    """Examples of one split, every one decoded once and found sound; made by `open_examples`.

    Attributes:
        names: Of the examples, in the order of their numbers.
        given: Port of the condition; None where there is none.
        made: Port of the image.
        notices: What was found or assumed, for people.
        left_out: Files that are not used, each with the reason.
    """

    def __init__(
        self,
        shelf: Shelf,
        augment: AugmentOptions,
        *,
        partners: Shelf | None = None,
        notices: Sequence[str] = (),
        left_out: Sequence[str] = (),
    ) -> None:
        """Take examples that have been checked.

        Args:
            shelf: The examples.
            augment: How they are varied.
            partners: Conditions of unpaired data, drawn anew for every image.
            notices: For people.
            left_out: Files that are not used.
        """
        self._shelf, self._partners, self.augment = shelf, partners, augment
        self.given: Port | None = shelf.ports[0]
        self.made: Port = shelf.ports[1]
        self.names = tuple(shelf.name(index) for index in range(len(shelf)))
        self.notices, self.left_out = tuple(notices), tuple(left_out)
        self._ahead = ThreadPoolExecutor(1, "dreamplate-examples")
        self._waiting: dict[tuple[object, ...], Future[Batch]] = {}

    def __len__(self) -> int:
        return len(self._shelf)

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        """Return examples side by side, varied as the options say.

        Args:
            indices: Their numbers: this process's share of the batch.
            draws: Random numbers of this step; the same ones give the same batch, whatever came before. None
                for measuring: nothing is varied and the middle is cut out; with ``stretch`` the whole picture
                is made as large as the crop, as the original programs test.

        Raises:
            MediaError: A file has changed since it was checked, or sizes differ and there is no crop.
        """
        ready = self._waiting.pop(_key(indices, draws), None)
        return self._make(tuple(indices), draws) if ready is None else ready.result()

    def ahead(self, indices: Sequence[int], draws: Draws | None) -> None:
        """Begin to make what `batch` will be asked for with the same arguments; returns at once."""
        key = _key(indices, draws)
        if key in self._waiting:
            return
        while len(self._waiting) >= WAITING:
            self._waiting.pop(next(iter(self._waiting))).cancel()
        self._waiting[key] = self._ahead.submit(self._make, tuple(indices), draws)

    def whole(self, index: int) -> Batch:
        """Return one example at its full size, as it is stored."""
        parts = self._shelf.whole(index)
        made = assemble([parts], [centre(parts.size, (0, 0))], (self.names[index],), self.given)
        if self._partners is None:
            return made
        partner = self._partners.whole(index % len(self._partners))
        other = assemble([partner], [centre(partner.size, (0, 0))], (self.names[index],), self.given)
        return replace(made, condition=other.condition, labels=other.labels)

    def _make(self, indices: tuple[int, ...], draws: Draws | None) -> Batch:
        names = tuple(self.names[index] for index in indices)
        made = self._view(self._shelf, indices, names, draws)
        if self._partners is None:
            return made
        count = len(self._partners)
        chosen = [index % count for index in indices]
        if draws is not None:
            chosen = draws.named("partners").integers(count, (len(indices),)).tolist()
        drawn = None if draws is None else draws.named("of partners")
        other = self._view(self._partners, chosen, names, drawn)
        return replace(made, condition=other.condition, labels=other.labels)

    def _view(
        self, shelf: Shelf, indices: Sequence[int], names: tuple[str, ...], draws: Draws | None
    ) -> Batch:
        found = [shelf.take(index, measuring=draws is None) for index in indices]
        sizes = [parts.size for parts in found]
        crop = (shelf.source.crop[1], shelf.source.crop[0])
        if draws is None:
            return assemble(found, [centre(size, crop) for size in sizes], names, self.given)
        places = draw_places(draws.named("geometry").uniform((len(indices), 5)), sizes, crop, self.augment)
        colour = self.augment.colour, draws.named("colour").uniform((len(indices), 3))
        return assemble(found, places, names, self.given, colour)


def _key(indices: Sequence[int], draws: Draws | None) -> tuple[object, ...]:
    return (tuple(indices), *((draws.parts, draws.rank, draws.world) if draws is not None else ()))
