"""The look of each photograph: numbers that a colour network sees (NeRF in the Wild, sec. 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError

__all__ = ["MOST", "Looks"]

MOST = 4096
"""Most photographs with a look of their own."""


class Looks(nn.Module):
    """A table of looks.

    Args:
        size: Numbers of a look; 0 for none.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(MOST if size else 0, size))
        self.register_buffer("met", torch.zeros(len(self.table), dtype=torch.bool))
        self.met: Tensor

    def forward(self, views: Tensor | None, count: int) -> Tensor:
        """Return the looks of rays, ``(count, size)``.

        Args:
            views: ``(count,)`` numbers of the photographs that rays belong to; the mean look when None.
            count: How many rays.

        Raises:
            ConfigError: A number is beyond the looks there are.
        """
        if not len(self.table):
            return self.table.new_zeros(count, 0)
        if views is None:
            met = self.table[self.met]
            mean = met.mean(0) if len(met) else self.table.new_zeros(self.table.shape[1])
            return mean.expand(count, -1)
        if len(views) and int(views.max()) >= MOST:
            raise ConfigError(
                f"appearance is {self.table.shape[1]} and view {int(views.max())} is used: at most {MOST}"
                " photographs can have a look of their own; set it to 0"
            )
        if torch.is_grad_enabled():
            self.met[views] = True
        return self.table.index_select(0, views)
