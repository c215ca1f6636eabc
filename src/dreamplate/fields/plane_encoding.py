"""Features of points from planes, one for every pair of coordinates, multiplied: fast, with channels last.

The same function as one level of ``planes.plane_features`` (Fridovich-Keil et al., "K-Planes", 2023),
which is its twin; planes lie one after another in a single table that an optimiser of rows can take.
``encode_planes`` runs the kernels of ``kernels/planes.py`` on the CPU and on CUDA.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.fields.planes import plane_features, plane_pairs

__all__ = ["encode_planes", "encode_planes_twin", "pack_planes", "unpack_planes"]


def encode_planes(
    points: Float[Tensor, "n d"], table: Float[Tensor, "rows width"], resolution: Sequence[int]
) -> Float[Tensor, "n width"]:
    """Return the product over planes at points, differentiable once in the points and the table.

    Args:
        points: -1 to 1 from the first to the last vertex; beyond, the border holds.
        table: Planes in the order of ``plane_pairs``, row by row, the first coordinate of a pair fastest.
        resolution: Vertices along each of the ``d`` coordinates.
    """
    if points.device.type not in ("cpu", "cuda"):
        return encode_planes_twin(points, table, resolution)
    features: Tensor = torch.ops.dreamplate.encode_planes(
        points.contiguous(), table.contiguous(), list(resolution)
    )[0]
    return features


def encode_planes_twin(
    points: Float[Tensor, "n d"], table: Float[Tensor, "rows width"], resolution: Sequence[int]
) -> Float[Tensor, "n width"]:
    """Do what ``encode_planes`` does in plain torch."""
    return plane_features(points, [unpack_planes(table, resolution)], concatenate=True)


def pack_planes(planes: Sequence[Tensor]) -> Float[Tensor, "rows width"]:
    """Return planes ``(1, width, second, first)`` as one table."""
    return torch.cat([plane[0].permute(1, 2, 0).flatten(0, 1) for plane in planes])


def unpack_planes(table: Float[Tensor, "rows width"], resolution: Sequence[int]) -> list[Tensor]:
    """Return a table as planes ``(1, width, second, first)``; undoes ``pack_planes``."""
    found, at = [], 0
    for first, second in plane_pairs(len(resolution)):
        wide, high = resolution[first], resolution[second]
        rows = table[at : at + wide * high]
        found.append(rows.reshape(high, wide, -1).permute(2, 0, 1)[None])
        at += wide * high
    return found


# -- the operator -----------------------------------------------------------------------------------


def _layout(resolution: Sequence[int], device: torch.device) -> list[Tensor]:
    """Return pairs and sizes ``(p, 2)`` and first rows ``(p,)``."""
    pairs = torch.tensor(plane_pairs(len(resolution)))
    sizes = torch.tensor(list(resolution))[pairs]
    ends = sizes.prod(1).cumsum(0)
    return [value.to(device) for value in (pairs, sizes, ends - sizes.prod(1))]


@torch.library.custom_op(
    "dreamplate::encode_planes",
    mutates_args=(),
    schema="(Tensor points, Tensor table, int[] resolution) -> (Tensor, Tensor)",
)
def _encode(points: Tensor, table: Tensor, resolution: list[int]) -> tuple[Tensor, Tensor]:
    from dreamplate.fields.kernels import planes as kernels
    from dreamplate.fields.kernels.launch import arrays, gpu_launch

    layout, count = _layout(resolution, points.device), len(points)
    reads = points.new_empty(count, len(layout[0]), table.shape[1])
    features = points.new_empty(count, table.shape[1])
    given = arrays(points, *layout, table, reads, features)
    if points.device.type == "cpu":
        kernels.planes_points(count, *given)
    else:
        gpu_launch(kernels.planes_point, count, *given)
    return features, reads


@_encode.register_fake
def _(points: Tensor, table: Tensor, resolution: list[int]) -> tuple[Tensor, Tensor]:
    count, width = points.shape[0], table.shape[1]
    return points.new_empty(count, width), points.new_empty(count, len(plane_pairs(len(resolution))), width)


@torch.library.custom_op(
    "dreamplate::encode_planes_backward",
    mutates_args=(),
    schema="(Tensor by_features, Tensor points, Tensor table, Tensor reads, int[] resolution) "
    "-> (Tensor, Tensor)",
)
def _encode_backward(
    by_features: Tensor, points: Tensor, table: Tensor, reads: Tensor, resolution: list[int]
) -> tuple[Tensor, Tensor]:
    from dreamplate.fields.kernels import planes as kernels
    from dreamplate.fields.kernels.launch import arrays, gpu_launch

    layout = _layout(resolution, points.device)
    to_points, to_table = torch.zeros_like(points), torch.zeros_like(table)
    p, pairs, sizes, firsts, t, r, by = arrays(points, *layout, table, reads, by_features)
    for_points, for_table = arrays(to_points, to_table)
    count, planes = len(points), len(layout[0])
    if points.device.type == "cpu":
        kernels.planes_tables(planes, p, pairs, sizes, firsts, r, by, for_table)
        kernels.planes_slopes(count, p, pairs, sizes, firsts, t, r, by, for_points)
    else:
        gpu_launch(kernels.planes_table, planes, p, pairs, sizes, firsts, r, by, for_table)
        gpu_launch(kernels.planes_slope, count, p, pairs, sizes, firsts, t, r, by, for_points)
    return to_points, to_table


@_encode_backward.register_fake
def _(by_features: Tensor, points: Tensor, table: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(points), torch.empty_like(table)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    points, table, ctx.resolution = inputs
    ctx.save_for_backward(points, table, output[1])
    ctx.mark_non_differentiable(output[1])


def _back(ctx: Any, by_features: Tensor, _: Any) -> tuple[Tensor, Tensor, None]:
    points, table, reads = ctx.saved_tensors
    to_points, to_table = torch.ops.dreamplate.encode_planes_backward(
        by_features.contiguous(), points, table, reads, ctx.resolution
    )
    return to_points, to_table, None


_encode.register_autograd(_back, setup_context=_keep)
