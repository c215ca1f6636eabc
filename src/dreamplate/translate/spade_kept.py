"""What stays the same from one picture to the next: labels whose layers need not be evaluated again.

While only the style changes, scale and offset of every layer stay as they are. They are kept for the labels
seen last, as long as neither these nor a weight changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from dreamplate.translate.spade_layers import LabelCondition

__all__ = ["keep_condition"]


@dataclass(frozen=True, eq=False)
class _Kept:
    labels: Tensor
    edges: Tensor | None
    weights: tuple[int, ...]
    condition: LabelCondition


_KEPT: WeakKeyDictionary[nn.Module, _Kept] = WeakKeyDictionary()
"""By network, so that copies and files of networks carry none of it."""


def keep_condition(
    net: nn.Module, labels: Tensor, edges: Tensor | None, make: Callable[[], LabelCondition]
) -> LabelCondition:
    """Return a condition, the one made last if labels and weights are the same.

    Args:
        net: In use, not learning: the condition's tables carry no gradient.
        labels: ``(n, h, w)``.
        edges: ``(n, 1, h, w)``, or None.
        make: Makes the condition of these labels; it must depend on nothing else.
    """
    weights = tuple(part for p in net.parameters() for part in (id(p), p.data_ptr(), p._version))
    kept = _KEPT.get(net)
    if (
        kept is None
        or kept.weights != weights
        or not (_same(kept.labels, labels) and _same(kept.edges, edges))
    ):
        copy = None if edges is None else edges.clone()
        kept = _Kept(labels.clone(), copy, weights, make())
        kept.condition.tables = {}
        _KEPT[net] = kept
    return kept.condition


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.device == other.device and torch.equal(one, other)
