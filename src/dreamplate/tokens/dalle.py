"""DALL-E: a transformer that says a text, then a picture's codes, row by row.

Ramesh et al., "Zero-Shot Text-to-Image Generation", 2021, sections 2.2 and 2.4. The sequence begins with a
start vector; the output at each place says the next token: first the text's, then the picture's.

Three things of our own help networks that learn for minutes, not weeks, and can be left out. With ``around``
an input also holds the codes above, above left and above right of the cell to be told, which attention must
otherwise learn to find. With ``kinship`` the vectors of codes, going in and coming out, have a part that is
linear in the codec's own vectors, so that what is learnt of a code serves its like. With ``gist`` every cell
sees the mean of all words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.tokens.dalle_shape import DalleShape
from dreamplate.tokens.transformer import Transformer, kinds_of
from dreamplate.tokens.words import Vocabulary

__all__ = ["Dalle", "Tables", "standard_book"]


class Tables(NamedTuple):
    """What codes are going in ``(codes + 1, width)``, the last for none, and out ``(codes, width)``."""

    inward: Float[Tensor, "codes_and_none width"]
    outward: Float[Tensor, "codes width"]


class Dalle(nn.Module):
    """The network. Its weights are those of `torch.nn` until they are loaded or drawn (`draw_weights`).

    Attributes:
        shape: What it is built from.
        vocabulary: The words it knows, as bytes.
        book: What the codec has for each code, brought to mean 0 and spread 1.
    """

    vocabulary: Tensor
    book: Tensor
    near: Tensor

    def __init__(self, shape: DalleShape) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.register_buffer("vocabulary", torch.zeros(shape.bytes, dtype=torch.uint8))
        self.register_buffer("book", torch.zeros(shape.codes, shape.book))
        self.register_buffer("near", _near(shape), persistent=False)
        self.begin = nn.Parameter(torch.zeros(width))
        self.words = nn.Embedding(shape.words + shape.text, width)
        self.places = nn.Embedding(shape.text, width)
        self.codes = nn.Embedding(shape.codes + 1, width)
        self.rows, self.columns = nn.Embedding(shape.rows, width), nn.Embedding(shape.columns, width)
        self.above = nn.Linear(3 * width, width, bias=False) if shape.around else None
        self.kin_in = nn.Linear(shape.book, width, bias=False) if shape.kinship else None
        self.kin_out = nn.Linear(shape.book, width, bias=False) if shape.kinship else None
        self.gist = nn.Linear(width, width, bias=False) if shape.gist else None
        kinds = kinds_of(shape.attention, shape.layers)
        self.body = Transformer(
            shape.layout, width, shape.heads, kinds, normed=shape.normed, rotary=shape.rotary
        )
        self.say_word = nn.Linear(width, shape.words + shape.text)
        self.say_code = nn.Linear(width, shape.codes)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Dalle:
        """Build the network that settings describe, with weights that are still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        return cls(DalleShape.of(settings))

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What a model file says of the network."""
        return self.shape.settings

    def known(self, source: str = "dalle") -> Vocabulary:
        """Return the words that it knows.

        Raises:
            CheckpointError: They are damaged.
        """
        return Vocabulary.unpack(self.vocabulary, self.shape.text, source)

    def draw_weights(self, draws: torch.Generator) -> None:
        """Give all layers random weights of spread 0.02."""
        with torch.no_grad():
            for part in self.modules():
                if isinstance(part, nn.Embedding | nn.Linear):
                    part.weight.copy_(torch.randn(part.weight.shape, generator=draws) * 0.02)
                if isinstance(part, nn.Linear) and part.bias is not None:
                    part.bias.zero_()
            self.begin.copy_(torch.randn(self.begin.shape, generator=draws) * 0.02)
        self.body.draw_weights(draws)

    def tables(self) -> Tables:
        """Return the vectors of codes, what they share with their like included."""
        inward, outward = self.codes.weight, self.say_code.weight
        if self.kin_in is not None and self.kin_out is not None:
            inward = inward + F.pad(self.kin_in(self.book).to(inward.dtype), (0, 0, 0, 1))
            outward = outward + self.kin_out(self.book).to(outward.dtype)
        return Tables(inward, outward)

    def embed_text(self, text: Int[Tensor, "n t"]) -> tuple[Float[Tensor, "n t_and_1 w"], Tensor | None]:
        """Return the inputs of the start and a text, and the gist that cells see of it ``(n, 1, w)``.

        The last of them says the first cell, so it sees the gist too.
        """
        vectors = self.words(text)
        begin = self.begin.expand(len(text), 1, -1)
        inputs = torch.cat([begin, vectors + self.places.weight], dim=1)
        if self.gist is None:
            return inputs, None
        spoken = (text < self.shape.words).to(vectors.dtype)[:, :, None]
        mean = (vectors * spoken).sum(1, keepdim=True) / spoken.sum(1, keepdim=True).clamp_min(1)
        gist: Tensor = self.gist(mean)
        return torch.cat([inputs[:, :-1], inputs[:, -1:] + gist], dim=1), gist

    def embed_cells(
        self, codes: Int[Tensor, "n cells"], start: int, stop: int, tables: Tables, gist: Tensor | None
    ) -> Float[Tensor, "n m w"]:
        """Return the inputs of cells ``start`` to ``stop - 1``; each says the cell after it.

        Args:
            codes: All cells; those from ``stop`` on do not matter.
            start: The first.
            stop: One after the last, at most ``cells - 1``.
            tables: From `tables`.
            gist: From `embed_text`.
        """
        cells = torch.arange(start, stop, device=codes.device)
        inputs = F.embedding(codes[:, start:stop], tables.inward)
        inputs = inputs + self.rows(cells // self.shape.columns) + self.columns(cells % self.shape.columns)
        if self.above is not None:
            none = codes.new_full((len(codes), 1), self.shape.codes)
            around = torch.cat([codes, none], dim=1)[:, self.near[start + 1 : stop + 1]]
            inputs = inputs + self.above(F.embedding(around, tables.inward).flatten(2))
        made: Tensor = inputs if gist is None else inputs + gist
        return made

    def code_scores(self, seen: Float[Tensor, "n m w"], tables: Tables) -> Float[Tensor, "n m codes"]:
        """Return the scores of codes at outputs of the body."""
        return F.linear(seen, tables.outward, self.say_code.bias)

    def forward(
        self, text: Int[Tensor, "n t"], codes: Int[Tensor, "n cells"]
    ) -> tuple[Float[Tensor, "n t tokens"], Float[Tensor, "n cells codes"]]:
        """Return the scores of every text token and of every code, each given all before it.

        Args:
            text: From `Vocabulary.encode`.
            codes: Of the picture, in raster order.
        """
        tables = self.tables()
        words, gist = self.embed_text(text)
        cells = self.embed_cells(codes, 0, self.shape.cells - 1, tables, gist)
        seen = self.body(torch.cat([words, cells], dim=1))
        places = self.shape.text
        return self.say_word(seen[:, :places]), self.code_scores(seen[:, places:], tables)


def _near(shape: DalleShape) -> Int[Tensor, "cells 3"]:
    """Return the cells above, above left and above right of each cell; ``cells`` where there is none."""
    cell = torch.arange(shape.cells)
    column = cell % shape.columns
    around = []
    for across in (0, -1, 1):
        there = (cell >= shape.columns) & (column + across >= 0) & (column + across < shape.columns)
        around.append(torch.where(there, cell - shape.columns + across, shape.cells))
    return torch.stack(around, dim=1)


def standard_book(book: Float[Tensor, "codes d"]) -> Float[Tensor, "codes d"]:
    """Return a codec's vectors less their mean, over their spread."""
    centred = book.float() - book.float().mean(0)
    return centred / centred.square().mean().sqrt().clamp_min(1e-12)
