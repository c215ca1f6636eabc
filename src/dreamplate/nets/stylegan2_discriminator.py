"""StyleGAN2's discriminator: how real a picture looks to it.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, the residual architecture of
figure 7. Names of tensors are those of NVIDIA's PyTorch checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError, ModelError
from dreamplate.nets.stylegan2_layers import Conv, Dense, load_state, randomise
from dreamplate.nets.stylegan2_mapping import MappingNetwork
from dreamplate.nets.stylegan2_shape import BASE, Stylegan2Shape


@dataclass(frozen=True)
class DiscriminatorShape:
    """The sizes that define a discriminator.

    Attributes:
        c_dim: Length of a label; 0 without labels.
        channels: Feature maps at 4, 8, 16 … pixels.
        colours: Channels of the picture.
        mapping: Layers that map a label, where there are labels.
        map_dim: Length of a mapped label.
        spread: Maps that tell how much the pictures of a group differ; 0 or 1.
        group: Pictures in such a group.
    """

    c_dim: int = 0
    channels: tuple[int, ...] = (512, 512, 512, 512, 256, 128, 64)
    colours: int = 3
    mapping: int = 8
    map_dim: int = 512
    spread: int = 1
    group: int = 4

    @classmethod
    def of(cls, resolution: int, base: int = 32768, most: int = 512, **others: Any) -> DiscriminatorShape:
        """Return a shape whose channels are ``base`` over the side in pixels, at most ``most``."""
        return cls(channels=Stylegan2Shape.of(resolution, base, most).channels, **others)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> DiscriminatorShape:
        """Read the settings that an imported model carries.

        Raises:
            ModelError: A setting is missing or no number.
        """
        try:
            channels = tuple(int(part) for part in str(settings["channels"]).split())
            names = ("c_dim", "colours", "mapping", "map_dim", "spread")
            numbers = {name: int(settings[name]) for name in names}
            return cls(channels=channels, group=int(settings.get("group", 4)), **numbers)
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"StyleGAN2 discriminator settings {dict(settings)} do not describe it ({error});"
                " import the model again"
            ) from error

    def settings(self) -> dict[str, int | float | str]:
        """Return what `from_settings` reads."""
        return {
            "c_dim": self.c_dim,
            "channels": " ".join(map(str, self.channels)),
            "colours": self.colours,
            "mapping": self.mapping,
            "map_dim": self.map_dim,
            "spread": self.spread,
            "group": self.group,
        }

    @property
    def resolution(self) -> int:
        """Side of the pictures."""
        return int(BASE * 2 ** (len(self.channels) - 1))


class Residual(nn.Module):
    """Two convolutions beside a shortcut, to half the size; the finest one starts from colours."""

    def __init__(self, index: int, shape: DiscriminatorShape) -> None:
        super().__init__()
        entry, out = shape.channels[index], shape.channels[index - 1]
        if index == len(shape.channels) - 1:
            self.fromrgb = Conv(shape.colours, entry, 1)
        self.conv0 = Conv(entry, entry, 3)
        self.conv1 = Conv(entry, out, 3, down=True, gain=math.sqrt(0.5))
        self.skip = Conv(entry, out, 1, active=False, down=True, gain=math.sqrt(0.5))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h_out w_out"]:
        """Features (or, at the finest, pictures) to features of half the size."""
        if hasattr(self, "fromrgb"):
            x = self.fromrgb(x)
        y: Tensor = self.conv1(self.conv0(x)) + self.skip(x)
        return y


class Verdict(nn.Module):
    """The coarsest level: how much the group differs, then a number, or as many as a label is long."""

    def __init__(self, shape: DiscriminatorShape) -> None:
        super().__init__()
        self.spread, self.group = shape.spread, shape.group
        width = shape.channels[0]
        self.conv = Conv(width + shape.spread, width, 3)
        self.fc = Dense(width * BASE * BASE, width, active=True)
        self.out = Dense(width, shape.map_dim if shape.c_dim else 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out"]:
        """``(n, c, 4, 4)`` to ``(n, 1)`` or ``(n, map_dim)``."""
        if self.spread:
            x = group_spread(x, self.group)
        y: Tensor = self.out(self.fc(self.conv(x).flatten(1)))
        return y


class Stylegan2Discriminator(nn.Module):
    """Pictures to a score that is high for what looks real.

    Args:
        shape: Its sizes.
        draws: CPU generator for the starting weights; without it they are zero, for loading over.
    """

    def __init__(self, shape: DiscriminatorShape, draws: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        for index in range(len(shape.channels) - 1, 0, -1):
            self.add_module(f"b{BASE * 2**index}", Residual(index, shape))
        if shape.c_dim:
            self.mapping = MappingNetwork(0, shape.c_dim, shape.map_dim, shape.mapping)
        self.b4 = Verdict(shape)
        if draws is not None:
            randomise(self, draws)

    @classmethod
    def from_state(
        cls, state: Mapping[str, Tensor], settings: Mapping[str, int | float | str]
    ) -> Stylegan2Discriminator:
        """Build a frozen network from imported tensors.

        Raises:
            ModelError: Tensors and settings do not belong together.
        """
        with torch.device("meta"):
            net = cls(DiscriminatorShape.from_settings(settings))
        load_state(net, state, "StyleGAN2 discriminator")
        return net.requires_grad_(False).eval()

    def forward(
        self, images: Float[Tensor, "n colours h w"], labels: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n 1"]:
        """Score pictures.

        Args:
            images: Display values in [-1, 1], of the network's resolution.
            labels: Where the network has labels.

        Raises:
            ConfigError: The pictures have another size.
        """
        side = self.shape.resolution
        if images.shape[1:] != (self.shape.colours, side, side):
            raise ConfigError(
                f"pictures have shape {tuple(images.shape[1:])}:"
                f" this discriminator needs {(self.shape.colours, side, side)}"
            )
        x = images.contiguous(memory_format=torch.channels_last)
        for index in range(len(self.shape.channels) - 1, 0, -1):
            x = self.get_submodule(f"b{BASE * 2**index}")(x)
        score: Tensor = self.b4(x)
        if self.shape.c_dim:
            # The projection of Miyato and Koyama 2018: the score is how well the label agrees.
            mapped = self.mapping(None, labels)
            score = (score * mapped).sum(1, keepdim=True) / math.sqrt(self.shape.map_dim)
        return score


def group_spread(x: Float[Tensor, "n c h w"], group: int = 4) -> Float[Tensor, "n c+1 h w"]:
    """Add a map of how much the pictures of each group differ (Karras et al. 2018, section 3).

    Groups are strided through the batch: of ``n`` pictures in groups of ``g``, numbers 0, n/g, 2n/g … belong
    together. Where ``group`` does not divide the batch, the whole batch is one group.
    """
    n, _, h, w = x.shape
    size = group if n % group == 0 else n
    groups = x.view(size, n // size, *x.shape[1:])
    deviation = (groups.var(0, correction=0) + 1e-8).sqrt()
    level = deviation.mean((1, 2, 3)).view(1, -1).expand(size, -1).reshape(n, 1, 1, 1)
    return torch.cat([x, level.expand(n, 1, h, w)], dim=1)
