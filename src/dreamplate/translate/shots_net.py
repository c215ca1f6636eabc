"""The generator of shots: a small network that sees little of a frame at a time (Texler and others 2020)."""

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
from dreamplate.translate.shots_guides import CHANNELS, dot_guides, dots

__all__ = ["ShotsNet"]


class ShotsNet(nn.Module):
    """Two halvings, residual blocks, two doublings by resizing, with connections across; mirrored borders.

    Args:
        given: Channels in.
        made: Channels out.
        width: Channels at full size; each halving doubles them.
        blocks: Residual blocks at a quarter of the size.
        norm: ``batch``, ``instance`` or ``none``.
        residual: Whether the network makes a change that is added to its input.
        guides: How many dots mark places in the frame; they become three more channels.

    Attributes:
        multiple: Height and width must be multiples of it.
        reach: Pixels around a tile that change it.
        place: Where in a frame the pixels of `forward` lie: row and column of the first, height and width of
            the whole; None: they are the whole. Only guides ask for it.

    Raises:
        ModelError: Residual, with different channels in and out; or no such norm.
    """

    z_dim = 0
    multiple = 4

    def __init__(
        self,
        given: int = 3,
        made: int = 3,
        width: int = 32,
        blocks: int = 5,
        norm: str = "batch",
        residual: bool = False,
        guides: int = 0,
    ) -> None:
        super().__init__()
        check_residual(residual, given, made)
        self.settings: dict[str, int | float | str] = {
            "architecture": "shots-unet",
            "given": given,
            "made": made,
            "width": width,
            "blocks": blocks,
            "norm": norm,
            "residual": int(residual),
            "guides": guides,
        }
        self.given, self.residual, self.guides = given, residual, guides
        # 3x3 at each end and size; two in each block, of 4 pixels a step.
        self.reach = 2 + 2 * (1 + 2 + 4) + 8 * blocks
        self.place: tuple[int, int, int, int] | None = None
        bias = norm != "batch"
        sizes = [width, 2 * width, 4 * width]
        self.first = nn.Conv2d(given + (CHANNELS if guides else 0), width, 3, bias=bias)
        self.first_norm = make_norm(norm, width)
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm = nn.ModuleList(), nn.ModuleList()
        for level in (1, 2):
            self.down.append(nn.Conv2d(sizes[level - 1], sizes[level], 3, 2, bias=bias))
            self.down_norm.append(make_norm(norm, sizes[level]))
        for level, entering in ((1, sizes[2]), (0, 2 * sizes[1])):
            self.up.append(UpConv(entering, sizes[level], 3, bias, "resize"))
            self.up_norm.append(make_norm(norm, sizes[level]))
        self.blocks = nn.ModuleList(ResidualBlock(sizes[2], norm, bias) for _ in range(blocks))
        self.last = nn.Conv2d(2 * sizes[0], made, 3)
        if guides:
            places, colours = dots(guides)
            self.register_buffer("dot_places", places, persistent=False)
            self.register_buffer("dot_colours", colours, persistent=False)
        channels_last(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> ShotsNet:
        """Return the network of these settings, with weights still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        return cls(
            int(entry(settings, "given", 3, 1)),
            int(entry(settings, "made", 3, 1)),
            int(entry(settings, "width", 32, 1)),
            int(entry(settings, "blocks", 5, 0, 1000)),
            str(entry(settings, "norm", "batch")),
            bool(entry(settings, "residual", 0, 0, 1)),
            int(entry(settings, "guides", 0, 0)),
        )

    def guided(self, frames: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return frames with the channels that tell places apart, where the network has them."""
        if not self.guides:
            return frames
        places, colours = cast(Tensor, self.dot_places), cast(Tensor, self.dot_colours)
        height, width = frames.shape[2:]
        seen = dot_guides(places, colours, height, width, self.place).to(frames.dtype)
        return torch.cat([frames, seen.expand(len(frames), -1, -1, -1)], dim=1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return frames of -1 to 1 (residual: of any values).

        Args:
            x: Frames, or parts of what `guided` returned. Height and width are multiples of 4, 8 at
                least.
        """
        check_size(x, self.multiple)
        if x.shape[1] == self.given:
            x = self.guided(x)
        full = functional.relu(self.first_norm(self.first(reflect(x, 1))))
        half = functional.relu(self.down_norm[0](self.down[0](reflect(full, 1))))
        h = functional.relu(self.down_norm[1](self.down[1](reflect(half, 1))))
        for block in self.blocks:
            h = block(h)
        h = torch.cat([functional.relu(self.up_norm[0](self.up[0](h))), half], dim=1)
        h = torch.cat([functional.relu(self.up_norm[1](self.up[1](h))), full], dim=1)
        h = self.last(reflect(h, 1))
        return x[:, : self.given] + h if self.residual else torch.tanh(h)
