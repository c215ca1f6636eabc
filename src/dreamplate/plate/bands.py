"""Which rows and channels to ask a decoder for at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_BAND = 1 << 25
"""Bytes decoded at a time: a lying header fails before much memory is touched."""


@dataclass(frozen=True)
class Run:
    """Neighbouring stored channels ``begin`` to ``end``, decoded together to one sample type.

    ``places`` pairs a channel of the result with a channel of the run.
    """

    begin: int
    end: int
    sample: str
    places: tuple[tuple[int, int], ...]


def bands(first: int, last: int, row_bytes: int, tile: tuple[int, int] | None) -> Iterator[tuple[int, int]]:
    """Yield row ranges that cover ``first`` to ``last``, whole tiles where the file is tiled."""
    unit = tile[1] if tile else 16
    step = max(unit, _BAND // max(1, row_bytes) // unit * unit)
    top = first // unit * unit if tile else first
    while top < last:
        # Later bands start on multiples of the unit, as the compressed blocks of the file do.
        bottom = (top + step) // unit * unit
        yield top, bottom if tile else min(bottom, last)
        top = bottom


def runs(
    channels: tuple[str, ...], types: tuple[str, ...], names: tuple[str, ...], *, whole_numbers: bool
) -> Iterator[Run]:
    """Group the wanted channels into neighbouring runs of one sample type.

    Args:
        channels: All channels of the part, in stored order.
        types: Their sample types.
        names: The channels wanted, in the order wanted.
        whole_numbers: Decode whole numbers as they are, not scaled to 0-1.
    """
    wanted = sorted((channels.index(name), place) for place, name in enumerate(names))

    def sample(index: int) -> str:
        # OpenImageIO scales whole numbers to 0-1; in OpenEXR they are identifiers and stay what they are.
        return "uint" if whole_numbers and types[index] == "uint" else "float"

    start = 0
    for stop in range(1, len(wanted) + 1):
        if stop < len(wanted):
            before, here = wanted[stop - 1][0], wanted[stop][0]
            if here == before + 1 and sample(here) == sample(before):
                continue
        run = wanted[start:stop]
        begin = run[0][0]
        places = tuple((place, index - begin) for index, place in run)
        yield Run(begin, run[-1][0] + 1, sample(begin), places)
        start = stop
