"""Normalisation whose statistics one can choose: of the batch, of each picture, running, or frozen.

Networks of the pix2pix family are trained with batch statistics and batches of one. What they make then
depends on which statistics are used afterwards, and a picture cut in tiles gets others in each tile. Here the
choice is a switch: capture the statistics of a whole (small) picture once, freeze them, and every
tile and frame is normalised alike.

While several processes train together, batch statistics are those of the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BatchNorm", "InstanceNorm", "Statistics", "capture", "freeze", "set_statistics"]

Statistics = Literal["batch", "picture", "running", "frozen"]
"""``batch``: mean and variance over the batch; ``picture``: of each picture by itself; ``running``: the
average seen in training; ``frozen``: those that `capture` kept last."""


class _Norm(nn.Module):
    """What both norms share: the switch, and statistics that were captured."""

    frozen_mean: Tensor | None
    frozen_var: Tensor | None

    def __init__(self, width: int, eps: float, affine: bool) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        self.weight = nn.Parameter(torch.ones(width)) if affine else None
        self.bias = nn.Parameter(torch.zeros(width)) if affine else None
        self.register_buffer("frozen_mean", None, persistent=False)
        self.register_buffer("frozen_var", None, persistent=False)
        self.capturing = False
        self.chosen: Statistics | None = None

    def _frozen(self, x: Tensor) -> Tensor:
        if self.frozen_mean is None or self.frozen_var is None:
            raise RuntimeError("frozen statistics are asked for before any were captured")
        scale = torch.rsqrt(self.frozen_var + self.eps)
        shift = -self.frozen_mean * scale
        if self.weight is not None and self.bias is not None:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        return x * scale[:, None, None].to(x.dtype) + shift[:, None, None].to(x.dtype)

    def _keep(self, x: Tensor) -> None:
        var, mean = torch.var_mean(x.detach().float(), (0, 2, 3), correction=0)
        self.frozen_mean, self.frozen_var = mean, var


class BatchNorm(_Norm):
    """Batch normalisation with the tensor names of ``torch.nn.BatchNorm2d``.

    In training mode statistics are those of the batch and the running ones are updated; in evaluation mode
    they are those that `set_statistics` chose, ``running`` at first.

    Args:
        width: Channels.
        eps: Added to the variance.
        momentum: Share of a batch in the running statistics.
        affine: Whether there are a learnt scale and offset.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, width: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(width, eps, affine)
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise each channel."""
        if self.capturing:
            self._keep(x)
        if self.training:
            self.num_batches_tracked.add_(1)
            if _processes() > 1:
                return self._together(x)
            return self._plain(x, training=True)
        chosen = self.chosen or "running"
        if chosen == "frozen":
            return self._frozen(x)
        if chosen == "picture":
            return _by_picture(x, self.weight, self.bias, self.eps)
        if chosen == "batch":
            return functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return self._plain(x, training=False)

    def _plain(self, x: Tensor, training: bool) -> Tensor:
        running = self.running_mean, self.running_var
        return functional.batch_norm(x, *running, self.weight, self.bias, training, self.momentum, self.eps)

    def _together(self, x: Tensor) -> Tensor:
        """Normalise by the statistics of the batches of all processes, gradients included."""
        mean = x.float().mean((0, 2, 3))
        moments = torch.stack([mean, (x.float() ** 2).mean((0, 2, 3))])
        mean, square = _Summed.apply(moments) / _processes()  # type: ignore[no-untyped-call]
        var = (square - mean**2).clamp_min(0)
        count = x.numel() // x.shape[1] * _processes()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (count / max(1, count - 1)), self.momentum)
        made = (x - mean[:, None, None]) * torch.rsqrt(var + self.eps)[:, None, None]
        if self.weight is not None and self.bias is not None:
            made = made * self.weight[:, None, None] + self.bias[:, None, None]
        return cast(Tensor, made.to(x.dtype))


class InstanceNorm(_Norm):
    """Instance normalisation, without parameters unless asked; ``frozen`` is its one other setting.

    Args:
        width: Channels.
        eps: Added to the variance.
        affine: Whether there are a learnt scale and offset.
    """

    def __init__(self, width: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__(width, eps, affine)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Normalise each channel of each picture."""
        if self.capturing:
            self._keep(x)
        if not self.training and self.chosen == "frozen":
            return self._frozen(x)
        return _by_picture(x, self.weight, self.bias, self.eps)


def _by_picture(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """Normalise each channel of each picture."""
    exported = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[attr-defined, no-untyped-call]
    if len(x) == 1 and not exported:
        # The same function. It keeps the memory layout, which spares the next convolution a copy.
        return functional.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
    return functional.instance_norm(x, None, None, weight, bias, eps=eps)


def set_statistics(network: nn.Module, chosen: Statistics | None) -> nn.Module:
    """Choose the statistics of every norm in evaluation mode; None is what each was made with (in place)."""
    for part in network.modules():
        if isinstance(part, _Norm):
            part.chosen = chosen
    return network


@contextmanager
def capture(network: nn.Module) -> Iterator[nn.Module]:
    """While this is open, every norm keeps the statistics of what it sees last."""
    norms = [part for part in network.modules() if isinstance(part, _Norm)]
    for norm in norms:
        norm.capturing = True
    try:
        yield network
    finally:
        for norm in norms:
            norm.capturing = False


def freeze(network: nn.Module, *inputs: Tensor) -> nn.Module:
    """Run a network once with the statistics of its own input, and keep those from now on (in place)."""
    set_statistics(network, "batch")
    with torch.no_grad(), capture(network):
        network(*inputs)
    return set_statistics(network, "frozen")


class _Summed(torch.autograd.Function):
    """The sum of a tensor over processes; each gets the sum of the gradients that all have for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _sum(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _sum(gradient)


def _sum(x: Tensor) -> Tensor:
    from torch import distributed

    whole = x.detach().clone()
    distributed.all_reduce(whole)
    return whole


def _processes() -> int:
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1
