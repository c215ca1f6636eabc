"""How near what a model makes comes to the truth, on examples it did not learn from: L1, PSNR, SSIM."""

from __future__ import annotations

import math

from torch import Tensor

from dreamplate.nets.similarity import psnr, ssim
from dreamplate.train.batch import Batch

__all__ = ["Likeness", "compare"]


class Likeness:
    """Means over pictures, taken one at a time.

    All figures are of values 0-1 in the encoding that the network sees (clipped to that), so they are those
    of the literature where it is display-encoded colour, and only comparable with their like where it is not.
    Where an example has several right answers, the nearest by mean absolute difference counts.
    """

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, made: Tensor, batch: Batch) -> None:
        """Take in pictures ``(n, c, h, w)`` of -1 to 1 that were made of a batch."""
        for number, picture in enumerate(made):
            whole = batch.part(number, number + 1)
            for name, value in compare(picture, whole).items():
                if math.isfinite(value):  # equal pictures have no PSNR, those below 11 pixels no SSIM
                    self.sums[name] = self.sums.get(name, 0.0) + value
                    self.counts[name] = self.counts.get(name, 0) + 1

    @property
    def figures(self) -> dict[str, float]:
        """Mean ``l1``, ``psnr`` and ``ssim``."""
        return {name: value / self.counts[name] for name, value in self.sums.items()}


def compare(made: Tensor, truth: Batch) -> dict[str, float]:
    """Return L1, PSNR and SSIM of a picture ``(c, h, w)`` against a batch of one example."""
    answers = truth.image if truth.targets is None else truth.targets[0]
    weight = None if truth.weight is None else truth.weight[0, 0].float().cpu()
    picture = _unit(made)
    best = min((_unit(answer) for answer in answers), key=lambda answer: _l1(picture, answer, weight))
    found = {
        "l1": _l1(picture, best, weight),
        "psnr": psnr(picture, best, weight),
    }
    if weight is None:
        found["ssim"] = ssim(picture, best)
    return found


def _unit(picture: Tensor) -> Tensor:
    return (picture.detach().float().cpu().permute(1, 2, 0).clamp(-1, 1) + 1) / 2


def _l1(a: Tensor, b: Tensor, weight: Tensor | None) -> float:
    apart = (a - b).abs().mean(2)
    if weight is None:
        return float(apart.mean())
    total = float(weight.sum())
    return float((apart * weight).sum() / total) if total else math.nan
