"""Cutting a frame into overlapping tiles, and joining what was made of them without seams.

A tile is seen with what surrounds it as far as the network reaches, so that with frozen statistics each pixel
is what the whole frame would have given. Windows begin and end at multiples of the network's stride, so that
every halving and every nearest-neighbour resize inside falls on the same pixels in each tile. Neighbours fade
into each other, for networks that reach farther than they admit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.translate.given import Window

__all__ = ["Cutting", "Tile", "blend", "cut_up", "largest_window", "smallest_window"]

FADE, MOST_FADE = 8, 64
"""Pixels on either side of a border over which neighbours are blended: at least and at most."""


@dataclass(frozen=True)
class Tile:
    """One tile: what the network sees, and the part of that which is kept, fades included."""

    window: Window
    kept: Window


@dataclass(frozen=True)
class Cutting:
    """How far tiles overlap.

    Attributes:
        multiple: Sides of windows, and where they begin, are multiples of this.
        context: Pixels that a window has around a tile; a multiple.
        fade: Half of the width over which neighbours are blended.
    """

    multiple: int
    context: int
    fade: int

    @classmethod
    def of(cls, multiple: int, reach: int) -> Cutting:
        """Return the cutting for a network that reaches so far."""
        context = math.ceil((reach + FADE) / multiple) * multiple
        return cls(multiple, context, min(context - reach, MOST_FADE))


def smallest_window(cutting: Cutting) -> int:
    """Return the smallest side of a window for which no tile is narrower than its two fades."""
    # Sharing a length out evenly may give a tile half of the largest.
    core = 2 * math.ceil(2 * cutting.fade / cutting.multiple) - 1
    return 2 * cutting.context + max(1, core) * cutting.multiple


def largest_window(size: tuple[int, int], pixels: int, cutting: Cutting) -> tuple[int, int]:
    """Return sides of windows, as near to square as the frame allows, of at most so many pixels.

    They are never smaller than `smallest_window`, nor larger than the frame.

    Args:
        size: Of the frame, multiples.
        pixels: That the network may see at once.
        cutting: How far tiles overlap.
    """
    least = smallest_window(cutting)

    def fit(side: float, length: int) -> int:
        whole = int(side) // cutting.multiple * cutting.multiple
        return min(length, max(whole, least))

    square = math.sqrt(pixels)
    if size[0] <= size[1]:
        height = fit(square, size[0])
        return height, fit(pixels / height, size[1])
    width = fit(square, size[1])
    return fit(pixels / width, size[0]), width


def cut_up(size: tuple[int, int], window: tuple[int, int], cutting: Cutting) -> list[Tile]:
    """Return tiles that cover a frame.

    Args:
        size: Height and width of the frame, multiples.
        window: Largest height and width that the network sees.
        cutting: How far tiles overlap.

    Raises:
        ConfigError: The window is too small for this network.
    """
    rows, columns = (_cut(length, side, cutting) for length, side in zip(size, window, strict=True))
    return [
        Tile(Window(*row[0], *column[0]), Window(*row[1], *column[1])) for row in rows for column in columns
    ]


def _cut(length: int, window: int, cutting: Cutting) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return (window, kept) along one axis."""
    if length <= window:
        return [((0, length), (0, length))]
    least = smallest_window(cutting)
    if window < least:
        raise ConfigError(
            f"tile is {window}: this network sees {cutting.context} pixels around each tile; choose {least}"
            " or more"
        )
    units = length // cutting.multiple
    count = math.ceil(length / ((window - 2 * cutting.context) // cutting.multiple * cutting.multiple))
    borders = [units * at // count * cutting.multiple for at in range(count + 1)]
    made = []
    for start, stop in pairwise(borders):
        seen = max(0, start - cutting.context), min(length, stop + cutting.context)
        kept = max(0, start - cutting.fade), min(length, stop + cutting.fade)
        made.append((seen, kept))
    return made


def blend(out: Tensor, made: Tensor, tile: Tile, fade: int) -> None:
    """Add what was made of a tile to the frame (in place); the weights of all tiles add up to 1.

    Args:
        out: ``(1, c, h, w)`` the frame, zeros at first.
        made: ``(1, c, h', w')`` of the tile's window.
        tile: Which.
        fade: Of the cutting.
    """
    kept, seen = tile.kept, tile.window
    rows = slice(kept.top - seen.top, kept.bottom - seen.top)
    columns = slice(kept.left - seen.left, kept.right - seen.left)
    height, width = out.shape[-2:]
    down = _ramp(kept.top, kept.bottom, height, fade)
    across = _ramp(kept.left, kept.right, width, fade)
    part = made[..., rows, columns].to(out.device, out.dtype)
    out[..., kept.top : kept.bottom, kept.left : kept.right] += part * down[:, None] * across


def _ramp(start: int, stop: int, length: int, fade: int) -> Tensor:
    """Return weights along one axis: rising from 0 to 1 over ``2 fade`` pixels where a neighbour falls."""
    weight = torch.ones(stop - start)
    rise = (torch.arange(2 * fade) + 0.5) / (2 * fade)
    if start > 0:
        weight[: 2 * fade] *= rise
    if stop < length:
        weight[-2 * fade :] *= rise.flip(0)
    return weight


def borders(tiles: list[Tile], fade: int) -> Iterator[tuple[int, int]]:
    """Yield (axis, place) of every border between tiles, axis 0 for rows; for measuring."""
    found = set()
    for tile in tiles:
        found |= {(0, tile.kept.top + fade)} if tile.kept.top else set()
        found |= {(1, tile.kept.left + fade)} if tile.kept.left else set()
    yield from sorted(found)
