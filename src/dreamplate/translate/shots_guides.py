"""Guides: pictures that tell places in a frame apart where colour does not.

Texler and others (2020) let coloured Gaussians follow points of the shot. These stand still: they are a
function of the frame's size alone, so nothing has to be tracked, and suit shots from a steady camera.
What moves needs channels that move with it, such as a position or UV pass, given as part of the condition.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.train.draws import seed_of

__all__ = ["CHANNELS", "dot_guides", "dots"]

CHANNELS = 3
"""How many pictures the dots make up, as colour does."""


def dots(count: int) -> tuple[Float[Tensor, "count 2"], Float[Tensor, "count 3"]]:
    """Return places in the unit square and colours of -1 to 1 that follow from the number alone.

    Places are a Halton sequence of bases 2 and 3, which fills the square evenly at any count.
    """
    places = [[_halton(index + 1, base) for base in (2, 3)] for index in range(count)]
    generator = torch.Generator().manual_seed(seed_of("shots", "dots", count))
    return torch.tensor(places).view(count, 2), torch.rand(count, CHANNELS, generator=generator) * 2 - 1


def dot_guides(
    places: Float[Tensor, "count 2"],
    colours: Float[Tensor, "count 3"],
    height: int,
    width: int,
    place: tuple[int, int, int, int] | None = None,
) -> Float[Tensor, "1 3 h w"]:
    """Return the dots' colours, mixed by Gaussians whose weights add up to 1 at every pixel.

    Args:
        places: Right and down, 0-1 over the frame.
        colours: Of the dots.
        height: Of what is wanted.
        width: Of what is wanted.
        place: Where that lies: the row and column it begins at, and the whole frame's height and width. None:
            it is the whole.
    """
    top, left, rows, columns = place or (0, 0, height, width)
    # Neighbours of an even set in the unit square are about 1 / sqrt(count) apart.
    spread = 0.6 / math.sqrt(len(places))
    right = (torch.arange(left, left + width, device=places.device) + 0.5) / columns
    down = (torch.arange(top, top + height, device=places.device) + 0.5) / rows
    across = -0.5 * ((right[None] - places[:, :1]) / spread) ** 2
    along = -0.5 * ((down[None] - places[:, 1:]) / spread) ** 2
    share = (across[:, None, :] + along[:, :, None]).softmax(0)
    return torch.einsum("nc,nhw->chw", colours, share)[None]


def _halton(index: int, base: int) -> float:
    total, share = 0.0, 1.0
    while index:
        share /= base
        index, digit = divmod(index, base)
        total += share * digit
    return total
