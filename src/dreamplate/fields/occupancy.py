"""Which cells of space hold anything: nested grids of density, learnt while the field is.

Müller et al., "Instant Neural Graphics Primitives", 2022, appendix E. Level 0 covers the cube -1..1, each
further one twice as much with as many cells. A cell remembers the densest it was lately; it counts as
occupied where a step through it would be more opaque than a threshold, or than the mean where that is
less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dreamplate.fields.morton import morton_cells, morton_codes

__all__ = ["Occupancy"]

UNSEEN = -1.0


class Occupancy:
    """Nested grids of cells.

    Args:
        side: Cells per axis of each level, a power of two, 8 to 1024.
        levels: How many nested grids, 1 to 8.
        threshold: Opacity of a step (as density times length) above which a cell is occupied.
        decay: What is left of a cell's value at each update.
        device: Where to keep it.

    Attributes:
        values: ``(levels, side ** 3)`` density times length of a step, -1 where no camera sees; Morton order.
        bits: ``(levels, side ** 3 / 8)`` uint8; all cells not unseen are occupied at first.
    """

    def __init__(
        self,
        side: int = 128,
        levels: int = 1,
        *,
        threshold: float = 0.01,
        decay: float = 0.95,
        device: torch.device | str = "cpu",
    ) -> None:
        if side & (side - 1) or not 8 <= side <= 1024:
            raise ValueError(f"side is {side}: choose a power of two from 8 to 1024")
        self.side, self.levels, self.threshold, self.decay = side, levels, threshold, decay
        self.values = torch.zeros((levels, side**3), device=device)
        self.bits = torch.full((levels, side**3 // 8), 255, dtype=torch.uint8, device=device)
        self.place = 0

    def centres(self, level: int, codes: Tensor, jitter: Tensor | None = None) -> Tensor:
        """Return points ``(n, 3)`` in cells: their middles, or places in them ``(n, 3)``, 0-1."""
        within = 0.5 if jitter is None else jitter
        return ((morton_cells(codes) + within) / self.side * 2 - 1) * float(2**level)

    def hide(self, seen: Callable[[Tensor, float], Tensor]) -> None:
        """Mark cells that no camera sees, for good.

        Args:
            seen: Takes middles of cells ``(n, 3)`` and the radius of the balls around cells; returns whether
                each is seen ``(n,)``.
        """
        codes = torch.arange(self.side**3, device=self.values.device)
        for level in range(self.levels):
            radius = math.sqrt(3) / self.side * 2**level
            for part in torch.split(codes, 2**18):
                unseen = ~seen(self.centres(level, part), radius)
                self.values[level, part[unseen]] = UNSEEN
        self._mark(self.values >= 0)

    def update(
        self,
        density: Callable[[Tensor], Tensor],
        step: float,
        draws: torch.Generator,
        share: float = 1.0,
        chunk: int = 2**18,
    ) -> None:
        """Look at the field again and decide which cells are occupied.

        Args:
            density: Takes points ``(n, 3)``, returns density ``(n,)`` per unit of the grid's space.
            step: Length that density is multiplied with.
            draws: CPU generator of the places in cells and of the cells looked at.
            share: Part of the cells looked at, half of them in turn, half among the occupied; 1 for all.
            chunk: Most points asked for at once.
        """
        self.values.copy_(torch.where(self.values > 0, self.values * self.decay, self.values))
        for level in range(self.levels):
            codes = self._chosen(level, share, draws)
            codes = codes[self.values[level, codes] >= 0]
            for part in torch.split(codes, chunk):
                jitter = torch.rand((len(part), 3), generator=draws).to(self.values.device)
                found = (density(self.centres(level, part, jitter)) * step).to(self.values)
                self.values[level].scatter_reduce_(0, part, found, "amax")
        seen = self.values >= 0
        mean = float(self.values[seen].mean()) if bool(seen.any()) else 0.0
        self._mark(self.values > min(self.threshold, mean))

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next update and march depend on."""
        return {"values": self.values, "bits": self.bits, "place": torch.tensor(self.place)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.values.copy_(state["values"])
        self.bits.copy_(state["bits"])
        self.place = int(state["place"])

    @property
    def filled(self) -> float:
        """Share of cells that are occupied."""
        return float(self._flags().float().mean())

    def _flags(self) -> Tensor:
        shifts = torch.arange(8, device=self.bits.device)
        return ((self.bits[..., None] >> shifts) & 1).bool().flatten(1)

    def _chosen(self, level: int, share: float, draws: torch.Generator) -> Tensor:
        total, device = self.side**3, self.values.device
        if share >= 1:
            return torch.arange(total, device=device)
        count = max(1, int(total * share / 2))
        # Cells in bit-reversed Morton order would do too; a stride prime to the total spreads them as well.
        turn = (torch.arange(count, device=device) + self.place) * 2654435761 % total
        if level == self.levels - 1:
            self.place = (self.place + count) % total
        full = self._flags()[level].nonzero()[:, 0]
        if len(full) > count:
            full = full[torch.randint(len(full), (count,), generator=draws).to(device)]
        chosen: Tensor = torch.unique(torch.cat([turn, full]))
        return chosen

    def _mark(self, occupied: Tensor) -> None:
        """Set the bits; a coarse cell is occupied where finer ones inside it are."""
        flags = occupied.clone()
        quarter = self.side // 2
        for level in range(1, self.levels):
            # In Morton order eight neighbours are one run, so halving the resolution is a reshape.
            smaller = flags[level - 1].reshape(-1, 8).any(1)
            cells = morton_cells(torch.arange(len(smaller), device=flags.device)) + quarter // 2
            flags[level, morton_codes(cells)] |= smaller
        weights = 2 ** torch.arange(8, device=flags.device)
        self.bits.copy_((flags.reshape(self.levels, -1, 8) * weights).sum(-1).to(torch.uint8))
