"""Adam for a large table of which each step touches few rows.

``SparseAdam`` runs the kernel of ``kernels/adam.py`` on the CPU and on CUDA; elsewhere, and as oracle in
the tests, ``adam_twin``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["SparseAdam", "adam_twin"]

_LONGEST = 8192
"""Steps after which the correction of moments stays as it is; beta 0.999 has 3e-4 of it left then."""


class SparseAdam:
    """Adam over the rows of one table that have a gradient; the others keep values and moments.

    Args:
        table: ``(rows, width)`` float32 or float64, changed in place.
        betas: Decay of the means of gradient and square.
        epsilon: Added to the root of the square.
    """

    def __init__(
        self, table: Tensor, betas: tuple[float, float] = (0.9, 0.99), epsilon: float = 1e-15
    ) -> None:
        self.table, self.betas, self.epsilon = table, betas, epsilon
        self.means = torch.zeros_like(table, requires_grad=False)
        self.squares = torch.zeros_like(self.means)
        self.counts = torch.zeros(len(table), dtype=torch.int32, device=table.device)
        counts = torch.arange(_LONGEST, dtype=torch.float64).clamp_min(1)[:, None]
        factors = 1 / (1 - torch.tensor(betas, dtype=torch.float64) ** counts)
        self.corrections = factors.to(self.means)

    def step(self, slopes: Tensor, rate: float) -> None:
        """Take one step and clear the gradient.

        Args:
            slopes: Gradient ``(rows, width)``; zeros afterwards.
            rate: Learning rate.
        """
        values, slopes = self.table.detach(), slopes.detach()
        tensors = values, slopes, self.means, self.squares, self.counts, self.corrections
        if values.device.type not in ("cpu", "cuda"):
            adam_twin(*tensors, rate, *self.betas, self.epsilon)
            return
        from dreamplate.fields.kernels.adam import adam_row, adam_rows
        from dreamplate.fields.kernels.launch import arrays, gpu_launch

        kind = np.float64 if values.dtype == torch.float64 else np.float32
        numbers = [kind(number) for number in (rate, *self.betas, self.epsilon)]
        if values.device.type == "cpu":
            adam_rows(len(values), *arrays(*tensors), *numbers)
        else:
            gpu_launch(adam_row, len(values), *arrays(*tensors), *numbers)

    def state_dict(self) -> dict[str, Any]:
        """Return what the next step depends on, the table aside."""
        return {"means": self.means, "squares": self.squares, "counts": self.counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.means.copy_(state["means"])
        self.squares.copy_(state["squares"])
        self.counts.copy_(state["counts"])


def adam_twin(
    values: Tensor,
    slopes: Tensor,
    means: Tensor,
    squares: Tensor,
    counts: Tensor,
    corrections: Tensor,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """Do what the kernel does in plain torch, in place."""
    touched = (slopes != 0).any(1)
    slope = slopes[touched]
    counts[touched] += 1
    factors = corrections[counts[touched].long().clamp_max(len(corrections) - 1)]
    means[touched] = beta1 * means[touched] + (1 - beta1) * slope
    squares[touched] = beta2 * squares[touched] + (1 - beta2) * slope * slope
    root = (squares[touched] * factors[:, 1:]).sqrt() + epsilon
    values[touched] -= rate * means[touched] * factors[:, :1] / root
    slopes.zero_()
