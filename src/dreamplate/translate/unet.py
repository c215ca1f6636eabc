"""The U-Net of pix2pix: halve until little is left, double again, every level seeing its twin.

Isola and others 2017, section 3.2.1 and appendix 6.1.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.dropout import Dropout
from dreamplate.translate.pix2pix_layers import (
    WIDEST,
    DownConv,
    UpConv,
    channels_last,
    check_residual,
    check_size,
    entry,
    make_norm,
)

__all__ = ["Unet"]

DROPPED = 4
"""Dropout begins at this level, counted from 0: from there on levels have full width on both sides."""


class Unet(nn.Module):
    """U-Net of any depth, for pictures of any size that is a multiple of ``2 ** depth``.

    Where the innermost level has a single pixel, its input is not normalised: its norm would be its
    offset, whatever the picture.

    Args:
        given: Channels in.
        made: Channels out.
        depth: How often the picture is halved; 8 is the paper's for 256 pixels.
        width: Channels of the first level; they double up to eight times as many.
        norm: ``batch``, ``instance`` or ``none``.
        dropout: Whether the levels next to the innermost drop half of their values.
        upsampling: ``transposed`` as in the paper, or ``resize``, which leaves no chequerboard.
        residual: Whether the network makes a change that is added to its input instead of a whole picture:
            as many channels, and no limit, so that values beyond -1 to 1 pass.
        bias: Whether convolutions before a norm have one; by default where the norm is no batch norm.

    Attributes:
        multiple: Height and width must be multiples of it.
        reach: Pixels around a tile that matter to it: half of the coarsest level's cell. Farther ones
            reach it too, through the coarsest levels, and weigh little.
    """

    z_dim = 0

    def __init__(
        self,
        given: int = 3,
        made: int = 3,
        depth: int = 8,
        width: int = 64,
        norm: str = "batch",
        dropout: bool = True,
        upsampling: str = "transposed",
        residual: bool = False,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        check_residual(residual, given, made)
        # Batch norm has an offset of its own: a bias before it would have no effect.
        bias = norm != "batch" if bias is None else bias
        self.settings: dict[str, int | float | str] = {
            "architecture": "pix2pix-unet",
            "given": given,
            "made": made,
            "depth": depth,
            "width": width,
            "norm": norm,
            "dropout": int(dropout),
            "upsampling": upsampling,
            "residual": int(residual),
            "bias": int(bias),
        }
        self.residual, self.multiple, self.reach = residual, 2**depth, 2 ** (depth - 1)
        widths = [width * min(2**level, WIDEST) for level in range(depth)]
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm, self.drop = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, out in enumerate(widths):
            before = given if level == 0 else widths[level - 1]
            outermost, innermost = level == 0, level == depth - 1
            self.down.append(DownConv(before, out, bias))
            self.down_norm.append(make_norm("none" if outermost or innermost else norm, out))
            made_here = made if outermost else before
            self.up.append(UpConv(out * (1 if innermost else 2), made_here, 4, bias or outermost, upsampling))
            self.up_norm.append(make_norm("none" if outermost else norm, made_here))
            dropped = dropout and not innermost and level >= DROPPED
            self.drop.append(Dropout() if dropped else nn.Identity())
        channels_last(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Unet:
        """Return the network of these settings, with weights still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        norm = str(entry(settings, "norm", "batch"))
        return cls(
            int(entry(settings, "given", 3, 1)),
            int(entry(settings, "made", 3, 1)),
            int(entry(settings, "depth", 8, 2, 14)),
            int(entry(settings, "width", 64, 1)),
            norm,
            bool(entry(settings, "dropout", 1, 0, 1)),
            str(entry(settings, "upsampling", "transposed")),
            bool(entry(settings, "residual", 0, 0, 1)),
            bool(entry(settings, "bias", int(norm != "batch"), 0, 1)),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return pictures of -1 to 1 (residual: of any values).

        Args:
            x: Height and width are multiples of ``self.multiple``.
        """
        check_size(x, self.multiple)
        levels: list[Tensor] = []
        h = x
        for level, (conv, norm) in enumerate(zip(self.down, self.down_norm, strict=True)):
            h = norm(conv(functional.leaky_relu(h, 0.2) if level else h))
            levels.append(h)
        innermost = len(levels) - 1
        for level in range(innermost, -1, -1):
            seen = h if level == innermost else torch.cat([levels[level], h], 1)
            h = self.drop[level](self.up_norm[level](self.up[level](functional.relu(seen))))
        return x + h if self.residual else torch.tanh(h)
