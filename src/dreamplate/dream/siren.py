"""The `siren` generator: a sine network from coordinates to colour."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.dream.colour_basis import from_display, to_display
from dreamplate.dream.options import SirenConfig

BLOCK = 8192
"""Points that go through the network at a time."""


class Siren(nn.Module):
    """A picture as a sine network over coordinates.

    After Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020;
    section 3.2 for how weights start.

    Coordinates run over [-1, 1] along the shorter side. Along an axis that tiles, the coordinate is
    replaced by its position on a circle, so the picture is periodic whatever the weights.
    """

    def __init__(
        self,
        config: SirenConfig,
        width: int,
        height: int,
        wrap: tuple[bool, bool],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, self.wrap = config, wrap
        self.span = (max(width / height, 1.0), max(height / width, 1.0))
        inputs = sum(2 if wraps else 1 for wraps in wrap)
        widths = [inputs] + [config.hidden] * config.layers
        self.sines = nn.ModuleList(
            _linear(
                fan_in,
                fan_out,
                1 / fan_in if first else math.sqrt(6 / fan_in) / config.w0,
                generator,
            )
            for first, fan_in, fan_out in zip(
                [True] + [False] * config.layers, widths[:-1], widths[1:], strict=False
            )
        )
        self.out = _linear(config.hidden, 3, math.sqrt(6 / config.hidden) / config.w0, generator)

    def forward(self, width: int, height: int) -> Float[Tensor, "1 3 {height} {width}"]:
        """Render ``(1, 3, height, width)``; the function is continuous, so any size shows the same."""
        weight = self.out.weight
        axes = [
            coordinates(side, span, wraps).to(weight)
            for side, span, wraps in zip((width, height), self.span, self.wrap, strict=True)
        ]
        x = axes[0][None, :, :].expand(height, -1, -1)
        y = axes[1][:, None, :].expand(-1, width, -1)
        points = torch.cat([x, y], dim=-1).reshape(height * width, -1)
        # In blocks, so that activations stay in the processor's cache and a large picture needs no more
        # memory than a small one when no gradient is wanted.
        colours = torch.cat([self.colour(block) for block in torch.split(points, BLOCK)])
        planes = colours.T.reshape(1, 3, height, width)
        return to_display(planes * self.config.gain, self.config.chroma)

    def colour(self, points: Float[Tensor, "n axes"]) -> Float[Tensor, "n 3"]:
        """Return the decorrelated colour coordinates at points given as from ``coordinates``."""
        values = points
        for index, layer in enumerate(self.sines):
            w0 = self.config.w0_first if index == 0 else self.config.w0
            values = torch.sin(w0 * layer(values))
        colours: Tensor = self.out(values)
        return colours

    @torch.enable_grad()
    def paint(self, image: Float[Tensor, "1 3 height width"]) -> None:
        """Fit the network to a picture by least squares in colour coordinates (200 Adam steps)."""
        height, width = image.shape[-2:]
        shrink = min(1.0, 160 / min(width, height))
        w, h = max(2, round(width * shrink)), max(2, round(height * shrink))
        small = torch.nn.functional.interpolate(image, (h, w), mode="bilinear", antialias=True)
        target = from_display(small, self.config.chroma)
        optimiser = torch.optim.Adam(self.parameters(), lr=5e-4)
        for _ in range(200):
            optimiser.zero_grad(set_to_none=True)
            error = from_display(self(w, h), self.config.chroma) - target
            torch.autograd.backward(torch.mean(error * error))
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)


def coordinates(side: int, span: float, wraps: bool) -> Float[Tensor, "{side} 1+{wraps}"]:
    """Return pixel centres ``(side, 1)`` in [-span, span], or ``(side, 2)`` on a circle of that length."""
    t = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1
    if not wraps:
        return (t * span)[:, None]
    # A circle of radius span / pi has circumference 2 * span: the same speed as the open axis.
    return torch.stack([torch.cos(t * math.pi), torch.sin(t * math.pi)], dim=-1) * (span / math.pi)


def _linear(fan_in: int, fan_out: int, bound: float, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(fan_in, fan_out)
    with torch.no_grad():
        layer.weight.copy_((torch.rand((fan_out, fan_in), generator=generator) * 2 - 1) * bound)
        layer.bias.copy_((torch.rand(fan_out, generator=generator) * 2 - 1) / math.sqrt(fan_in))
    return layer
