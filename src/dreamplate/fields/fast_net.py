"""The colour network of the fast field."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dreamplate.fields.bricks import WIDTH
from dreamplate.fields.looks import Looks
from dreamplate.fields.rays import Rays
from dreamplate.fields.spherical import spherical_harmonics

__all__ = ["ColourNet"]

DEGREES = 4


class ColourNet(nn.Module):
    """Features, direction and the look of a photograph to the logarithm or logit of colour.

    Args:
        width: Of the two hidden layers.
        appearance: Numbers of a look.
        draws: Where first weights come from.
    """

    def __init__(self, width: int, appearance: int, draws: torch.Generator) -> None:
        super().__init__()
        self.looks = Looks(appearance)
        self.hidden = nn.Linear(WIDTH + DEGREES**2 + appearance, width)
        self.middle = nn.Linear(width, width)
        self.out = nn.Linear(width, 3)
        for layer in (self.hidden, self.middle, self.out):
            # He's initialisation; the last layer begins near nothing, since features are colours until then.
            bound = math.sqrt(6 / layer.in_features) if layer is not self.out else 0.01
            layer.weight.data = (torch.rand(layer.weight.shape, generator=draws) * 2 - 1) * bound
            layer.bias.data.zero_()

    def forward(self, features: Tensor, rays: Rays, which: Tensor) -> Tensor:
        """Return ``(m, 3)`` for features ``(m, 16)`` of samples on rays ``which`` ``(m,)``."""
        known = [spherical_harmonics(rays.directions, DEGREES)]
        if len(self.looks.table):
            known.append(self.looks(rays.views, len(rays)))
        seen = torch.cat(known, dim=1).index_select(0, which)
        x = torch.relu(self.hidden(torch.cat([features, seen], dim=1)))
        found: Tensor = self.out(torch.relu(self.middle(x))).float() + features[:, :3]
        return found
