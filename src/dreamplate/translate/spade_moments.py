"""Parameter-free normalisation of features that are enlarged afterwards.

Enlarging by repeating pixels changes neither mean nor variance, so that the small map can be normalised,
with a quarter of the work. This does what the norms of `nets.statistics` do, in all their settings.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.nets.statistics import BatchNorm, InstanceNorm
from dreamplate.train.processes import world

__all__ = ["moments", "normalise"]


def normalise(
    norm: BatchNorm | InstanceNorm, x: Float[Tensor, "n c h w"], repeats: int = 1
) -> Float[Tensor, "n c h w"]:
    """Return what a norm without parameters makes of features; see `moments`."""
    mean, scale = moments(norm, x, repeats)
    # Centred first: a product of large numbers would cancel badly where a channel hardly varies.
    centred = x - mean[:, :, None, None].to(x.dtype)
    return centred * scale[:, :, None, None].to(x.dtype)


def moments(
    norm: BatchNorm | InstanceNorm, x: Float[Tensor, "n c h w"], repeats: int = 1
) -> tuple[Float[Tensor, "m c"], Float[Tensor, "m c"]]:
    """Return mean and inverse deviation of each channel, for each picture or (m = 1) for all alike.

    In training mode running statistics are updated, as the norm would.

    Args:
        norm: Without parameters of its own.
        x: Features.
        repeats: How many times each pixel stands in the features that the norm is for.
    """
    if norm.capturing:
        norm._keep(x)
    if not norm.training and norm.chosen == "frozen":
        assert norm.frozen_mean is not None and norm.frozen_var is not None
        return _rows(norm.frozen_mean, norm.frozen_var, norm.eps)
    if isinstance(norm, InstanceNorm) or (not norm.training and norm.chosen == "picture"):
        var, mean = torch.var_mean(x.float(), (2, 3), correction=0)
        return _rows(mean, var, norm.eps)
    if norm.training:
        return _rows(*_learn(norm, x.float(), repeats), norm.eps)
    if norm.chosen == "batch":
        var, mean = torch.var_mean(x.float(), (0, 2, 3), correction=0)
        return _rows(mean, var, norm.eps)
    return _rows(norm.running_mean, norm.running_var, norm.eps)


def _learn(norm: BatchNorm, x: Tensor, repeats: int) -> tuple[Tensor, Tensor]:
    """Return mean and variance of the batch, over all processes, and take them into the running ones."""
    norm.num_batches_tracked.add_(1)
    if world() > 1:
        from torch.distributed.nn.functional import all_reduce

        sums = torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))])
        mean, square = all_reduce(sums) / world()  # type: ignore[no-untyped-call]
        var = (square - mean**2).clamp_min(0)
    else:
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    count = x.numel() // x.shape[1] * repeats * world()
    with torch.no_grad():
        norm.running_mean.lerp_(mean.detach(), norm.momentum)
        norm.running_var.lerp_(var.detach() * (count / max(1, count - 1)), norm.momentum)
    return mean, var


def _rows(mean: Tensor, var: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    width = mean.shape[-1]
    return mean.reshape(-1, width), torch.rsqrt(var + eps).reshape(-1, width)
