"""Scale and offset of each pixel, looked up by its neighbourhood, in as few passes as possible.

Gradients of a table's row are sums over all pixels that have it, tens of thousands in a large object. They
are added up in float32 whatever the features are in: bfloat16 would lose all but the first few hundred.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.translate.spade_patterns import Level

__all__ = ["modulate"]


def modulate(x: Tensor, table: Tensor, level: Level, slope: float = 1.0) -> Tensor:
    """Return ``x · table[pixel, :c] + table[pixel, c:]``, then a leaky ReLU; ``(n, c, h, w)`` as ``x`` is.

    Args:
        x: Features, channels last in memory.
        table: ``(o, 2 c)`` factor and offset of each neighbourhood.
        level: Which neighbourhood each pixel has.
        slope: Of the ReLU below 0; 1 for none.
    """
    made: Tensor = _Modulate.apply(x, table, level, slope)  # type: ignore[no-untyped-call]
    return made


class _Modulate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, level: Level, slope: float) -> Tensor:
        held = table.to(x.dtype)
        factor, offset = held.chunk(2, 1)
        out = _at_pixels(offset, level).addcmul_(x, _at_pixels(factor, level))
        if slope != 1:
            out = functional.leaky_relu_(out, slope)
        ctx.save_for_backward(x, factor, out)
        ctx.level, ctx.slope = level, slope
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, factor, out = ctx.saved_tensors
        grad = grads[0].contiguous(memory_format=torch.channels_last)
        if ctx.slope != 1:  # the sign of what came out is that of what went in
            grad = torch.ops.aten.leaky_relu_backward(grad, out, ctx.slope, True)
        width = x.shape[1]
        pairs = grad.new_empty((*ctx.level.inverse.shape, 2 * width), dtype=torch.float32)
        last = grad.permute(0, 2, 3, 1)
        torch.mul(last, x.permute(0, 2, 3, 1), out=pairs[..., :width])
        pairs[..., width:] = last
        order, starts = ctx.level.order
        table = functional.embedding_bag(order, pairs.flatten(0, 2), starts, mode="sum")
        return grad * _at_pixels(factor, ctx.level), table, None, None


def _at_pixels(rows: Tensor, level: Level) -> Tensor:
    """Return the rows of a table at the pixels that have them, channels last in memory."""
    return functional.embedding(level.inverse, rows).permute(0, 3, 1, 2)
