"""Natural statistics: keeping a scorer's features within what photographs cause.

A classifier with batch normalisation carries the mean and spread that each of its features had over
all the photographs it learnt from. Holding the features of the dream's cut-outs to these
(DeepInversion: Yin et al., "Dreaming to Distill", 2020, eq. 4) removes much of the noise that
raises a score without looking like anything.

Departure from the paper: its penalty is taken of each batch's own statistics, which makes the
gradient depend on how a batch is cut into chunks. Here the statistics run over the last steps, the
penalty is linearised around them, and each step adds a term that is linear in the moments of its
cuts. Chunks then add up exactly, and the statistics rest on many more cuts than one step has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.nets.efficientnet_lite import Layer


class NaturalStatistics:
    """The running moments of every layer, and the penalty they give.

    Args:
        memory: Share of the running moments that survives a step.
    """

    FLOOR = 1e-2
    """Added to spreads, so that features that never fire do not dominate."""

    def __init__(self, memory: float = 0.8) -> None:
        self.memory = memory
        self.steps = 0
        self.moments: list[Float[Tensor, "2 c"]] = []  # per layer: mean, mean of squares
        self._gathered: list[Float[Tensor, "2 c"]] = []
        self._share = 0.0

    def penalty(self, layers: Sequence[Layer], share: float) -> Float[Tensor, ""]:
        """Return a chunk's part of the penalty, linear in its moments, and note its moments.

        Args:
            layers: The chunk's activations.
            share: The chunk's part of the step's cuts; over a step the shares add up to 1.
        """
        total = layers[0].values.new_zeros(())
        for index, layer in enumerate(layers):
            now = moments(layer.values)
            if index == len(self._gathered):
                self._gathered.append(torch.zeros_like(now))
            self._gathered[index] += now.detach() * share
            if self.steps:
                total = total + (self.slope(index, layer) * now).sum()
        self._share += share
        return total * (share / len(layers))

    def slope(self, index: int, layer: Layer) -> Float[Tensor, "2 c"]:
        """Return the gradient ``(2, c)`` of a layer's penalty by its running moments."""
        mean, square = self.moments[index]
        scale = layer.std + self.FLOOR
        spread = (square - mean * mean).clamp(min=1e-6).sqrt()
        count = len(mean)
        by_spread = 2 * (spread - layer.std) / (scale * scale) / count
        by_mean = 2 * (mean - layer.mean) / (scale * scale) / count
        # spread = sqrt(square - mean**2): its derivatives by mean and square.
        return torch.stack([by_mean - by_spread * mean / spread, by_spread / (2 * spread)])

    def close_step(self) -> None:
        """Take the step's moments into the running ones."""
        if not self._gathered:
            return
        # Bias-corrected in effect: the first step sets the moments, later ones blend in.
        keep = min(self.memory, self.steps / (self.steps + 1))
        fresh = self._gathered
        self.moments = (
            [keep * old + (1 - keep) * new for old, new in zip(self.moments, fresh, strict=True)]
            if self.moments
            else fresh
        )
        self._gathered = []
        self.steps += 1

    def state_dict(self) -> dict[str, object]:
        """Return the running moments."""
        return {"steps": self.steps, "moments": list(self.moments)}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the running moments."""
        steps, kept = state["steps"], state["moments"]
        assert isinstance(steps, int) and isinstance(kept, list)
        self.steps, self.moments, self._gathered = steps, list(kept), []


def moments(values: Float[Tensor, "n c h w"]) -> Float[Tensor, "2 c"]:
    """Return mean and mean of squares ``(2, c)`` of activations ``(n, c, h, w)``."""
    rows = values.permute(0, 2, 3, 1).reshape(-1, values.shape[1]).float()
    return torch.stack([rows.mean(0), (rows * rows).mean(0)])


def deviation(layers: Sequence[Layer]) -> Float[Tensor, ""]:
    """Return how far features are from those of photographs (DeepInversion, eq. 4, over the spread)."""
    total = layers[0].values.new_zeros(())
    for layer in layers:
        mean, square = moments(layer.values)
        scale = layer.std + NaturalStatistics.FLOOR
        spread = (square - mean * mean).clamp(min=1e-6).sqrt()
        total = total + (((spread - layer.std) / scale) ** 2 + ((mean - layer.mean) / scale) ** 2).mean()
    return total / len(layers)
