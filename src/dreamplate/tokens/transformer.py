"""A causal transformer over words and a picture's tokens: pre-norm blocks, with a cache for sampling.

The blocks are those of Ramesh et al. 2021, section 2.4 (pre-LN attention and a GELU layer four times as
wide). Our additions, each of which can be left out: queries and keys of unit length in the mean square
(Henry et al. 2020), which lets small networks learn at high rates, and rotations of queries and keys by row
and by column (Su et al. 2021, on two axes).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.tokens.attention import Kind, KvCache, Layout, attend, distances, kept, seen_from

__all__ = ["Transformer", "angles_of", "kinds_of", "turned"]

SLOWEST = 100.0
"""Cells after which the slowest rotation has turned by one radian."""


def kinds_of(name: str, layers: int) -> tuple[Kind, ...]:
    """Return the attention of each layer.

    Args:
        name: ``full``: all see everything before. ``paper``: rows; columns in layers ``i`` where
            ``(i - 2) mod 4 = 0``, counted from 1; the last convolutional (Ramesh et al. 2021, B.1).
        layers: How many.

    Raises:
        ConfigError: There is no such name.
    """
    kinds: list[Kind] = ["full"] * layers
    if name == "full":
        return tuple(kinds)
    if name != "paper":
        raise ConfigError(f"attention is {name!r}: use full or paper")
    kinds = ["column" if (layer - 2) % 4 == 0 else "row" for layer in range(1, layers + 1)]
    kinds[-1] = "convolution"
    return tuple(kinds)


def angles_of(layout: Layout, size: int) -> Float[Tensor, "n half"]:
    """Return by how much the pairs of a key turn at each input: half of them by row, half by column.

    Cells turn by their row and column. The prefix counts down to the picture along both axes.

    Args:
        layout: Of the sequence.
        size: Numbers of a key, a multiple of 4.

    Raises:
        ConfigError: ``size`` is none.
    """
    if size % 4:
        raise ConfigError(f"rotations need a multiple of 4 numbers a head, found {size}; use other heads")
    place = torch.arange(layout.length) - layout.prefix
    row = torch.where(place < 0, place, place.div(layout.columns, rounding_mode="floor")).float()
    column = torch.where(place < 0, place, place % layout.columns).float()
    quarter = size // 4
    speed = SLOWEST ** -(torch.arange(quarter) / max(1, quarter))
    return torch.cat([row[:, None] * speed, column[:, None] * speed], dim=1)


def turned(x: Float[Tensor, "b h m d"], angles: Float[Tensor, "m half"]) -> Float[Tensor, "b h m d"]:
    """Return vectors whose pairs (number ``i`` of each half) are rotated by angles."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    one, two = x.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], dim=-1)


class Attention(nn.Module):
    """Attention of several heads.

    Args:
        width: Numbers of a token.
        heads: They share the width.
        normed: Queries and keys have a mean square of 1, times a learnt factor.
    """

    def __init__(self, width: int, heads: int, normed: bool) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"width {width} cannot be shared by {heads} heads; use a divisor")
        self.heads, self.size = heads, width // heads
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)
        self.query_gain = nn.Parameter(torch.ones(self.size)) if normed else None
        self.key_gain = nn.Parameter(torch.ones(self.size)) if normed else None

    def project(
        self, x: Float[Tensor, "b m w"], angles: Float[Tensor, "m half"] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, ``(b, heads, m, size)`` each."""
        batch, many, _ = x.shape
        parts = self.inward(x).view(batch, many, 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        if self.query_gain is not None and self.key_gain is not None:
            query = F.rms_norm(query, (self.size,), self.query_gain.to(query.dtype), 1e-6)
            key = F.rms_norm(key, (self.size,), self.key_gain.to(key.dtype), 1e-6)
        if angles is not None:
            query, key = turned(query, angles), turned(key, angles)
        return query, key, value

    def join(self, seen: Float[Tensor, "b h m d"]) -> Float[Tensor, "b m w"]:
        """Return what the heads saw, mixed."""
        joined: Tensor = self.outward(seen.transpose(1, 2).flatten(2))
        return joined


class Block(nn.Module):
    """Attention and two layers, each added to what it was given, which it sees normalised."""

    def __init__(self, width: int, heads: int, normed: bool) -> None:
        super().__init__()
        self.norm_1, self.attention = nn.LayerNorm(width), Attention(width, heads, normed)
        self.norm_2 = nn.LayerNorm(width)
        self.rise, self.fall = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def think(self, x: Float[Tensor, "b m w"]) -> Float[Tensor, "b m w"]:
        """Return the tokens after the two layers."""
        inner = F.gelu(self.rise(self.norm_2(x)), approximate="tanh")
        result: Tensor = x + self.fall(inner)
        return result


class Transformer(nn.Module):
    """Blocks, and a last normalisation.

    Args:
        layout: Of the sequence.
        width: Numbers of a token.
        heads: Of attention.
        kinds: Attention of each layer.
        normed: See `Attention`.
        rotary: Rotate queries and keys by row and column.
    """

    def __init__(
        self,
        layout: Layout,
        width: int,
        heads: int,
        kinds: Sequence[Kind],
        *,
        normed: bool = True,
        rotary: bool = True,
    ) -> None:
        super().__init__()
        self.layout, self.kinds, self.heads, self.width = layout, tuple(kinds), heads, width
        self.blocks = nn.ModuleList([Block(width, heads, normed) for _ in kinds])
        self.norm = nn.LayerNorm(width)
        self.angles: Tensor | None
        self.register_buffer(
            "angles", angles_of(layout, width // heads) if rotary else None, persistent=False
        )
        self._masks: dict[Kind, Tensor] = {}
        self._back: dict[Kind, Tensor] = {}

    def draw_weights(self, draws: torch.Generator) -> None:
        """Give all layers random weights: spread 0.02, less by depth where blocks add (GPT-2)."""
        for name, part in self.named_modules():
            if isinstance(part, nn.Linear):
                adds = name.endswith(("outward", "fall"))
                spread = 0.02 * ((2 * len(self.blocks)) ** -0.5 if adds else 1.0)
                with torch.no_grad():
                    part.weight.copy_(torch.randn(part.weight.shape, generator=draws) * spread)
                    part.bias.zero_()

    def cache(self, batch: int) -> KvCache:
        """Return an empty cache for sequences side by side."""
        like = self.norm.weight
        size = self.width // self.heads
        return KvCache(len(self.blocks), batch, self.heads, self.layout.length, size, like)

    def forward(
        self, x: Float[Tensor, "b m w"], cache: KvCache | None = None, place: int = 0
    ) -> Float[Tensor, "b m w"]:
        """Return the tokens after all blocks, normalised.

        Args:
            x: Inputs ``place`` to ``place + m - 1`` of the sequence.
            cache: Holds what came before, and is told of these; needed where ``place`` is not 0.
            place: Of the first of them. Inputs after the first call are taken one at a time.
        """
        many = x.shape[1]
        angles = None if self.angles is None else self.angles[place : place + many]
        for layer, (block, kind) in enumerate(zip(self.blocks, self.kinds, strict=True)):
            assert isinstance(block, Block)
            query, key, value = block.attention.project(block.norm_1(x), angles)
            if cache is not None:
                cache.write(layer, place, key, value)
            if place:
                assert cache is not None and many == 1
                key, value = cache.read(layer, self._seen(kind, place, x.device))
                seen = attend(query, key, value)
            else:
                mask = self._mask(kind, x.device)[:many, :many]
                seen = attend(query, key, value, mask, causal=kind == "full")
            x = block.think(x + block.attention.join(seen))
        result: Tensor = self.norm(x)
        return result

    def _mask(self, kind: Kind, device: torch.device) -> Tensor:
        if kind not in self._masks or self._masks[kind].device != device:
            self._masks[kind] = kept(kind, self.layout).to(device)
        return self._masks[kind]

    def _seen(self, kind: Kind, place: int, device: torch.device) -> slice | Tensor:
        if kind not in self._back or self._back[kind].device != device:
            self._back[kind] = distances(kind, self.layout).to(device)
        return seen_from(place, self._back[kind], self.layout)
