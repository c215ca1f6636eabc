"""The networks of instant neural graphics primitives.

    place 0-1 → hash grid (32) → 64 → 16: logarithm of density, and what colour sees of it
    16, direction as spherical harmonics (16), look of the photograph → 64 → 64 → colour

Müller et al., 2022, section 5.4. Layers have no biases, as in tiny-cuda-nn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from dreamplate.fields.activations import truncated_exp
from dreamplate.fields.hash_grid import HashGrid
from dreamplate.fields.hash_levels import hash_levels
from dreamplate.fields.looks import Looks
from dreamplate.fields.ngp_config import NgpConfig
from dreamplate.fields.spherical import spherical_harmonics

__all__ = ["NgpNet"]

GEOMETRY = 16


class NgpNet(nn.Module):
    """Density and colour at places of the hash grid.

    Args:
        config: The options.
        draws: CPU generator of the first values.
        wide: The scene's box is the middle half of the grid (open scenes).
        linear: Colour is exponential, not 0-1.
    """

    def __init__(self, config: NgpConfig, draws: torch.Generator, *, wide: bool, linear: bool) -> None:
        super().__init__()
        self.config, self.linear = config, linear
        self.grid = HashGrid(
            hash_levels(
                config.levels,
                config.features,
                config.log2_size,
                config.base,
                finest=config.finest * (2 if wide else 1),
            ),
            draws,
        )
        width = config.width
        self.density_layers = _layers([self.grid.levels.width, width, GEOMETRY], draws)
        seen = GEOMETRY + config.bands**2 + config.appearance
        self.colour_layers = _layers([seen, width, width, 3], draws)
        self.looks = Looks(config.appearance)

    def groups(self, penalty: float) -> list[dict[str, Any]]:
        """Return the parameters for an optimiser but for the table; ``penalty`` is on the layers only."""
        layers = [*self.density_layers.parameters(), *self.colour_layers.parameters()]
        looks = self.looks.table
        more = [{"params": [looks], "weight_decay": 0.0}] if len(looks) else []
        return [{"params": layers, "weight_decay": penalty}, *more]

    def density(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return density ``(m,)`` per unit of marched space and features ``(m, 16)`` at places ``(m, 3)``."""
        found = self._run(self.density_layers, self.grid(places))
        return truncated_exp(found[:, 0]), found

    def colour(self, features: Tensor, directions: Tensor, which: Tensor, views: Tensor | None) -> Tensor:
        """Return colour ``(m, 3)``.

        Args:
            features: ``(m, 16)`` of ``density``.
            directions: ``(n, 3)`` unit viewing directions of rays.
            which: ``(m,)`` the ray of each sample.
            views: ``(n,)`` numbers of the photographs that rays belong to; the mean look when None.

        Raises:
            ConfigError: A number is beyond the looks there are.
        """
        looks = self.looks(views, len(directions))
        seen = torch.cat([spherical_harmonics(directions, self.config.bands), looks], 1)
        found = self._run(self.colour_layers, torch.cat([features, seen[which]], 1))
        return truncated_exp(found) if self.linear else torch.sigmoid(found)

    def _run(self, layers: nn.ModuleList, values: Tensor) -> Tensor:
        kind = values.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            for index, layer in enumerate(layers):
                values = layer(torch.relu(values) if index else values)
        return values.float()


def _layers(widths: Sequence[int], draws: torch.Generator) -> nn.ModuleList:
    layers = nn.ModuleList()
    for before, after in pairwise(widths):
        layer = nn.Linear(before, after, bias=False)
        bound = math.sqrt(6 / (before + after))  # Glorot & Bengio, 2010, as in tiny-cuda-nn
        layer.weight.data = (torch.rand(layer.weight.shape, generator=draws) * 2 - 1) * bound
        layers.append(layer)
    return layers
