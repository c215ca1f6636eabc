"""The discriminator of OASIS: it segments pictures, and a made pixel is of a class of its own.

Sushko and others 2021, "You Only Need Adversarial Supervision for Semantic Image Synthesis", section 3.1 and
appendix A: a U-Net of residual blocks without normalisation, weights spectrally normalised.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.spectral import make_conv

__all__ = ["OasisDiscriminator"]

DOWN = (2, 2, 4, 4, 8, 8)
"""Channels of the six blocks that halve the size, over the width."""
UP = (8, 4, 4, 2, 1, 1)
"""Of the six that double it."""


class _Block(nn.Module):
    """Residual: activation and a 3 by 3 convolution twice, with the change of size between."""

    def __init__(self, entry: int, out: int, change: str, first: bool = False, spectral: bool = True) -> None:
        super().__init__()
        self.change, self.is_first = change, first
        self.conv_0 = make_conv(entry, out, 3, padding=1, spectral=spectral)
        self.conv_1 = make_conv(out, out, 3, padding=1, spectral=spectral)
        self.shortcut = make_conv(entry, out, 1, bias=False, spectral=spectral)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h_out w_out"]:
        # The picture itself is not rectified: half of its values would be lost.
        inner = x if self.is_first else functional.leaky_relu(x, 0.2)
        if self.change == "up":
            # A 1 by 1 convolution and doubling commute, so the shortcut works on the small map.
            side = functional.interpolate(self.shortcut(x), scale_factor=2, mode="nearest")
            inner = functional.interpolate(inner, scale_factor=2, mode="nearest")
        else:
            side = self.shortcut(functional.avg_pool2d(x, 2))
        inner = self.conv_1(functional.leaky_relu(self.conv_0(inner), 0.2))
        if self.change == "down":
            inner = functional.avg_pool2d(inner, 2)
        return side + inner


class OasisDiscriminator(nn.Module):
    """From pictures to scores of each class, and of "made", at each pixel.

    Args:
        classes: Of the label map; one more score comes last.
        channels: Of the picture.
        width: 64 in the paper (its blocks are 128, 128, 256, 256, 512, 512, and back).
        depth: Halvings, at most 6; sides must be multiples of 2^depth.
        spectral: Whether weights are spectrally normalised.
    """

    def __init__(
        self, classes: int, channels: int = 3, width: int = 64, depth: int = 6, spectral: bool = True
    ) -> None:
        super().__init__()
        if not 1 <= depth <= len(DOWN):
            raise ValueError(f"depth is {depth}; it must be 1 to {len(DOWN)}")
        down = [width * factor for factor in DOWN[:depth]]
        up = [width * factor for factor in UP[len(UP) - depth :]]
        self.down = nn.ModuleList(
            _Block(before, after, "down", not number, spectral)
            for number, (before, after) in enumerate(zip([channels, *down], down, strict=False))
        )
        # What goes up meets what went down at the same size.
        entries = [down[-1], *(up[i] + down[depth - 2 - i] for i in range(depth - 1))]
        self.up = nn.ModuleList(
            _Block(before, after, "up", spectral=spectral) for before, after in zip(entries, up, strict=True)
        )
        self.last = nn.Conv2d(up[-1], classes + 1, 1)

    def forward(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n scores h w"]:
        """Return raw scores; the last is that of made pixels."""
        kept = [image]
        for block in self.down:
            kept.append(block(kept[-1]))
        x = kept.pop()
        for number, block in enumerate(self.up):
            x = block(torch.cat([x, kept.pop()], 1) if number else x)
        scores: Tensor = self.last(functional.leaky_relu(x, 0.2))
        return scores

    def layers(self) -> list[nn.Module]:
        """Return layers from the picture on, as freezing counts them."""
        return [*self.down, *self.up, self.last]
