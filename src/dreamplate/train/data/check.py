"""Going through all examples before training, several at once: what they hold, and which are bad."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dreamplate.errors import MediaError
from dreamplate.plate.labels import Palette
from dreamplate.train.data.raw import RawExample, RawExamples
from dreamplate.train.data.shelf import Shelf
from dreamplate.train.data.survey import Facts, facts_of

__all__ = ["check_shelf", "survey"]

SAMPLE = 256
"""Examples whose facts stand for all, where all are 8- or 16-bit pictures."""
T = TypeVar("T")


class _UnreadableError(Exception):
    """A file could not be read, as opposed to: it is sound and does not fit."""


def survey(raw: RawExamples, chosen: Sequence[int], palette: Palette | None, *, skip: bool) -> list[Facts]:
    """Return what examples hold: of all of them, or of some where more would not say more.

    Args:
        raw: The source.
        chosen: Numbers of the examples.
        palette: Of label maps; None: their ids are collected, from every one.
        skip: Leave out those that cannot be read.

    Raises:
        MediaError: One cannot be read (without ``skip``), or does not fit together.
    """

    def look(index: int) -> Facts:
        return facts_of(_read(raw, index), palette)

    step = max(1, len(chosen) // SAMPLE)
    first = chosen[::step]
    found = _each(look, first, skip=skip)[0]
    whole_numbers = all(kind.startswith("uint") for f in found for kind in (*f.types.values(), *_unknown(f)))
    if step > 1 and (not whole_numbers or any(f.ids for f in found)):
        done = set(first)
        found += _each(look, [index for index in chosen if index not in done], skip=skip)[0]
    return found


def check_shelf(shelf: Shelf, *, measuring: bool, skip: bool) -> list[str]:
    """Decode and prepare every example, keep what fits into memory, and take bad ones off the shelf.

    Returns:
        Why each was left out.

    Raises:
        MediaError: One cannot be read (without ``skip``): names it, and says how many more there are. Or one
            does not fit: sizes, channels, labels outside the palette.
    """

    def look(place: int) -> None:
        shelf.take(place, measuring=measuring, read=_read)

    _, bad = _each(look, range(len(shelf)), skip=skip)
    shelf.remove(bad)
    return [bad[place] for place in sorted(bad)]


def _unknown(facts: Facts) -> tuple[str, ...]:
    return ("float",) if any(role not in facts.types for role in facts.channels) else ()


def _read(raw: RawExamples, index: int) -> RawExample:
    try:
        return raw.read(index)
    except MediaError as error:
        raise _UnreadableError(str(error)) from error


def _each(look: Callable[[int], T], numbers: Sequence[int], *, skip: bool) -> tuple[list[T], dict[int, str]]:
    """Call ``look`` for each number in threads; returns results in order, and reasons of what failed."""

    def tried(number: int) -> T | _UnreadableError:
        try:
            return look(number)
        except _UnreadableError as error:
            return error

    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, "dreamplate-check") as helpers:
        outcomes = list(zip(numbers, helpers.map(tried, numbers), strict=True))
    bad = {number: str(outcome) for number, outcome in outcomes if isinstance(outcome, _UnreadableError)}
    if bad and not skip:
        more = f" ({len(bad) - 1} more cannot be read either)" if len(bad) > 1 else ""
        raise MediaError(f"{next(iter(bad.values()))}{more}; or leave such files out with --source.skip-bad")
    return [outcome for _, outcome in outcomes if not isinstance(outcome, _UnreadableError)], bad
