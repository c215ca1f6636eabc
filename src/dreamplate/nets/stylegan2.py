"""StyleGAN2's generator: a mapping network from latents to styles, and a synthesis network steered by them.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020 (figure 2d, section 2.2, the
skip architecture of section 4.1). Names of tensors are those of NVIDIA's PyTorch checkpoints; the code
follows the paper and the numbers.

Nothing but the learned constant has a size of its own, so pictures of any aspect come from a constant that
is resized, and every convolution and filter can be made to tile.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.nets.stylegan2_layers import load_state, randomise
from dreamplate.nets.stylegan2_mapping import MappingNetwork
from dreamplate.nets.stylegan2_shape import Stylegan2Shape
from dreamplate.nets.stylegan2_synthesis import Noise, SynthesisNetwork

__all__ = ["Noise", "Stylegan2", "Stylegan2Shape"]


class Stylegan2(nn.Module):
    """The generator: `mapping` and `synthesis`.

    Args:
        shape: Its sizes.
        draws: CPU generator for the starting weights; without it they are zero, for loading over.
    """

    def __init__(self, shape: Stylegan2Shape, draws: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.mapping = MappingNetwork(shape.z_dim, shape.c_dim, shape.w_dim, shape.mapping)
        self.synthesis = SynthesisNetwork(shape)
        if draws is not None:
            randomise(self, draws)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], settings: Mapping[str, int | float | str]) -> Stylegan2:
        """Build a frozen network from imported tensors.

        Raises:
            ModelError: Tensors and settings do not belong together.
        """
        with torch.device("meta"):
            net = cls(Stylegan2Shape.from_settings(settings))
        load_state(net, state, "StyleGAN2")
        return net.requires_grad_(False).eval()

    def styles(
        self,
        z: Float[Tensor, "n z"],
        labels: Float[Tensor, "n c"] | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
    ) -> Float[Tensor, "n styles w"]:
        """Map latents to a style for each layer, truncated to ``psi`` in the first ``cutoff`` of them."""
        w = self.mapping(z, labels)
        many = w[:, None].expand(-1, self.shape.styles, -1)
        cutoff = self.shape.styles if cutoff is None else cutoff
        return torch.cat([self.mapping.truncate(many[:, :cutoff], psi), many[:, cutoff:]], dim=1)

    def forward(
        self,
        z: Float[Tensor, "n z"],
        labels: Float[Tensor, "n c"] | None = None,
        *,
        psi: float = 1.0,
        noise: Noise = "const",
    ) -> Float[Tensor, "n colours height width"]:
        """Make square pictures from latents; see `SynthesisNetwork`."""
        pictures: Tensor = self.synthesis(self.styles(z, labels, psi), noise=noise)
        return pictures
