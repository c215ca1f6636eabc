"""Dropout that draws from a generator one gives it, and that can be left on when a network is used.

pix2pix has no other noise than its dropout, which its authors leave on after training (Isola and others
2017, section 2.3). Off makes it deterministic and steadies video.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Dropout", "Uniform", "set_dropout"]


@runtime_checkable
class Uniform(Protocol):
    """Whatever draws numbers in [0, 1) on the CPU, such as ``train.Draws``."""

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Return numbers of this shape."""
        ...


class Dropout(nn.Module):
    """Sets single values to zero and scales the others, while training or when `set_dropout` says so.

    Args:
        share: How many values are lost, 0-1.
    """

    def __init__(self, share: float = 0.5) -> None:
        super().__init__()
        self.share = share
        self.draws: Uniform | None = None

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Drop values; without draws nothing is dropped, except in training, where they must be set."""
        if self.draws is None:
            if self.training:
                raise RuntimeError("dropout has no draws: call set_dropout before a step of training")
            return x
        # Memory is laid out as x is: noise of another layout would make every later layer slow.
        kept = (self.draws.uniform(x.shape) >= self.share).to(device=x.device, dtype=x.dtype)
        if x.is_contiguous(memory_format=torch.channels_last):
            kept = kept.contiguous(memory_format=torch.channels_last)
        return x * kept / (1 - self.share)


def set_dropout(network: nn.Module, draws: Uniform | None) -> nn.Module:
    """Let every dropout of a network draw from ``draws``; None turns them off (in place)."""
    for part in network.modules():
        if isinstance(part, Dropout):
            part.draws = draws
    return network
