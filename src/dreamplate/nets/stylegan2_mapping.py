"""StyleGAN2's mapping network."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.nets.stylegan2_layers import Dense, unit_moment

MAPPING_RATE = 0.01
"""Learning-rate factor of the mapping network."""


class MappingNetwork(nn.Module):
    """Latents and labels to styles, and the average style of what it has seen in training.

    Args:
        z_dim: Length of a latent; 0 maps labels alone.
        c_dim: Length of a label; 0 without.
        w_dim: Length of a style.
        layers: How many layers.
    """

    w_avg: Float[Tensor, " w"]

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.layers = z_dim, c_dim, layers
        if c_dim:
            self.embed = Dense(c_dim, w_dim)
        entry = z_dim + (w_dim if c_dim else 0)
        for index in range(layers):
            layer = Dense(entry if index == 0 else w_dim, w_dim, active=True, rate=MAPPING_RATE)
            self.add_module(f"fc{index}", layer)
        if z_dim:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self, z: Float[Tensor, "n z"] | None, labels: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n w"]:
        """Map to styles ``(n, w)``, not truncated.

        Raises:
            ConfigError: Latents or labels are missing or have another length than the network's.
        """
        parts = []
        for given, length, what in ((z, self.z_dim, "latents"), (labels, self.c_dim, "labels")):
            if length and (given is None or given.shape[1] != length):
                found = "missing" if given is None else f"of length {given.shape[1]}"
                raise ConfigError(f"StyleGAN2 {what} are {found}: this network needs length {length}")
            if length and given is not None:
                parts.append(unit_moment(given if what == "latents" else self.embed(given)))
        x = torch.cat(parts, dim=1)
        for index in range(self.layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x

    @torch.no_grad()
    def track(self, w: Float[Tensor, "n w"], beta: float = 0.995) -> None:
        """Move the average style towards a batch's mean."""
        self.w_avg.copy_(torch.lerp(w.detach().mean(0), self.w_avg, beta))

    def truncate(self, w: Float[Tensor, "*n w"], psi: float) -> Float[Tensor, "*n w"]:
        """Pull styles towards the average: 1 leaves them, 0 gives the average."""
        return w if psi == 1 else torch.lerp(self.w_avg.to(w), w, psi)
