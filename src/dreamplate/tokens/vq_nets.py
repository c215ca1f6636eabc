"""Both networks of our own codec: pictures to a few numbers a cell, and back.

Nearly all work is done at a quarter and an eighth of the size, where processors are fast: pixels go into and
out of channels by shuffling. There is no normalisation, so that a cell depends on its surroundings alone: not
on the size of the picture, nor on what is far away in it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.blocks import Conv

__all__ = ["FACTOR", "VqDecoder", "VqEncoder"]

FACTOR = 8
"""Pixels of a picture along a side of one code's cell."""


_SHUFFLED = ("decoder.up_4", "decoder.up_2", "decoder.leave")


class Residual(nn.Module):
    """``x + conv(relu(conv(relu(x))))``, two 3x3 convolutions of one width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Conv(width, width, 3), Conv(width, width, 3)

    def forward(self, x: Float[Tensor, "n c h w"], wrap: Wrap) -> Float[Tensor, "n c h w"]:
        """``(n, c, h, w)`` to ``(n, c, h, w)``."""
        change: Tensor = self.second(F.relu(self.first(F.relu(x), wrap)), wrap)
        return x + change


class VqEncoder(nn.Module):
    """Pictures of -1 to 1 to ``latent`` numbers a cell.

    Args:
        width: Channels at a quarter of the size; twice as many at an eighth.
        blocks: Residual blocks at each of the two sizes.
        latent: Numbers a cell.
    """

    def __init__(self, width: int, blocks: int, latent: int) -> None:
        super().__init__()
        self.entry = Conv(3 * 16, width, 3)
        self.at_4 = nn.ModuleList(Residual(width) for _ in range(blocks))
        self.down = Conv(4 * width, 2 * width, 1)
        self.at_8 = nn.ModuleList(Residual(2 * width) for _ in range(blocks))
        self.leave = Conv(2 * width, latent, 1)

    def forward(
        self, pixels: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n latent height//8 width//8"]:
        """Return the numbers of every cell; sides are multiples of 8."""
        x = self.entry(F.pixel_unshuffle(pixels, 4), wrap)
        for block in self.at_4:
            x = block(x, wrap)
        x = self.down(F.pixel_unshuffle(x, 2), wrap)
        for block in self.at_8:
            x = block(x, wrap)
        found: Tensor = self.leave(F.relu(x), wrap)
        return found


class VqDecoder(nn.Module):
    """``latent`` numbers a cell to pictures of about -1 to 1.

    Args:
        width: Channels at an eighth of the size; half as many at a quarter, a quarter at a half.
        blocks: Residual blocks at an eighth, at a quarter and at a half of the size.
        latent: Numbers a cell.
    """

    def __init__(self, width: int, blocks: tuple[int, int, int], latent: int) -> None:
        super().__init__()
        self.entry = Conv(latent, width, 3)
        self.at_8 = nn.ModuleList(Residual(width) for _ in range(blocks[0]))
        self.up_4 = Conv(width, 4 * (width // 2), 1)
        self.at_4 = nn.ModuleList(Residual(width // 2) for _ in range(blocks[1]))
        self.up_2 = Conv(width // 2, 4 * (width // 4), 1)
        self.at_2 = nn.ModuleList(Residual(width // 4) for _ in range(blocks[2]))
        self.leave = Conv(width // 4, 12, 3)

    def forward(
        self, features: Float[Tensor, "n latent h w"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n 3 8*h 8*w"]:
        """Return the picture of what every cell stands for."""
        x = self.entry(features, wrap)
        for block in self.at_8:
            x = block(x, wrap)
        x = F.pixel_shuffle(self.up_4(x, wrap), 2)
        for block in self.at_4:
            x = block(x, wrap)
        x = F.pixel_shuffle(self.up_2(x, wrap), 2)
        for block in self.at_2:
            x = block(x, wrap)
        return F.pixel_shuffle(self.leave(F.relu(x), wrap), 2)


def draw_weights(net: nn.Module, draws: torch.Generator) -> None:
    """Give every convolution random weights that keep the size of what goes through, and no offset.

    The last of each residual block begins at a third of that, so that the sum does not grow with depth. What
    is shuffled into pixels begins with equal filters for the four pixels of a square, as if enlarged by
    repetition (Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017).
    """
    with torch.no_grad():
        for name, conv in net.named_modules():
            if isinstance(conv, Conv):
                spread = (2 / conv.w[0].numel()) ** 0.5 * (0.33 if name.endswith("second") else 1.0)
                share = 4 if name.endswith(_SHUFFLED) else 1
                drawn = torch.randn((conv.w.shape[0] // share, *conv.w.shape[1:]), generator=draws)
                conv.w.copy_(drawn.repeat_interleave(share, 0) * spread)
                conv.b.zero_()
