"""Working on a picture tile by tile, so that memory does not grow with it and no border shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from dreamplate.plate.plate import Pixels

Network = Callable[[Pixels], Pixels]
"""Enlarges ``(h, w, 3)`` display-encoded colour in [0, 1] by a whole factor."""

CONTEXT = 16
"""Pixels around a tile that the network sees and that are thrown away."""
FADE = 8
"""Pixels on either side of a border over which neighbouring tiles are blended."""


def tiles(shape: tuple[int, ...], tile: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield top, bottom, left and right of tiles of about one size that cover a picture."""
    for top, bottom in _cuts(shape[0], tile):
        for left, right in _cuts(shape[1], tile):
            yield top, bottom, left, right


def _cuts(length: int, tile: int) -> list[tuple[int, int]]:
    count = -(-length // tile)
    edges = [round(length * at / count) for at in range(count + 1)]
    return list(pairwise(edges))


def in_tiles(
    network: Network, image: Pixels, factor: int, tile: int, tick: Callable[[], None] = lambda: None
) -> Pixels:
    """Return a picture enlarged tile by tile, neighbours blended into each other.

    Beyond the picture's edges the network sees it mirrored.

    Args:
        network: What enlarges.
        image: ``(h, w, 3)`` in [0, 1].
        factor: By how much.
        tile: Largest side of a tile.
        tick: Called after each tile.
    """
    height, width = image.shape[:2]
    around = CONTEXT + FADE
    padded = np.pad(image, [(around, around), (around, around), (0, 0)], mode="reflect")
    made = np.zeros((height * factor, width * factor, 3), np.float32)
    for top, bottom, left, right in tiles(image.shape[:2], tile):
        window = padded[top : bottom + 2 * around, left : right + 2 * around]
        grown = network(np.ascontiguousarray(window))
        y0, y1 = max(top - FADE, 0), min(bottom + FADE, height)
        x0, x1 = max(left - FADE, 0), min(right + FADE, width)
        rows = slice((y0 - top + around) * factor, (y1 - top + around) * factor)
        columns = slice((x0 - left + around) * factor, (x1 - left + around) * factor)
        weight = (
            _ramp(top, bottom, height, factor)[:, None, None]
            * _ramp(left, right, width, factor)[None, :, None]
        )
        made[y0 * factor : y1 * factor, x0 * factor : x1 * factor] += grown[rows, columns] * weight
        tick()
    return made


def _ramp(start: int, end: int, length: int, factor: int) -> Pixels:
    """Return the weight of a tile along one axis: 1 inside, falling to 0 across borders with neighbours."""
    low, high = max(start - FADE, 0), min(end + FADE, length)
    place = (np.arange((high - low) * factor) + 0.5) / factor + low
    weight = np.ones(len(place))
    if start > 0:
        weight = np.minimum(weight, (place - (start - FADE)) / (2 * FADE))
    if end < length:
        weight = np.minimum(weight, ((end + FADE) - place) / (2 * FADE))
    return weight.astype(np.float32)
