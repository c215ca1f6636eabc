"""From an extent to a grid: how many vertices along each axis, and the packed space that the kernels read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.fields.spaces import Extent

__all__ = ["GridSpace", "grid_space"]

BASE = 128.0
"""Density counts as if the extent were this many cells across, whatever the grid: refining keeps opacity."""
DEPTH_SHARE = 0.75
"""Vertices along disparity (forward) for one along the longest side of the picture."""


@dataclass(frozen=True, eq=False)
class GridSpace:
    """A grid laid over an extent.

    Attributes:
        shape: Vertices along x, y, z; multiples of 4.
        packed: ``(27,)`` float32, as ``kernels/space.py`` describes.
        low: ``(3,)`` first vertex, in the coordinates in which the grid is even (box: world).
        cell: ``(3,)`` distance of vertices there.
    """

    shape: tuple[int, int, int]
    packed: Tensor
    low: npt.NDArray[np.float64]
    cell: npt.NDArray[np.float64]

    @property
    def length(self) -> float:
        """Optical length of one step: what ``softplus(raw + shift)`` is multiplied by."""
        return float(self.packed[25] * self.packed[26])


def grid_space(
    extent: Extent, resolution: int, step: float, box: npt.NDArray[np.float64] | None = None
) -> GridSpace:
    """Lay a grid over an extent.

    Args:
        extent: The extent.
        resolution: Vertices along the longest side.
        step: Length of a step in cells.
        box: ``(2, 3)`` a smaller box inside the extent's own (kind box only).
    """
    packed = np.zeros(27, np.float32)
    if extent.kind == "box":
        inner = extent.box if box is None else box
        side = inner[1] - inner[0]
        cell = side.max() / (resolution - 1)
        shape = tuple(_fours(int(np.ceil(length / cell - 1e-6)) + 1) for length in side)
        low, cells = inner[0], np.full(3, cell)
        packed[1:4], packed[4:7] = low, 1 / cell
        unit = cell / ((extent.box[1] - extent.box[0]).max() / BASE)
    elif extent.kind == "open":
        shape = (_fours(resolution),) * 3
        low, cells = np.full(3, -2.0), np.full(3, 4.0 / (shape[0] - 1))
        packed[0] = 1
        packed[1:4] = extent.box.mean(0)
        packed[4:7] = (extent.box[1] - extent.box[0]) / 2
        unit = BASE / shape[0]
    else:
        x0, x1, y0, y1 = extent.slopes
        width, height = x1 - x0, y1 - y0
        longest = max(width, height)
        shape = (
            _fours(round(resolution * width / longest)),
            _fours(round(resolution * height / longest)),
            _fours(round(resolution * DEPTH_SHARE)),
        )
        low, cells = np.zeros(3), 1.0 / (np.array(shape) - 1)
        packed[0] = 2
        packed[1:4] = extent.reference[:3, 3]
        packed[10:19] = extent.reference[:3, :3].T.ravel()
        packed[19:23] = x0, y0, width, height
        packed[23], packed[24] = 1 / extent.near, 1 / extent.near - 1 / extent.far
        unit = BASE / shape[2]
    packed[7:10] = np.array(shape) - 1
    packed[25], packed[26] = step, unit
    x, y, z = shape
    return GridSpace((x, y, z), torch.from_numpy(packed), np.asarray(low, float), cells)


def _fours(count: int) -> int:
    return max(8, -(-count // 4) * 4)
