"""What each token of a sequence of words and a picture may look at, and the memory of what was seen.

A sequence is a prefix (a start and words), then a picture's tokens in raster order. Nobody sees what comes
later, and the picture sees the whole prefix. What it sees of itself is a set of distances in raster order
(Ramesh et al. 2021, appendix B.1 and figure 11):

| kind          | distances                                                                             |
|---------------|---------------------------------------------------------------------------------------|
| `full`        | all                                                                                   |
| `row`         | 0 to one row: the last one is the cell above                                          |
| `column`      | whole rows: the cells above                                                           |
| `convolution` | the upper half of a square window; it runs over the ends of rows, as rows do          |

The paper computes columns on a transposed picture by the mask of rows; here a column is only what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dreamplate.errors import ConfigError

__all__ = ["KINDS", "Kind", "KvCache", "Layout", "attend", "distances", "kept", "seen_from"]

SHORT = 512
"""Inputs up to which a processor learns faster by plain products than by the fused attention of torch."""
Kind = Literal["full", "row", "column", "convolution"]
KINDS: tuple[Kind, ...] = ("full", "row", "column", "convolution")


@dataclass(frozen=True)
class Layout:
    """What a sequence holds.

    Attributes:
        prefix: Inputs before the picture.
        rows: Rows of the picture's grid.
        columns: Columns.
        kernel: Side of the window of `convolution`, odd.
    """

    prefix: int
    rows: int
    columns: int
    kernel: int = 11

    @property
    def cells(self) -> int:
        """Tokens of the picture."""
        return self.rows * self.columns

    @property
    def length(self) -> int:
        """Inputs of a whole sequence; the picture's last token is only predicted, never an input."""
        return self.prefix + self.cells - 1


def distances(kind: Kind, layout: Layout) -> Int[Tensor, " k"]:
    """Return how far back in raster order a cell looks, rising, with 0 for itself.

    Raises:
        ConfigError: There is no such kind, or the kernel is even.
    """
    columns, cells = layout.columns, layout.cells
    if kind == "full":
        return torch.arange(cells)
    if kind == "row":
        return torch.arange(min(columns + 1, cells))
    if kind == "column":
        return torch.arange(0, cells, columns)
    if kind != "convolution" or layout.kernel % 2 == 0:
        raise ConfigError(
            f"attention {kind!r} with kernel {layout.kernel}: use {', '.join(KINDS)} and an odd kernel"
        )
    reach = layout.kernel // 2
    down, across = torch.arange(reach + 1)[:, None], torch.arange(-reach, reach + 1)
    found = {back for back in (down * columns + across).flatten().tolist() if 0 <= back < cells}
    return torch.tensor(sorted(found))


def kept(kind: Kind, layout: Layout) -> Bool[Tensor, "n n"]:
    """Return whether the input of each row sees the input of each column, ``(length, length)``."""
    place = torch.arange(layout.length)
    back = place[:, None] - place[None, :]
    sees = back >= 0
    looks = torch.zeros(layout.cells, dtype=torch.bool)
    looks[distances(kind, layout)] = True
    far = ~looks[back.clamp(0, layout.cells - 1)]
    inside = (place[:, None] >= layout.prefix) & (place[None, :] >= layout.prefix)
    return sees & ~(inside & far)


def seen_from(place: int, back: Int[Tensor, " k"], layout: Layout) -> slice | Int[Tensor, " m"]:
    """Return the inputs that one input sees: a slice where they are all before it, else their places.

    Args:
        place: Of the input in the sequence.
        back: From `distances`.
        layout: Of the sequence.
    """
    cell = place - layout.prefix
    if cell < 0 or len(back) == layout.cells:
        return slice(0, place + 1)
    prefix = torch.arange(layout.prefix, device=back.device)
    return torch.cat([prefix, place - back[: int((back <= cell).sum())]])


def attend(
    query: Float[Tensor, "b h m d"],
    key: Float[Tensor, "b h k d"],
    value: Float[Tensor, "b h k d"],
    mask: Bool[Tensor, "m k"] | None = None,
    *,
    causal: bool = False,
) -> Float[Tensor, "b h m d"]:
    """Return what queries see of values, by their agreement with keys.

    Args:
        query: Of the inputs that look.
        key: Of those that are looked at.
        value: Of the same.
        mask: What is seen; None: all.
        causal: The mask is the one of ``full``; it need not be given, and is used where it is.
    """
    plain = query.requires_grad and query.device.type == "cpu" and query.shape[2] <= SHORT
    if mask is None or not plain:
        mask = None if causal else mask
        return F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal)
    away = query.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2) + away
    made: Tensor = scores.softmax(-1) @ value
    return made


class KvCache:
    """Keys and values of all layers for the inputs so far, so that a new token costs one token's work.

    Args:
        layers: Of the transformer.
        batch: Sequences side by side.
        heads: Of attention.
        length: Inputs of a whole sequence.
        size: Numbers of a key.
        like: Its type and device are taken.
    """

    def __init__(self, layers: int, batch: int, heads: int, length: int, size: int, like: Tensor) -> None:
        shape = (batch, heads, length, size)
        self.keys = [like.new_zeros(shape) for _ in range(layers)]
        self.values = [like.new_zeros(shape) for _ in range(layers)]

    @property
    def length(self) -> int:
        """Inputs that fit."""
        return int(self.keys[0].shape[2])

    def write(
        self, layer: int, place: int, keys: Float[Tensor, "b h m d"], values: Float[Tensor, "b h m d"]
    ) -> None:
        """Note the keys and values of inputs from ``place`` on."""
        stop = place + keys.shape[2]
        self.keys[layer][:, :, place:stop] = keys
        self.values[layer][:, :, place:stop] = values

    def read(
        self, layer: int, places: slice | Int[Tensor, " m"]
    ) -> tuple[Float[Tensor, "b h m d"], Float[Tensor, "b h m d"]]:
        """Return the keys and values of inputs."""
        if isinstance(places, slice):
            return self.keys[layer][:, :, places], self.values[layer][:, :, places]
        return self.keys[layer].index_select(2, places), self.values[layer].index_select(2, places)
