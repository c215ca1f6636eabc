"""Convolutions of kernel 4 and stride 2, and their transposes, that are fast where there are few pixels.

The inner levels of a U-Net have 1 to 64 pixels and millions of weights. Convolution routines of processors
are slow there, and slower in their gradients: they rearrange all weights. As a matrix product every weight is
read once, where it lies. Both ways are the same function up to rounding; which one runs depends on the number
of pixels and on the precision.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["double", "double_resized", "halve", "spread_kernel"]

FEW = 64
"""Coarse pixels (over the batch) up to which a product is faster (benchmarks/pix2pix_speed.py)."""
FEW_FLOAT32 = 16
"""The same for halving in float32."""


def halve(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "d c 4 4"], bias: Float[Tensor, " d"] | None = None
) -> Float[Tensor, "n d hh ww"]:
    """Return ``conv2d(x, weight, bias, stride 2, padding 1)``; ``h`` and ``w`` are even."""
    pixels = len(x) * (x.shape[-2] // 2) * (x.shape[-1] // 2)
    if x.device.type != "cpu" or pixels > (FEW if x.dtype == torch.bfloat16 else FEW_FLOAT32):
        return functional.conv2d(x, weight, bias, 2, 1)
    count, channels, height, width = x.shape
    columns = functional.unfold(x, 4, padding=1, stride=2).view(count, channels, 16, -1)
    rows = columns.permute(0, 3, 2, 1).reshape(pixels, 16 * channels)
    # Weights lie as (out, 4, 4, in): this matrix is a view of them.
    made = functional.linear(rows, weight.permute(0, 2, 3, 1).reshape(len(weight), -1), bias)
    return made.view(count, height // 2, width // 2, -1).permute(0, 3, 1, 2)


def double(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "c d 4 4"], bias: Float[Tensor, " d"] | None = None
) -> Float[Tensor, "n d hh ww"]:
    """Return ``conv_transpose2d(x, weight, bias, stride 2, padding 1)``."""
    if x.device.type != "cpu" or len(x) * x.shape[-2] * x.shape[-1] > FEW:
        return functional.conv_transpose2d(x, weight, bias, 2, 1)
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    made = rows @ weight.permute(0, 2, 3, 1).reshape(x.shape[1], -1)
    return _laid(made.view(len(x), -1, 16, weight.shape[1]), x, bias)


def double_resized(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "d c 3 3"], bias: Float[Tensor, " d"] | None = None
) -> Float[Tensor, "n d hh ww"]:
    """Return ``conv2d(x enlarged twice by nearest neighbours, weight, bias, padding 1)``.

    Doubling by nearest neighbours is itself a transposed convolution, with a kernel of 2x2 ones. Joined with
    the one after it, it is a transposed convolution of kernel 4: the same result for 4/9 of the work.
    """
    if x.device.type != "cpu" or len(x) * x.shape[-2] * x.shape[-1] > FEW:
        return functional.conv_transpose2d(x, spread_kernel(weight), bias, 2, 1)
    rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    matrix = weight.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    made = (rows @ matrix.t()).view(-1, len(weight), 3, 3)
    # With few pixels it is cheaper to spread what was made than the weights.
    kernels = _spread(made.flip(2, 3)).view(len(x), -1, len(weight), 16).permute(0, 1, 3, 2)
    return _laid(kernels, x, bias)


def spread_kernel(weight: Float[Tensor, "d c 3 3"]) -> Float[Tensor, "c d 4 4"]:
    """Return the kernel of the transposed convolution that does what `double_resized` does."""
    return _spread(weight.flip(2, 3)).transpose(0, 1)


def _spread(kernel: Tensor) -> Tensor:
    """Convolve kernels ``(..., 3, 3)`` with 2x2 ones, to ``(..., 4, 4)``."""
    wide = functional.pad(kernel, (0, 1)) + functional.pad(kernel, (1, 0))
    return functional.pad(wide, (0, 0, 0, 1)) + functional.pad(wide, (0, 0, 1, 0))


def _laid(made: Tensor, x: Tensor, bias: Tensor | None) -> Tensor:
    """Add up what coarse pixels make of 4x4 fine ones: ``(n, pixels, 16, d) -> (n, d, 2 h, 2 w)``."""
    count, pixels, _, out = made.shape
    height, width = x.shape[-2:]
    columns = made.permute(0, 3, 2, 1).reshape(count, out * 16, pixels)
    laid = functional.fold(columns, (2 * height, 2 * width), 4, padding=1, stride=2)
    laid = laid.contiguous(memory_format=torch.channels_last)
    return laid if bias is None else laid + bias[:, None, None].to(laid.dtype)
