"""Where in a picture a scorer sees each of several things.

A cosine alone does not compare between texts: some agree with every picture. So what counts is by how much a
place agrees with a text more than with texts that say nothing in particular. What is under that counts as
nothing; ``contrast`` above it, the scorer's own measure of a good fit, counts as one.

There are two ways to the cosines of places:

* A scorer that has ``encode_map`` gives vectors of places directly. It is shown the picture at twice its own
  size: for a tower with patches of 32 pixels and pictures of 224 that is a grid of 14 places along the
  shorter side.
* Any other scorer judges windows of a half and of a quarter of the shorter side, overlapping by half. A place
  gets the mean of the windows over it, weighted towards their middles, and then the mean of both sizes. So
  things under about an eighth of the shorter side are blurred together.

Ensembles are the weighted mean of their members' maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.ensemble import EnsembleScorer
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ModelError

NEUTRAL = ("", "a photo", "a picture", "an image of something")
"""Texts that say nothing in particular."""
CONTRAST = 0.2
"""For scorers that say none of their own."""
SHARES = (0.5, 0.25)
"""Sides of the windows, as shares of the shorter side."""
DENSE = 2
"""How many times its own size a picture is shown to a scorer that has ``encode_map``."""
MAX_PLACES = 4096
"""Places of ``encode_map`` at most, since attention costs their square; larger pictures are shown smaller."""
MAX_WINDOWS = 64
"""Windows along one axis at most; on very long pictures they are further apart."""


@torch.no_grad()
def heat_maps(
    scorer: Scorer,
    image: Float[Tensor, "1 3 h w"],
    vectors: Float[Tensor, "t dim"],
    *,
    neutral: Sequence[str] = NEUTRAL,
    chunk: int = 16,
) -> Float[Tensor, "t h w"]:
    """Return where a scorer sees each target.

    Args:
        scorer: Any scorer.
        image: Display-encoded, in [0, 1], on any device.
        vectors: Unit vectors of the targets, as the scorer encodes texts or pictures.
        neutral: Texts that a target has to agree more than.
        chunk: How many windows are judged at once.

    Returns:
        A map for each target, the size of the picture, in [0, 1], on the picture's device.

    Raises:
        ModelError: The vectors are of another scorer.
    """
    if vectors.shape[1] != scorer.dim:
        raise ModelError(
            f"targets have {vectors.shape[1]} numbers, {scorer.name} gives {scorer.dim}; encode them with it"
        )
    if isinstance(scorer, EnsembleScorer):
        maps = torch.zeros((len(vectors), *image.shape[2:]), device=image.device)
        parts = zip(scorer.members, scorer.shares, scorer.split(vectors), strict=True)
        for member, share, part in parts:
            maps += share * heat_maps(member, image, part, neutral=neutral, chunk=chunk)
        return maps.clamp(0, 1)
    empty = scorer.encode_text(neutral)
    both = torch.cat([vectors.to(empty), empty])
    agreement = (_dense if hasattr(scorer, "encode_map") else _windows)(scorer, image, both, chunk)
    targets, base = agreement[: len(vectors)], agreement[len(vectors) :].mean(0)
    heat = ((targets - base) / getattr(scorer, "contrast", CONTRAST)).clamp(0, 1)
    sides = tuple(image.shape[2:])
    return F.interpolate(heat[None], size=sides, mode="bilinear", align_corners=False)[0].to(image.device)


def _dense(
    scorer: Scorer, image: Float[Tensor, "1 3 h w"], vectors: Float[Tensor, "t dim"], chunk: int
) -> Float[Tensor, "t rows columns"]:
    """Return the cosines of every place that ``encode_map`` gives; ``chunk`` is not needed."""
    del chunk
    stride = int(getattr(scorer, "stride", 32))
    height, width = image.shape[2:]
    scale = min(DENSE * scorer.size / min(height, width), stride * (MAX_PLACES / (height * width)) ** 0.5)
    rows, columns = (max(round(side * scale / stride), 1) * stride for side in (height, width))
    shown = _resized(image.to(vectors.device, vectors.dtype), (rows, columns))
    places: Tensor = scorer.encode_map(shown)  # type: ignore[attr-defined]
    return torch.einsum("td,dhw->thw", vectors, places[0].to(vectors))


def _windows(
    scorer: Scorer, image: Float[Tensor, "1 3 h w"], vectors: Float[Tensor, "t dim"], chunk: int
) -> Float[Tensor, "t rows columns"]:
    """Return the cosines of windows, spread over a grid of an eighth of the smallest window."""
    height, width = image.shape[2:]
    image = image.to(vectors.device, vectors.dtype)
    cell = max(min(height, width) * min(SHARES) / 8, 1.0)
    rows, columns = max(round(height / cell), 1), max(round(width / cell), 1)
    total = vectors.new_zeros((len(vectors), rows, columns))
    for share in SHARES:
        side = max(round(min(height, width) * share), 1)
        places = [(top, left) for top in _starts(height, side) for left in _starts(width, side)]
        values = []
        for begin in range(0, len(places), chunk):
            cuts = [image[:, :, y : y + side, x : x + side] for y, x in places[begin : begin + chunk]]
            shown = _resized(torch.cat(cuts), (scorer.size, scorer.size))
            values.append(scorer.encode_image(shown).to(vectors) @ vectors.T)
        total += _spread(torch.cat(values), places, side, (height, width), (rows, columns))
    return total / len(SHARES)


def _starts(length: int, side: int) -> list[int]:
    """Return where windows begin along an axis: half a window apart at most, edge to edge."""
    count = min(max(-(-2 * (length - side) // max(side, 1)), 0) + 1, MAX_WINDOWS)
    return [round(at) for at in torch.linspace(0, length - side, count).tolist()]


def _spread(
    values: Float[Tensor, "n t"],
    places: Sequence[tuple[int, int]],
    side: int,
    size: tuple[int, int],
    grid: tuple[int, int],
) -> Float[Tensor, "t rows columns"]:
    """Give each cell the mean of the windows over it, weighted by a tent over each window.

    Args:
        values: Of each window and target.
        places: Top and left of each window in pixels.
        side: Of the windows in pixels.
        size: Height and width of the picture in pixels.
        grid: Rows and columns of cells.
    """
    tents = []
    for axis in (0, 1):
        starts = values.new_tensor([place[axis] for place in places])
        centres = (torch.arange(grid[axis]).to(values) + 0.5) * size[axis] / grid[axis]
        # Never quite zero, so that the outermost cells and gaps belong to the nearest windows.
        distance = (centres[None] - starts[:, None] - side / 2).abs() / (side / 2)
        tents.append((1 - distance).clamp(min=0) + 1e-4 * torch.exp(-distance))
    weights = tents[0][:, :, None] * tents[1][:, None, :]
    return torch.einsum("nt,nhw->thw", values, weights / weights.sum(0))


def _resized(images: Float[Tensor, "n 3 h w"], sides: tuple[int, int]) -> Float[Tensor, "n 3 rows columns"]:
    if tuple(images.shape[2:]) == sides:
        return images
    return F.interpolate(images, size=sides, mode="bicubic", antialias=True).clamp(0, 1)
