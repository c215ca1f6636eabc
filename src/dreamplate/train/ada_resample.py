"""Pictures moved by matrices, with a good filter, exactly where the move is one of whole pixels.

Karras and others 2020 (limited data), appendix B: reflect at the edges, double the resolution, interpolate,
and return, with the orthogonal sym6 wavelet's low-pass filter both ways. Reflection, filter and change of
resolution are linear along each axis, so each axis is one product with a matrix (`doubling`, `halving`). For
pictures of the sizes that networks learn from this is faster than convolutions with zeros between samples,
and it can be differentiated as often as one likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.train.ada_geometry import linear, shift

__all__ = ["SYM6", "doubling", "halving", "low_pass", "move", "move_whole", "reflected", "resample"]

SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
"""Scaling filter of the least asymmetric wavelet of order 6 (Daubechies 1992, table 6.3)."""
EDGE = len(SYM6) // 4 * 2
"""Pixels beyond the picture, both sides together, that the filter back looks at."""


def low_pass() -> Float[Tensor, " taps"]:
    """Return the filter that goes with changes of resolution, of sum 1."""
    taps = torch.tensor(SYM6, dtype=torch.float64)
    return taps / taps.sum()


def reflected(places: Tensor, side: int) -> Tensor:
    """Return places brought into 0 to ``side - 1`` by mirrors at the first and last sample."""
    period = max(1, 2 * (side - 1))
    inside = places.remainder(period)
    return torch.minimum(inside, period - inside)


def doubling(side: int, before: int, after: int) -> Float[Tensor, "double side"]:
    """Return the matrix that reflects ``before`` and ``after`` samples and doubles the resolution."""
    taps = low_pass()
    length = side + before + after
    result = torch.arange(2 * length)[:, None]
    source = result + len(taps) // 2 - 1 - torch.arange(len(taps))
    used = (source % 2 == 0) & (source >= 0) & (source < 2 * length)
    columns = reflected(source.div(2, rounding_mode="floor") - before, side)
    return _rows(columns, (2 * taps).expand(used.shape) * used, side)


def halving(side: int) -> Float[Tensor, "side double"]:
    """Return the matrix from ``2 * (side + EDGE)`` samples to every second of them, the edges left out."""
    taps = low_pass()
    columns = 2 * torch.arange(side)[:, None] + torch.arange(len(taps)) + 1
    return _rows(columns, taps.expand(columns.shape), 2 * (side + EDGE))


def _rows(columns: Tensor, values: Tensor, width: int) -> Tensor:
    matrix = torch.zeros(len(columns), width, dtype=torch.float64)
    return matrix.scatter_add(1, columns.clamp(0, width - 1), values).float()


def move(
    image: Float[Tensor, "n c h w"], inverse: Float[Tensor, "n 3 3"], exact: bool = True
) -> Float[Tensor, "n c h w"]:
    """Move each picture by its matrix, by the cheapest way that is right for it.

    Args:
        image: Pictures.
        inverse: From the result's pixels to the picture's.
        exact: Whether moves by mirrors, quarter turns and whole pixels leave every value as it is. Published
            code resamples all alike; its filter is not symmetric, so mirrored pictures come out softened.
    """
    if not exact:
        return resample(image, inverse)
    h, w = image.shape[-2:]
    still = (inverse == torch.eye(3, dtype=inverse.dtype)).all(2).all(1)
    whole = _is_whole(inverse, h, w) & ~still
    kinds = [still.nonzero()[:, 0], whole.nonzero()[:, 0], (~still & ~whole).nonzero()[:, 0]]
    ways: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (lambda x, _: x, move_whole, resample)
    parts = [
        way(image if len(rows) == len(image) else image[rows.to(image.device)], inverse[rows])
        for rows, way in zip(kinds, ways, strict=True)
        if len(rows)
    ]
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts)[torch.cat(kinds).argsort().to(image.device)]


def _is_whole(inverse: Tensor, h: int, w: int) -> Tensor:
    turns = (inverse[:, :2, :2] == inverse[:, :2, :2].round()).all(2).all(1)
    turns &= inverse[:, :2, :2].abs().sum(2).eq(1).all(1)
    corner = inverse[:, :2] @ _centre(h, w)
    start = corner + torch.tensor([(w - 1) / 2, (h - 1) / 2], dtype=inverse.dtype)
    return turns & (start == start.round()).all(1)


def _centre(h: int, w: int) -> Tensor:
    return torch.tensor([-(w - 1) / 2, -(h - 1) / 2, 1.0], dtype=torch.float64)


def move_whole(image: Float[Tensor, "n c h w"], inverse: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n c h w"]:
    """Move pictures by mirrors, quarter turns and whole pixels: nothing is filtered.

    As in `resample`, pictures are reflected once; what lies farther out is 0.
    """
    n, c, h, w = image.shape
    y, x = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing="ij")
    grid = torch.stack([x, y, torch.ones_like(x)]).view(3, h * w).double()
    column, row = (inverse[:, :2] @ grid).unbind(1)
    column, row = (column + (w - 1) / 2).round().long(), (row + (h - 1) / 2).round().long()
    near = (column > -w) & (column < 2 * w - 1) & (row > -h) & (row < 2 * h - 1)
    place = (reflected(row, h) * w + reflected(column, w)).to(image.device)
    moved = image.reshape(n, c, h * w).gather(2, place[:, None].expand(n, c, h * w))
    if not near.all():
        moved = moved * near[:, None].to(image)
    return moved.view(n, c, h, w)


def resample(image: Float[Tensor, "n c h w"], inverse: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n c h w"]:
    """Move pictures by any matrices: doubled, interpolated, filtered and halved again."""
    n, _, h, w = image.shape
    left, top, right, bottom = _margins(inverse, h, w)
    count = torch.ones(n, dtype=torch.float64)
    zero = torch.zeros_like(count)

    def to_share(width: float, height: float) -> Tensor:
        return linear(count * 2 / width, zero, zero, count * 2 / height)

    # The doubling filter has an even number of taps: doubled samples lie half a sample to the side.
    half, double = (linear(count * by, zero, zero, count * by) for by in (0.5, 2.0))
    there, back = shift(count / 2, count / 2), shift(-count / 2, -count / 2)
    wide, tall = 2 * (w + left + right), 2 * (h + top + bottom)
    out_wide, out_tall = 2 * (w + EDGE), 2 * (h + EDGE)
    placed = shift(count * (left - right) / 2, count * (top - bottom) / 2) @ inverse
    doubled = back @ double @ placed @ half @ there
    theta = to_share(wide, tall) @ doubled @ to_share(4 / out_wide, 4 / out_tall)

    def as_image(matrix: Tensor) -> Tensor:
        return matrix.to(image)

    fine = as_image(doubling(h, top, bottom)) @ (image @ as_image(doubling(w, left, right)).T)
    grid = F.affine_grid(
        theta[:, :2].to(image.device, torch.float32), [n, 1, out_tall, out_wide], align_corners=False
    )
    sampled: Tensor = Sampling.apply(fine, grid.to(fine.dtype))  # type: ignore[no-untyped-call]
    return as_image(halving(h)) @ (sampled @ as_image(halving(w)).T)


def _margins(inverse: Tensor, h: int, w: int) -> tuple[int, int, int, int]:
    """Return how far to reflect at the left, top, right and bottom: to the farthest corner, once at most."""
    x, y = (w - 1) / 2, (h - 1) / 2
    corners = torch.tensor([[-x, x, x, -x], [-y, -y, y, y], [1.0] * 4], dtype=torch.float64)
    reach = (inverse[:, :2] @ corners).permute(1, 0, 2).flatten(1)
    least, most = reach.amin(1), reach.amax(1)

    def margin(beyond: float, centre: float, side: int) -> int:
        return int(min(max(math.ceil(beyond - centre + EDGE), 0), side - 1))

    left, top = margin(-float(least[0]), x, w), margin(-float(least[1]), y, h)
    return left, top, margin(float(most[0]), x, w), margin(float(most[1]), y, h)


class Sampling(torch.autograd.Function):
    """Bilinear samples of pictures, zero outside, which can be differentiated by pictures twice.

    It is linear in the picture; torch knows the gradient, but not the gradient's own. Places get none.
    """

    @staticmethod
    def forward(ctx: Any, image: Tensor, grid: Tensor) -> Tensor:
        """Sample ``(n, c, h, w)`` at ``(n, h_out, w_out, 2)``."""
        ctx.save_for_backward(grid)
        ctx.size = image.shape
        return F.grid_sample(image, grid, align_corners=False)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, None]:
        """Spread the slopes over the pixels that were read."""
        spread: Tensor = Spreading.apply(slopes[0], ctx.saved_tensors[0], ctx.size)  # type: ignore[no-untyped-call]
        return spread, None


class Spreading(torch.autograd.Function):
    """The transpose of `Sampling`."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        """Spread ``(n, c, h_out, w_out)`` over pictures of ``size``."""
        ctx.save_for_backward(grid)
        place_of = slope.new_empty(()).expand(size)
        found: Tensor = torch.ops.aten.grid_sampler_2d_backward(
            slope, place_of, grid, 0, 0, False, (True, False)
        )[0]
        return found

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor, None, None]:
        """Sample."""
        sampled: Tensor = Sampling.apply(slopes[0], ctx.saved_tensors[0])  # type: ignore[no-untyped-call]
        return sampled, None, None
