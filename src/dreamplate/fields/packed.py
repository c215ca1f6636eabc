"""Packed samples: whose they are, fewer of them, several batches of them as one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dreamplate.fields.rays import Samples

__all__ = ["joined", "lit", "owners", "thinned"]


def owners(offsets: Tensor) -> Tensor:
    """Return which ray each sample belongs to, ``(m,)`` int64, from ``(rays + 1,)`` offsets."""
    counts = offsets[1:] - offsets[:-1]
    return torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)


def thinned(offsets: Tensor, kept: Tensor) -> Tensor:
    """Return the offsets ``(rays + 1,)`` of the samples that are kept, ``(m,)`` bool."""
    counts = torch.cat([kept.new_zeros(1, dtype=torch.int64), kept.cumsum(0)])
    return counts[offsets]


def lit(offsets: Tensor, depth: Tensor, clear: float) -> Tensor:
    """Return which samples have more than ``clear`` of the light in front of them left, bool.

    Args:
        offsets: ``(rays + 1,)``.
        depth: ``(m,)`` optical depth of each sample.
        clear: Share of light, above 0.
    """
    total = torch.cat([depth.new_zeros(1, dtype=torch.float64), depth.double().cumsum(0)])
    before = total[:-1] - total[offsets[:-1]][owners(offsets)]
    return before < -math.log(clear)


def joined(parts: Sequence[Samples]) -> Samples:
    """Return the samples of several batches of rays as those of one."""
    if len(parts) == 1:
        return parts[0]
    counts = torch.cat([part.offsets[1:] - part.offsets[:-1] for part in parts])
    return Samples(
        torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
        *(
            torch.cat([getattr(part, name) for part in parts])
            for name in ("starts", "ends", "alphas", "colours")
        ),
    )
