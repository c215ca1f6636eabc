"""dalle-mini and dalle-mega: a text is encoded, then a decoder says a picture's codes one after another.

The network is BART's (Lewis et al. 2019) as dalle-mini changed it: norms before and behind every attention
and inside the feed-forward (NormFormer, Shleifer et al. 2021), a feed-forward with a gate (GEGLU, Shazeer
2020), learned places, no offsets in dense layers, and codes of a VQGAN in the decoder. Pads of a text are
looked at by nobody.

The names of the parts are those of the published PyTorch files. No such file was at hand: the layout and the
arithmetic follow the public sources (see `dreamplate.models.layouts.dalle_mini`), and tests hold them against
an independent plain computation with made-up weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dreamplate.tokens.attention import KvCache
from dreamplate.tokens.mini_shape import HEAD, MiniShape
from dreamplate.tokens.mini_words import PAD, Pieces

__all__ = ["DalleMini", "Heard"]

KeysValues = tuple[Tensor, Tensor]


class Heard(NamedTuple):
    """Texts as the decoder's layers look at them.

    Attributes:
        layers: Keys and values ``(n, heads, t, 64)`` for each layer.
        mask: ``(n, 1, 1, t)``, which places hold a piece.
    """

    layers: tuple[KeysValues, ...]
    mask: Bool[Tensor, "n 1 1 t"]


class Attention(nn.Module):
    """Heads of 64 numbers that look from some vectors at others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.k_proj, self.v_proj = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.q_proj, self.out_proj = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)

    def keys_values(self, x: Float[Tensor, "n k w"]) -> KeysValues:
        """Return what is looked at, by heads."""
        return _split(self.k_proj(x)), _split(self.v_proj(x))

    def forward(
        self, x: Float[Tensor, "n m w"], seen: KeysValues, mask: Bool[Tensor, ...] | None
    ) -> Float[Tensor, "n m w"]:
        """Return what vectors see; the mask is True where something may be looked at."""
        out = F.scaled_dot_product_attention(_split(self.q_proj(x)), *seen, mask)
        result: Tensor = self.out_proj(out.transpose(1, 2).flatten(2))
        return result


class Glu(nn.Module):
    """Feed-forward whose one half opens and closes the other."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.ln0, self.ln1 = nn.LayerNorm(width), nn.LayerNorm(inner)
        self.fc0, self.fc1 = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.fc2 = nn.Linear(inner, width, bias=False)

    def forward(self, x: Float[Tensor, "n m w"]) -> Float[Tensor, "n m w"]:
        """Return what is added to the vectors."""
        x = self.ln0(x)
        result: Tensor = self.fc2(self.ln1(F.gelu(self.fc0(x)) * self.fc1(x)))
        return result


class TextLayer(nn.Module):
    """A layer of the encoder."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.pre_self_attn_layer_norm, self.self_attn_layer_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn, self.glu = Attention(width), Glu(width, inner)

    def forward(self, x: Float[Tensor, "n t w"], mask: Bool[Tensor, "n 1 1 t"]) -> Float[Tensor, "n t w"]:
        """Return the vectors after this layer."""
        inside = self.pre_self_attn_layer_norm(x)
        x = x + self.self_attn_layer_norm(self.self_attn(inside, self.self_attn.keys_values(inside), mask))
        result: Tensor = x + self.glu(x)
        return result


class PictureLayer(TextLayer):
    """A layer of the decoder: it looks at the cells before, then at the text."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__(width, inner)
        self.pre_encoder_attn_layer_norm = nn.LayerNorm(width)
        self.encoder_attn_layer_norm = nn.LayerNorm(width)
        self.encoder_attn = Attention(width)

    def say(  # `forward` is the encoder's
        self,
        x: Float[Tensor, "n m w"],
        heard: KeysValues,
        heard_mask: Tensor,
        own_mask: Tensor | None,
        memory: tuple[KvCache, int, int] | None,
    ) -> Float[Tensor, "n m w"]:
        """Return the vectors after this layer.

        Args:
            x: Of some cells.
            heard: Keys and values of the text.
            heard_mask: Where it has pieces.
            own_mask: Which cells each cell may look at; None: all that are there.
            memory: Of earlier cells, the number of this layer, and the place of the first cell here.
        """
        inside = self.pre_self_attn_layer_norm(x)
        seen = self.self_attn.keys_values(inside)
        if memory is not None:
            cache, layer, place = memory
            cache.write(layer, place, *seen)
            seen = cache.read(layer, slice(0, place + x.shape[1]))
        x = x + self.self_attn_layer_norm(self.self_attn(inside, seen, own_mask))
        inside = self.pre_encoder_attn_layer_norm(x)
        x = x + self.encoder_attn_layer_norm(self.encoder_attn(inside, heard, heard_mask))
        result: Tensor = x + self.glu(x)
        return result


class Body(nn.Module):
    """What encoder and decoder share: vectors of tokens and places, layers, norms around them."""

    def __init__(
        self, tokens: int, places: int, width: int, inner: int, layers: int, kind: type[TextLayer]
    ) -> None:
        super().__init__()
        self.embed_tokens, self.embed_positions = nn.Embedding(tokens, width), nn.Embedding(places, width)
        self.layernorm_embedding, self.final_ln = nn.LayerNorm(width), nn.LayerNorm(width)
        self.layers = nn.ModuleList(kind(width, inner) for _ in range(layers))

    def embed(self, tokens: Int[Tensor, "n m"], place: int = 0) -> Float[Tensor, "n m w"]:
        """Return the vectors of tokens, the first of which stands at a place."""
        places = torch.arange(place, place + tokens.shape[1], device=tokens.device)
        result: Tensor = self.layernorm_embedding(self.embed_tokens(tokens) + self.embed_positions(places))
        return result


class Decoder(Body):
    """The decoder's vectors and layers, and what turns their output into scores."""

    def __init__(self, shape: MiniShape) -> None:
        super().__init__(shape.inputs, shape.cells, shape.width, shape.inner, shape.layers, PictureLayer)
        self.lm_head = nn.Linear(shape.width, shape.outputs, bias=False)


class DalleMini(nn.Module):
    """The encoder of texts and the decoder of codes.

    Attributes:
        shape: What it is built from.
        vocabulary: The bytes of ``vocab.json``.
        merges: The bytes of ``merges.txt``.
    """

    vocabulary: Tensor
    merges: Tensor

    def __init__(self, shape: MiniShape) -> None:
        super().__init__()
        self.shape = shape
        sizes = (shape.text_width, shape.text_inner, shape.text_layers)
        self.encoder = Body(shape.text_pieces, shape.text_length, *sizes, TextLayer)
        self.decoder = Decoder(shape)
        self.register_buffer("vocabulary", torch.zeros(shape.vocabulary_bytes, dtype=torch.uint8))
        self.register_buffer("merges", torch.zeros(shape.merges_bytes, dtype=torch.uint8))

    def known(self, source: str = "dalle-mini") -> Pieces:
        """Return the pieces of words that it knows.

        Raises:
            CheckpointError: They are damaged, or more than the encoder has vectors for.
        """
        return Pieces.unpack(
            self.vocabulary, self.merges, self.shape.text_length, self.shape.text_pieces, source
        )

    def encode(self, text: Int[Tensor, "n t"]) -> Float[Tensor, "n t w"]:
        """Return the vectors of texts.

        Args:
            text: From `Pieces.encode`.
        """
        mask = (text != PAD)[:, None, None, :]
        x = self.encoder.embed(text)
        for layer in self.encoder.layers:
            x = layer(x, mask)
        result: Tensor = self.encoder.final_ln(x)
        return result

    def hear(self, text: Int[Tensor, "n t"]) -> Heard:
        """Return texts as the decoder looks at them; equal texts are encoded once."""
        different, which = torch.unique(text, dim=0, return_inverse=True)
        words = self.encode(different)
        layers = []
        for layer in self.decoder.layers:
            assert isinstance(layer, PictureLayer)
            keys, values = layer.encoder_attn.keys_values(words)
            layers.append((keys[which], values[which]))
        return Heard(tuple(layers), (text != PAD)[:, None, None, :])

    def cache(self, batch: int) -> KvCache:
        """Return an empty memory of cells for ``batch`` pictures."""
        shape = self.shape
        like = self.decoder.embed_tokens.weight
        return KvCache(shape.layers, batch, shape.width // HEAD, shape.cells, HEAD, like)

    def scores(
        self, inputs: Int[Tensor, "n m"], heard: Heard, cache: KvCache | None = None, place: int = 0
    ) -> Float[Tensor, "n m codes"]:
        """Return the scores of the codes that follow inputs; those of no code are left out.

        Args:
            inputs: The start, then codes, in raster order.
            heard: From `hear`.
            cache: Of the inputs before; None where there are none, and nothing is to be kept.
            place: Of the first input.
        """
        many = inputs.shape[1]
        reach = torch.arange(place + many, device=inputs.device)
        # One input may look at all that is there.
        mask = None if many == 1 else reach <= reach[place:, None]
        x = self.decoder.embed(inputs, place)
        for index, layer in enumerate(self.decoder.layers):
            assert isinstance(layer, PictureLayer)
            memory = None if cache is None else (cache, index, place)
            x = layer.say(x, heard.layers[index], heard.mask, mask, memory)
        codes = self.decoder.lm_head.weight[: self.shape.codes]
        result: Tensor = F.linear(self.decoder.final_ln(x), codes)
        return result


def _split(x: Float[Tensor, "n m w"]) -> Float[Tensor, "n h m 64"]:
    return x.view(*x.shape[:2], -1, HEAD).transpose(1, 2)
