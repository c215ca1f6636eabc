"""Pictures from a DALL-E: cell by cell with a cache, led by words, held to what is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.tokens.dalle import Dalle
from dreamplate.tokens.sampling import choose, guided

__all__ = ["FREE", "Leaning", "Manner", "sample", "sample_wide"]

FREE = -1
"""A cell that is not given."""


@dataclass(frozen=True)
class Manner:
    """How codes are drawn.

    Attributes:
        guidance: How far the words are overstated: 1 not at all, 0 leaves them out (see `sampling.guided`).
        temperature: See `sampling.choose`, as the others.
        top_k: How many of the likeliest codes stay.
        top_p: Share of the likeliest codes that stays.
    """

    guidance: float = 3.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.95


@dataclass(frozen=True, eq=False)
class Leaning:
    """A picture that others shall resemble.

    Attributes:
        codes: ``(n, cells)``, its codes.
        weight: Codes score less by this times their mean squared distance from the picture's own, in the
            codec's vectors at spread 1 (two unrelated codes are at about 2).
    """

    codes: Int[Tensor, "n cells"]
    weight: float


@torch.no_grad()
def sample(
    net: Dalle,
    text: Int[Tensor, "n t"],
    uniform: Float[Tensor, "n cells"],
    manner: Manner = Manner(),
    *,
    without: Int[Tensor, " t"] | None = None,
    given: Int[Tensor, "n cells"] | None = None,
    leaning: Leaning | None = None,
) -> Int[Tensor, "n cells"]:
    """Return the codes of pictures, in raster order.

    Each picture depends on its own row alone, up to rounding.

    Args:
        net: In evaluation mode.
        text: From `Vocabulary.encode`.
        uniform: Numbers in [0, 1) that the codes are drawn by.
        manner: How.
        without: What guidance leads away from; the empty text when None.
        given: Codes that cells shall have, `FREE` elsewhere; upper rows make a completion.
        leaning: A picture to stay near.
    """
    shape, many = net.shape, len(text)
    lead = 0 if given is None else _leading(given)
    led = manner.guidance != 1
    if led:
        other = net.known().empty().to(text) if without is None else without
        text = torch.cat([text, other.expand(many, -1)])
    tables, cache = net.tables(), net.body.cache(len(text))
    codes = text.new_full((many, shape.cells), shape.codes)
    if given is not None:
        codes[:, :lead] = given[:, :lead]
    words, gist = net.embed_text(text)
    both = codes.repeat(2, 1) if led else codes
    inputs = torch.cat([words, net.embed_cells(both, 0, min(lead, shape.cells - 1), tables, gist)], dim=1)
    place = 0
    for cell in range(lead, shape.cells):
        seen = net.body(inputs, cache, place)[:, -1:]
        place += inputs.shape[1]
        scores = net.code_scores(seen, tables)[:, 0].float()
        if led:
            scores = guided(scores[:many], scores[many:], manner.guidance)
        if leaning is not None:
            scores = scores - leaning.weight * _apart(net.book, leaning.codes[:, cell])
        drawn = choose(scores, uniform[:, cell], manner.temperature, manner.top_k, manner.top_p)
        if given is not None:
            drawn = torch.where(given[:, cell] == FREE, drawn, given[:, cell])
        codes[:, cell] = drawn
        if cell + 1 < shape.cells:
            both = codes.repeat(2, 1) if led else codes
            inputs = net.embed_cells(both, cell, cell + 1, tables, gist)
    return codes


def _leading(given: Int[Tensor, "n cells"]) -> int:
    """Return how many cells from the first on are given in all pictures."""
    return int((given != FREE).all(0).long().cumprod(0).sum())


def _apart(book: Float[Tensor, "codes d"], own: Int[Tensor, " n"]) -> Float[Tensor, "n codes"]:
    """Return the mean squared distance of every code from each of some."""
    return torch.cdist(book[own], book).square() / book.shape[1]


def sample_wide(
    net: Any,
    text: Int[Tensor, "n t"],
    uniform: Float[Tensor, "n rows columns"],
    manner: Manner = Manner(),
    *,
    without: Int[Tensor, " t"] | None = None,
    given: Int[Tensor, "n rows columns"] | None = None,
    leaning: Int[Tensor, "n rows columns"] | None = None,
    weight: float = 0.0,
    say: Callable[..., Tensor] = sample,
) -> Int[Tensor, "n rows columns"]:
    """Return the codes of pictures that may be wider than the network's grid.

    The grid is moved to the right by half its width; what is there stays, and the new half is drawn row by
    row beside it, so that each new cell sees the cells to its left and above.

    Args:
        net: As in `sample`, or what ``say`` takes.
        text: As in `sample`.
        uniform: Its grid is the one to be filled: the network's rows, and its columns or more.
        manner: As in `sample`.
        without: As in `sample`.
        given: As in `sample`.
        leaning: Codes of a picture to stay near.
        weight: How near, as in `Leaning`.
        say: Draws the codes of one grid, as `sample` does; that of another kind of network.
    """
    many, rows, columns = uniform.shape
    own = int(net.shape.columns)
    found = text.new_full((many, rows, columns), FREE) if given is None else given.clone()
    last, start = columns - own, 0
    while True:
        here = slice(start, start + own)
        near = None if leaning is None else Leaning(leaning[:, :, here].flatten(1), weight)
        cells = found[:, :, here].flatten(1)
        numbers = uniform[:, :, here].flatten(1)
        drawn = say(net, text, numbers, manner, without=without, given=cells, leaning=near)
        found[:, :, here] = drawn.view(many, rows, own)
        if start == last:
            return found
        start = min(last, start + own // 2)
