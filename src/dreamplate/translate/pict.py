"""The U-Net of pix2pix's TensorFlow port (affinelayer), whose small models run in browsers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.statistics import InstanceNorm
from dreamplate.translate.pix2pix_layers import WIDEST, DownConv, UpConv, channels_last, check_size, entry

__all__ = ["PictUnet"]


class PictureNorm(InstanceNorm):
    """Normalises by the picture's own statistics, then scales; a single pixel becomes the offset alone."""

    def __init__(self, width: int) -> None:
        super().__init__(width, affine=True)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise each channel of each picture."""
        if x.shape[-1] * x.shape[-2] > 1 or (not self.training and self.chosen == "frozen"):
            return super().forward(x)
        if self.capturing:
            self._keep(x)
            # Frozen, such statistics shall leave the offset alone too.
            self.frozen_var = x.new_full((self.width,), float("inf"), dtype=torch.float32)
        assert self.bias is not None
        return (x * 0) + self.bias[:, None, None].to(x.dtype)


class PictUnet(nn.Module):
    """U-Net whose convolutions all have a bias, and whose norms always use the picture itself.

    It differs from `Unet` besides: the innermost level is normalised (which leaves its offset alone where
    it has a single pixel), what is skipped comes after what was made, and nothing is dropped.

    Args:
        given: Channels in.
        made: Channels out.
        depth: How often the picture is halved.
        width: Channels of the first level; they double up to eight times as many.

    Attributes:
        multiple: Height and width must be multiples of it.
        reach: Pixels around a tile that matter to it (see `Unet`).
    """

    z_dim = 0

    def __init__(self, given: int = 3, made: int = 3, depth: int = 8, width: int = 64) -> None:
        super().__init__()
        self.settings: dict[str, int | float | str] = {
            "architecture": "pict-unet",
            "given": given,
            "made": made,
            "depth": depth,
            "width": width,
        }
        self.multiple, self.reach = 2**depth, 2 ** (depth - 1)
        widths = [width * min(2**level, WIDEST) for level in range(depth)]
        self.down, self.down_norm = nn.ModuleList(), nn.ModuleList()
        self.up, self.up_norm = nn.ModuleList(), nn.ModuleList()
        for level, out in enumerate(widths):
            before = widths[level - 1] if level else given
            target = before if level else made
            self.down.append(DownConv(before, out))
            self.down_norm.append(PictureNorm(out) if level else nn.Identity())
            self.up.append(UpConv(out if level == depth - 1 else 2 * out, target))
            self.up_norm.append(PictureNorm(target) if level else nn.Identity())
        channels_last(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> PictUnet:
        """Return the network of these settings, with weights still to be loaded.

        Raises:
            ModelError: They do not fit together.
        """
        return cls(
            int(entry(settings, "given", 3, 1)),
            int(entry(settings, "made", 3, 1)),
            int(entry(settings, "depth", 8, 2, 14)),
            int(entry(settings, "width", 64, 1)),
        )

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """Return pictures of -1 to 1.

        Args:
            x: Height and width are multiples of ``self.multiple``.
        """
        check_size(x, self.multiple)
        levels: list[Tensor] = []
        h = x
        for level, (down, norm) in enumerate(zip(self.down, self.down_norm, strict=True)):
            h = norm(down(functional.leaky_relu(h, 0.2) if level else h))
            levels.append(h)
        innermost = len(levels) - 1
        for level in range(innermost, -1, -1):
            seen = h if level == innermost else torch.cat([h, levels[level]], 1)
            h = self.up_norm[level](self.up[level](functional.relu(seen)))
        return torch.tanh(h)
