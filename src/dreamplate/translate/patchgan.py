"""Discriminators that judge patches: PatchGAN and its 1x1 form (Isola and others 2017, 3.2.2 and 4.4)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.translate.pix2pix_layers import WIDEST, channels_last, make_norm

__all__ = ["RECEPTIVE", "PatchGan", "layers_of"]

RECEPTIVE = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""Pixels a side that one score sees → halvings."""


def layers_of(receptive: int) -> int:
    """Return how many halvings a receptive field needs.

    Raises:
        ConfigError: No number of halvings gives it.
    """
    if receptive not in RECEPTIVE:
        raise ConfigError(
            f"a patch of {receptive} pixels cannot be had; use one of {', '.join(map(str, RECEPTIVE))}"
        )
    return RECEPTIVE[receptive]


class PatchGan(nn.Module):
    """A score (no sigmoid) for every patch.

    Args:
        channels: Of what is judged: condition and picture together.
        width: Channels of the first layer; they double up to eight times as many.
        layers: Halvings; 0 is the pixel variant, which sees colours only.
        norm: ``batch``, ``instance`` or ``none``; the first and last layer have none.
        padding: Of each convolution; pix2pix has 1, pix2pixHD 2.
        bias: Whether convolutions before a norm have one; by default where the norm is no batch norm.
    """

    def __init__(
        self,
        channels: int = 6,
        width: int = 64,
        layers: int = 3,
        norm: str = "batch",
        padding: int = 1,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        bias = norm != "batch" if bias is None else bias
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        if layers == 0:
            sides, strides, padding = [1, 1, 1], [1, 1, 1], 0
            widths, biases = [channels, width, 2 * width, 1], [True, bias, bias]
        else:
            grown = [width * min(2**level, WIDEST) for level in range(layers + 1)]
            sides, strides = [4] * (layers + 2), [2] * layers + [1, 1]
            widths, biases = [channels, *grown, 1], [True, *[bias] * layers, True]
        for index, (side, stride) in enumerate(zip(sides, strides, strict=True)):
            entry, out = widths[index : index + 2]
            self.convs.append(nn.Conv2d(entry, out, side, stride, padding, bias=biases[index]))
            outer = index in (0, len(sides) - 1)
            self.norms.append(make_norm("none" if outer else norm, out))
        channels_last(self)

    def features(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Return what every layer makes, the scores last.

        Every size but those of the scores is after the activation, which is what feature matching compares.
        """
        made: list[Tensor] = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = conv(made[-1] if made else x)
            made.append(h if conv is self.convs[-1] else functional.leaky_relu(norm(h), 0.2))
        return made

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 a b"]:
        """Return ``(n, 1, ...)`` scores, higher for what looks real."""
        return self.features(x)[-1]

    def keep(self, layers: int) -> None:
        """Let the first layers learn no more (freeze-D: Mo and others 2020)."""
        for part in (*self.convs[:layers], *self.norms[:layers]):
            part.requires_grad_(False)
