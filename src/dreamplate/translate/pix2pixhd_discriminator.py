"""Discriminators of several scales (Wang and others 2018, section 3.2)."""

from __future__ import annotations

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.translate.patchgan import PatchGan

__all__ = ["MultiScale", "halved"]


def halved(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c hh ww"]:
    """Return pictures of half the size: means of 3x3 pixels, padding not counted."""
    return functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


class MultiScale(nn.Module):
    """PatchGANs of one form: the first sees the full size, each of the others half of the one before.

    Args:
        channels: Of what is judged: condition and picture together.
        width: Channels of the first layer.
        layers: Halvings.
        scales: Discriminators.
        norm: ``batch``, ``instance`` or ``none``.
        bias: Of all convolutions.
    """

    def __init__(
        self,
        channels: int = 39,
        width: int = 64,
        layers: int = 3,
        scales: int = 2,
        norm: str = "instance",
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchGan(channels, width, layers, norm, padding=2, bias=bias) for _ in range(scales)
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> list[list[Tensor]]:
        """Return features by scale, the full size first, and then by layer; the last of each are scores."""
        made: list[list[Tensor]] = []
        for index, network in enumerate(self.scales):
            x = halved(x) if index else x
            made.append(cast(PatchGan, network).features(x))
        return made

    def keep(self, layers: int) -> None:
        """Let the first layers of every scale learn no more (freeze-D)."""
        for network in self.scales:
            cast(PatchGan, network).keep(layers)
