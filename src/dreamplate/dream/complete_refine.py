"""A small completion turned a little until a scorer sees more in it, as a dream is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.complete_config import CompleteConfig
from dreamplate.dream.complete_enlarge import enlarge
from dreamplate.dream.complete_grid import Grid
from dreamplate.dream.config import DreamConfig
from dreamplate.dream.cutouts import draw_cuts
from dreamplate.dream.fft import Fft
from dreamplate.dream.judging import Judge
from dreamplate.dream.losses import Wanted
from dreamplate.dream.natural import NaturalStatistics
from dreamplate.dream.options import CutConfig
from dreamplate.dream.scorers import Scorer

__all__ = ["LONGEST", "refined"]

LONGEST = 320
"""Pixels of the longer side while a scorer looks."""
RATE = 0.02
"""Adam's rate, of a spectrum whose planes have unit spread."""
FAITH = 60.0
"""Weight of the small picture: the new part may gain detail, but not other colours."""
CUTS = 8


def refined(
    small: Float[Tensor, "1 3 h w"],
    grid: Grid,
    scorer: Scorer,
    wanted: Wanted,
    config: CompleteConfig,
    seed: int,
) -> Float[Tensor, "1 3 hh ww"]:
    """Return a small completion larger, with detail that a scorer asks for.

    What is kept stands beside it, sharp, in every view; the means of the new part's cells stay.

    Args:
        small: The completion at the model's scale.
        grid: The picture.
        scorer: What judges.
        wanted: What it shall see.
        config: Of the completion.
        seed: Of the views.
    """
    height, width = grid.size
    scale = min(1.0, LONGEST / max(height, width))
    size = (round(height * scale), round(width * scale))
    kept = F.interpolate(grid.kept[None], size, mode="area")
    new = F.interpolate(_canonical(grid)[None, None].float(), size, mode="area").ceil()
    dream = DreamConfig(
        "detail", cuts=CutConfig(number=CUTS), memory=config.memory, cut_sides=(scorer.size,),
        stages=(1.0,), stage_starts=(0.0,),
    )  # fmt: skip
    draws = torch.Generator().manual_seed(seed)
    painting = Fft(dream.fft, (size[1], size[0]), (False, False), [draws])
    painting.paint(enlarge(small, size) * new + kept * (1 - new))
    judge, natural = Judge.of(scorer, dream), NaturalStatistics()
    optimiser = torch.optim.Adam(painting.parameters(), lr=RATE)
    for step in range(config.refine):
        image = painting(size[1], size[0])
        leaf = (image.detach() * new + kept * (1 - new)).requires_grad_()
        leaf.grad = torch.zeros_like(leaf)
        cuts = draw_cuts(dream.cuts, CUTS, size[1] / size[0], draws, progress=step / config.refine)
        judge.add_gradient(leaf, cuts, judge.side(0), wanted, natural)
        means = F.interpolate(leaf, small.shape[-2:], mode="area")
        torch.autograd.backward(FAITH * (means - small).square().mean())
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(image, leaf.grad * new)
        optimiser.step()
    with torch.no_grad():
        made: Tensor = painting(size[1], size[0]).clamp(0, 1)
    return made


def _canonical(grid: Grid) -> Tensor:
    """Return where the picture is new, mirrored as the grid is."""
    return grid.new().flip(-1) if grid.mirrored else grid.new()
