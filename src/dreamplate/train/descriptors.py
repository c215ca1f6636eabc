"""Descriptors of conditions: what is around each place, near and far, as numbers that can be compared.

A condition is cut into square cells. A cell is described by three windows around its middle, 2, 4 and 8 cells
wide, each as 4 x 4 means of every channel: of a label map these are shares of classes. What lies outside the
picture is 0 in all channels, so that a border is a thing that can be seen. The place in the picture counts a
little as well.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dreamplate.train.port import Port

__all__ = ["cell_side", "cells_of", "channels_of", "places_of", "project", "scene_of", "subspace"]

WINDOWS = (1.0, 0.7, 0.5)
"""How much the windows of 2, 4 and 8 cells count."""
PLACE = (1.0, 0.5)
"""How much it counts to be a whole picture's height lower, or its width further right."""
SCENE = 8
"""A whole condition is described by this many means down and across."""
ROWS = 512
"""Rows of descriptors that are multiplied at once."""


def cell_side(height: int, width: int) -> int:
    """Return the side of a cell in pixels: an even number, about a sixteenth of the shorter side."""
    return max(2, 2 * round(min(height, width) / 32))


def channels_of(condition: Float[Tensor, "n c h w"], port: Port) -> Float[Tensor, "n d h w"]:
    """Return the channels that are described: of pictures also how rough they are, and a channel of ones."""
    if port.palette is not None:
        return condition
    rough = torch.zeros_like(condition[:, :1])
    rough[..., 1:, :] += (condition[..., 1:, :] - condition[..., :-1, :]).abs().mean(1, keepdim=True)
    rough[..., :, 1:] += (condition[..., :, 1:] - condition[..., :, :-1]).abs().mean(1, keepdim=True)
    return torch.cat([condition / 2, rough, torch.ones_like(rough)], 1)


def cells_of(channels: Float[Tensor, "n d h w"], side: int) -> Float[Tensor, "n gh gw f"]:
    """Return the descriptor of every cell: ``f`` is ``3 * 16 * d``.

    A squared distance of 2 x the weight of a window squared is a window in which every pixel is of another
    class.
    """
    height, width = channels.shape[-2:]
    # The last cells may reach beyond the picture; its border is repeated there.
    whole = functional.pad(channels, (0, -width % side, 0, -height % side), mode="replicate")
    half = functional.avg_pool2d(whole, side // 2)
    rows, across = half.shape[-2] // 2, half.shape[-1] // 2
    found = []
    for level, weight in enumerate(WINDOWS):
        # A block is this many half cells wide; the first begins two blocks before the middle of the cell.
        block = 2**level
        wide = functional.pad(half, (2 * block - 1,) * 4)
        taken = functional.unfold(functional.avg_pool2d(wide, block, 1), 4, dilation=block, stride=2)
        found.append(taken.view(len(channels), -1, rows, across) * (weight / 4))
    return torch.cat(found, 1).permute(0, 2, 3, 1).contiguous()


def places_of(rows: int, across: int) -> Float[Tensor, "gh gw 2"]:
    """Return where each cell is in its picture, weighted as `PLACE` says."""
    down = (torch.arange(rows) + 0.5) / rows * PLACE[0]
    right = (torch.arange(across) + 0.5) / across * PLACE[1]
    return torch.stack(torch.meshgrid(down, right, indexing="ij"), -1)


def scene_of(channels: Float[Tensor, "n d h w"]) -> Float[Tensor, "n f"]:
    """Return the descriptor of whole conditions: ``f`` is ``64 * d``; equal for one content at any size."""
    return functional.adaptive_avg_pool2d(channels, SCENE).flatten(1) / SCENE


def subspace(rows: Float[Tensor, "m f"], size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the mean ``(f,)`` of rows and the ``(f, p)`` directions in which they vary most.

    Subspace iteration from random directions (Halko and others 2011, algorithm 4.4): no matrix of ``f x f``
    is formed. ``p`` is at most ``size``.
    """
    mean = rows.mean(0)
    centred = rows - mean
    count = min(size + 8, *rows.shape)
    basis = torch.randn((rows.shape[1], count), generator=generator)
    for _ in range(4):
        basis, _ = torch.linalg.qr(centred.T @ (centred @ basis))
    _, _, turn = torch.linalg.svd(centred @ basis, full_matrices=False)
    return mean, (basis @ turn.T)[:, : min(size, count)].contiguous()


def project(
    rows: Float[Tensor, "m f"], mean: Float[Tensor, " f"], basis: Float[Tensor, "f p"]
) -> Float[Tensor, "m q"]:
    """Return rows in a subspace, ``q = p + 1``: the last number is how far each lies from the subspace.

    Distances between the results are never above those between the rows, and what lies in a direction that
    the training set never varies in (a class that it has not) is not lost.
    """
    found = []
    for part in torch.split(rows - mean, ROWS):
        inside = part @ basis
        outside = (part.square().sum(1) - inside.square().sum(1)).clamp_min(0).sqrt()
        found.append(torch.cat([inside, outside[:, None]], 1))
    return torch.cat(found)
