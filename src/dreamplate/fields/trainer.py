"""One step of learning: trace rays, composite, compare with the photographs, send gradients back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamplate.fields.compositing import Composite, composite
from dreamplate.fields.config import FitConfig
from dreamplate.fields.losses import colour_error, depth_error, distortion, opacity_entropy
from dreamplate.fields.method import Batch, Method, Traced
from dreamplate.fields.refine import Refinement
from dreamplate.fields.spaces import Extent

__all__ = ["Trainer"]


class Trainer:
    """Teaches a method.

    Args:
        method: What learns.
        config: Of the fit.
        background: ``(3,)`` colour behind clear pixels in the encoding of the fit, or None for a random one
            behind every ray.
        draws: CPU generator of every random number of a step.
        views: How many photographs are learnt from.
        extent: Where content is; its size is the unit of depths and shifts.
    """

    def __init__(
        self,
        method: Method,
        config: FitConfig,
        background: Tensor | None,
        draws: torch.Generator,
        views: int,
        extent: Extent,
    ) -> None:
        self.method, self.config, self.background, self.draws = method, config, background, draws
        size = float(np.linalg.norm(extent.box[1] - extent.box[0]))
        self.unit = size if math.isfinite(size) and size > 0 else 1.0
        self.extent = extent
        self.refinement = Refinement(
            views, exposure=config.exposure, poses=config.refine_poses, unit=self.unit
        ).to(config.device)

    def learn(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Take one step.

        Args:
            batch: Rays and what the photographs show there.
            progress: How much of the fit is done, 0-1.

        Returns:
            Scalars by name, detached, on the method's device.
        """
        rays = self.refinement.place(batch.rays)
        traced = self.method.trace(rays, training=True, draws=self.draws)
        behind = self._behind(batch)
        target = batch.colours
        if batch.alphas is not None:
            target = target + (1 - batch.alphas)[:, None] * behind
        seen = composite(traced.samples)
        error = self._colour(seen, target, behind, batch)
        losses = {"colour": error} | self._others(seen, traced, batch)
        if traced.coarse is not None:
            losses["coarse"] = self._colour(composite(traced.coarse), target, behind, batch)
        total = sum(losses.values(), start=error.new_zeros(()))
        for penalty in traced.penalties.values():
            total = total + penalty
        if not self.refinement.idle:
            total = total + self.refinement.penalty()
        if total.requires_grad:  # not where every ray misses everything
            torch.autograd.backward(total)
        self.method.update(progress)
        if not self.refinement.idle:
            self.refinement.update(progress)
        scalars = {"loss": total.detach()} | {name: value.detach() for name, value in losses.items()}
        return scalars | {name: value.detach() for name, value in traced.penalties.items()}

    def _behind(self, batch: Batch) -> Tensor:
        if self.background is not None:
            return self.background.to(batch.colours.device)
        drawn = torch.rand(len(batch.rays), 3, generator=self.draws)
        return drawn.to(batch.colours.device)

    def _colour(self, seen: Composite, target: Tensor, behind: Tensor, batch: Batch) -> Tensor:
        colour = self.refinement.expose(seen.colour, batch.rays.views)
        picture = colour + (1 - seen.opacity)[:, None] * behind
        found = _mean(colour_error(picture, target, self.config.loss), batch.weights)
        if batch.alphas is not None and self.config.alpha_weight:
            apart = (seen.opacity - batch.alphas).square()
            found = found + self.config.alpha_weight * _mean(apart, batch.weights)
        return found

    def _others(self, seen: Composite, traced: Traced, batch: Batch) -> dict[str, Tensor]:
        """Return the losses that were asked for, weighted."""
        config, found = self.config, dict[str, Tensor]()
        if config.opacity_weight:
            found["opacity"] = config.opacity_weight * _mean(opacity_entropy(seen.opacity), batch.weights)
        if config.distortion_weight and len(seen.weights):
            samples = traced.samples
            near, far = self._squash(samples.starts), self._squash(samples.ends)
            spread = distortion(seen.weights, near, far, samples.offsets)
            found["distortion"] = config.distortion_weight * _mean(spread, batch.weights)
        if config.depth_weight and batch.depths is not None:
            gap = depth_error(seen.depth, seen.opacity, batch.depths, self.unit)
            found["depth"] = config.depth_weight * _mean(gap, batch.weights)
        return found

    def _squash(self, distance: Tensor) -> Tensor:
        """Bring distances to 0-1: evenly in a box, as disparity in front, ever closer to 1 in the open."""
        if self.extent.kind == "forward":
            near, far = 1 / self.extent.near, 1 / self.extent.far
            return (near - 1 / distance.clamp_min(0.5 * self.extent.near)) / (near - far)
        share = distance / self.unit
        return share if self.extent.kind == "box" else share / (1 + share)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on, the method aside."""
        return {"draws": self.draws.get_state(), "refinement": self.refinement.all_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.draws.set_state(state["draws"])
        self.refinement.load_all(state["refinement"])


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return values.mean()
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)
