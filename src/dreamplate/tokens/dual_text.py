"""The text tower of the word-picture scorer: rows of words, a small transformer, one vector a text."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.tokens.wordpieces import WINDOW, windows

__all__ = ["TextTower"]

HEAD = 32
"""Channels of one attention head."""


class TextBlock(nn.Module):
    """Self-attention and a two-layer perceptron, normalised before each (Xiong and others 2020)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "n t w"], there: Tensor) -> Float[Tensor, "n t w"]:
        """``(n, t, w)`` to the next layer's; ``there``, ``(n, 1, 1, t)``, is true at words."""
        n, t, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, HEAD).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=there)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, w))
        made: Tensor = x + self.narrow(functional.gelu(self.widen(self.norm2(x))))
        return made


class TextTower(nn.Module):
    """Texts to vectors.

    A word is the mean of its rows. A transformer reads up to 40 words in their places; a text is the mean of
    its words, each with a weight that the tower gives it. Longer texts are read in even windows, whose words
    are averaged together.

    Args:
        rows: Of the table of words, and of the table of pieces.
        word: Length of a row.
        width: Of the transformer, a multiple of 32.
        layers: Of the transformer.
    """

    def __init__(self, rows: int, word: int, width: int, layers: int) -> None:
        super().__init__()
        self.rows, self.width = rows, width
        self.table = nn.Parameter(torch.empty(2 * rows + 1, word))
        self.enter = nn.Linear(word, width)
        self.places = nn.Parameter(torch.empty(WINDOW, width))
        self.blocks = nn.ModuleList(TextBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.weigh = nn.Linear(width, 1)

    def randomise(self, generator: torch.Generator) -> None:
        """Draw fresh weights."""
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=part.in_features**-0.5, generator=generator)
                nn.init.zeros_(part.bias)
        for block in self.blocks:
            assert isinstance(block, TextBlock)
            for last in (block.out, block.narrow):
                last.weight.data *= (2 * len(self.blocks)) ** -0.5
        nn.init.normal_(self.table, std=0.3, generator=generator)
        nn.init.normal_(self.places, std=0.1, generator=generator)
        nn.init.zeros_(self.weigh.weight)

    def forward(self, texts: Sequence[str]) -> Float[Tensor, "texts w"]:
        """Return a vector ``(n, width)`` for each text; the vector of no words is 0."""
        rows, owner = windows(texts, self.rows)
        return self.read(rows.to(self.table.device), owner.to(self.table.device), len(texts))

    def read(
        self, rows: Int64[Tensor, "n t most"], owner: Int64[Tensor, " n"], count: int
    ) -> Float[Tensor, "count w"]:
        """Return vectors of texts from the rows of their windows; see ``wordpieces.windows``."""
        known = (rows > 0).float()
        there = known[..., 0] > 0
        n, t, most = rows.shape
        share = known / known.sum(-1, keepdim=True).clamp_min(1).sqrt()
        vectors = functional.embedding_bag(
            rows.view(n * t, most), self.table, per_sample_weights=share.view(n * t, most), mode="sum"
        )
        x = self.enter(vectors.view(n, t, -1)) + self.places[:t]
        # A window without words would attend to nothing, which is not a number.
        seen = (there | ~there.any(1, keepdim=True))[:, None, None]
        for block in self.blocks:
            x = block(x, seen)
        x = self.norm(x).float()
        weight = self.weigh(x).float()[..., 0].exp() * there
        total = x.new_zeros(count, self.width).index_add(0, owner, (weight[..., None] * x).sum(1))
        whole = x.new_zeros(count).index_add(0, owner, weight.sum(1))
        made: Tensor = total / whole.clamp_min(1e-6)[:, None]
        return made
