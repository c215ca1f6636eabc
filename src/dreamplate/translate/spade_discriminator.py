"""The discriminators of SPADE: patches at several scales, with all their features.

Park and others 2019, appendix A, figure 13: that of pix2pixHD with spectral and instance normalisation.
Condition and picture are seen together.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.spectral import make_conv
from dreamplate.nets.statistics import InstanceNorm

__all__ = ["PatchScale", "SpadeDiscriminator"]


class PatchScale(nn.Module):
    """A patch discriminator at one scale.

    Args:
        entry: Channels of condition and picture together.
        width: Channels after the first convolution.
        layers: Convolutions before the last; all but the last of these have stride 2.
        spectral: Whether the convolutions between the first and the last are spectrally normalised.
    """

    def __init__(self, entry: int, width: int = 64, layers: int = 4, spectral: bool = True) -> None:
        super().__init__()
        widths = [width, *(min(width << i, 512) for i in range(1, layers))]
        self.first = nn.Conv2d(entry, width, 4, 2, 2)
        self.convs = nn.ModuleList(
            make_conv(
                widths[i - 1], widths[i], 4, 1 if i == layers - 1 else 2, 2, bias=False, spectral=spectral
            )
            for i in range(1, layers)
        )
        self.norms = nn.ModuleList(InstanceNorm(after) for after in widths[1:])
        self.last = nn.Conv2d(widths[-1], 1, 4, 1, 2)

    def forward(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Return the features of every layer; the last are scores, one for each patch."""
        found = [functional.leaky_relu(self.first(x), 0.2)]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            found.append(functional.leaky_relu(norm(conv(found[-1])), 0.2))
        return [*found, self.last(found[-1])]


class SpadeDiscriminator(nn.Module):
    """Patch discriminators, each at half the size of the one before.

    Args:
        entry: Channels of the condition.
        channels: Of the picture.
        width: ndf.
        layers: Of each scale; 4 in SPADE.
        scales: How many; 2 in SPADE.
        spectral: Whether weights are spectrally normalised (or folded already).
    """

    def __init__(
        self,
        entry: int,
        channels: int = 3,
        width: int = 64,
        layers: int = 4,
        scales: int = 2,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchScale(entry + channels, width, layers, spectral) for _ in range(scales)
        )

    def forward(
        self, condition: Float[Tensor, "n entry h w"], image: Float[Tensor, "n c h w"]
    ) -> list[list[Tensor]]:
        """Return features by scale and layer; the last of each scale are its scores."""
        x = torch.cat([condition.to(image.dtype), image], 1)
        found = []
        for number, scale in enumerate(self.scales):
            if number:
                x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            found.append(scale(x))
        return found

    def layers(self) -> list[nn.Module]:
        """Return layers from the picture on, over all scales, as freezing counts them."""
        scales = [scale for scale in self.scales if isinstance(scale, PatchScale)]
        rows = [[scale.first, *scale.convs, scale.last] for scale in scales]
        return [nn.ModuleList(row) for row in zip(*rows, strict=True)]
