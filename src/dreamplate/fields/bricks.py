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

import numpy as np
import numpy.typing as npt
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


def _run(kernel: Any, count: int, *arguments: Any) -> Any:
    """Call a compiled loop with tensors as arrays and numbers in single precision."""
    given = []
    for item in arguments:
        value = item.detach().numpy() if isinstance(item, Tensor) else item
        given.append(np.float32(value) if isinstance(value, float) else value)
    return kernel(count, *given)


def _bits(marks: Tensor) -> npt.NDArray[np.uint64]:
    """Return a tensor of 64-bit masks as numba wants them; torch knows signed ones only."""
    return marks.numpy().view(np.uint64)


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
        from dreamplate.fields.kernels import bricks_march as kernels

        count, capacity = len(rays), self._capacity(space)
        scratch = [self._room(name, (count, capacity)) for name in ("starts", "lengths", "alphas")]
        counts = torch.empty(count, dtype=torch.int64)
        origins, directions = rays.origins.contiguous(), rays.directions.contiguous()
        _run(
            kernels.march,
            count,
            origins,
            directions,
            rays.near.contiguous(),
            rays.far.contiguous(),
            jitter.contiguous(),
            space,
            self.index,
            _bits(self.cells),
            self.raw,
            shift,
            faint,
            least,
            max(least, SOLID),
            *scratch,
            counts,
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
        packed = (found.starts, found.ends, found.alphas, found.places, found.rays)
        _run(kernels.pack, count, offsets, origins, directions, space, *scratch, *packed)
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
        _run(kernels.lookup, len(places), places, self.index, self.table.view(-1, WIDTH), found)
        return found

    def slope(self, places: Tensor, by_raw: Tensor, by_found: Tensor) -> Tensor:
        """Return the gradient at grid coordinates ``(m, 3)`` of what was looked up there."""
        from dreamplate.fields.kernels import bricks_lookup as kernels

        to_places = torch.empty_like(places)
        rows = self.table.view(-1, WIDTH)
        given = (places, self.index, self.raw, rows, by_raw, by_found, to_places)
        _run(kernels.lookup_place, len(places), *given)
        return to_places

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
        from dreamplate.fields.kernels import bricks_learn as kernels

        m = len(places)
        if "counts" not in self._scratch:
            self._scratch["counts"] = torch.zeros(len(self), dtype=torch.int32)
        most = min(len(self), 8 * m)
        touched = torch.empty(most, dtype=torch.int32)
        offsets = torch.empty(most + 1, dtype=torch.int64)
        entries = torch.empty(8 * m, dtype=torch.int32)
        counts = self._scratch["counts"]
        number = kernels.sort_by_brick(
            *(item.numpy() for item in (places, self.index, counts, touched, offsets, entries))
        )
        to_raw = self._room("to_raw", (number, 64))
        to_table = self._room("to_table", (number, 64 * WIDTH)).view(number, 64, WIDTH)
        marks = torch.empty(number, dtype=torch.int64)
        _run(
            kernels.gather,
            number,
            touched,
            offsets,
            entries,
            self.corners,
            places,
            by_raw,
            by_found,
            self.index,
            self.raw,
            self.table,
            *smooth,
            to_raw,
            to_table,
            _bits(marks),
        )
        self.steps += 1
        _run(
            kernels.adam,
            number,
            touched,
            to_raw,
            to_table,
            _bits(marks),
            self.raw,
            self.raw_first,
            self.raw_second,
            self.table,
            self.first,
            self.second,
            *rates,
            *_BETAS,
            *(1 / (1 - beta**self.steps) for beta in _BETAS),
            _TINY,
        )

    # -- shape --------------------------------------------------------------------------------------

    def occupy(self, least: float) -> None:
        """Mark the cells that have a corner with raw density above ``least``."""
        from dreamplate.fields.kernels import bricks_shape as kernels

        _run(kernels.occupy, len(self), self.corners, self.index, self.raw, float(least), _bits(self.cells))

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
        from dreamplate.fields.kernels import bricks_shape as kernels

        near = functional.max_pool3d(self.occupied()[None, None].float(), 3, 1, 1)[0, 0] > 0
        which = near
        for axis in range(3):
            line = (torch.arange(shape[axis]) * scale[axis] + bias[axis]).floor().long()
            which = which.index_select(axis, line.clamp(0, self.shape[axis] - 1))
        blocks = which.view(shape[0] // 4, 4, shape[1] // 4, 4, shape[2] // 4, 4)
        fresh = BrickGrid(shape, blocks.any(5).any(3).any(1))
        place = (scale.float(), bias.float())
        old, new = (self.index, self.raw, self.table), (fresh.raw, fresh.table)
        _run(kernels.refine, len(fresh), fresh.corners, *place, *old, *new)
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
