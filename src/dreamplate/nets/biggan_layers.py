"""The layers of BigGAN-deep: conditional normalisation, residual block, self-attention."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.nets.biggan_shape import BigganShape
from dreamplate.nets.wrapping import Wrap, conv_same

SQUEEZE = 4
"""A block works inside at a quarter of its input's channels."""
MOMENTUM = 0.1
"""How fast statistics follow the batches of a training."""


class Norm(nn.Module):
    """Batch normalisation with statistics by truncation; gain and shift come from a condition, if any."""

    running_means: Float[Tensor, "stats channels"]
    running_vars: Float[Tensor, "stats channels"]

    def __init__(self, channels: int, stats: int, eps: float, condition: int | None) -> None:
        super().__init__()
        self.eps, self.momentum = eps, MOMENTUM
        self.register_buffer("running_means", torch.zeros(stats, channels))
        self.register_buffer("running_vars", torch.ones(stats, channels))
        if condition is None:
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))
        else:
            self.scale = nn.Linear(condition, channels, bias=False)
            self.offset = nn.Linear(condition, channels, bias=False)

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        condition: Float[Tensor, "n d"] | None,
        truncation: float,
        swapped: bool,
    ) -> Float[Tensor, "n c h w"]:
        """Normalise, scale and shift, and cut off below zero."""
        if condition is None:
            gain, shift = self.weight[None], self.bias[None]
        else:
            gain, shift = 1 + self.scale(condition), self.offset(condition)
        if self.training:
            mean, var = self.observe(x)
        else:
            mean = at_truncation(self.running_means, truncation, swapped)
            var = at_truncation(self.running_vars, truncation, swapped)
        # One multiplication and one addition for each pixel, however many factors there are.
        gain = gain * torch.rsqrt(var + self.eps)
        shift = shift - mean * gain
        return F.relu(torch.addcmul(shift[:, :, None, None], x, gain[:, :, None, None]), inplace=True)

    def observe(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
        """Return the batch's own mean and variance, and let every row of the tables follow them."""
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        with torch.no_grad():
            self.running_means.lerp_(mean.detach().expand_as(self.running_means), self.momentum)
            self.running_vars.lerp_(var.detach().expand_as(self.running_vars), self.momentum)
        return mean, var


class Block(nn.Module):
    """Four normalised convolutions (1, 3, 3, 1) beside a shortcut that drops channels and repeats pixels."""

    def __init__(self, entry: int, out: int, up: bool, shape: BigganShape) -> None:
        super().__init__()
        self.out, self.up = out, up
        inner, condition = entry // SQUEEZE, shape.z_dim + shape.embed_dim
        widths = (entry, inner, inner, inner, out)
        for index, kernel in enumerate((1, 3, 3, 1)):
            norm = Norm(widths[index], shape.stats, shape.eps, condition)
            conv = nn.Conv2d(widths[index], widths[index + 1], kernel)
            setattr(self, f"bn_{index}", norm)
            setattr(self, f"conv_{index}", conv)

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        condition: Float[Tensor, "n d"],
        truncation: float,
        swapped: bool,
        wrap: Wrap,
    ) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, entry, h, w)`` to ``(n, out, h, w)``, or twice the size."""
        y = x
        for index in range(4):
            norm, conv = getattr(self, f"bn_{index}"), getattr(self, f"conv_{index}")
            y = norm(y, condition, truncation, swapped)
            if index == 1 and self.up:
                y = F.interpolate(y, scale_factor=2.0, mode="nearest")
            y = conv_same(y, conv.weight, conv.bias, wrap)
        shortcut = x[:, : self.out]
        if self.up:
            shortcut = F.interpolate(shortcut, scale_factor=2.0, mode="nearest")
        return y + shortcut


class Attention(nn.Module):
    """Self-attention over a map; keys and values at half its size (Zhang et al. 2019, figure 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.snconv1x1_theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.snconv1x1_g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.snconv1x1_o_conv = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add to each place what it gathers from all others, times a learned factor."""
        query = self.snconv1x1_theta(x).flatten(2).transpose(1, 2)
        key = F.max_pool2d(self.snconv1x1_phi(x), 2).flatten(2).transpose(1, 2)
        value = F.max_pool2d(self.snconv1x1_g(x), 2).flatten(2).transpose(1, 2)
        gathered = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        maps = gathered.transpose(1, 2).reshape(x.shape[0], -1, *x.shape[2:])
        return torch.addcmul(x, self.gamma, self.snconv1x1_o_conv(maps))


def at_truncation(
    table: Float[Tensor, "stats channels"], truncation: float, swapped: bool = False
) -> Float[Tensor, " channels"]:
    """Return the row of statistics for a truncation from 0 to 1, interpolated linearly between rows.

    Args:
        table: Statistics at truncations that are evenly spaced from 0 to 1.
        truncation: Where.
        swapped: Give each of the two nearest rows the share of the other, and fall on the row below where
            the division comes out a rounding error short of a whole number, as the first PyTorch port does.
    """
    last = table.shape[0] - 1
    if last == 0:
        return table[0]
    if not swapped:
        position = truncation * last
        below = min(int(position), last - 1)
        return torch.lerp(table[below], table[below + 1], position - below)
    share, whole = math.modf(truncation / (1.0 / last))
    below = min(int(whole), last)
    if not share or below == last:
        return table[below]
    return table[below] * share + table[below + 1] * (1 - share)
