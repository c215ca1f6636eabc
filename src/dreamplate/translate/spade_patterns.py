"""Label maps as few different neighbourhoods: what SPADE computes once for all pixels that look alike.

What a SPADE layer does to a pixel depends on labels alone, and only on those within a few pixels. Inside an
object all these neighbourhoods are equal; along borders they repeat. So the layer is evaluated for each
neighbourhood that occurs, and pixels look up their own. This is exact: no two different neighbourhoods are
ever taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Level", "find_level", "neighbourhoods", "resize_index", "resize_labels"]

MOST = 1 << 62
"""Codes stay below this, so that int64 holds them."""


@dataclass(frozen=True, eq=False)
class Level:
    """The neighbourhoods of one size of a label map, for two convolutions of kernel k, one after the other.

    Attributes:
        inner: ``(i, k * k)`` values under the first kernel, row by row; ``outside`` beyond the picture.
        outer: ``(o, k * k)`` rows of ``inner`` under the second kernel; ``i`` beyond the picture.
        inverse: ``(n, h, w)`` row of ``outer`` at each pixel.
        outside: Value that stands for "beyond the picture", one more than the highest.
    """

    inner: Int[Tensor, "i taps"]
    outer: Int[Tensor, "o taps"]
    inverse: Int[Tensor, "n h w"]
    outside: int

    @cached_property
    def order(self) -> tuple[Int[Tensor, " pixels"], Int[Tensor, " o"]]:
        """Pixels by the row they have, and where each row's begin among them."""
        rows = self.inverse.flatten()
        counts = torch.bincount(rows, minlength=len(self.outer))
        return torch.argsort(rows, stable=True), counts.cumsum(0) - counts

    @property
    def share(self) -> float:
        """Different neighbourhoods over pixels, 0-1: the work that is left."""
        return len(self.outer) / self.inverse.numel()


def find_level(values: Int[Tensor, "n h w"], outside: int, kernel: int) -> Level:
    """Return the neighbourhoods of a map of whole numbers 0 to ``outside - 1``."""
    inner, first = neighbourhoods(values, outside, kernel)
    outer, inverse = neighbourhoods(first, len(inner), kernel)
    return Level(inner, outer, inverse, outside)


def neighbourhoods(
    values: Int[Tensor, "n h w"], outside: int, kernel: int
) -> tuple[Int[Tensor, "p taps"], Int[Tensor, "n h w"]]:
    """Return the different k by k neighbourhoods of a map, and which of them each pixel has.

    Args:
        values: Whole numbers 0 to ``outside - 1``.
        outside: Value that stands for pixels beyond the map.
        kernel: k, odd.
    """
    _, height, width = values.shape
    margin = kernel // 2
    padded = torch.nn.functional.pad(values, (margin,) * 4, value=outside)
    wide = padded.shape[2]
    # Rows of k first, then columns of k such rows: two short codes instead of one that no integer holds.
    rows, count = _combine([padded[:, :, i : i + width] for i in range(kernel)], outside + 1)
    codes, count = _combine([rows[:, i : i + height] for i in range(kernel)], count)
    _, inverse = torch.unique(codes, return_inverse=True)
    total = int(inverse.max()) + 1
    # Any pixel that has a neighbourhood can tell what it looks like.
    pixel = torch.empty(total, dtype=torch.int64, device=values.device)
    pixel.scatter_(0, inverse.flatten(), torch.arange(inverse.numel(), device=values.device))
    image, rest = pixel // (height * width), pixel % (height * width)
    corner = image * (padded.shape[1] * wide) + (rest // width) * wide + rest % width
    steps = torch.arange(kernel, device=values.device)
    taps = (steps[:, None] * wide + steps).flatten()
    return padded.flatten()[corner[:, None] + taps], inverse


def _combine(parts: list[Tensor], base: int) -> tuple[Tensor, int]:
    """Return one code, and their number, for several values each below ``base``."""
    code, count = parts[0], base
    for part in parts[1:]:
        if count * base > MOST:
            values, code = torch.unique(code, return_inverse=True)
            count = len(values)
        code, count = code * base + part, count * base
    if count > MOST // base or count > 1 << 20:
        values, code = torch.unique(code, return_inverse=True)
        count = len(values)
    return code, count


def resize_index(before: int, after: int, device: torch.device | None = None) -> Int[Tensor, " after"]:
    """Return which of ``before`` pixels each of ``after`` shows: floor(i · before / after)."""
    return torch.arange(after, device=device) * before // after


def resize_labels(values: Int[Tensor, "n h w"], size: tuple[int, int]) -> Int[Tensor, "n h_out w_out"]:
    """Resize a map of whole numbers to (height, width), taking the nearest towards the top left."""
    if tuple(values.shape[-2:]) == size:
        return values
    rows = resize_index(values.shape[1], size[0], values.device)
    columns = resize_index(values.shape[2], size[1], values.device)
    return values.index_select(1, rows).index_select(2, columns)
