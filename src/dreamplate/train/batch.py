"""Batches: what a system learns from in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

__all__ = ["Batch"]


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of one size, side by side along the first axis.

    Attributes:
        image: ``(n, c, h, w)`` what the model shall make, float32, as its port encodes it (-1 to 1).
        condition: ``(n, c, h, w)`` what it is given, where that is a picture (-1 to 1).
        labels: ``(n, h, w)`` what it is given, where that is a label map: class indices, int64;
            ``len(palette)`` where a pixel is of no class.
        instances: ``(n, h, w)`` object ids, int64.
        targets: ``(n, k, c, h, w)`` all right answers where there are several; ``image`` is the first. Where
            an example has fewer than k, its own are repeated.
        weight: ``(n, 1, h, w)`` how much each pixel counts, 0-1; None: all count.
        names: Of the examples.
        texts: What is said of each: one caption or several; empty where nothing is said of any.
        facts: What is known of each, by name; empty where nothing is known of any.
    """

    image: Tensor
    condition: Tensor | None = None
    labels: Tensor | None = None
    instances: Tensor | None = None
    targets: Tensor | None = None
    weight: Tensor | None = None
    names: tuple[str, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()
    facts: tuple[Mapping[str, str], ...] = ()

    def __len__(self) -> int:
        return int(self.image.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.image.shape[-2]), int(self.image.shape[-1])

    def each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return a batch with ``change`` applied to every tensor."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors = {name: value for name, value in held.items() if isinstance(value, Tensor)}
        changed: dict[str, Any] = {name: change(value) for name, value in tensors.items()}
        return replace(self, **changed)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def part(self, start: int, stop: int) -> Batch:
        """Return examples ``start`` to ``stop - 1``."""
        cut = self.each(lambda tensor: tensor[start:stop])
        said = {name: getattr(self, name)[start:stop] for name in ("names", "texts", "facts")}
        return replace(cut, **said)
