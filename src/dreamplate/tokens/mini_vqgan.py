"""The VQGAN of dalle-mini (Esser et al. 2021): a codebook, and a decoder from codes to pictures.

A code's vector goes through a 1 x 1 convolution, a middle of two residual blocks around attention, and levels
of residual blocks; every level but the last doubles the side by repeating cells. Its pictures are 0-1 without
further change, since that is what this one learnt from. Norms have 32 groups and 1e-6 under the root, as in
the network that was trained.

The published file holds no encoder, so pictures cannot become codes.
"""

from __future__ import annotations

from functools import cached_property
from typing import NoReturn

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import ModelError
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.codec import check_codes, fingerprint_of
from dreamplate.tokens.mini_shape import GROUPS, MiniShape

__all__ = ["Vqgan"]

EPSILON = 1e-6


class Block(nn.Module):
    """A residual block; its first convolution changes the width."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(inside), nn.Conv2d(inside, out, 3, padding=1)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(inside, out, 1) if inside != out else None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return the features after this block."""
        change = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        kept = x if self.nin_shortcut is None else self.nin_shortcut(x)
        result: Tensor = kept + change
        return result


class Look(nn.Module):
    """Attention of every cell to all, with one head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.proj_out = _norm(width), nn.Conv2d(width, width, 1)
        self.q, self.k, self.v = (nn.Conv2d(width, width, 1) for _ in range(3))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the features after this block."""
        inside = self.norm(x)
        query, key, value = (part(inside).flatten(2).mT for part in (self.q, self.k, self.v))
        seen = F.scaled_dot_product_attention(query, key, value).mT.reshape(x.shape)
        result: Tensor = x + self.proj_out(seen)
        return result


class Level(nn.Module):
    """Blocks of one size, each with attention behind it where the level has it, and then twice the size."""

    def __init__(self, inside: int, out: int, blocks: int, *, looks: bool, grows: bool) -> None:
        super().__init__()
        self.block = nn.ModuleList(Block(out if index else inside, out) for index in range(blocks))
        self.attn = nn.ModuleList(Look(out) for _ in range(blocks if looks else 0))
        self.upsample = nn.ModuleDict({"conv": nn.Conv2d(out, out, 3, padding=1)} if grows else {})

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h2 w2"]:
        """Return the features of the next level."""
        for index, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[index](x)
        if "conv" in self.upsample:
            x = self.upsample["conv"](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return x


class Decoder(nn.Module):
    """From features of cells to a picture."""

    def __init__(self, shape: MiniShape) -> None:
        super().__init__()
        widths = shape.widths
        inward = (*widths[1:], widths[-1])
        self.conv_in = nn.Conv2d(shape.latent, widths[-1], 3, padding=1)
        self.mid = nn.ModuleDict(
            {
                "block_1": Block(widths[-1], widths[-1]),
                "attn_1": Look(widths[-1]),
                "block_2": Block(widths[-1], widths[-1]),
            }
        )
        self.up = nn.ModuleList(
            Level(inside, out, shape.blocks, looks=level in shape.attention, grows=level > 0)
            for level, (inside, out) in enumerate(zip(inward, widths, strict=True))
        )
        self.norm_out, self.conv_out = _norm(widths[0]), nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x: Float[Tensor, "n d h w"]) -> Float[Tensor, "n 3 height width"]:
        """Return pictures; values may lie a little outside 0-1."""
        x = self.conv_in(x)
        for part in (*self.mid.values(), *reversed(self.up)):
            x = part(x)
        result: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return result


class Vqgan(nn.Module):
    """The codebook and its decoder, as a `Codec` that cannot encode.

    Args:
        shape: What it is built from.
    """

    def __init__(self, shape: MiniShape) -> None:
        super().__init__()
        self.codes, self.factor = shape.codes, shape.factor
        self.embedding = nn.Embedding(shape.codes, shape.latent)
        self.post_quant_conv = nn.Conv2d(shape.latent, shape.latent, 1)
        self.decoder = Decoder(shape)

    @property
    def book(self) -> Float[Tensor, "codes d"]:
        """What each code stands for."""
        return self.embedding.weight

    @property
    def offset(self) -> Float[Tensor, " d"]:
        """What all codes share: nothing."""
        return self.embedding.weight.new_zeros(self.embedding.weight.shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of the codebook."""
        return fingerprint_of(self.book)

    def logits(self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN) -> NoReturn:
        """Refuse: there is no encoder.

        Raises:
            ModelError: Always.
        """
        raise ModelError(
            "a dalle-mini holds no encoder of pictures: leave init and masks out, or use another model"
        )

    def encode(self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN) -> NoReturn:
        """Refuse, as ``logits``.

        Raises:
            ModelError: Always.
        """
        self.logits(image, wrap)

    def from_features(self, features: Float[Tensor, "n d h w"], wrap: Wrap = OPEN) -> Tensor:
        """Return the pictures of vectors, as `Codec.from_features`.

        Raises:
            ModelError: They shall tile.
        """
        if any(wrap):
            raise ModelError("pictures of a dalle-mini do not tile; leave seamless out, or use another model")
        result: Tensor = self.decoder(self.post_quant_conv(features))
        return result

    def decode(self, codes: Int[Tensor, "n h w"], wrap: Wrap = OPEN) -> Tensor:
        """Return the pictures of codes, as `Codec.decode`.

        Raises:
            CheckpointError: A code is outside the vocabulary.
        """
        check_codes(codes, self.codes, "dalle-mini")
        features: Tensor = self.embedding(codes).permute(0, 3, 1, 2)
        return self.from_features(features.contiguous(), wrap).clamp(0, 1)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, width, EPSILON)
