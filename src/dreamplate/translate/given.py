"""What a network is given of one frame, made to fit by padding, cut for tiles, made small for a look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.train.onehot import one_hot

__all__ = ["Given", "Window", "run_network"]


class Window(NamedTuple):
    """Part of a frame: rows ``top`` to ``bottom - 1``, columns ``left`` to ``right - 1``."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left


@dataclass(frozen=True, eq=False)
class Given:
    """The condition of one frame: a picture, or a label map with the borders of its objects.

    Attributes:
        picture: ``(1, c, h, w)`` -1 to 1.
        labels: ``(1, h, w)`` class indices, int64.
        edges: ``(1, 1, h, w)`` 0 or 1.
    """

    picture: Tensor | None = None
    labels: Tensor | None = None
    edges: Tensor | None = None

    def __post_init__(self) -> None:
        if (self.picture is None) == (self.labels is None):
            raise ValueError("a frame is a picture or a label map, and not both")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        held = self.picture if self.picture is not None else self.labels
        assert held is not None
        return int(held.shape[-2]), int(held.shape[-1])

    def each(self, picture: Callable[[Tensor], Tensor], exact: Callable[[Tensor], Tensor]) -> Given:
        """Return the frame changed: pictures by one function, labels and edges (which do not mix) by another.

        Both get ``(1, c, h, w)``.
        """
        labels = None if self.labels is None else exact(self.labels[:, None])[:, 0]
        edges = None if self.edges is None else exact(self.edges)
        return Given(None if self.picture is None else picture(self.picture), labels, edges)

    def padded(self, multiple: int) -> Given:
        """Return the frame grown to the right and below until both sides are multiples.

        Pictures are mirrored, label maps repeat their nearest pixel; nothing is resized.
        """
        height, width = self.size
        if height % multiple == 0 and width % multiple == 0:
            return self
        rows, columns = (side + -side % multiple for side in (height, width))
        return self.each(
            lambda x: _take(x, _mirror(height, rows), _mirror(width, columns)),
            lambda x: _take(x, _hold(height, rows), _hold(width, columns)),
        )

    def cut(self, window: Window) -> Given:
        """Return a part of the frame."""

        def part(x: Tensor) -> Tensor:
            return x[..., window.top : window.bottom, window.left : window.right]

        return self.each(part, part)

    def shrunk(self, size: tuple[int, int]) -> Given:
        """Return the whole frame smaller: pictures averaged, labels and edges by their nearest pixel."""
        return self.each(
            lambda x: functional.interpolate(x, size, mode="area"),
            lambda x: functional.interpolate(x.float(), size, mode="nearest-exact").to(x.dtype),
        )

    def to(self, device: torch.device) -> Given:
        """Return the frame on a device."""
        return self.each(lambda x: x.to(device), lambda x: x.to(device))

    def same(self, other: Given | None) -> bool:
        """Whether another frame holds the same values."""
        if other is None:
            return False
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("picture", "labels", "edges"))
        return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def run_network(network: nn.Module, given: Given, classes: int, channels: int, z: Tensor | None) -> Tensor:
    """Return what a network makes of a frame, whichever way it takes it: ``(1, c, h, w)``.

    Args:
        network: With sides that are multiples of its ``multiple``.
        given: The frame.
        classes: Of its labels; 0 for pictures.
        channels: Of their one-hot map.
        z: ``(1, z_dim)`` style or noise, where the network has one.
    """
    if given.labels is None:
        x = given.picture
    elif hasattr(network, "from_labels"):
        return cast(Any, network).from_labels(given.labels, given.edges, z)  # type: ignore[no-any-return]
    else:
        x = one_hot(given.labels, classes, channels)
        x = x if given.edges is None else torch.cat([x, given.edges], 1)
    assert x is not None
    # Convolutions are fastest with channels last; strided cuts would be copied anyway.
    x = x.contiguous(memory_format=torch.channels_last)
    return cast(Tensor, network(x) if z is None else network(x, z))


def _take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return x.index_select(-2, rows.to(x.device)).index_select(-1, columns.to(x.device))


def _mirror(length: int, wanted: int) -> Tensor:
    """Return indices that go to and fro, so that even one row can be padded to any length."""
    if length == 1:
        return torch.zeros(wanted, dtype=torch.int64)
    place = torch.arange(wanted) % (2 * length - 2)
    return torch.minimum(place, 2 * length - 2 - place)


def _hold(length: int, wanted: int) -> Tensor:
    return torch.arange(wanted).clamp_max(length - 1)
