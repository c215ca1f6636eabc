"""The sizes of a BigGAN-deep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreamplate.errors import ConfigError, ModelError

BASE = 4
"""Side of the map that the first layer gives."""
PUBLIC = {
    128: (16, 16, 16, 8, 8, 4, 4, 2, 2, 1),
    256: (16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1),
    512: (16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1, 1, 1),
}
"""Output channels of each block over the width, by resolution, of the published networks."""


@dataclass(frozen=True)
class BigganShape:
    """The sizes that define a network.

    Attributes:
        z_dim: Length of a latent.
        embed_dim: Length of a class embedding.
        classes: How many classes.
        width: Channels of the last block (128 in the published networks).
        channels: Channels that the first layer gives, then those of each block. Blocks come in pairs, of
            which the second doubles the size, so the picture's side is ``4 * 2 ** (blocks // 2)``.
        attention: Number of the block before which self-attention stands; -1 for none.
        stats: Rows of normalisation statistics, for truncations from 0 to 1.
        eps: Added to the variance in every normalisation.
    """

    z_dim: int = 128
    embed_dim: int = 128
    classes: int = 1000
    width: int = 128
    channels: tuple[int, ...] = field(default=(16 * 128, *(128 * times for times in PUBLIC[128])))
    attention: int = 8
    stats: int = 51
    eps: float = 1e-4

    @classmethod
    def of(cls, resolution: int, width: int = 128, **others: Any) -> BigganShape:
        """Return the published layout for 128, 256 or 512 pixels, at any width."""
        if resolution not in PUBLIC:
            raise ConfigError(f"resolution is {resolution}: choose 128, 256 or 512, or give the channels")
        times = (16, *PUBLIC[resolution])
        return cls(width=width, channels=tuple(width * t for t in times), **others)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> BigganShape:
        """Read the settings that an imported model carries.

        Raises:
            ModelError: A setting is missing or no number.
        """
        names = ("z_dim", "embed_dim", "classes", "width", "attention", "stats")
        try:
            channels = tuple(int(part) for part in str(settings["channels"]).split())
            numbers = {name: int(settings[name]) for name in names}
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"BigGAN settings {dict(settings)} do not describe it ({error}); import the model again"
            ) from error
        return cls(channels=channels, eps=float(settings.get("eps", 1e-4)), **numbers)

    def settings(self) -> dict[str, int | float | str]:
        """Return what `from_settings` reads."""
        return {
            "z_dim": self.z_dim,
            "embed_dim": self.embed_dim,
            "classes": self.classes,
            "width": self.width,
            "channels": " ".join(map(str, self.channels)),
            "attention": self.attention,
            "stats": self.stats,
            "eps": self.eps,
        }

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return len(self.channels) - 1

    @property
    def rows(self) -> int:
        """Conditions of one picture: the first layer's, then each block's."""
        return self.blocks + 1

    @property
    def resolution(self) -> int:
        """Side of the square picture."""
        return int(BASE * 2 ** (self.blocks // 2))
