"""Judging a picture: its cut-outs held against the targets, in chunks that fit the memory setting."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.chunks import chunk_size
from dreamplate.dream.config import DreamConfig
from dreamplate.dream.cutouts import Cuts, take_cuts
from dreamplate.dream.losses import Wanted, agreement
from dreamplate.dream.natural import NaturalStatistics
from dreamplate.dream.scorers import Scorer
from dreamplate.take.machine import parse_memory


@dataclass(frozen=True)
class Judge:
    """A scorer, and how a dream looks through it.

    Attributes:
        scorer: What judges.
        config: Says how cuts are taken, weighed and chunked.
        chunks: Cuts at a time for each side that was planned.
    """

    scorer: Scorer
    config: DreamConfig
    chunks: dict[int, int]

    @classmethod
    def of(cls, scorer: Scorer, config: DreamConfig) -> Judge:
        """Make a judge, measuring how many cuts fit into memory.

        Raises:
            ResourceError: The memory setting cannot hold even one cut.
        """
        chunks = {side: fitting_chunk(scorer, config, side) for side in sorted(set(config.cut_sides))}
        return cls(scorer, config, chunks)

    def side(self, stage: int) -> int:
        """Return the side in pixels at which cuts are judged during a stage."""
        return self.config.cut_sides[stage] if getattr(self.scorer, "flexible", False) else self.scorer.size

    def chunk(self, side: int) -> int:
        """Return how many cuts of a side are judged at once."""
        return self.chunks.get(side) or fitting_chunk(self.scorer, self.config, side)

    def views(self, image: Float[Tensor, "1 3 height width"], cuts: Cuts, side: int) -> Tensor:
        """Return the cut-outs of a picture ``(n, 3, side, side)``."""
        return take_cuts(image, cuts, side, wrap=self.config.wrap, resample=self.config.cuts.resample)

    def add_gradient(
        self,
        image: Float[Tensor, "1 3 height width"],
        cuts: Cuts,
        side: int,
        wanted: Wanted,
        natural: NaturalStatistics | None = None,
    ) -> float:
        """Add the gradient of all cuts to ``image.grad``.

        Args:
            image: A leaf that wants a gradient.
            cuts: The step's draws.
            side: Side of the cuts in pixels.
            wanted: What is wanted.
            natural: Statistics to hold the scorer's features to.

        Returns:
            The mean agreement of the cuts.
        """
        config, chunk, total = self.config, self.chunk(side), 0.0
        layered = getattr(self.scorer, "encode_with_layers", None) if natural is not None else None
        pull = None
        if config.mean_share and len(cuts) > chunk:
            pull = self._pull_of_mean(self._mean(image, cuts, side), wanted)
        for start in range(0, len(cuts), chunk):
            part = cuts[start : start + chunk]
            share = len(part) / len(cuts)
            views = self.views(image, part, side)
            if layered is not None:
                embeddings, layers = layered(views)
            else:
                embeddings, layers = self.scorer.encode_image(views), None
            embeddings = embeddings.float()
            agreed = self._agreement(embeddings, wanted).mean()
            wish = agreed * (share * (1 - config.mean_share))
            if config.mean_share:
                # The agreement of the mean, exact for one chunk and by its gradient for several.
                mean = embeddings.mean(0)
                wish = wish + config.mean_share * (
                    (mean @ pull) * share if pull is not None else self._agreement_of_mean(mean, wanted)
                )
            loss = -config.agreement * wish
            if layered is not None and layers is not None and natural is not None:
                loss = loss + config.natural * natural.penalty(layers, share)
            torch.autograd.backward(loss)
            total += float(agreed.detach()) * share
        if natural is not None:
            natural.close_step()
        return total

    @torch.no_grad()
    def scores(
        self, images: Float[Tensor, "n 3 height width"], cuts: Cuts, side: int, wanted: Wanted
    ) -> Float[Tensor, " n"]:
        """Return the mean agreement of each picture, judged by the same cuts, without gradients."""
        found = []
        for image in torch.split(images, 1):
            embeddings = [
                self.scorer.encode_image(self.views(image, cuts[start : start + self.chunk(side)], side))
                for start in range(0, len(cuts), self.chunk(side))
            ]
            found.append(self._agreement(torch.cat(embeddings).float(), wanted).mean())
        return torch.stack(found)

    def _agreement(self, embeddings: Tensor, wanted: Wanted) -> Tensor:
        return agreement(embeddings, wanted, self.config.distance == "spherical")

    def _agreement_of_mean(self, mean: Tensor, wanted: Wanted) -> Tensor:
        return self._agreement(F.normalize(mean, dim=-1)[None], wanted)[0]

    @torch.no_grad()
    def _mean(self, image: Tensor, cuts: Cuts, side: int) -> Tensor:
        total = torch.zeros(self.scorer.dim, device=image.device)
        for start in range(0, len(cuts), self.chunk(side)):
            views = self.views(image, cuts[start : start + self.chunk(side)], side)
            total += self.scorer.encode_image(views).float().sum(0)
        return total / len(cuts)

    def _pull_of_mean(self, mean: Tensor, wanted: Wanted) -> Tensor:
        mean = mean.requires_grad_()
        (pull,) = torch.autograd.grad(self._agreement_of_mean(mean, wanted), mean)
        return pull


def fitting_chunk(scorer: Scorer, config: DreamConfig, side: int) -> int:
    """Return how many cuts of a side fit into the memory setting, at most all of them.

    Raises:
        ResourceError: Not even one.
    """
    side = side if getattr(scorer, "flexible", False) else scorer.size
    return min(config.cuts.number, chunk_size(scorer, side, parse_memory(config.memory)))
