"""The sizes of a StyleGAN2 generator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dreamplate.errors import ConfigError, ModelError

BASE = 4
"""Side of the learned constant."""


@dataclass(frozen=True)
class Stylegan2Shape:
    """The sizes that define a generator.

    Attributes:
        z_dim: Length of a latent.
        c_dim: Length of a label; 0 without labels.
        w_dim: Length of a style.
        mapping: Layers of the mapping network.
        channels: Feature maps at 4, 8, 16 … pixels.
        colours: Channels of the picture.
    """

    z_dim: int = 512
    c_dim: int = 0
    w_dim: int = 512
    mapping: int = 8
    channels: tuple[int, ...] = (512, 512, 512, 512, 256, 128, 64)
    colours: int = 3

    @classmethod
    def of(cls, resolution: int, base: int = 32768, most: int = 512, **others: Any) -> Stylegan2Shape:
        """Return a shape whose channels are ``base`` over the side in pixels, at most ``most``."""
        sides = [4 * 2**index for index in range(int(math.log2(resolution)) - 1)]
        if not sides or sides[-1] != resolution:
            raise ConfigError(f"resolution is {resolution}: choose a power of two from 4")
        return cls(channels=tuple(min(base // side, most) for side in sides), **others)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Stylegan2Shape:
        """Read the settings that an imported model carries.

        Raises:
            ModelError: A setting is missing or no number.
        """
        try:
            channels = tuple(int(part) for part in str(settings["channels"]).split())
            names = ("z_dim", "c_dim", "w_dim", "mapping", "colours")
            return cls(channels=channels, **{name: int(settings[name]) for name in names})
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"StyleGAN2 settings {dict(settings)} do not describe it ({error}); import the model again"
            ) from error

    def settings(self) -> dict[str, int | float | str]:
        """Return what `from_settings` reads."""
        return {
            "z_dim": self.z_dim,
            "c_dim": self.c_dim,
            "w_dim": self.w_dim,
            "mapping": self.mapping,
            "channels": " ".join(map(str, self.channels)),
            "colours": self.colours,
        }

    @property
    def resolution(self) -> int:
        """Side of the square picture."""
        return int(BASE * 2 ** (len(self.channels) - 1))

    @property
    def styles(self) -> int:
        """Styles of one picture: one for each convolution, and the last colour layer's."""
        return 2 * len(self.channels)
