"""Running the kernels of the hash grid on whatever device the points are on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from dreamplate.fields.kernels.hash_cell import hash_index
from dreamplate.fields.kernels.hash_read import hash_gather, hash_points, level_forward, level_points
from dreamplate.fields.kernels.hash_table import hash_entry, levels_table
from dreamplate.fields.kernels.launch import arrays, gpu_launch

__all__ = ["Layout", "backward_points", "backward_table", "forward"]


class Layout(NamedTuple):
    """The per-level numbers of ``HashLevels``, as operators of torch take them."""

    scales: list[float]
    resolutions: list[int]
    offsets: list[int]
    hashed: list[bool]
    shift: float
    smooth: bool

    def cell(self, level: int) -> tuple[Any, ...]:
        """Return scale, shift, resolution, entries and hashed of a level."""
        return (
            np.float32(self.scales[level]),
            np.float32(self.shift),
            self.resolutions[level],
            self.offsets[level + 1] - self.offsets[level],
            self.hashed[level],
        )


def forward(points: Tensor, table: Tensor, layout: Layout) -> Tensor:
    """Return the features ``(n, levels * features)`` of points ``(n, 3)``."""
    count, width, smooth = len(points), table.shape[1], layout.smooth
    features = points.new_empty(count, len(layout.scales) * width)
    p, t, out = arrays(_columns(points), table, features)
    for level, base in enumerate(layout.offsets[:-1]):
        if _on_processor(points):
            level_forward(p, t, *layout.cell(level), base, smooth, level * width, out)
        else:
            corners, places = arrays(*_index(points, p, layout, level))
            gpu_launch(hash_gather, count, 1, 1, count, t, base, smooth, corners, places, level * width, out)
    return features


def backward_points(by_features: Tensor, points: Tensor, table: Tensor, layout: Layout) -> Tensor:
    """Return the gradient ``(n, 3)`` at the points."""
    count, width, smooth = len(points), table.shape[1], layout.smooth
    to_points = torch.zeros_like(points)
    p, t, by, out = arrays(_columns(points), table, by_features, to_points)
    for level, base in enumerate(layout.offsets[:-1]):
        cell, column = layout.cell(level), level * width
        if _on_processor(points):
            level_points(p, t, *cell, base, smooth, column, by, out)
        else:
            corners, places = arrays(*_index(points, p, layout, level))
            gpu_launch(
                hash_points, count, 1, 1, count, t, base, smooth, cell[0], corners, places, column, by, out
            )
    return to_points


def backward_table(by_features: Tensor, points: Tensor, table: Tensor, layout: Layout) -> Tensor:
    """Return the gradient of the table, the same bits on every run."""
    width, smooth = table.shape[1], layout.smooth
    p, by = arrays(_columns(points), by_features)
    if _on_processor(points):
        to_table = torch.empty_like(table)
        levels_table(
            p,
            _order(len(layout.scales)),
            np.asarray(layout.scales, np.float32),
            np.float32(layout.shift),
            np.asarray(layout.resolutions),
            np.asarray(layout.offsets),
            np.asarray(layout.hashed),
            smooth,
            by,
            width,
            *arrays(to_table.view(-1)),
        )
        return to_table
    to_table = torch.zeros_like(table)
    (out,) = arrays(to_table)
    for level, base in enumerate(layout.offsets[:-1]):
        corners, places = _index(points, p, layout, level)
        keys, order = torch.sort(corners, stable=True)
        entries, counts = torch.unique_consecutive(keys, return_counts=True)
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        given = arrays(starts, order, entries)
        gpu_launch(hash_entry, len(entries), *given, base, smooth, *arrays(places), level * width, by, out)
    return to_table


def _columns(points: Tensor) -> Tensor:
    """Return points as ``(3, n)``."""
    return points.detach().t().contiguous()


def _on_processor(points: Tensor) -> bool:
    return points.device.type == "cpu"


def _index(points: Tensor, p: Any, layout: Layout, level: int) -> tuple[Tensor, Tensor]:
    """Return entries ``(8 n,)`` and places ``(3 n,)`` of one level, found on the card."""
    count = len(points)
    corners = torch.empty(8 * count, dtype=torch.int64, device=points.device)
    places = points.new_empty(3 * count)
    gpu_launch(hash_index, count, 1, 1, count, p, *layout.cell(level), *arrays(corners, places))
    return corners, places


def _order(levels: int) -> Any:
    """Return the levels in an order that gives every thread coarse (quick) and fine (slow) ones."""
    threads = numba.get_num_threads()
    return np.concatenate([np.arange(first, levels, threads) for first in range(min(threads, levels))])
