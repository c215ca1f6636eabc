"""Several processes that train together, started by ``torchrun``: who is who, and what they share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn

__all__ = ["average", "average_gradients", "rank", "world"]

BUCKET = 16 << 20
"""Numbers that are sent at once."""


def world() -> int:
    """Return how many processes train together; 1 without torchrun."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Return which of them this is, 0 for the one that writes files."""
    return distributed.get_rank() if _together() else 0


def average(value: Tensor) -> Tensor:
    """Return the mean of a tensor over processes, without a gradient; itself where there is one process."""
    if world() == 1:
        return value.detach()
    mean = value.detach().clone()
    distributed.all_reduce(mean)
    return mean / world()


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Replace every gradient by its mean over processes; nothing happens where there is one."""
    if world() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    start = 0
    while start < len(gradients):
        stop, count = start, 0
        while stop < len(gradients) and (stop == start or count + gradients[stop].numel() <= BUCKET):
            count += gradients[stop].numel()
            stop += 1
        part = gradients[start:stop]
        flat = torch.cat([gradient.reshape(-1) for gradient in part])
        distributed.all_reduce(flat)
        flat /= world()
        for gradient, mean in zip(part, torch.split(flat, [g.numel() for g in part]), strict=True):
            gradient.copy_(mean.view_as(gradient))
        start = stop


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()
