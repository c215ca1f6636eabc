"""The ResNet generator of CycleGAN, PhotoSketch and pix2pixHD (after Johnson and others 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.translate.pix2pix_layers import (
    ResidualBlock,
    UpConv,
    channels_last,
    check_residual,
    check_size,
    entry,
    make_norm,
    reflect,
)

__all__ = ["Resnet"]


class Resnet(nn.Module):
    """Two halvings, residual blocks, two doublings, with mirrored borders.

    Args:
        given: Channels in.
        made: Channels out; 0: there is no last convolution, and `features` alone is of use.
        width: Channels at full size; each halving doubles them.
        downs: How often the picture is halved.
        blocks: Residual blocks at the coarsest size: 9 for 256 pixels and more, 6 for 128.
        norm: ``batch``, ``instance`` or ``none``.
        dropout: Whether every block drops half of its values.
        upsampling: ``transposed`` as in the originals, or ``resize``, which leaves no chequerboard.
        residual: Whether the network makes a change that is added to its input (see `Unet`).
        bias: Whether convolutions before a norm have one; by default where the norm is no batch norm.

    Attributes:
        multiple: Height and width must be multiples of it.
        reach: Pixels around a tile that change it.
    """

    z_dim = 0

    def __init__(
        self,
        given: int = 3,
        made: int = 3,
        width: int = 64,
        downs: int = 2,
        blocks: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        upsampling: str = "transposed",
        residual: bool = False,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        check_residual(residual, given, made)
        bias = norm != "batch" if bias is None else bias
        self.settings: dict[str, int | float | str] = {
            "architecture": "pix2pix-resnet",
            "given": given,
            "made": made,
            "width": width,
            "downs": downs,
            "blocks": blocks,
            "norm": norm,
            "dropout": int(dropout),
            "upsampling": upsampling,
            "residual": int(residual),
            "bias": int(bias),
        }
        self.residual, self.multiple = residual, 2**downs
        # 7x7 at both ends; a 3x3 on the way down and up at each size; two 3x3 in each block.
        self.reach = 6 + 2 * (2**downs - 1) + 2 * blocks * 2**downs
        self.first = nn.Conv2d(given, width, 7, bias=bias)
        self.first_norm = make_norm(norm, width)
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm = nn.ModuleList(), nn.ModuleList()
        for level in range(downs):
            out = width * 2 ** (level + 1)
            self.down.append(nn.Conv2d(out // 2, out, 3, 2, 1, bias=bias))
            self.down_norm.append(make_norm(norm, out))
            self.up.append(UpConv(out, out // 2, 3, bias, upsampling))
            self.up_norm.append(make_norm(norm, out // 2))
        coarsest = width * 2**downs
        self.blocks = nn.ModuleList(ResidualBlock(coarsest, norm, bias, dropout) for _ in range(blocks))
        self.last = nn.Conv2d(width, made, 7) if made else nn.Identity()
        channels_last(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Resnet:
        """Return the network of these settings, with weights still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        norm = str(entry(settings, "norm", "instance"))
        return cls(
            int(entry(settings, "given", 3, 1)),
            int(entry(settings, "made", 3)),
            int(entry(settings, "width", 64, 1)),
            int(entry(settings, "downs", 2, 0, 10)),
            int(entry(settings, "blocks", 9, 0, 1000)),
            norm,
            bool(entry(settings, "dropout", 0, 0, 1)),
            str(entry(settings, "upsampling", "transposed")),
            bool(entry(settings, "residual", 0, 0, 1)),
            bool(entry(settings, "bias", int(norm != "batch"), 0, 1)),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return pictures of -1 to 1 (residual: of any values).

        Args:
            x: Height and width are multiples of ``self.multiple``, at least two of them.
        """
        check_size(x, self.multiple)
        h = self.last(reflect(self.features(x), 3))
        return cast(Tensor, x + h if self.residual else torch.tanh(h))

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return what the last convolution sees, ``(n, width, h, w)``."""
        h = functional.relu(self.first_norm(self.first(reflect(x, 3))))
        for conv, norm in zip(self.down, self.down_norm, strict=True):
            h = functional.relu(norm(conv(h)))
        for block in self.blocks:
            h = block(h)
        for conv, norm in zip(reversed(self.up), reversed(self.up_norm), strict=True):
            h = functional.relu(norm(conv(h)))
        return h
