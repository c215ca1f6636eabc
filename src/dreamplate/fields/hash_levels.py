"""How a multiresolution hash grid lies in its table: scales, resolutions, the entry of each vertex.

Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding", 2022, section 3;
laid out as tiny-cuda-nn does, so that its tables can be used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["HashLevels", "hash_corners", "hash_levels", "spatial_hash"]

PRIMES = (1, 2654435761, 805459861, 3674653429)
DENSE_LIMIT = {2: 65_535, 3: 1_625, 4: 255}
"""Largest resolution whose dense index fits in 32 bits; above it a level is always hashed."""


@dataclass(frozen=True)
class HashLevels:
    """Where each level of a grid lies in the table, and how points reach it.

    Attributes:
        dims: Dimensions of a point.
        features: Numbers per table entry.
        scales: Per level, what a coordinate 0-1 is multiplied with.
        resolutions: Per level, vertices per axis.
        offsets: Per level, its first entry in the table; then the number of entries of them all.
        hashed: Per level, whether entries are found by hash.
        shift: Added to scaled coordinates: 0.5 staggers the levels (tiny-cuda-nn), 0 does not (nerfstudio).
        smooth: Interpolate with smoothstep instead of linearly.
    """

    dims: int
    features: int
    scales: tuple[float, ...]
    resolutions: tuple[int, ...]
    offsets: tuple[int, ...]
    hashed: tuple[bool, ...]
    shift: float = 0.5
    smooth: bool = False

    def __len__(self) -> int:
        return len(self.scales)

    @property
    def entries(self) -> int:
        """Rows of the table."""
        return self.offsets[-1]

    @property
    def width(self) -> int:
        """Numbers per encoded point."""
        return len(self) * self.features


def hash_levels(
    levels: int = 16,
    features: int = 2,
    log2_size: int = 19,
    base: int = 16,
    *,
    finest: float | None = 2048,
    growth: float | None = None,
    dims: int = 3,
    smooth: bool = False,
    every_level_hashed: bool = False,
) -> HashLevels:
    """Return the layout of a grid.

    Args:
        levels: How many.
        features: Per level.
        log2_size: Most entries of a level, as a power of two.
        base: Resolution of the coarsest level.
        finest: Resolution of the finest level; not looked at when ``growth`` is given.
        growth: Factor from one level's resolution to the next.
        dims: 2 to 4.
        smooth: Interpolate with smoothstep, whose derivative is continuous.
        every_level_hashed: As nerfstudio's torch grid has it: tables all of full size, resolutions rounded
            down, no half-cell shift.
    """
    if growth is None:
        assert finest is not None
        growth = math.exp(math.log(finest / base) / max(levels - 1, 1))
    size = 2**log2_size
    if every_level_hashed:
        resolutions = [math.floor(base * np.float32(growth) ** np.float32(level)) for level in range(levels)]
        return HashLevels(
            dims,
            features,
            tuple(float(value) for value in resolutions),
            tuple(value + 1 for value in resolutions),
            tuple(range(0, (levels + 1) * size, size)),
            (True,) * levels,
            0.0,
            smooth,
        )
    # Rounded to float32 after each function, as a graphics card does: the resolutions hang on the last bits.
    step = np.float32(math.log2(np.float32(growth)))
    scales = [
        float(np.float32(2.0 ** float(np.float32(level) * step)) * np.float32(base) - np.float32(1))
        for level in range(levels)
    ]
    resolutions = [math.ceil(scale) + 1 for scale in scales]
    sizes = [min(-(-(value**dims) // 8) * 8, size) for value in resolutions]
    hashed = [
        entries < value**dims or value > DENSE_LIMIT[dims]
        for value, entries in zip(resolutions, sizes, strict=True)
    ]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return HashLevels(
        dims,
        features,
        tuple(scales),
        tuple(resolutions),
        tuple(int(value) for value in offsets),
        tuple(hashed),
        0.5,
        smooth,
    )


def spatial_hash(coordinates: Int[Tensor, "... d"]) -> Int[Tensor, " ..."]:
    """Return the 32-bit hash of integer coordinates (int64 that hold unsigned 32-bit numbers)."""
    total = torch.zeros_like(coordinates[..., 0])
    for axis in range(coordinates.shape[-1]):
        total = total ^ ((coordinates[..., axis] * PRIMES[axis]) & 0xFFFFFFFF)
    return total


def hash_corners(levels: HashLevels, level: int, coordinates: Int[Tensor, "... d"]) -> Int[Tensor, " ..."]:
    """Return the entry inside a level for integer vertex coordinates."""
    size = levels.offsets[level + 1] - levels.offsets[level]
    if levels.hashed[level]:
        return spatial_hash(coordinates) % size
    index = coordinates[..., 0].clone()
    stride = 1
    for axis in range(1, levels.dims):
        stride *= levels.resolutions[level]
        index = index + coordinates[..., axis] * stride
    return (index & 0xFFFFFFFF) % size
