"""Pictures made by arithmetic alone, with the statistics of photographs, to train small networks on.

Everything is drawn for a whole batch at once: dead leaves (overlapping shapes whose sizes follow a power
law, as things in the world do), noise with natural spectra, ridges with aerial perspective under skies,
windows and bricks, and thin strokes; in colours that vary mostly in brightness.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.dream.colour_basis import to_display


def pictures(count: int, side: int, draws: torch.Generator) -> Tensor:
    """Return ``count`` different pictures ``(count, 3, side, side)``, display-encoded in [0, 1].

    Args:
        count: How many.
        side: Width and height in pixels, at least 16.
        draws: CPU generator; the only source of randomness.
    """
    world = _World(count, side, draws)
    kinds = torch.stack([world.leaves(), world.landscape(), world.facade(), world.texture(world.palette(2))])
    kind = torch.multinomial(torch.tensor([0.42, 0.24, 0.16, 0.18]), count, True, generator=draws)
    image = kinds[kind, torch.arange(count)]
    # A third also shows something of another kind behind a ragged edge.
    other = kinds[(kind + 1) % len(kinds), torch.arange(count)]
    mask = torch.sigmoid((world.noise(1, 1.6) - 1.0) * 12) * world.often(0.33)
    image = image.lerp(other, mask)
    image = image.lerp(world.palette(1)[:, 0], world.strokes() * world.often(0.25))
    image = world.light(image)
    image = image.lerp(world.blurred(image), world.often(0.25))
    return (image + world.normal(3) * 0.012 * world.uniform(0, 1)).clamp(0, 1)


class _World:
    """Draws for one batch; every method returns something for each picture."""

    def __init__(self, count: int, side: int, draws: torch.Generator) -> None:
        self.count, self.side, self.draws = count, side, draws
        line = (torch.arange(side) + 0.5) / side
        self.x, self.y = line[None, None, None, :], line[None, None, :, None]
        fy, fx = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None, :]
        self.frequency = (fx * fx + fy * fy).sqrt().clamp(min=1 / side)

    # -- numbers ------------------------------------------------------------------------------------

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """``(count, *shape, 1, 1)``, or ``(count, 1, 1, 1)``."""
        size = (self.count, *(shape or (1,)), 1, 1)
        return torch.rand(size, generator=self.draws) * (high - low) + low

    def often(self, share: float) -> Tensor:
        """1 for this share of the pictures, else 0."""
        return (self.uniform(0, 1) < share).float()

    def normal(self, channels: int) -> Tensor:
        return torch.randn((self.count, channels, self.side, self.side), generator=self.draws)

    def noise(self, channels: int, decay: float | Tensor) -> Tensor:
        """Noise of unit variance whose amplitudes fall as ``frequency ** -decay``."""
        spectrum = torch.fft.rfft2(self.normal(channels))
        planes = torch.fft.irfft2(spectrum * self.frequency ** -torch.as_tensor(decay), s=(self.side,) * 2)
        planes = planes - planes.mean((-1, -2), keepdim=True)
        return planes / planes.std((-1, -2), keepdim=True).clamp(min=1e-6)

    # -- colour -------------------------------------------------------------------------------------

    def palette(self, number: int) -> Tensor:
        """``(count, number, 3, 1, 1)`` colours that go together: shared tint, various brightness."""
        shape = (self.count, number, 3, 1, 1)
        own = torch.randn(shape, generator=self.draws)
        tint = torch.randn((self.count, 1, 3, 1, 1), generator=self.draws)
        vivid = self.uniform(0.4, 3.5)[:, None]
        mixed = own * 0.8 + tint * 0.6
        planes = torch.cat([mixed[:, :, :1] * 2.2 - 0.4, mixed[:, :, 1:] * vivid], dim=2)
        return to_display(planes.reshape(-1, 3, 1, 1)).reshape(shape)

    # -- things -------------------------------------------------------------------------------------

    def texture(self, colours: Tensor) -> Tensor:
        """Noise between two colours ``(count, 2, 3, 1, 1)``: clouds, bark, gravel, marble."""
        grain = self.noise(1, self.uniform(0.7, 2.4)) * self.uniform(0.2, 1.5)
        along = self.uniform(0, math.tau)
        wave = torch.cos(along) * self.x + torch.sin(along) * self.y
        veins = torch.sin(wave * self.uniform(10, 120) + grain * self.uniform(0, 3))
        amount = torch.where(self.often(0.3) > 0, veins * self.uniform(0.2, 1), grain)
        image = torch.lerp(colours[:, 0], colours[:, 1], torch.sigmoid(2 * amount))
        return (image + self.noise(3, self.uniform(0.8, 1.8)) * self.uniform(0, 0.06)).clamp(0, 1)

    def leaves(self, number: int = 48) -> Tensor:
        """Overlapping discs, boxes and half planes, each with its colour, shading and grain."""
        image = self.texture(self.palette(2))
        colours = self.palette(8)
        fine, coarse = self.noise(1, self.uniform(0.5, 1.4)), self.noise(2, 1.4)
        rows = torch.arange(self.count)
        for index in range(number):
            # Sizes r with density r^-3, large ones first, so that small things lie on top.
            share = 1 - index / number
            radius = 0.05 * (1.004 - share) ** -0.5 * self.uniform(0.5, 1.8)
            angle, flat = self.uniform(0, math.tau), self.uniform(0.25, 1)
            dx = self.x - self.uniform(-0.1, 1.1) + coarse[:, :1] * radius * 0.12
            dy = self.y - self.uniform(-0.1, 1.1) + coarse[:, 1:] * radius * 0.12
            u = (torch.cos(angle) * dx + torch.sin(angle) * dy) / radius
            v = (torch.cos(angle) * dy - torch.sin(angle) * dx) / (radius * flat)
            round_ = 1 - (u * u + v * v).sqrt()
            box = 1 - torch.maximum(u.abs(), v.abs())
            inside = torch.where(self.often(0.45) > 0, box, round_)
            soft = self.uniform(0.5, 2.5) if index % 5 else self.uniform(3, 12)
            mask = (inside * radius * self.side / soft + 0.5).clamp(0, 1)
            pick = torch.randint(0, 8, (self.count,), generator=self.draws)
            shade = u * self.uniform(-0.3, 0.3) + fine * self.uniform(0, 0.12) + self.uniform(-0.15, 0.15)
            ball = round_.clamp(0, 1) * self.often(0.3) * 0.4 - 0.1
            image = torch.lerp(image, (colours[rows, pick] * (1 + shade + ball)).clamp(0, 1), mask)
        return image

    def landscape(self, ridges: int = 5) -> Tensor:
        """A sky with clouds, and ridges that fade into the distance; sometimes water at the bottom."""
        sky, land = self.palette(3), self.palette(2)
        top, low = sky[:, 0] * 0.6 + torch.tensor([0.1, 0.2, 0.4])[:, None, None], sky[:, 1] * 0.3 + 0.6
        image = torch.lerp(top, low, (self.y * 1.4).clamp(0, 1).expand(-1, -1, -1, self.side))
        clouds = torch.sigmoid((self.noise(1, 1.5) - self.uniform(-0.5, 1.5)) * 2.5)
        image = torch.lerp(image, 0.75 + 0.25 * sky[:, 2], clouds * self.uniform(0, 0.9))
        horizon = self.uniform(0.15, 0.6)
        for index in range(ridges):
            near = (index + 1) / ridges
            height = self.noise(1, 1.9)[:, :, :1, :] * self.uniform(0.02, 0.14)
            line = horizon + (0.9 - horizon) * near * self.uniform(0.6, 1) + height
            grain = self.noise(1, self.uniform(0.6, 1.6)) * self.uniform(0.05, 0.35)
            colour = torch.lerp(land[:, 0], land[:, 1], torch.sigmoid(self.noise(1, 1.5) * 2)) * (1 + grain)
            colour = torch.lerp(low, colour, 0.25 + 0.75 * near)
            mask = ((self.y - line) * self.side * self.uniform(0.3, 1.2) + 0.5).clamp(0, 1)
            image = torch.lerp(image, colour, mask)
        level = self.uniform(0.6, 1.0)
        ripple = self.noise(1, 1.0)[:, :, :, :1] * 0.1 + self.noise(1, 0.8) * 0.08
        water = torch.lerp(image.flip(2), top, 0.5) + ripple
        return torch.lerp(image, water, (self.y > level).float() * self.often(0.35)).clamp(0, 1)

    def facade(self) -> Tensor:
        """A tilted grid of windows, bricks or tiles, lit from one side."""
        colours = self.palette(4)
        angle = self.uniform(-0.3, 0.3)
        tilt = 1 + self.uniform(-0.5, 0.5) * self.x
        u = (torch.cos(angle) * self.x + torch.sin(angle) * self.y * tilt) * self.uniform(2, 16)
        v = (torch.cos(angle) * self.y * tilt - torch.sin(angle) * self.x) * self.uniform(2, 16)
        u = u + torch.floor(v) * 0.5 * self.often(0.4)
        gap_u, gap_v = self.uniform(0.05, 0.45), self.uniform(0.05, 0.45)
        sharp = self.side * 0.08
        hole = ((0.5 - (u - u.floor() - 0.5).abs() - gap_u / 2) * sharp).clamp(0, 1)
        hole = hole * ((0.5 - (v - v.floor() - 0.5).abs() - gap_v / 2) * sharp).clamp(0, 1)
        # A number of its own for each cell, by folding sines: panes differ as curtains and lights do.
        cell = torch.sin(u.floor() * 12.99 + v.floor() * 78.23) * 43758.5
        cell = (cell - cell.floor()) * self.uniform(0, 0.8)
        wall = self.texture(colours[:, :2])
        pane = torch.lerp(colours[:, 2], colours[:, 3], cell)
        return torch.lerp(wall, pane, hole)

    def strokes(self, number: int = 10) -> Tensor:
        """Masks of thin lines and arcs, as of twigs, wires and writing."""
        mask = torch.zeros(self.count, 1, self.side, self.side)
        wobble = self.noise(2, 1.8) * 0.05
        for _ in range(number):
            angle, bend = self.uniform(0, math.tau), self.uniform(-2, 2)
            dx, dy = self.x - self.uniform(0, 1) + wobble[:, :1], self.y - self.uniform(0, 1) + wobble[:, 1:]
            u = torch.cos(angle) * dx + torch.sin(angle) * dy
            v = torch.cos(angle) * dy - torch.sin(angle) * dx + bend * u * u
            width, length = self.uniform(0.004, 0.02), self.uniform(0.05, 0.6)
            line = ((width - v.abs()) * self.side + 0.5).clamp(0, 1)
            line = line * ((length - u.abs()) * self.side + 0.5).clamp(0, 1)
            mask = torch.maximum(mask, line)
        return mask

    # -- camera -------------------------------------------------------------------------------------

    def light(self, image: Tensor) -> Tensor:
        """A soft light from one side, exposure, contrast and a cast of colour."""
        along = self.uniform(0, math.tau)
        ramp = (torch.cos(along) * (self.x - 0.5) + torch.sin(along) * (self.y - 0.5)) * self.uniform(0, 0.9)
        image = image * (1 + ramp) * self.uniform(0.75, 1.2) * self.uniform(0.92, 1.08, 3)
        image = image.clamp(1e-4, 1) ** self.uniform(0.7, 1.5)
        grey = image.mean(1, keepdim=True)
        return torch.lerp(grey, image, self.uniform(0.4, 1.5)).clamp(0, 1)

    def blurred(self, image: Tensor) -> Tensor:
        """The picture out of focus."""
        small = F.interpolate(image, scale_factor=0.4, mode="bilinear", antialias=True)
        return F.interpolate(small, (self.side, self.side), mode="bicubic").clamp(0, 1)
