"""Features of points from a multiresolution grid whose finer levels are hash tables.

``hash_encode`` is what fields call: on the CPU and on CUDA it runs the kernels of ``kernels/hash_run.py``;
elsewhere, in other than three dimensions, and as oracle in the tests, its plain torch twin
``hash_encode_twin``.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.fields.hash_levels import HashLevels, hash_corners

__all__ = ["HashGrid", "hash_encode", "hash_encode_twin"]


class HashGrid(nn.Module):
    """A grid with its table, uniform in ±``spread`` at first.

    Args:
        levels: The layout.
        draws: Where the first values come from.
        spread: Half the width of their distribution.
    """

    def __init__(self, levels: HashLevels, draws: torch.Generator, spread: float = 1e-4) -> None:
        super().__init__()
        self.levels = levels
        start = torch.rand((levels.entries, levels.features), generator=draws)
        self.table = nn.Parameter((start * 2 - 1) * spread)

    def forward(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n width"]:
        """Return the features ``(n, levels * features)`` of points in 0-1."""
        return hash_encode(points, self.table, self.levels)


def hash_encode(
    points: Float[Tensor, "n d"], table: Float[Tensor, "entries f"], levels: HashLevels
) -> Float[Tensor, "n width"]:
    """Return the features of points, differentiable once in the points and the table.

    Args:
        points: Coordinates, meant to lie in 0-1; any finite value has features.
        table: All levels one after another, of the type of the points (float32 or float64).
        levels: The layout.

    Returns:
        Level after level, ``levels.features`` numbers each.
    """
    if levels.dims != 3 or points.device.type not in ("cpu", "cuda"):
        return hash_encode_twin(points, table, levels)
    encoded: Tensor = torch.ops.dreamplate.hash_encode(
        points.contiguous(), table.contiguous(), *_packed(levels)
    )
    return encoded


def hash_encode_twin(
    points: Float[Tensor, "n d"], table: Float[Tensor, "entries f"], levels: HashLevels
) -> Float[Tensor, "n width"]:
    """Return the features of points in plain torch, differentiable in the points and the table.

    Args:
        points: Coordinates, meant to lie in 0-1.
        table: All levels one after another.
        levels: The layout.

    Returns:
        Level after level, ``features`` numbers each.
    """
    bits = torch.tensor(
        [[(corner >> axis) & 1 for axis in range(levels.dims)] for corner in range(2**levels.dims)],
        device=points.device,
    )
    found = []
    for level, scale in enumerate(levels.scales):
        scaled = points * scale + levels.shift
        vertex = scaled.detach().floor()
        share = scaled - vertex
        if levels.smooth:
            share = share * share * (3 - 2 * share)
        index = hash_corners(levels, level, vertex.long()[:, None] + bits)
        weights = torch.where(bits.bool(), share[:, None], 1 - share[:, None]).prod(-1)
        found.append((table[levels.offsets[level] + index] * weights[..., None]).sum(1))
    return torch.cat(found, -1)


# -- the operator -----------------------------------------------------------------------------------


def _packed(levels: HashLevels) -> tuple[list[float], list[int], list[int], list[bool], float, bool]:
    return (
        list(levels.scales),
        list(levels.resolutions),
        list(levels.offsets),
        list(levels.hashed),
        levels.shift,
        levels.smooth,
    )


_LAYOUT = "float[] scales, int[] resolutions, int[] offsets, bool[] hashed, float shift, bool smooth"


@torch.library.custom_op(
    "dreamplate::hash_encode", mutates_args=(), schema=f"(Tensor points, Tensor table, {_LAYOUT}) -> Tensor"
)
def _encode(
    points: Tensor,
    table: Tensor,
    scales: list[float],
    resolutions: list[int],
    offsets: list[int],
    hashed: list[bool],
    shift: float,
    smooth: bool,
) -> Tensor:
    from dreamplate.fields.kernels.hash_run import Layout, forward

    return forward(points, table, Layout(scales, resolutions, offsets, hashed, shift, smooth))


@_encode.register_fake
def _(points: Tensor, table: Tensor, scales: list[float], *rest: Any) -> Tensor:
    return points.new_empty(points.shape[0], len(scales) * table.shape[1])


@torch.library.custom_op(
    "dreamplate::hash_encode_backward",
    mutates_args=(),
    schema=f"(Tensor by_features, Tensor points, Tensor table, {_LAYOUT}, bool for_points, bool for_table) "
    "-> (Tensor, Tensor)",
)
def _encode_backward(
    by_features: Tensor,
    points: Tensor,
    table: Tensor,
    scales: list[float],
    resolutions: list[int],
    offsets: list[int],
    hashed: list[bool],
    shift: float,
    smooth: bool,
    for_points: bool,
    for_table: bool,
) -> tuple[Tensor, Tensor]:
    from dreamplate.fields.kernels.hash_run import Layout, backward_points, backward_table

    layout = Layout(scales, resolutions, offsets, hashed, shift, smooth)
    return (
        backward_points(by_features, points, table, layout) if for_points else points.new_empty(0),
        backward_table(by_features, points, table, layout) if for_table else table.new_empty(0),
    )


@_encode_backward.register_fake
def _(by_features: Tensor, points: Tensor, table: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    for_points, for_table = rest[-2:]
    return (
        torch.empty_like(points) if for_points else points.new_empty(0),
        torch.empty_like(table) if for_table else table.new_empty(0),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.layout = inputs[2:]


def _back(ctx: Any, by_features: Tensor) -> tuple[Any, ...]:
    points, table = ctx.saved_tensors
    for_points, for_table = ctx.needs_input_grad[:2]
    to_points, to_table = torch.ops.dreamplate.hash_encode_backward(
        by_features.contiguous(), points, table, *ctx.layout, for_points, for_table
    )
    return (to_points if for_points else None, to_table if for_table else None, *(None for _ in ctx.layout))


_encode.register_autograd(_back, setup_context=_keep)
