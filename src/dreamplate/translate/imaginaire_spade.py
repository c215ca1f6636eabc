"""SPADE as the program imaginaire builds it: more style, larger kernels, a picture at every size.

The residual blocks are those of SPADE (Park and others 2019, appendix A). Besides, a vector of style, made
of z by two dense layers, scales and shifts four plain convolutions (Huang and Belongie 2017, eq. 8), and
from 256 pixels on every size has a picture of its own; they are enlarged, added, multiplied by a constant
and bounded by tanh. Written from names and shapes of its tensors; no published checkpoint was at hand.
Position channels at the start, which the published configurations leave off, are not supported. The
constant, which no tensor holds, is 1, 0.5 or 0.33 for 256, 512 or 1024 pixels.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.models.layouts.imaginaire import MULTIPLIERS, STYLED, blocks_of
from dreamplate.nets.statistics import BatchNorm
from dreamplate.translate.spade_layers import (
    SLOPE,
    Condition,
    LabelCondition,
    MapCondition,
    SpadeBlock,
    SpadeNorm,
)

__all__ = ["ImaginaireSpade"]

SIDE = 256
"""Pictures whose style is read are resized to this."""


class StyleConv(nn.Module):
    """Normalisation with a scale and an offset from the style, leaky ReLU, a 3 by 3 convolution."""

    def __init__(self, entry: int, out: int, style: int) -> None:
        super().__init__()
        self.norm = BatchNorm(entry, affine=False)
        self.modulation = nn.Linear(style, 2 * entry)
        self.conv = nn.Conv2d(entry, out, 3, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"], style: Float[Tensor, "n s"]) -> Float[Tensor, "n o h w"]:
        """Return features of the same size."""
        gamma, beta = self.modulation(style)[:, :, None, None].chunk(2, 1)
        made: Tensor = self.conv(functional.leaky_relu(self.norm(x) * (1 + gamma) + beta, SLOPE))
        return made


class StyleEncoder(nn.Module):
    """From pictures to mean and log variance of their style: six convolutions, each halving, and no norm."""

    def __init__(self, width: int, z_dim: int, channels: int) -> None:
        super().__init__()
        widths = (channels, *(width * factor for factor in (1, 2, 4, 8, 8, 8)))
        pairs = itertools.pairwise(widths)
        self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, 2, 1) for before, after in pairs)
        self.mean = nn.Linear(16 * widths[-1], z_dim)
        self.spread = nn.Linear(16 * widths[-1], z_dim)

    def forward(self, image: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n z"], Float[Tensor, "n z"]]:
        """Return mean and log variance of pictures of any size, -1 to 1."""
        x = functional.interpolate(image, (SIDE, SIDE), mode="bilinear", align_corners=False)
        for conv in self.convs:
            x = functional.leaky_relu(conv(x), SLOPE)
        return self.mean(x.flatten(1)), self.spread(x.flatten(1))


class ImaginaireSpade(nn.Module):
    """The generator.

    Args:
        entry: Channels of the condition: one-hot classes, then the edge channel.
        edges: 1 where the last of these is instance edges.
        channels: Of the picture.
        width: Channels at 512 pixels; 16 times as many at the start.
        hidden: Channels inside SPADE.
        kernel: Of the convolutions inside SPADE.
        kernel_last: Of those that make pictures.
        z_dim: Length of z.
        pictures: How many sizes have a picture: 1 for 256 pixels, 2 for 512, 3 for 1024.
        multiplier: Of their sum.
        style_width: Channels of the style encoder's first layer; 0 without an encoder.
    """

    def __init__(
        self,
        entry: int,
        edges: int = 0,
        channels: int = 3,
        width: int = 128,
        hidden: int = 128,
        kernel: int = 5,
        kernel_last: int = 5,
        z_dim: int = 256,
        pictures: int = 1,
        multiplier: float = 1.0,
        style_width: int = 0,
    ) -> None:
        super().__init__()
        if pictures not in MULTIPLIERS or min(entry, channels, hidden, z_dim) < 1 or width < 2:
            raise ModelError(
                f"imaginaire-spade: {pictures} pictures, width {width}: need 1 to 3, and at least 2"
            )
        self.settings: dict[str, int | float | str] = {
            "architecture": "imaginaire-spade",
            "entry": entry,
            "edges": edges,
            "channels": channels,
            "width": width,
            "hidden": hidden,
            "kernel": kernel,
            "kernel_last": kernel_last,
            "z_dim": z_dim,
            "pictures": pictures,
            "multiplier": multiplier,
            "style_width": style_width,
        }
        self.entry, self.edges, self.z_dim, self.multiplier = entry, edges, z_dim, multiplier
        self.multiple: int = 8 * 2**pictures

        def spade(size: int) -> SpadeNorm:
            return SpadeNorm(size, entry, hidden, kernel)

        self.dense = nn.ModuleList([nn.Linear(z_dim, 2 * z_dim), nn.Linear(2 * z_dim, 2 * z_dim)])
        self.first = nn.Conv2d(entry, 8 * width, 3, padding=1)
        self.styled = nn.ModuleDict(
            {n: StyleConv(a * width, b * width, 2 * z_dim) for n, (a, b) in STYLED.items()}
        )
        self.blocks = nn.ModuleDict(
            {n: SpadeBlock(a, b, spade, spectral=False) for n, (a, b) in blocks_of(width, pictures).items()}
        )
        sizes = [2 * width, width, width // 2][:pictures]
        self.pictures = nn.ModuleList(
            nn.Conv2d(size, channels, kernel_last, padding=kernel_last // 2) for size in sizes
        )
        self.encoder = StyleEncoder(style_width, z_dim, channels) if style_width else None

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> ImaginaireSpade:
        """Build a generator from what a model file or a checkpoint's shapes say.

        Raises:
            ModelError: Settings do not describe one.
        """
        known = {name: value for name, value in settings.items() if name != "architecture"}
        try:
            multiplier = float(known.pop("multiplier", 1.0))
            return cls(**{name: int(value) for name, value in known.items()}, multiplier=multiplier)
        except (TypeError, ValueError) as error:
            raise ModelError(f"imaginaire-spade: settings do not fit ({error}); import it again") from error

    @property
    def reach(self) -> int:
        """Pixels around a place that can change it through convolutions, at most."""
        beside = int(self.settings["kernel"]) // 2 * 2
        stride, total = self.multiple, self.multiple + int(self.settings["kernel_last"])
        for name in self.blocks:
            stride //= 2 if name.startswith("up") and name.endswith("a") else 1
            total += (3 + beside) * stride
        return total

    def forward(self, x: Float[Tensor, "n entry h w"], z: Float[Tensor, "n z"]) -> Float[Tensor, "n c h w"]:
        """Make pictures, -1 to 1.

        Args:
            x: One-hot labels and the edge channel.
            z: Style, such as `style` reads from a picture, or normal noise.

        Raises:
            ModelError: A size or the number of channels does not fit.
        """
        if x.shape[1] != self.entry:
            raise ModelError(f"imaginaire-spade: input has {x.shape[1]} channels, this model {self.entry}")
        return self.make(MapCondition(x), (x.shape[-2], x.shape[-1]), z)

    def from_labels(
        self, labels: Int[Tensor, "n h w"], edges: Tensor | None = None, z: Tensor | None = None
    ) -> Float[Tensor, "n c h w"]:
        """Make the same pictures of class indices as `forward` of their one-hot map, in far less time.

        Raises:
            ModelError: A label is beyond the classes, z is missing, or edges do not fit the model.
        """
        classes = self.entry - self.edges
        low, high = (int(value) for value in torch.aminmax(labels))
        if low < 0 or high > classes or (edges is not None) != bool(self.edges) or z is None:
            raise ModelError(
                f"imaginaire-spade: labels are {low} to {high}, of {classes} classes; needs z, and"
                f" {'' if self.edges else 'no '}edges"
            )
        size = (labels.shape[-2], labels.shape[-1])
        return self.make(LabelCondition(labels, classes, edges), size, z)

    def make(self, condition: Condition, size: tuple[int, int], z: Tensor) -> Tensor:
        """Make pictures of (height, width) of a condition in either of its forms."""
        if size[0] % self.multiple or size[1] % self.multiple:
            raise ModelError(
                f"imaginaire-spade: input is {size[1]}x{size[0]}; sides must be multiples of {self.multiple}"
            )
        style = z
        for dense in self.dense:
            style = functional.relu(dense(style))
        start = (size[0] // self.multiple, size[1] // self.multiple)
        x = functional.leaky_relu(condition.first(self.first, start), SLOPE)
        x = self.styled["head_0"](x, style)
        image: Tensor | None = None
        for name, block in self.blocks.items():
            x = block(x, condition, name.startswith("up") and name.endswith("a"))
            if name in self.styled:
                x = self.styled[name](x, style)
            if name in ("up_2b", "up_3b", "up_4b"):
                large = functional.interpolate(
                    functional.leaky_relu(x, SLOPE), scale_factor=2, mode="nearest"
                )
                own = self.pictures[int(name[3]) - 2](large)
                image = own if image is None else functional.interpolate(image, scale_factor=2) + own
        assert image is not None
        return torch.tanh(image * self.multiplier)

    def style(self, image: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n z"], Float[Tensor, "n z"]]:
        """Return mean and log variance of the style of pictures, -1 to 1 and of any size.

        Raises:
            ModelError: This model has no style encoder.
        """
        if self.encoder is None:
            raise ModelError("imaginaire-spade: this model has no style encoder; give a vector z instead")
        mean, spread = self.encoder(image)
        return mean, spread
