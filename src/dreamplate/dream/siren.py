"""The `siren` generator: sine networks from coordinates to colour, one for each picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.options import SirenConfig
from dreamplate.dream.painting import Painting

BLOCK = 8192
"""Points that go through a network at a time."""


class Siren(Painting):
    """Pictures as sine networks over coordinates.

    After Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020;
    section 3.2 for how weights start. Coordinates run over [-1, 1] along the shorter side. Along an axis
    that tiles, the coordinate is replaced by its position on a circle, so the picture is periodic whatever
    the weights.

    With ``colour="rgb"`` everything is as in Deep Daze: the network gives red, green and blue in [-1, 1],
    coordinates reach the centres of the outermost pixels (elsewhere they reach the edges of the picture, so
    that a small rendering shows exactly what a large one does), and offsets start as small as weights.
    Different from Deep Daze, the network is rendered once a step and not once for each group of cut-outs;
    the gradient is the same.
    """

    def __init__(
        self,
        config: SirenConfig,
        size: tuple[int, int],
        wrap: tuple[bool, bool],
        draws: Sequence[torch.Generator],
    ) -> None:
        super().__init__(size, wrap, draws)
        self.config = config
        width, height = size
        self.span = (max(width / height, 1.0), max(height / width, 1.0))
        inputs = sum(2 if wraps else 1 for wraps in wrap)
        widths = [inputs] + [config.hidden] * config.layers + [3]
        started = [_draw_layers(widths, config, generator) for generator in draws]
        self.weights = nn.ParameterList(
            nn.Parameter(torch.stack([layers[index][0] for layers in started]))
            for index in range(len(widths) - 1)
        )
        self.offsets = nn.ParameterList(
            nn.Parameter(torch.stack([layers[index][1] for layers in started]))
            for index in range(len(widths) - 1)
        )

    def forward(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Render ``(count, 3, height, width)``; the function is continuous, so any size shows the same."""
        planes = self.raw(width, height)
        if self.config.colour == "rgb":
            return ((planes + 1) / 2).clamp(0, 1)
        return to_display(planes * self.config.gain, self.config.chroma)

    def raw(self, width: int, height: int) -> Float[Tensor, "count 3 {height} {width}"]:
        """Return what the networks give, ``(count, 3, height, width)``, around -1 to 1."""
        ends = self.config.colour == "rgb"
        x, y = (
            coordinates(side, span, wraps, ends).to(self.weights[0])
            for side, span, wraps in zip((width, height), self.span, self.wrap, strict=True)
        )
        y, x = y[:, None, :].expand(-1, width, -1), x[None, :, :].expand(height, -1, -1)
        points = torch.cat([y, x], dim=-1).reshape(height * width, -1)
        # In blocks, so that activations stay in the processor's cache and a large picture needs no more
        # memory than a small one when no gradient is wanted.
        parts = [self.values(part) for part in torch.split(points, max(1, BLOCK // self.count))]
        return torch.cat(parts, dim=1).transpose(1, 2).reshape(self.count, 3, height, width)

    def values(self, points: Float[Tensor, "n axes"]) -> Float[Tensor, "count n 3"]:
        """Return the networks' values ``(count, n, 3)`` at points given as y then x."""
        x: Tensor = points[None].expand(self.count, -1, -1)
        for index, (weight, offset) in enumerate(zip(self.weights, self.offsets, strict=True)):
            x = _linear(x, weight, offset)
            if index < self.config.layers:
                x = torch.sin(x * (self.config.w0 if index else self.config.w0_first))
        return x

    @torch.enable_grad()
    def paint(self, image: Float[Tensor, "n 3 height width"]) -> None:
        """Fit the networks to pictures by least squares: in colour coordinates, or red, green and blue.

        200 steps of Adam. Deep Daze compares its raw output (-1 to 1) with pixels of 0 to 1, which paints
        a start picture too bright and too flat; here they are brought to the same range.
        """
        height, width = image.shape[-2:]
        shrink = min(1.0, 160 / min(width, height))
        w, h = max(2, round(width * shrink)), max(2, round(height * shrink))
        small = F.interpolate(image, (h, w), mode="bilinear", antialias=True)
        rgb, gain = self.config.colour == "rgb", self.config.gain
        target = small * 2 - 1 if rgb else from_display(small, self.config.chroma)
        optimiser = torch.optim.Adam(self.parameters(), lr=5e-4)
        for _ in range(200):
            optimiser.zero_grad(set_to_none=True)
            error = self.raw(w, h) * (1.0 if rgb else gain) - target
            # Summed over pictures, so that each is fitted as it would be alone.
            torch.autograd.backward((error * error).mean((1, 2, 3)).sum())
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def coordinates(side: int, span: float, wraps: bool, ends: bool = False) -> Float[Tensor, "{side} 1+{wraps}"]:
    """Return where pixels are: ``(side, 1)`` in [-span, span], or ``(side, 2)`` on a circle of that length.

    Args:
        side: Pixels along this axis.
        span: Half its length.
        wraps: Whether the picture tiles along it.
        ends: The outermost pixels lie on the ends themselves, not half a pixel inside (never on a circle).
    """
    t = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1
    if not wraps:
        return (torch.linspace(-span, span, side) if ends else t * span)[:, None]
    # A circle of radius span / pi has circumference 2 * span: the same speed as the open axis.
    return torch.stack([torch.cos(t * math.pi), torch.sin(t * math.pi)], dim=-1) * (span / math.pi)


def _linear(
    x: Float[Tensor, "count n inside"],
    weight: Float[Tensor, "count out inside"],
    offset: Float[Tensor, "count out"],
) -> Float[Tensor, "count n out"]:
    if weight.shape[0] == 1:  # one matrix product is faster than a batch of one
        return F.linear(x[0], weight[0], offset[0])[None]
    return torch.baddbmm(offset[:, None, :], x, weight.transpose(1, 2))


def _draw_layers(
    widths: list[int], config: SirenConfig, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """Return the starting weight ``(out, in)`` and offset ``(out,)`` of each layer."""
    layers = []
    for index, (inside, out) in enumerate(pairwise(widths)):
        bound = math.sqrt(6 / inside) / config.w0 if index else 1 / inside
        offset_bound = bound if config.colour == "rgb" else 1 / math.sqrt(inside)
        weight = (torch.rand((out, inside), generator=generator) * 2 - 1) * bound
        layers.append((weight, (torch.rand(out, generator=generator) * 2 - 1) * offset_bound))
    return layers
