"""The picture tower of the word-picture scorer: a small residual network for pictures of any size.

Activations are smooth (SiLU) and every halving averages overlapping squares, so that the gradient which
reaches the picture has little grid in it (after Zhang, "Making Convolutional Networks Shift-Invariant Again",
2019; a box instead of his binomial filter, whose backward pass takes a processor ten times as long in
bfloat16). What small things are is read off at an eighth of the side, by attention: a lighthouse on the
horizon fills few places, and a mean over all of them would lose it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.efficientnet_lite import Layer
from dreamplate.nets.statistics import BatchNorm

__all__ = ["PictureTower"]

WIDTHS = (1, 3, 6, 7)
"""Channels of the stages at 1/2, 1/4, 1/8 and 1/16 of the side, over those of the first."""
QUERIES = 4
"""Vectors that look for small things."""


class Norm(BatchNorm):
    """Batch normalisation that can note what it is given: see ``Layer``."""

    seen: list[Layer] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each channel."""
        if self.seen is not None:
            self.seen.append(Layer(x.float(), self.running_mean, (self.running_var + self.eps).sqrt()))
        return super().forward(x)


class PictureBlock(nn.Module):
    """Two convolutions, each normalised, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.norm2 = Norm(width), Norm(width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """``(n, c, h, w)`` to the same shape."""
        y = functional.silu(self.norm1(self.conv1(x)))
        return functional.silu(x + self.norm2(self.conv2(y)))


class Halve(nn.Module):
    """Half the size by means of 4x4 places, and other channels."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, outside, 1, bias=False)
        self.norm = Norm(outside)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hh ww"]:
        """``(n, c, h, w)`` to ``(n, d, h // 2, w // 2)``."""
        x = functional.avg_pool2d(x, 4, 2, 1, count_include_pad=False)
        return functional.silu(self.norm(self.conv(x)))


class PictureTower(nn.Module):
    """Pictures of any size from 32 pixels up to vectors.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        one, two, three, four = (width * times for times in WIDTHS)
        self.enter = nn.Conv2d(3, one, 4, 2, 1, bias=False)
        self.norm = Norm(one)
        self.stage1 = PictureBlock(one)
        self.halve2, self.stage2 = Halve(one, two), PictureBlock(two)
        self.halve3, self.stage3 = Halve(two, three), PictureBlock(three)
        self.halve4, self.stage4 = Halve(three, four), PictureBlock(four)
        self.queries = nn.Parameter(torch.empty(QUERIES, three))
        self.out = QUERIES * three + four
        """Length of the vectors."""

    def randomise(self, generator: torch.Generator) -> None:
        """Draw fresh weights."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_in", generator=generator)
            if isinstance(part, PictureBlock) and part.norm2.weight is not None:
                nn.init.constant_(part.norm2.weight, 0.3)
        nn.init.normal_(self.queries, std=0.1, generator=generator)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return a vector for each picture ``(n, 3, h, w)`` of -1 to 1."""
        near, far = self.maps(images)
        found, _ = self.look(near)
        return torch.cat([found, far.float().mean((2, 3))], 1)

    def maps(
        self, images: Float[Tensor, "n 3 h w"]
    ) -> tuple[Float[Tensor, "n near h3 w3"], Float[Tensor, "n far h4 w4"]]:
        """Return the features at an eighth of the side, and at a sixteenth."""
        x = images.contiguous(memory_format=torch.channels_last)
        x = self.stage1(functional.silu(self.norm(self.enter(x))))
        x = self.stage2(self.halve2(x))
        near = self.stage3(self.halve3(x))
        return near, self.stage4(self.halve4(near))

    def look(
        self, near: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n queries h w"]]:
        """Return what the queries find ``(n, queries * c)``, and where each looks: shares of the places."""
        n, _, height, width = near.shape
        places = near.float().flatten(2)
        shares = torch.einsum("qc,ncp->nqp", self.queries.float(), places).softmax(-1)
        found = torch.einsum("nqp,ncp->nqc", shares, places).flatten(1)
        return found, shares.view(n, QUERIES, height, width)

    def with_layers(self, images: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, list[Layer]]:
        """Return vectors, and what every normalisation was given, shallow to deep."""
        norms = [part for part in self.modules() if isinstance(part, Norm)]
        seen: list[Layer] = []
        for norm in norms:
            norm.seen = seen
        try:
            return self(images), seen
        finally:
            for norm in norms:
                norm.seen = None
