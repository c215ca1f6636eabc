"""Morton codes: cells of a cube numbered so that neighbours in space are neighbours in memory."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

__all__ = ["morton_cells", "morton_codes"]


def morton_codes(cells: Int[Tensor, "n 3"]) -> Int[Tensor, " n"]:
    """Return the codes of cells: bits of x, y, z in turn, x lowest.

    Args:
        cells: Coordinates 0-1023, int64.
    """
    x, y, z = (_spread(cells[:, axis]) for axis in range(3))
    return x | y << 1 | z << 2


def morton_cells(codes: Int[Tensor, " n"]) -> Int[Tensor, "n 3"]:
    """Return the cells of codes; undoes ``morton_codes``."""
    import torch

    return torch.stack([_gather(codes >> axis) for axis in range(3)], 1)


def _spread(value: Tensor) -> Tensor:
    value = (value | value << 16) & 0x030000FF
    value = (value | value << 8) & 0x0300F00F
    value = (value | value << 4) & 0x030C30C3
    return (value | value << 2) & 0x09249249


def _gather(value: Tensor) -> Tensor:
    value = value & 0x09249249
    value = (value | value >> 2) & 0x030C30C3
    value = (value | value >> 4) & 0x0300F00F
    value = (value | value >> 8) & 0x030000FF
    return (value | value >> 16) & 0x3FF
