"""PhotoSketch's discriminator: one score for a whole drawing beside its photograph (Li and others 2019)."""

from __future__ import annotations

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.translate.pix2pix_layers import channels_last, make_norm

__all__ = ["GlobalDiscriminator"]

SIDES = (8, 3, 4, 4, 4)
"""Sides of the kernels, all of stride 2 and without padding: 256 pixels become 125, 62, 30, 14, 6."""
WIDTHS = (1, 2, 4, 8, 8)
"""Channels in multiples of the first layer's; the published description gives kernels only."""


class GlobalDiscriminator(nn.Module):
    """A score (no sigmoid) for each picture, from everything in it.

    The last convolution covers what five halvings leave of the crop: 6 x 6 of 256 pixels, as published. Other
    crops have another last kernel, so that there is one score at any of them.

    Args:
        channels: Of photograph and drawing together.
        crop: Height and width of what it judges; 96 pixels a side at least.
        width: Channels of the first layer.
        norm: Of the layers between the first and the last: ``batch``, ``instance`` or ``none``.

    Raises:
        ConfigError: The crop is too small.
    """

    def __init__(
        self, channels: int = 4, crop: tuple[int, int] = (256, 256), width: int = 64, norm: str = "batch"
    ) -> None:
        super().__init__()
        left = [_left(side) for side in crop]
        if min(left) < 1:
            raise ConfigError(
                f"photosketch: a crop of {crop[1]} x {crop[0]} is too small for the global discriminator;"
                " take 256, or the patch discriminator"
            )
        widths = [channels, *(width * factor for factor in WIDTHS)]
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for index, side in enumerate(SIDES):
            plain = index == 0 or norm != "batch"
            self.convs.append(nn.Conv2d(widths[index], widths[index + 1], side, 2, bias=plain))
            self.norms.append(make_norm("none" if index == 0 else norm, widths[index + 1]))
        self.last = nn.Conv2d(widths[-1], 1, (left[0], left[1]))
        channels_last(self)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 a b"]:
        """Return ``(n, 1, 1, 1)`` scores, higher for what looks real."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = functional.leaky_relu(norm(conv(x)), 0.2)
        return cast(Tensor, self.last(x))

    def keep(self, layers: int) -> None:
        """Let the first layers learn no more (freeze-D: Mo and others 2020)."""
        for part in (*self.convs[:layers], *self.norms[:layers]):
            part.requires_grad_(False)


def _left(side: int) -> int:
    """Return what the strided layers leave of a side."""
    for kernel in SIDES:
        side = (side - kernel) // 2 + 1
    return side
