"""The average of a generator over its training: steadier pictures than the weights of any one step."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """Exponential moving average of a network, parameters and buffers alike, without bias.

    After t updates the weights are ``(1 - d) / (1 - d^t) * sum over k of d^(t-k) w_k``: a weighted mean of
    the weights so far, as in Adam's correction (Kingma and Ba 2015, section 3), so that the untrained
    beginning has no more share than its own. Whole numbers, such as counts of batches, are copied.

    Args:
        network: What is averaged; its weights are not changed.
        decay: d, for each step, 0-1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay, self.count = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of a network as they are now."""
        self.count += 1
        share = (1 - self.decay) / (1 - self.decay**self.count)
        mine, theirs = self._tensors(self.network), self._tensors(network)
        floating = [name for name, value in mine.items() if value.is_floating_point()]
        held, new = [mine[name] for name in floating], [theirs[name] for name in floating]
        if share == 1:  # exactly, also where the average so far is not finite
            torch._foreach_copy_(held, new)
        else:
            torch._foreach_lerp_(held, new, share)
        for name in mine.keys() - set(floating):
            mine[name].copy_(theirs[name])

    def state_dict(self) -> dict[str, Any]:
        """Return the average and how many updates it had."""
        return {"count": self.count, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.count = int(state["count"])
        self.network.load_state_dict(state["network"])

    @staticmethod
    def _tensors(network: nn.Module) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in network.state_dict().items()}
