"""StyleGAN2's generator as a model file keeps it: pictures from noise, without a condition.

Its tensors have the names of NVIDIA's checkpoints. So `dreamplate dream` and `dreamplate models import` take
the model file of a training run as they take theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.nets.stylegan2 import Noise, Stylegan2, Stylegan2Shape

__all__ = ["Stylegan2Generator"]


class Stylegan2Generator(Stylegan2):
    """See `Stylegan2`, whose ``forward(z)`` it has."""

    multiple = 1
    reach = 0

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Stylegan2Generator:
        """Return the network that settings describe, its weights zero.

        Raises:
            ModelError: A setting is missing or no number.
        """
        return cls(Stylegan2Shape.from_settings(settings))

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What `from_settings` reads, and the architecture."""
        return {"architecture": "stylegan2", **self.shape.settings()}

    @property
    def z_dim(self) -> int:
        """Numbers of the noise."""
        return self.shape.z_dim

    def mixed(
        self, z: Float[Tensor, "n 2 z"], first: Tensor, noise: Noise = "const"
    ) -> tuple[Float[Tensor, "n colours side side"], Float[Tensor, "n styles w"]]:
        """Make pictures with the styles of two latents (style mixing, Karras and others 2019, section 3.1).

        Args:
            z: Two latents for each picture.
            first: ``(n,)`` how many styles, coarse to fine, are of the first latent.
            noise: See `SynthesisNetwork`.

        Returns:
            Pictures, and their styles, of which gradients can be taken.
        """
        w = self.mapping(z.flatten(0, 1)).view(len(z), 2, -1)
        layer = torch.arange(self.shape.styles, device=z.device)
        styles = torch.where((layer < first[:, None])[..., None], w[:, :1], w[:, 1:])
        return self.synthesis(styles, noise=noise), styles
