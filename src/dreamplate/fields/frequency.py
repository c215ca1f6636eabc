"""Positional encoding: coordinates as sines and cosines of doubling frequency.

Mildenhall et al., "NeRF", 2020, equation 4, as the published program has it: no factor π, the coordinates
themselves in front, then for each frequency all sines and all cosines.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["encode_frequencies", "encoded_width"]


def encode_frequencies(values: Float[Tensor, "*n d"], count: int) -> Float[Tensor, "*n wide"]:
    """Return ``(*n, d + 2 * d * count)``: ``x, sin(x), cos(x), sin(2 x), cos(2 x), sin(4 x), …``."""
    scales = 2.0 ** torch.arange(count, dtype=values.dtype, device=values.device)
    angles = values[..., None, :] * scales[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], dim=-2)  # (*n, count, 2, d)
    return torch.cat([values, waves.flatten(-3)], dim=-1)


def encoded_width(dimensions: int, count: int) -> int:
    """Return how many numbers ``encode_frequencies`` makes of a point."""
    return dimensions * (1 + 2 * count)
