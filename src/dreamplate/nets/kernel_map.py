"""Kernel ridge regression from sentences to classes: how words reach a classifier that never read any."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHARPNESS = 4.0
"""Steepness of the kernel ``exp(SHARPNESS * (cosine - 1))``: how near a text must be to mean a class."""
RIDGE = 0.1
"""Added to the kernel's diagonal: how far the map may pass an anchor by."""


class KernelMap(nn.Module):
    """Kernel ridge regression from sentence vectors to mixtures of classes.

    Args:
        anchors: ``(kinds, classes, width)`` sentence directions; each has its class as the answer.
        sharpness: See :data:`SHARPNESS`.
        ridge: See :data:`RIDGE`.
    """

    mean: Tensor
    anchors: Tensor

    def __init__(self, anchors: Tensor, sharpness: float = SHARPNESS, ridge: float = RIDGE) -> None:
        super().__init__()
        self.kinds, self.classes, _ = anchors.shape
        flat = anchors.flatten(0, 1)
        self.sharpness = sharpness
        self.ridge = ridge
        self.register_buffer("mean", flat.mean(0))
        self.register_buffer("anchors", F.normalize(flat - flat.mean(0), dim=-1))
        self._factor: Tensor | None = None

    def kernel(self, directions: Tensor) -> Tensor:
        """``(n, width)`` centred directions to ``(n, kinds * classes)`` likeness to each anchor."""
        return torch.exp(self.sharpness * (directions @ self.anchors.T - 1))

    @torch.no_grad()
    def forward(self, sentences: Tensor) -> Tensor:
        """``(n, width)`` sentence vectors to ``(n, classes)`` shares, which may be negative."""
        if self._factor is None or self._factor.device != self.anchors.device:
            gram = self.kernel(self.anchors)
            gram.diagonal().add_(self.ridge)
            self._factor = torch.linalg.cholesky(gram)
        likeness = self.kernel(F.normalize(sentences - self.mean, dim=-1))
        shares = torch.cholesky_solve(likeness.T, self._factor).T
        return shares.view(len(sentences), self.kinds, self.classes).sum(1)


def unpack(state: Mapping[str, Tensor]) -> Tensor:
    """Return anchors that are stored as one byte a number, to about 0.5 %; unit length again."""
    return F.normalize(state["anchors"].float() * state["scale"].float(), dim=-1)
