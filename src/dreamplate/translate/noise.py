"""Dropout that knows nothing of tiles: noise that belongs to places of the frame, part by part."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dreamplate.train.draws import Draws
from dreamplate.translate.given import Window

__all__ = ["PlacedNoise"]

BLOCK = 256
"""Side of the squares of the frame for which noise is drawn at once, rounded up to the network's multiple."""


class PlacedNoise:
    """Uniform numbers that follow from seed, layer and place, so that tiles agree where they meet.

    The same numbers serve every frame, which keeps a sequence steady.

    Args:
        seed: What they follow from.
        multiple: Of the network.
    """

    def __init__(self, seed: int, multiple: int) -> None:
        self.seed, self.block = seed, -(-BLOCK // multiple) * multiple
        self.window = Window(0, 0, 0, 0)
        self.layer = 0

    def at(self, window: Window) -> PlacedNoise:
        """Say which part of the frame the network is about to see; its layers are counted anew."""
        self.window, self.layer = window, 0
        return self

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Return numbers in [0, 1) for the next layer: ``(n, c, h, w)``, the same for each of n."""
        count, channels, height, width = shape
        self.layer += 1
        stride, rest = divmod(self.window.height, height)
        if rest or self.window.width != stride * width or self.block % stride or self.window.top % stride:
            # A layer whose pixels are no squares of the frame, such as a vector: one draw for all tiles.
            return Draws(self.seed, "dropout", self.layer).uniform((1, *shape[1:])).expand(count, -1, -1, -1)
        side = self.block // stride
        top, left = self.window.top // stride, self.window.left // stride
        rows = range(top // side, -(-(top + height) // side))
        columns = range(left // side, -(-(left + width) // side))

        def square(row: int, column: int) -> Tensor:
            return Draws(self.seed, "dropout", self.layer, row, column).uniform((1, channels, side, side))

        whole = torch.cat([torch.cat([square(r, c) for c in columns], 3) for r in rows], 2)
        top, left = top - rows[0] * side, left - columns[0] * side
        return whole[..., top : top + height, left : left + width].expand(count, -1, -1, -1)
