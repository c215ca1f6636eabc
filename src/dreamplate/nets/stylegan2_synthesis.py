"""StyleGAN2's synthesis network: from styles to pictures.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020 (figure 2d, section 2.2, the
skip architecture of section 4.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.nets.anchor import Anchor
from dreamplate.nets.stylegan2_layers import GAIN, SLOPE, Dense
from dreamplate.nets.stylegan2_shape import BASE, Stylegan2Shape
from dreamplate.nets.upfirdn import double, smooth
from dreamplate.nets.wrapping import OPEN, Wrap, conv_same, resize_map, wrap_pad

Noise = Literal["const", "none"] | Sequence[Tensor]
"""Fine noise: the network's own maps, none, or a map ``(n or 1, 1, h, w)`` for each layer."""


class Styled(nn.Module):
    """A modulated convolution with noise, bias and leaky ReLU; ``up`` doubles the size.

    A style scales the input channels; the result is scaled so that each output channel has the variance
    that it would have for inputs of variance one (equations 1 and 3).
    """

    noise_const: Float[Tensor, "side side"]

    def __init__(self, entry: int, out: int, w_dim: int, side: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.affine = Dense(w_dim, entry, bias=1.0)
        self.weight = nn.Parameter(torch.zeros(out, entry, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.zeros(side, side))

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        w: Float[Tensor, "n w_dim"],
        noise: Noise | Tensor,
        wrap: Wrap,
    ) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, entry, h, w)`` to ``(n, out, h, w)``, or twice the size; ``noise`` is this layer's."""
        style = self.affine(w)
        squares = self.weight.square().sum((2, 3))
        scale = torch.rsqrt(F.linear(style.square(), squares) + 1e-8) * GAIN
        weight = self.weight
        alone = x.shape[0] == 1 and weight.numel() < x.numel()
        if alone:
            # Whichever is smaller is scaled: the weights of one picture, or all feature maps.
            weight = weight * style[0, None, :, None, None] * scale[0, :, None, None, None]
        else:
            x = x * style[:, :, None, None]
        x = double_conv(x, weight, wrap) if self.up else conv_same(x, weight, None, wrap)
        shift = (self.bias * GAIN).view(1, -1, 1, 1)
        grain = self.grain(noise, x.shape[2], x.shape[3])
        if grain is not None:
            shift = shift + grain * (self.noise_strength * GAIN)
        x = x + shift if alone else torch.addcmul(shift, x, scale[:, :, None, None])
        return F.leaky_relu(x, SLOPE)

    def grain(self, noise: Noise | Tensor, height: int, width: int) -> Tensor | None:
        """Return the noise map for a size; the network's own is repeated or cut, so that its grain stays."""
        if isinstance(noise, Tensor):
            return noise
        if noise == "none":
            return None
        own = self.noise_const
        if own.shape != (height, width):
            down, across = -(-height // own.shape[0]), -(-width // own.shape[1])
            own = own.repeat(down, across)[:height, :width]
        return own[None, None]


class ToRgb(nn.Module):
    """A modulated 1x1 convolution to colours, without scaling back."""

    def __init__(self, entry: int, colours: int, w_dim: int) -> None:
        super().__init__()
        self.affine = Dense(w_dim, entry, bias=1.0)
        self.weight = nn.Parameter(torch.zeros(colours, entry, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(
        self, x: Float[Tensor, "n c h w"], w: Float[Tensor, "n w_dim"]
    ) -> Float[Tensor, "n colours h w"]:
        """``(n, entry, h, w)`` to ``(n, colours, h, w)``."""
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        # The weights are so few that each picture gets its own, and no map is scaled.
        weight = self.weight[:, :, 0, 0] * style[:, None, :]
        colours = torch.einsum("noc,nchw->nohw", weight, x)
        return colours + self.bias.view(1, -1, 1, 1)


class Level(nn.Module):
    """The layers of one resolution: two styled convolutions (one at the coarsest) and colours."""

    def __init__(self, index: int, shape: Stylegan2Shape) -> None:
        super().__init__()
        side, out = BASE * 2**index, shape.channels[index]
        if index:
            self.conv0 = Styled(shape.channels[index - 1], out, shape.w_dim, side, up=True)
        else:
            self.const = nn.Parameter(torch.zeros(out, BASE, BASE))
        self.conv1 = Styled(out, out, shape.w_dim, side, up=False)
        self.torgb = ToRgb(out, shape.colours, shape.w_dim)


class SynthesisNetwork(nn.Module):
    """Styles to pictures."""

    def __init__(self, shape: Stylegan2Shape) -> None:
        super().__init__()
        self.shape = shape
        for index in range(len(shape.channels)):
            self.add_module(f"b{BASE * 2**index}", Level(index, shape))

    def levels(self) -> list[Level]:
        """Return the resolutions, coarse to fine."""
        found = [self.get_submodule(f"b{BASE * 2**index}") for index in range(len(self.shape.channels))]
        return [level for level in found if isinstance(level, Level)]

    def forward(
        self,
        ws: Float[Tensor, "n styles w"],
        *,
        noise: Noise = "const",
        grid: tuple[int, int] = (BASE, BASE),
        wrap: Wrap = OPEN,
        anchor: Anchor | None = None,
    ) -> Float[Tensor, "n colours height width"]:
        """Make pictures.

        Args:
            ws: A style for each convolution and one more. The colour layer of a resolution uses the style
                of the convolution after it.
            noise: Fine noise.
            grid: Height and width of the constant; a picture is ``resolution / 4`` times larger.
            wrap: Axes along which pictures tile.
            anchor: Features to record, or to keep outside a mask.

        Returns:
            Display values, mostly in [-1, 1] and not cut off, ``(n, colours, resolution * grid / 4)``.
        """
        levels = self.levels()
        first = levels[0].const[None].to(ws)
        x = resize_map(first, grid, wrap).expand(ws.shape[0], -1, -1, -1)
        x = x.contiguous(memory_format=torch.channels_last)
        layer, picture = 0, x.new_zeros(())
        for index, level in enumerate(levels):
            for conv in (level.conv0, level.conv1) if index else (level.conv1,):
                own = noise if isinstance(noise, str) else noise[layer]
                x = conv(x, ws[:, layer], own, wrap)
                layer += 1
                x = x if anchor is None else anchor(2 * layer, x)
            colours = level.torgb(x, ws[:, layer])
            picture = colours if index == 0 else double(picture, wrap) + colours
            picture = picture if anchor is None else anchor(2 * layer + 1, picture)
        return picture

    def noise_sizes(self, grid: tuple[int, int] = (BASE, BASE)) -> list[tuple[int, int]]:
        """Return height and width of each layer's noise map."""
        sides = [2 ** ((index + 1) // 2) for index in range(self.shape.styles - 1)]
        return [(grid[0] * side, grid[1] * side) for side in sides]


def double_conv(
    x: Float[Tensor, "n c h w"], weight: Float[Tensor, "out c k k"], wrap: Wrap = OPEN
) -> Float[Tensor, "n out h_out w_out"]:
    """Double the size and convolve (3x3), filtered by the taps 1 3 3 1: one transposed convolution.

    Upsampling, convolution and filter are linear and do not depend on place, so their order is free: the
    convolution runs where there are fewest samples.
    """
    margin = 2
    x = wrap_pad(x, margin, wrap)
    x = smooth(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), gain=4.0, padding=1)
    for axis, wraps in ((3, wrap[0]), (2, wrap[1])):
        if wraps:
            x = x.narrow(axis, 2 * margin, x.shape[axis] - 4 * margin)
    return x
