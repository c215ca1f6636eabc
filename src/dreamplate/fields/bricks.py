"""A sparse grid of bricks: density and features at vertices, kept only where there is something.

Vertices are stored in bricks of 4 x 4 x 4, found through a small dense table of brick numbers (the two top
levels of a VDB; Museth 2013). The features of a vertex are one cache line, those of a brick one memory page;
raw density stands apart, a brick of it in four cache lines, because a march reads far more density than
features. See ``kernels/bricks_*.py`` for what runs on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.fields.rays import Rays

__all__ = ["BrickGrid", "Marched"]

EMPTY = -10.0
"""Raw density where there is nothing."""
WIDTH = 16
"""Features of a vertex: one cache line (``kernels/space.py``)."""
SOLID = 1e-4
"""Share of light below which a ray ends in any case."""
_BETAS = (0.9, 0.99)
_TINY = 1e-12
_KEPT = ("index", "corners", "cells", "raw", "raw_first", "raw_second", "table", "first", "second")


@dataclass(frozen=True)
class Marched:
    """Packed samples of a march.

    Attributes:
        offsets: ``(rays + 1,)`` int64.
        starts: ``(m,)`` world units.
        ends: ``(m,)`` world units.
        alphas: ``(m,)``.
        places: ``(m, 3)`` grid coordinates of the middles.
        rays: ``(m,)`` int32 ray of each sample.
    """

    offsets: Tensor
    starts: Tensor
    ends: Tensor
    alphas: Tensor
    places: Tensor
    rays: Tensor


class BrickGrid:
    """Vertices in bricks, with what Adam remembers of them.

    Args:
        shape: Vertices along x, y, z; multiples of 4.
        which: ``(bx, by, bz)`` bool, the bricks to have; all when None.
        device: Where.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        which: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        assert all(side % 4 == 0 for side in shape)
        self.shape = shape
        bricks = tuple(side // 4 for side in shape)
        wanted = torch.ones(bricks, dtype=torch.bool) if which is None else which.cpu()
        count = int(wanted.sum())
        index = torch.full(bricks, -1, dtype=torch.int32)
        index[wanted] = torch.arange(count, dtype=torch.int32)
        self.index = index.to(device)
        self.corners = wanted.nonzero().to(torch.int32).to(device)
        self.raw = torch.zeros(count, 64, device=device)
        self.raw_first, self.raw_second = torch.zeros_like(self.raw), torch.zeros_like(self.raw)
        self.table = torch.zeros(count, 64, WIDTH, device=device)
        self.first, self.second = torch.zeros_like(self.table), torch.zeros_like(self.table)
        self.cells = torch.full((count,), -1, dtype=torch.int64, device=device)  # 64 bits, all set
        self.steps = 0
        self._scratch: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return self.table.shape[0]

    # -- reading ------------------------------------------------------------------------------------

    def march(
        self,
        rays: Rays,
        space: Tensor,
        jitter: Tensor,
        *,
        shift: float,
        faint: float,
        least: float,
    ) -> Marched:
        """March rays; see ``kernels/bricks_march.py``.

        Args:
            rays: The rays.
            space: The packed space.
            jitter: ``(n,)`` 0-1, where in its first step each ray begins.
            shift: Added to raw density.
            faint: Raw density whose steps cannot weigh more than ``least``.
            least: Samples that weigh at most this in their ray are left out; so is all that lies behind.
        """
        import numpy as np

        from dreamplate.fields.kernels import bricks_march as kernels

        count, capacity = len(rays), self._capacity(space)
        scratch = [self._room(name, (count, capacity)) for name in ("starts", "lengths", "alphas")]
        counts = torch.empty(count, dtype=torch.int64)
        o, d = rays.origins.contiguous().numpy(), rays.directions.contiguous().numpy()
        kernels.march(
            count,
            o,
            d,
            rays.near.contiguous().numpy(),
            rays.far.contiguous().numpy(),
            jitter.contiguous().numpy(),
            space.numpy(),
            self.index.numpy(),
            self.cells.numpy().view(np.uint64),
            self.raw.numpy(),
            np.float32(shift),
            np.float32(faint),
            np.float32(least),
            np.float32(max(least, SOLID)),
            *(item.numpy() for item in scratch),
            counts.numpy(),
        )
        offsets = torch.zeros(count + 1, dtype=torch.int64)
        torch.cumsum(counts, 0, out=offsets[1:])
        total = int(offsets[-1])
        found = Marched(
            offsets,
            torch.empty(total),
            torch.empty(total),
            torch.empty(total),
            torch.empty(total, 3),
            torch.empty(total, dtype=torch.int32),
        )
        kernels.pack(
            count,
            offsets.numpy(),
            o,
            d,
            space.numpy(),
            *(item.numpy() for item in scratch),
            found.starts.numpy(),
            found.ends.numpy(),
            found.alphas.numpy(),
            found.places.numpy(),
            found.rays.numpy(),
        )
        return found

    def _capacity(self, space: Tensor) -> int:
        """Return more steps than any ray can take."""
        longest = float(space[7:10].norm()) if space[0] == 0 else 4.0 * max(self.shape)
        return int(longest / float(space[25])) + 8

    def _room(self, name: str, shape: tuple[int, int]) -> Tensor:
        """Return float32 scratch of a shape; it is kept, since freshly mapped memory is slow.

        It grows with room to spare: one that grew a little at every step would leave a hole behind each time.
        """
        size = shape[0] * shape[1]
        if name not in self._scratch or self._scratch[name].numel() < size:
            self._scratch.pop(name, None)
            self._scratch[name] = torch.empty(size + size // 2)
        return self._scratch[name][:size].view(shape)

    def lookup(self, places: Tensor) -> Tensor:
        """Return features ``(m, 16)`` at grid coordinates ``(m, 3)``, without a graph."""
        from dreamplate.fields.kernels import bricks_lookup as kernels

        found = torch.empty(len(places), WIDTH)
        kernels.lookup(len(places), places.numpy(), self.index.numpy(), self._rows(), found.numpy())
        return found

    def slope(self, places: Tensor, by_raw: Tensor, by_found: Tensor) -> Tensor:
        """Return the gradient at grid coordinates ``(m, 3)`` of what was looked up there."""
        from dreamplate.fields.kernels import bricks_lookup as kernels

        to_places = torch.empty_like(places)
        given = (places, self.index, self.raw, self.table.view(-1, WIDTH), by_raw, by_found, to_places)
        kernels.lookup_place(len(places), *(item.numpy() for item in given))
        return to_places

    def _rows(self) -> Any:
        return self.table.view(-1, WIDTH).numpy()

    # -- learning -----------------------------------------------------------------------------------

    def learn(
        self,
        places: Tensor,
        by_raw: Tensor,
        by_found: Tensor,
        *,
        rates: tuple[float, float],
        smooth: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Take one Adam step on the vertices around some places.

        Args:
            places: ``(m, 3)`` grid coordinates.
            by_raw: ``(m,)`` gradient at interpolated raw density.
            by_found: ``(m, 16)`` gradient at interpolated features.
            rates: Learning rates of density and of features.
            smooth: Weights of total variation of density and of features.
        """
        import numpy as np

        from dreamplate.fields.kernels import bricks_learn as kernels

        m = len(places)
        if "counts" not in self._scratch:
            self._scratch["counts"] = torch.zeros(len(self), dtype=torch.int32)
        most = min(len(self), 8 * m)
        touched = torch.empty(most, dtype=torch.int32)
        offsets = torch.empty(most + 1, dtype=torch.int64)
        entries = torch.empty(8 * m, dtype=torch.int32)
        number = kernels.sort_by_brick(
            places.numpy(),
            self.index.numpy(),
            self._scratch["counts"].numpy(),
            touched.numpy(),
            offsets.numpy(),
            entries.numpy(),
        )
        to_raw = self._room("to_raw", (number, 64))
        to_table = self._room("to_table", (number, 64 * WIDTH)).view(number, 64, WIDTH)
        marks = torch.empty(number, dtype=torch.int64)
        kernels.gather(
            number,
            touched.numpy(),
            offsets.numpy(),
            entries.numpy(),
            self.corners.numpy(),
            places.numpy(),
            by_raw.numpy(),
            by_found.numpy(),
            self.index.numpy(),
            self.raw.numpy(),
            self.table.numpy(),
            np.float32(smooth[0]),
            np.float32(smooth[1]),
            to_raw.numpy(),
            to_table.numpy(),
            marks.numpy().view(np.uint64),
        )
        self.steps += 1
        kernels.adam(
            number,
            touched.numpy(),
            to_raw.numpy(),
            to_table.numpy(),
            marks.numpy().view(np.uint64),
            self.raw.numpy(),
            self.raw_first.numpy(),
            self.raw_second.numpy(),
            self.table.numpy(),
            self.first.numpy(),
            self.second.numpy(),
            np.float32(rates[0]),
            np.float32(rates[1]),
            np.float32(_BETAS[0]),
            np.float32(_BETAS[1]),
            np.float32(1 / (1 - _BETAS[0] ** self.steps)),
            np.float32(1 / (1 - _BETAS[1] ** self.steps)),
            np.float32(_TINY),
        )

    # -- shape --------------------------------------------------------------------------------------

    def occupy(self, least: float) -> None:
        """Mark the cells that have a corner with raw density above ``least``."""
        import numpy as np

        from dreamplate.fields.kernels import bricks_shape as kernels

        kernels.occupy(
            len(self),
            self.corners.numpy(),
            self.index.numpy(),
            self.raw.numpy(),
            np.float32(least),
            self.cells.numpy().view(np.uint64),
        )

    def occupied(self) -> Tensor:
        """Return which cells are marked, ``shape`` bool."""
        bits = (self.cells[:, None] >> torch.arange(64)) & 1
        full = torch.zeros(*(side // 4 for side in self.shape), 4, 4, 4, dtype=torch.bool)
        x, y, z = self.corners.long().T
        full[x, y, z] = bits.bool().view(-1, 4, 4, 4)
        return full.permute(0, 3, 1, 4, 2, 5).reshape(self.shape)

    def refined(self, shape: tuple[int, int, int], scale: Tensor, bias: Tensor) -> BrickGrid:
        """Return the same content in another grid, with bricks only around marked cells.

        Args:
            shape: Vertices of the new grid.
            scale: ``(3,)`` old grid units for one new one.
            bias: ``(3,)`` old grid coordinates of the new grid's first vertex.
        """
        import numpy as np

        from dreamplate.fields.kernels import bricks_shape as kernels

        near = functional.max_pool3d(self.occupied()[None, None].float(), 3, 1, 1)[0, 0] > 0
        which = near
        for axis in range(3):
            line = (torch.arange(shape[axis]) * scale[axis] + bias[axis]).floor().long()
            which = which.index_select(axis, line.clamp(0, self.shape[axis] - 1))
        blocks = which.view(shape[0] // 4, 4, shape[1] // 4, 4, shape[2] // 4, 4)
        fresh = BrickGrid(shape, blocks.any(5).any(3).any(1))
        kernels.refine(
            len(fresh),
            fresh.corners.numpy(),
            scale.numpy().astype(np.float32),
            bias.numpy().astype(np.float32),
            self.index.numpy(),
            self.raw.numpy(),
            self.table.numpy(),
            fresh.raw.numpy(),
            fresh.table.numpy(),
        )
        return fresh

    # -- keeping ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything."""
        return {
            **{name: getattr(self, name) for name in _KEPT},
            "shape": list(self.shape),
            "steps": self.steps,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> BrickGrid:
        """Return the grid that ``state_dict`` described."""
        grid = cls.__new__(cls)
        x, y, z = (int(side) for side in state["shape"])
        grid.shape, grid.steps, grid._scratch = (x, y, z), int(state["steps"]), {}
        for name in _KEPT:
            setattr(grid, name, state[name].clone())
        return grid
