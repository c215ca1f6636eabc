"""Warped examples: proportions and borders beyond those of the training set."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws

__all__ = ["jitter", "warp"]

STRETCH = 0.9
"""Spread of the logarithm of how much a part of an axis is stretched, at full strength."""
PARTS = 5
"""Parts of an axis that are stretched alike."""
DRIFT = 0.06
"""Spread of smooth movements at full strength, as a share of the picture's side."""
SHAKE = 2.0
"""Spread of movements of borders at full strength, in pixels."""


def warp(batch: Batch, draws: Draws, strength: float) -> Batch:
    """Change proportions, on condition and picture together; borders of the picture stay where they are."""
    count, (height, width) = len(batch), batch.size
    rows = _stretched(draws.named("rows").normal((count, PARTS)) * STRETCH * strength, height)
    columns = _stretched(draws.named("columns").normal((count, PARTS)) * STRETCH * strength, width)
    places = torch.stack(
        [columns[:, None, :].expand(-1, height, -1), rows[:, :, None].expand(-1, -1, width)], -1
    )
    drift = draws.named("drift").normal((count, 2, 4, 4)) * 2 * DRIFT * strength
    moved = functional.interpolate(drift, (height, width), mode="bicubic", align_corners=True)
    # Movements end at the border, so that nothing from beyond it comes in.
    calm = (1 - places.abs().clamp_max(1) ** 4).prod(-1, keepdim=True)
    return _sampled(batch, (places + moved.permute(0, 2, 3, 1) * calm).clamp(-1, 1))


def jitter(batch: Batch, draws: Draws, strength: float) -> Batch:
    """Move the borders of conditions a little, and pictures not at all."""
    count, (height, width) = len(batch), batch.size
    grid = (max(2, height // 12), max(2, width // 12))
    shake = draws.normal((count, 2, *grid)) * SHAKE * strength
    moved = functional.interpolate(shake, (height, width), mode="bicubic", align_corners=True)
    places = _still(height, width) + moved.permute(0, 2, 3, 1) * 2 / torch.tensor([width, height])
    shaken = _sampled(batch, places.clamp(-1, 1))
    return replace(batch, condition=shaken.condition, labels=shaken.labels, instances=shaken.instances)


def _stretched(logs: Float[Tensor, "n parts"], side: int) -> Float[Tensor, "n side"]:
    """Return for every pixel of an axis where it comes from, -1 to 1: a rising line of so many parts."""
    lengths = logs.exp()
    ends = functional.pad(lengths.cumsum(1) / lengths.sum(1, keepdim=True), (1, 0))
    along = (torch.arange(side) + 0.5) / side * PARTS
    part = along.long().clamp_max(PARTS - 1)
    start, stop = ends[:, part], ends[:, part + 1]
    return (start + (stop - start) * (along - part)) * 2 - 1


def _still(height: int, width: int) -> Tensor:
    rows, columns = ((torch.arange(side) + 0.5) / side * 2 - 1 for side in (height, width))
    return torch.stack([columns.expand(height, -1), rows[:, None].expand(-1, width)], -1)[None]


def _sampled(batch: Batch, places: Float[Tensor, "n h w 2"]) -> Batch:
    """Return a batch whose every tensor is looked up at other places: ids exactly, the rest bilinearly."""

    def look(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            flat = tensor.flatten(1, -3) if tensor.ndim > 4 else tensor
            found = functional.grid_sample(
                flat, places, mode="bilinear", padding_mode="border", align_corners=False
            )
            return found.view(tensor.shape)
        height, width = batch.size
        column = ((places[..., 0] + 1) / 2 * width).long().clamp(0, width - 1)
        row = ((places[..., 1] + 1) / 2 * height).long().clamp(0, height - 1)
        return tensor.flatten(1).gather(1, (row * width + column).flatten(1)).view(tensor.shape)

    return batch.each(look)
