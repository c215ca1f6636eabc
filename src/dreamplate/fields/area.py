"""Making pictures smaller by averaging areas: each new pixel is the mean of what it covers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["area_resize", "fitted_size"]


def fitted_size(width: int, height: int, scale: float = 1.0, longest: int | None = None) -> tuple[int, int]:
    """Return the size of a picture after scaling, at least one pixel; pictures are never made larger.

    Args:
        width: Pixels across.
        height: Pixels down.
        scale: Factor on both, at most 1.
        longest: The longer side may not be longer than this.
    """
    factor = min(1.0, scale, 1.0 if longest is None else longest / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def area_resize(values: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float32]:
    """Return a smaller picture: each pixel the exact mean of the area it covers, edges counted in part.

    Args:
        values: ``(rows, columns, ...)``, finite.
        width: Columns wanted, at most as many as there are.
        height: Rows wanted, at most as many as there are.
    """
    if (height, width) == values.shape[:2]:
        return values
    return _shrink(_shrink(values, height, 0), width, 1).astype(np.float32)


def _shrink(values: npt.NDArray[np.floating], count: int, axis: int) -> npt.NDArray[np.floating]:
    """Average along one axis: differences of the running sum, read between its places."""
    size = values.shape[axis]
    if count == size:
        return values
    lined = np.moveaxis(values, axis, 0).astype(np.float64)
    total = np.concatenate([np.zeros((1, *lined.shape[1:])), np.cumsum(lined, axis=0)])
    edges = np.arange(count + 1) * (size / count)
    whole = np.minimum(edges.astype(np.int64), size - 1)
    share = (edges - whole).reshape(-1, *(1,) * (lined.ndim - 1))
    sums = total[whole] + share * lined[whole]
    return np.moveaxis((sums[1:] - sums[:-1]) * (count / size), 0, axis)
