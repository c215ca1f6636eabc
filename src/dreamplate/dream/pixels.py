"""The `pixels` generator: a Laplacian pyramid of pixels in decorrelated colour."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.options import PixelsConfig


class Pixels(nn.Module):
    """A picture as the sum of grids of pixels, each half as fine as the next.

    One grid of pixels learns only fine noise, since a step changes each pixel alone; with coarser
    grids beneath, a step can also move large areas at once.
    """

    def __init__(
        self,
        config: PixelsConfig,
        width: int,
        height: int,
        wrap: tuple[bool, bool],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, self.wrap = config, wrap
        self.size = (width, height)
        sizes = [(height, width)]
        while min(sizes[-1]) > 4 and len(sizes) < config.levels:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        # Coarse first. Finer levels start and learn more gently, as amplitudes fall with frequency.
        self.sizes = sizes[::-1]
        self.levels = nn.ParameterList(
            nn.Parameter(torch.randn((1, 3, h, w), generator=generator) * config.start) for h, w in self.sizes
        )

    def gain(self, level: int) -> float:
        """Return the amplitude of a level: 1 for the coarsest, falling by ``2 ** -decay`` per octave."""
        return float(2.0 ** (-self.config.decay * level))

    def planes(self, count: int) -> Float[Tensor, "1 3 height width"]:
        """Return the sum of the ``count`` coarsest levels at the size of the finest of them."""
        total: Tensor = self.levels[0] * self.gain(0)
        for level in range(1, count):
            total = enlarge(total, self.sizes[level], self.wrap) + self.levels[level] * self.gain(level)
        return total

    def forward(self, width: int, height: int) -> Float[Tensor, "1 3 {height} {width}"]:
        """Render ``(1, 3, height, width)`` from the levels that are not finer than that."""
        count = next(
            (i + 1 for i, (h, w) in enumerate(self.sizes) if h >= height and w >= width), len(self.sizes)
        )
        planes = self.planes(count)
        if planes.shape[-2:] != (height, width):
            smaller = height < planes.shape[-2] or width < planes.shape[-1]
            planes = (
                F.interpolate(planes, (height, width), mode="bilinear", antialias=True)
                if smaller
                else enlarge(planes, (height, width), self.wrap)
            )
        return to_display(planes, self.config.chroma)

    @torch.no_grad()
    def paint(self, image: Float[Tensor, "1 3 height width"]) -> None:
        """Take over a picture exactly (within the range of the colour mapping)."""
        target = from_display(image, self.config.chroma)
        total = torch.zeros_like(self.levels[0])
        for level, size in enumerate(self.sizes):
            if level:
                total = enlarge(total, size, self.wrap)
            wanted = target
            if size != tuple(target.shape[-2:]):
                wanted = F.interpolate(target, size, mode="bilinear", antialias=True)
            self.levels[level].copy_((wanted - total) / self.gain(level))
            total = wanted


def enlarge(
    planes: Float[Tensor, "n c h w"], size: tuple[int, int], wrap: tuple[bool, bool]
) -> Float[Tensor, "n c {size[0]} {size[1]}"]:
    """Upsample bilinearly; along wrapped axes the last column blends into the first."""
    if not any(wrap):
        return F.interpolate(planes, size, mode="bilinear", align_corners=False)
    height, width = planes.shape[-2:]
    px, py = int(wrap[0]), int(wrap[1])
    if px:
        planes = F.pad(planes, (1, 1, 0, 0), mode="circular")
    if py:
        planes = F.pad(planes, (0, 0, 1, 1), mode="circular")
    y = (torch.arange(size[0], device=planes.device) + 0.5) * (height / size[0]) + py
    x = (torch.arange(size[1], device=planes.device) + 0.5) * (width / size[1]) + px
    grid_y, grid_x = torch.meshgrid(2 * y / planes.shape[-2] - 1, 2 * x / planes.shape[-1] - 1, indexing="ij")
    grid = torch.stack([grid_x, grid_y], dim=-1)[None]
    return F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)
