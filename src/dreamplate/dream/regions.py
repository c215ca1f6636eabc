"""Regions: parts of the picture with prompts of their own.

Each region is judged on cut-outs of its surroundings in which everything outside the mask has been
replaced, so that neither the judgement nor the gradient leaves it ("Paint by Word", Andonian and
others, 2021, scores CLIP of the masked picture x * m in the same way). Departure from the paper:
outside there is not black but the picture itself, blurred to a haze and half greyed, since a hard
black silhouette is a shape that scorers see; and many random cut-outs of the region are judged
instead of one view of the whole frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.cutouts import Cuts, draw_cuts, full_view, take_cuts
from dreamplate.dream.losses import Wanted, agreement
from dreamplate.dream.options import CutConfig
from dreamplate.dream.pictures import Reference, resize
from dreamplate.dream.scorers import Scorer

MARGIN = 0.1
"""Surroundings seen on each side of a region, over the longer side of its box."""
SLIMMEST = 2.0
"""Longest over shortest side of the box; a slimmer region is seen with more of its surroundings."""
HAZE = 6
"""Cells across the blurred surroundings."""


class RegionCritic:
    """Judges one region of a picture.

    Args:
        mask: ``(1, 1, height, width)`` at the size of the finished picture; 1 is inside.
        wanted: What it should show, in the scorer's space.
        scorer: Judges the cut-outs.
        cuts: Their distribution; sizes are relative to the region's box.
        weight: Weight of the region against the main prompt.
        spherical: Measure agreement along the great circle.
    """

    def __init__(
        self,
        mask: Float[Tensor, "1 1 height width"],
        wanted: Wanted,
        scorer: Scorer,
        cuts: CutConfig,
        weight: float = 1.0,
        *,
        spherical: bool = False,
    ) -> None:
        self.mask, self.wanted, self.scorer = Reference(mask), wanted, scorer
        self.cuts, self.weight, self.spherical = cuts, weight, spherical
        self.box = find_box(mask)
        height, width = mask.shape[-2:]
        left, top, right, bottom = self.box
        self.aspect = (right - left) * width / ((bottom - top) * height)

    def step(
        self,
        leaf: Float[Tensor, "n 3 h w"],
        draws: torch.Generator | Sequence[torch.Generator],
        progress: float,
        side: int,
        chunk: int,
    ) -> float:
        """Add the gradient of minus the weighted agreement to ``leaf.grad``; return the mean agreement.

        Args:
            leaf: The pictures, display-encoded. The gradient of each is as if it were alone.
            draws: CPU generator, or one for each picture; everything is drawn before the first chunk.
            progress: Share of the run that is done.
            side: Side of the cut-outs in pixels.
            chunk: How many of them are judged at once.
        """
        several = [draws] if isinstance(draws, torch.Generator) else draws
        drawn = [
            draw_cuts(self.cuts, self.cuts.number, self.aspect, own, progress=progress) for own in several
        ]
        rows, columns = self._window(leaf)
        # A leaf of its own: chunks meet the blurring and joining only once, in the two lines at the end.
        seen = self.isolate(leaf.detach()).requires_grad_()
        scores = [
            self._judge(seen[index : index + 1], drawn[index % len(drawn)], side, chunk)
            for index in range(len(seen))
        ]
        if leaf.grad is None:
            leaf.grad = torch.zeros_like(leaf)
        assert seen.grad is not None
        leaf.grad[..., rows, columns] += seen.grad * self.mask.like(leaf)[..., rows, columns]
        return sum(scores) / len(scores)

    def _judge(self, seen: Float[Tensor, "1 3 h w"], cuts: Cuts, side: int, chunk: int) -> float:
        total = 0.0
        for start in range(0, len(cuts), chunk):
            part = cuts[start : start + chunk]
            views = take_cuts(seen, part, side, resample=self.cuts.resample)
            agreed = self._agreement(views).sum() / len(cuts)
            torch.autograd.backward(-self.weight * agreed)
            total += float(agreed.detach())
        return total

    def _agreement(self, views: Float[Tensor, "k 3 side side"]) -> Float[Tensor, " k"]:
        return agreement(self.scorer.encode_image(views).float(), self.wanted, self.spherical)

    def _window(self, image: Float[Tensor, "n 3 h w"]) -> tuple[slice, slice]:
        """Return the rows and columns of the box in a picture of this size, at least 2 of each."""
        height, width = image.shape[-2:]
        left, top, right, bottom = self.box
        return _span(top, bottom, height), _span(left, right, width)

    def isolate(self, image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 rows columns"]:
        """Return the region's box with a haze outside the mask, through which no gradient passes."""
        rows, columns = self._window(image)
        mask = self.mask.like(image)[..., rows, columns]
        crop = image[..., rows, columns]
        return crop * mask + haze(crop.detach()) * (1 - mask)

    @torch.no_grad()
    def measure(self, image: Float[Tensor, "n 3 h w"]) -> float:
        """Return how well the region agrees, seen in upright squares along its box; a mean of all."""
        seen = self.isolate(image)
        height, width = seen.shape[-2:]
        count = math.ceil(max(height, width) / min(height, width) - 0.25)
        views = full_view(count)
        inset = 0.5 * min(height, width) / max(height, width)
        along = torch.linspace(inset, 1 - inset, count) if count > 1 else torch.tensor([0.5])
        views.centre[:, 0 if width >= height else 1] = along
        scores = [
            self._agreement(take_cuts(seen[i : i + 1], views, self.scorer.size, colour=False)).mean()
            for i in range(len(seen))
        ]
        return float(torch.stack(scores).mean())


def haze(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Blur a picture until only broad tones are left, and take out half of its colour."""
    height, width = image.shape[-2:]
    scale = HAZE / max(height, width)
    small = F.interpolate(
        image, (max(1, round(height * scale)), max(1, round(width * scale))), mode="bilinear", antialias=True
    )
    small = 0.5 * (small + small.mean(1, keepdim=True))
    return resize(small, (height, width))


def find_box(mask: Float[Tensor, "1 1 height width"]) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom, in widths and heights of the picture, of a box to judge a mask in.

    It holds everything of the mask above 0.05 (or, in a fainter mask, above half its largest value), a
    margin around it, and is at most twice as long as it is wide where the picture has room for that.
    """
    height, width = mask.shape[-2:]
    inside = mask[0, 0] > min(0.05, 0.5 * float(mask.max()))
    columns, rows = torch.nonzero(inside.any(0)).flatten(), torch.nonzero(inside.any(1)).flatten()
    left, right = float(columns[0]), float(columns[-1] + 1)
    top, bottom = float(rows[0]), float(rows[-1] + 1)
    longest = max(right - left, bottom - top)
    margin, least = 2 * MARGIN * longest, (1 + 2 * MARGIN) * longest / SLIMMEST
    left, right = _widen(left, right, max(right - left + margin, least), width)
    top, bottom = _widen(top, bottom, max(bottom - top + margin, least), height)
    return left / width, top / height, right / width, bottom / height


def _widen(start: float, end: float, length: float, limit: int) -> tuple[float, float]:
    """Grow an interval around its middle to a length, moved inward where it would pass 0 or the limit."""
    length = min(length, float(limit))
    start = min(max((start + end - length) / 2, 0.0), limit - length)
    return start, start + length


def _span(start: float, end: float, side: int) -> slice:
    first = min(math.floor(start * side + 1e-6), side - 2)
    last = max(math.ceil(end * side - 1e-6), first + 2)
    return slice(max(first, 0), min(last, side))
