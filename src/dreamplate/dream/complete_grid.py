"""From a picture of any size to what a completing model sees, and in which squares it goes on.

The shorter side of the picture becomes the model's side; the longer one as many cells as it needs, and the
model goes over them in squares that overlap by half, in reading order. A square sees all that is known or
made inside it, so that its upper or left half leads it on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dreamplate.dream.complete_config import Keep
from dreamplate.dream.completers import Completer
from dreamplate.errors import ConfigError, MediaError

__all__ = ["Grid", "fill_grid", "plan_grid"]

LONGEST = 8
"""Times the shorter side that a picture may be long."""


@dataclass(frozen=True)
class Grid:
    """A picture as a model sees it, mirrored if need be so that what is kept is at the top or at the left.

    Attributes:
        kept: ``(3, height, width)``: the picture, display-encoded, 0-1, mirrored.
        line: Rows (or columns) of pixels that are kept.
        across: Whether what is kept is at the left, and not at the top.
        mirrored: Whether left and right are exchanged.
        small: ``(1, 3, h, w)``: the picture at the model's scale; right where cells are known.
        known: ``(rows, columns)``: cells of the model that are known.
        cell: Pixels of ``small`` along the side of a cell.
    """

    kept: Float[Tensor, "3 height width"]
    line: int
    across: bool
    mirrored: bool
    small: Float[Tensor, "1 3 h w"]
    known: Bool[Tensor, "rows columns"]
    cell: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in pixels."""
        return int(self.kept.shape[-2]), int(self.kept.shape[-1])

    def new(self) -> Bool[Tensor, "height width"]:
        """Return where the picture is not kept, as it lies (not mirrored)."""
        mask = torch.ones(self.size, dtype=torch.bool)
        if self.across:
            mask[:, : self.line] = False
        else:
            mask[: self.line] = False
        return self.unmirrored(mask)

    def unmirrored(self, tensor: Tensor) -> Tensor:
        """Return a picture or map as it lies."""
        return tensor.flip(-1) if self.mirrored else tensor


def plan_grid(image: Float[Tensor, "3 height width"], keep: Keep, side: int, cell: int, name: str) -> Grid:
    """Bring a picture to a model's scale.

    Each pixel of the small picture is the mean of what it covers, of the kept part alone: nothing of what
    is to be replaced is seen. A cell that is kept only in part is made anew.

    Args:
        image: Display-encoded, 0-1.
        keep: What is kept.
        side: Pixels of a model's square picture.
        cell: Pixels of a token.
        name: Of the picture, for errors.

    Raises:
        MediaError: The picture is smaller than the model's.
        ConfigError: It is too long, or so little is kept (or made) that no cell is.
    """
    height, width = image.shape[-2:]
    shorter = min(height, width)
    if shorter < side:
        raise MediaError(
            f"{name}: is {width} x {height}, the model completes pictures of {side} x {side} and more;"
            " give a larger one"
        )
    if max(height, width) > LONGEST * shorter:
        raise ConfigError(
            f"{name}: is {width} x {height}; sides may differ {LONGEST} times at most, crop it first"
        )
    across, mirrored = keep.edge != "top", keep.edge == "right"
    kept = image.flip(-1) if mirrored else image
    rows, columns = (max(1, round(length * side / shorter / cell)) for length in (height, width))
    line = round(keep.share * (width if across else height))
    length, cells = (width, columns) if across else (height, rows)
    inside = int(line * cells / length + 1e-9)
    if not inside > 0 or not line < length:
        raise ConfigError(
            f"keep is {keep.edge}:{keep.share:g}: the model sees {cells} cells along that side, of which"
            f" {inside} are kept whole; keep at least 1 of them, and not all pixels"
        )
    known = torch.zeros(rows, columns, dtype=torch.bool)
    if across:
        known[:, :inside] = True
    else:
        known[:inside] = True
    alone = kept[:, :, :line] if across else kept[:, :line]
    # Beyond the line its last pixels go on, so that means along it hold nothing else.
    pad = (0, width - line, 0, 0) if across else (0, 0, 0, height - line)
    spread = F.pad(alone[None], pad, mode="replicate")
    small = F.interpolate(spread, (rows * cell, columns * cell), mode="area").clamp(0, 1)
    return Grid(kept, line, across, mirrored, small, known, cell)


def fill_grid(
    grid: Grid, completer: Completer, uniform: Float[Tensor, "n rows columns"]
) -> Float[Tensor, "n 3 h w"]:
    """Return pictures at the model's scale, display-encoded, 0-1, with every cell filled.

    Args:
        grid: The picture.
        completer: The model.
        uniform: In [0, 1): the draw of each cell.
    """
    count, side, cell = len(uniform), completer.side // grid.cell, grid.cell
    made, known = grid.small.repeat(count, 1, 1, 1), grid.known.clone()
    for top in _starts(known.shape[0], side):
        for left in _starts(known.shape[1], side):
            rows, columns = slice(top, top + side), slice(left, left + side)
            own = known[rows, columns]
            if bool(own.all()):
                continue
            pixels = (..., slice(top * cell, (top + side) * cell), slice(left * cell, (left + side) * cell))
            filled = completer(made[pixels], own, uniform[:, rows, columns])
            fresh = own.logical_not().repeat_interleave(cell, 0).repeat_interleave(cell, 1)
            made[pixels] = torch.where(fresh, filled.to(made), made[pixels])
            known[rows, columns] = True
    return made


def _starts(length: int, side: int) -> list[int]:
    """Return where squares begin along a side: half a square apart, the last flush with the end."""
    return [*range(0, length - side, max(1, side // 2)), length - side]
