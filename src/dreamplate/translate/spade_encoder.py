"""The style encoder of SPADE: what a picture looks like, whatever it shows.

Park and others 2019, appendix A, figure 14: six convolutions of stride 2 with instance normalisation, then
two matrices, for mean and log variance.
"""

from __future__ import annotations

import itertools

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.spectral import make_conv
from dreamplate.nets.statistics import InstanceNorm

__all__ = ["SpadeEncoder"]

SIDE = 256
"""Pictures are resized to this, whatever they are."""


class SpadeEncoder(nn.Module):
    """From pictures to mean and log variance of their style.

    Args:
        width: Channels after the first convolution; 64 in the paper.
        z_dim: Length of the style.
        channels: Of the picture.
        spectral: Whether weights are spectrally normalised (or folded already).
    """

    def __init__(self, width: int = 64, z_dim: int = 256, channels: int = 3, spectral: bool = True) -> None:
        super().__init__()
        widths = (channels, *(width * factor for factor in (1, 2, 4, 8, 8, 8)))
        self.convs = nn.ModuleList(
            make_conv(before, after, 3, 2, 1, bias=False, spectral=spectral)
            for before, after in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(InstanceNorm(after) for after in widths[1:])
        self.mean = nn.Linear(widths[-1] * 16, z_dim)
        self.spread = nn.Linear(widths[-1] * 16, z_dim)

    def forward(self, image: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n z"], Float[Tensor, "n z"]]:
        """Return mean and log variance of pictures of any size, -1 to 1."""
        x = image
        if tuple(x.shape[-2:]) != (SIDE, SIDE):
            x = functional.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(functional.leaky_relu(x, 0.2) if number else x))
        x = functional.leaky_relu(x, 0.2).flatten(1)
        return self.mean(x), self.spread(x)
