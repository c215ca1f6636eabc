"""Generators whose pictures come out of a network that does not learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.painting import Painting
from dreamplate.nets.wrapping import Wrap, resize_map


class NetPainting(Painting):
    """A `Painting` that keeps frozen networks out of its parameters and state, but on its device."""

    frozen: tuple[nn.Module, ...] = ()
    """The networks; a tuple, which `torch.nn.Module` does not look into."""

    def freeze(self, *nets: nn.Module) -> None:
        """Take over networks: they get no gradients and behave as in use."""
        for net in nets:
            net.requires_grad_(False)
            net.eval()
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a fifth faster on a CPU
        self.frozen += nets

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> NetPainting:
        # `.to(device)` and its siblings all come through here.
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for net in self.frozen:
            net._apply(fn)  # type: ignore[no-untyped-call]
        return self


def fit(
    image: Float[Tensor, "n c h w"], width: int, height: int, wrap: Wrap
) -> Float[Tensor, "n c {height} {width}"]:
    """Bring pictures to a size: reduced without aliasing, or enlarged linearly, across the seam too."""
    now = (image.shape[-2], image.shape[-1])
    if now == (height, width):
        return image
    if now[0] >= height and now[1] >= width:
        return F.interpolate(image, (height, width), mode="bilinear", antialias=True)
    return resize_map(image, (height, width), wrap)


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor) -> Tensor:
        ctx.save_for_backward(image)
        return image.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (image,) = ctx.saved_tensors
        outward = ((image > 1) & (grad < 0)) | ((image < 0) & (grad > 0))
        return grad.masked_fill(outward, 0.0)


def clamp(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Clip to [0, 1]; a value outside still feels gradients that lead back inside, so that it is not lost."""
    clipped: Tensor = _Clamp.apply(image)  # type: ignore[no-untyped-call]
    return clipped
