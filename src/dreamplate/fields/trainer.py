"""One step of learning: trace rays, composite, compare with the photographs, send gradients back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dreamplate.fields.compositing import composite
from dreamplate.fields.config import FitConfig
from dreamplate.fields.method import Batch, Method

__all__ = ["Trainer"]


class Trainer:
    """Teaches a method.

    Args:
        method: What learns.
        config: Of the fit.
        background: ``(3,)`` colour behind clear pixels in the encoding of the fit, or None for a random one
            behind every ray.
        draws: CPU generator of every random number of a step.
    """

    def __init__(
        self, method: Method, config: FitConfig, background: Tensor | None, draws: torch.Generator
    ) -> None:
        self.method, self.config, self.background, self.draws = method, config, background, draws

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Take one step.

        Args:
            batch: Rays and what the photographs show there.
            progress: How much of the fit is done, 0-1.

        Returns:
            Scalars by name, detached, on the method's device.
        """
        traced = self.method.trace(batch.rays, training=True, draws=self.draws)
        behind = self._behind(batch)
        target = batch.colours
        if batch.alphas is not None:
            target = target + (1 - batch.alphas)[:, None] * behind
        error = self._error(composite(traced.samples).over(behind), target, batch.weights)
        loss = error
        if traced.coarse is not None:
            loss = loss + self._error(composite(traced.coarse).over(behind), target, batch.weights)
        for penalty in traced.penalties.values():
            loss = loss + penalty
        torch.autograd.backward(loss)
        self.method.update(progress)
        scalars = {"loss": loss.detach(), "mse": error.detach()}
        return scalars | {name: value.detach() for name, value in traced.penalties.items()}

    def _behind(self, batch: Batch) -> Tensor:
        if self.background is not None:
            return self.background.to(batch.colours.device)
        drawn = torch.rand(len(batch.rays), 3, generator=self.draws)
        return drawn.to(batch.colours.device)

    @staticmethod
    def _error(picture: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        apart = (picture - target).square().mean(1)
        if weights is None:
            return apart.mean()
        return (apart * weights).sum() / weights.sum().clamp_min(1e-6)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on, the method aside."""
        return {"draws": self.draws.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.draws.set_state(state["draws"])
