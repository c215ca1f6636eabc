"""The `pixels` generator: a Laplacian pyramid of pixels in decorrelated colour."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.options import PixelsConfig
from dreamplate.dream.painting import Genes, Genome, Painting, draw_each


class Pixels(Painting):
    """Pictures as the sum of grids of pixels, each half as fine as the next.

    One grid of pixels learns only fine noise, since a step changes each pixel alone; with coarser
    grids beneath, a step can also move large areas at once.
    """

    COARSE = 12
    """Longest side of the levels that evolve."""

    def __init__(
        self,
        config: PixelsConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
    ) -> None:
        super().__init__(size, wrap, draws)
        self.config = config
        sizes = [(size[1], size[0])]
        while min(sizes[-1]) > 4 and len(sizes) < config.levels:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        # Coarse first. Finer levels start and learn more gently, as amplitudes fall with frequency.
        self.sizes = sizes[::-1]
        self.levels = nn.ParameterList(
            nn.Parameter(draw_each((3, h, w), draws) * config.start) for h, w in self.sizes
        )

    def gain(self, level: int) -> float:
        """Return the amplitude of a level: 1 for the coarsest, falling by ``2 ** -decay`` per octave."""
        return float(2.0 ** (-self.config.decay * level))

    def planes(self, count: int) -> Float[Tensor, "n 3 height width"]:
        """Return the sum of the ``count`` coarsest levels at the size of the finest of them."""
        total: Tensor = self.levels[0] * self.gain(0)
        for level in range(1, count):
            total = enlarge(total, self.sizes[level], self.wrap) + self.levels[level] * self.gain(level)
        return total

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)`` from the levels that are not finer than that."""
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
    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Take over pictures exactly (within the range of the colour mapping)."""
        target = from_display(image, self.config.chroma)
        total = torch.zeros_like(self.levels[0][:1])
        for level, size in enumerate(self.sizes):
            if level:
                total = enlarge(total, size, self.wrap)
            wanted = target
            if size != tuple(target.shape[-2:]):
                wanted = F.interpolate(target, size, mode="bilinear", antialias=True)
            self.levels[level].copy_((wanted - total) / self.gain(level))
            total = wanted

    def _coarse(self) -> list[int]:
        found = [index for index, size in enumerate(self.sizes) if max(size) <= self.COARSE]
        return found or [0]

    def genome(self) -> Genome:
        """Return the coarse levels; finer ones start at zero."""
        reals = sum(3 * self.sizes[index][0] * self.sizes[index][1] for index in self._coarse())
        return Genome(reals=reals, spread=1.0, bound=4.0)

    @torch.no_grad()
    def adopt(self, genes: Genes) -> None:
        """Become the pictures of these coarse levels ``(n, reals)``."""
        coarse, begin, count = self._coarse(), 0, len(genes)
        levels = []
        for index, (h, w) in enumerate(self.sizes):
            if index in coarse:
                values = genes.reals[:, begin : begin + 3 * h * w].reshape(count, 3, h, w)
                begin += 3 * h * w
                levels.append(nn.Parameter(values.to(self.levels[index]).clone()))
            else:
                levels.append(nn.Parameter(self.levels[index].new_zeros((count, 3, h, w))))
        self.levels, self.count = nn.ParameterList(levels), count


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
