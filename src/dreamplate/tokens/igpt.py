"""Image GPT: a transformer that says what colour comes next, pixel by pixel, row by row.

Chen and others, "Generative Pretraining from Pixels", 2020: blocks as in GPT-2, but norms without mean and
without offset, the quick form of GELU, a start token of its own, and an output that shares nothing with the
input.

Two things of our own can be switched on, and are off in what was published. With ``around`` a place also sees
the three pixels above the one to be told, which otherwise attention must learn to find, one row length back.
With ``kinship`` the vectors of colours, going in and coming out, have a part that is a smooth function of
red, green and blue, so that what is learnt of a colour serves its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.tokens.igpt_shape import IgptShape

__all__ = ["Block", "ImageGpt", "Keys", "draw_weights"]

EPSILON = 1e-5
"""Added to the mean square of a norm."""
WAVES = (0.7, 1.4, 2.8, 5.6)
"""Standard deviations of the frequencies of colour features, per unit of a palette of -1 to 1."""


class Norm(nn.Module):
    """Division by the root of the mean square, and a gain: no mean is taken off, nothing is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``(..., width)``."""
        return F.rms_norm(x, self.weight.shape, self.weight, EPSILON)


class Keys:
    """What attention has seen so far, of one picture or several: keys and values of every block.

    Args:
        shape: Of the network.
        count: Pictures side by side.
        like: Whose device and type they have.
    """

    def __init__(self, shape: IgptShape, count: int, like: Tensor) -> None:
        sides = (shape.depth, 2, count, shape.heads, shape.length, shape.width // shape.heads)
        self.held = torch.zeros(sides, device=like.device, dtype=like.dtype)
        self.done = 0
        """Places that are seen."""

    def spread(self, count: int) -> Keys:
        """Return what one picture has left, for several that begin alike."""
        other = object.__new__(Keys)
        other.held = self.held.expand(-1, -1, count, -1, -1, -1).contiguous()
        other.done = self.done
        return other


class Block(nn.Module):
    """Attention to everything before, then a perceptron; each adds to what goes through."""

    def __init__(self, shape: IgptShape) -> None:
        super().__init__()
        width, self.heads = shape.width, shape.heads
        self.ln_1, self.ln_2 = Norm(width), Norm(width)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(width, 3 * width), "c_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, shape.inner), "c_proj": nn.Linear(shape.inner, width)}
        )

    def forward(self, x: Float[Tensor, "n t d"], held: Tensor | None = None, done: int = 0) -> Tensor:
        """Take tokens through the block.

        Args:
            x: ``(n, t, width)``.
            held: ``(2, n, heads, length, width / heads)``: keys and values, which are added to; None: these
                tokens are all there are.
            done: How many tokens were before.
        """
        count, length, width = x.shape
        joined = self.attn["c_attn"](self.ln_1(x)).view(count, length, 3, self.heads, -1)
        query, key, value = joined.permute(2, 0, 3, 1, 4)
        mask = None
        if held is not None:
            stop = done + length
            held[0, :, :, done:stop], held[1, :, :, done:stop] = key, value
            key, value = held[0, :, :, :stop], held[1, :, :, :stop]
            if done and length > 1:
                mask = torch.ones(length, stop, dtype=torch.bool, device=x.device).tril(done)
        causal = length > 1 and not done
        seen = F.scaled_dot_product_attention(query, key, value, mask, is_causal=causal)
        x = x + self.attn["c_proj"](seen.transpose(1, 2).reshape(count, length, width))
        out: Tensor = x + self.mlp["c_proj"](_quick_gelu(self.mlp["c_fc"](self.ln_2(x))))
        return out


class ImageGpt(nn.Module):
    """The network. Its weights are 0 until they are loaded or drawn (`draw_weights`).

    Attributes:
        palette: ``(codes, 3)``: red, green and blue of each token, display-encoded, -1 to 1.
    """

    palette: Tensor
    near: Tensor
    waves: Tensor

    def __init__(self, shape: IgptShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.register_buffer("palette", torch.zeros(shape.codes, 3))
        self.register_buffer("near", _near(shape), persistent=False)
        self.wte = nn.Embedding(shape.codes + 1, width)
        if shape.positions == "learned":
            self.wpe = nn.Embedding(shape.length, width)
        else:
            self.rows, self.columns = nn.Embedding(shape.side, width), nn.Embedding(shape.side, width)
        if shape.around:
            # What each of the three is is told apart; the vectors of colours are those of the pixel before.
            self.above = nn.Linear(3 * width, width, bias=False)
        if shape.kinship:
            self.register_buffer("waves", _waves(), persistent=False)
            features = 2 * self.waves.shape[1]
            self.kin_in, self.kin_out = (nn.Linear(features, width, bias=False) for _ in range(2))
        self.h = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.ln_f = Norm(width)
        self.head = nn.Linear(width, shape.codes, bias=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> ImageGpt:
        """Build the network that settings describe, with weights that are still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        return cls(IgptShape.of(settings))

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What a model file says of the network."""
        return self.shape.settings

    def forward(self, tokens: Int[Tensor, "n t"]) -> Float[Tensor, "n t codes"]:
        """Return the scores of every colour at every place, given the tokens before it.

        Args:
            tokens: ``(n, t)``: 0 to ``codes - 1``, a whole picture or its beginning.
        """
        x = self._enter(tokens, 0, tokens.shape[1], self.colours())
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.scores())

    def extend(
        self,
        tokens: Int[Tensor, "n length"],
        stop: int,
        keys: Keys,
        weights: tuple[Tensor, Tensor] | None = None,
    ) -> Float[Tensor, "n codes"]:
        """Go on to a place, and return the scores of the colour there.

        Args:
            tokens: ``(n, side * side)``; those before ``stop - 1`` are known, others are not looked at.
            stop: One more than the place.
            keys: What was seen before; it is added to.
            weights: ``colours()`` and ``scores()``, where they are at hand.
        """
        into, out = weights or (self.colours(), self.scores())
        x = self._enter(tokens, keys.done, stop, into)
        for index, block in enumerate(self.h):
            x = block(x, keys.held[index], keys.done)
        keys.done = stop
        return F.linear(self.ln_f(x[:, -1]), out)

    def colours(self) -> Float[Tensor, "codes_1 width"]:
        """Return the vector of every colour going in; the last is that of what is not there."""
        if not self.shape.kinship:
            return self.wte.weight
        kin: Tensor = self.kin_in(self._features())
        return self.wte.weight + F.pad(kin.to(self.wte.weight), (0, 0, 0, 1))

    def scores(self) -> Float[Tensor, "codes width"]:
        """Return the vector that is held against what comes out, for every colour."""
        if not self.shape.kinship:
            return self.head.weight
        kin: Tensor = self.kin_out(self._features())
        return self.head.weight + kin.to(self.head.weight)

    def _features(self) -> Tensor:
        angles = self.palette @ self.waves
        found: Tensor = torch.cat([angles.sin(), angles.cos()], 1) * self.waves.shape[1] ** -0.5
        return found

    def _enter(self, tokens: Tensor, start: int, stop: int, colours: Tensor) -> Tensor:
        """Return what goes into the first block at places ``start`` to ``stop - 1``."""
        near = self.near[start:stop]
        # Places beyond the picture's edge point at the start token.
        known = F.pad(tokens, (0, 1), value=self.shape.codes)
        seen = known[:, torch.where(near < 0, known.shape[1] - 1, near)]
        x = F.embedding(seen[:, :, 0], colours)
        if self.shape.around:
            x = x + self.above(F.embedding(seen[:, :, 1:], colours).flatten(2))
        places = torch.arange(start, stop, device=tokens.device)
        side = self.shape.side
        own: Tensor
        if self.shape.positions == "learned":
            own = self.wpe(places)
        else:
            own = self.rows(places // side) + self.columns(places % side)
        return x + own


@torch.no_grad()
def draw_weights(net: ImageGpt, draws: torch.Generator) -> None:
    """Give a network the weights that training begins with, those of the paper.

    All are normal with spread 0.02, but 0.01 for places, and less for layers that add to what goes through:
    divided by the root of their number (Radford and others 2019). What is our own begins likewise.
    """
    spread = 0.02
    for name, weight in net.named_parameters():
        if name.endswith("bias"):
            weight.zero_()
        elif "ln_" in name:
            weight.fill_(1)
        else:
            less = (2 * net.shape.depth) ** -0.5 if "c_proj" in name else 1.0
            less = 0.5 if name.startswith(("wpe", "rows", "columns")) else less
            if name.startswith("kin_"):
                less = 1 / spread * 0.05
            weight.copy_(torch.randn(weight.shape, generator=draws) * (spread * less))


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _near(shape: IgptShape) -> Tensor:
    """Return the places ``(length, k)`` that are shown at each place; -1 where there is none.

    The one before in reading order is the first (the last of the row above, at the beginning of a row, as
    published); then follow those above, above left and above right, which do not wrap.
    """
    place = torch.arange(shape.length)
    if not shape.around:
        return (place - 1)[:, None]
    row, column = place // shape.side, place % shape.side
    found = [place - 1]
    for step in (0, -1, 1):
        inside = (row > 0) & (column + step >= 0) & (column + step < shape.side)
        found.append(torch.where(inside, place - shape.side + step, -1))
    return torch.stack(found, 1)


def _waves() -> Tensor:
    """Return the frequencies of colour features, ``(3, k)``: a fixed draw at several scales."""
    draws = torch.Generator().manual_seed(0)
    return torch.cat([torch.randn((3, 16), generator=draws) * spread for spread in WAVES], 1)
