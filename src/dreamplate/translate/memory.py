"""How much memory work takes, measured while it is done once on something small."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["peak_bytes"]

WORKSPACE = 1.5
"""What convolutions take besides their results (copies in another layout), as a factor."""


def peak_bytes(work: Callable[[], Any]) -> int:
    """Return how many bytes of new tensors are alive at once while ``work`` runs, workspace included.

    Args:
        work: Anything made of torch operations, on any device.
    """
    with torch.no_grad(), _Counting() as counting:
        work()
    return int(counting.peak * WORKSPACE)


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the memory of tensors from the operation that makes them until nobody holds them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: dict[int, int] = {}
        self.alive = self.peak = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        before = {_key(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor) and _key(leaf) not in before:
                self._count(leaf)
        self.peak = max(self.peak, self.alive)
        return made

    def _count(self, tensor: Tensor) -> None:
        storage, key = tensor.untyped_storage(), _key(tensor)
        if key in self.known:
            return
        self.known[key] = storage.nbytes()
        self.alive += storage.nbytes()
        weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.alive -= self.known.pop(key, 0)


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
