"""Convolution and resizing of feature maps that may tile along either axis."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Wrap = tuple[bool, bool]
"""Whether a map tiles in x and in y."""

OPEN: Wrap = (False, False)
"""No tiling."""


def wrap_pad(x: Float[Tensor, "n c h w"], amount: int, wrap: Wrap) -> Float[Tensor, "n c h_out w_out"]:
    """Continue a map by ``amount`` on both sides of each axis that tiles; other axes are left alone.

    The map is laid out as often as needed, so ``amount`` may be larger than the map.
    """
    for axis, wraps in ((3, wrap[0]), (2, wrap[1])):
        if wraps:
            side = x.shape[axis]
            if amount <= side:
                parts = (x.narrow(axis, side - amount, amount), x, x.narrow(axis, 0, amount))
                x = torch.cat(parts, dim=axis)
            else:
                x = x.index_select(axis, torch.arange(-amount, side + amount, device=x.device) % side)
    return x


def conv_same(
    x: Float[Tensor, "n c h w"],
    weight: Float[Tensor, "out in k k"],
    bias: Float[Tensor, " out"] | None = None,
    wrap: Wrap = OPEN,
    groups: int = 1,
) -> Float[Tensor, "n out h w"]:
    """Convolve with an odd kernel and keep the size: zeros beyond open ends, tiled axes go round."""
    margin = weight.shape[-1] // 2
    if not margin and groups == 1:
        # For maps that keep their channels last this is one matrix product, without rearranging weights.
        return F.linear(x.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias).permute(0, 3, 1, 2)
    if not margin or wrap == OPEN:
        return F.conv2d(x, weight, bias, padding=margin, groups=groups)
    x = wrap_pad(x, margin, wrap)
    padding = (0 if wrap[1] else margin, 0 if wrap[0] else margin)
    return F.conv2d(x, weight, bias, padding=padding, groups=groups)


def resize_map(
    x: Float[Tensor, "n c h w"], size: tuple[int, int], wrap: Wrap = OPEN
) -> Float[Tensor, "n c h_out w_out"]:
    """Resize a small map to ``size`` (height, width) linearly between pixel centres.

    Along a tiled axis the interpolation goes round, so the result tiles too. An axis that already has its
    size is returned as it is.
    """
    height, width = size
    if height != x.shape[2]:
        x = torch.einsum("oh,nchw->ncow", linear_matrix(x.shape[2], height, wrap[1]).to(x), x)
    if width != x.shape[3]:
        x = torch.einsum("ow,nchw->ncho", linear_matrix(x.shape[3], width, wrap[0]).to(x), x)
    return x


def linear_matrix(source: int, target: int, wraps: bool) -> Float[Tensor, "{target} {source}"]:
    """Return the matrix that interpolates ``source`` samples at ``target`` places, ends held or joined."""
    position = (torch.arange(target, dtype=torch.float64) + 0.5) * source / target - 0.5
    below = position.floor()
    share = position - below
    matrix = torch.zeros(target, source, dtype=torch.float64)
    rows = torch.arange(target)
    for index, weight in ((below.long(), 1 - share), (below.long() + 1, share)):
        column = index % source if wraps else index.clamp(0, source - 1)
        matrix.index_put_((rows, column), weight, accumulate=True)
    return matrix.float()
