"""Filling a hole in a picture from its surroundings, and finding the region of one thing in a label map."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

__all__ = ["cloned", "component", "dilated", "filled"]


def filled(
    pictures: Float[Tensor, "n c h w"],
    hole: Bool[Tensor, "n 1 h w"],
    trusted: Bool[Tensor, "n 1 h w"] | None = None,
) -> Float[Tensor, "n c h w"]:
    """Return pictures whose holes are filled smoothly from around; known pixels stay to the bit.

    Push-pull (Gortler and others 1996, section 3.3): means of what is known, coarser and coarser, until
    nothing is unknown; then back, each level filling the gaps of the finer one. Close to the harmonic
    filling, in a time that does not grow with the hole. Only pixels that are ``trusted`` are spread (by
    default all that are not in the hole). Without any, holes become 0.
    """
    known = (~hole if trusted is None else trusted & ~hole).to(pictures)
    return torch.where(hole, _pull(pictures * known, known), pictures)


def cloned(
    pictures: Float[Tensor, "n c h w"],
    hole: Bool[Tensor, "n 1 h w"],
    source: Float[Tensor, "n c h w"],
    trusted: Bool[Tensor, "n 1 h w"] | None = None,
) -> Float[Tensor, "n c h w"]:
    """Return pictures with holes that show ``source``, moved in colour so that no border is seen.

    What differs between both around the hole is filled into it and added (Pérez and others 2003, eq. 4, by
    the smooth filling of `filled`). Nothing becomes darker or lighter than the picture is anywhere.
    """
    shown = source + filled(pictures - source, hole, trusted)
    low, high = pictures.amin((-2, -1), keepdim=True), pictures.amax((-2, -1), keepdim=True)
    return torch.where(hole, shown.clamp(low, high), pictures)


def component(labels: Int64[Tensor, "h w"], row: int, column: int, most: float) -> Tensor | None:
    """Return the connected region ``(h, w)`` of one label around a pixel, True inside.

    None where it is larger than ``most`` of the picture. Neighbours are the eight around a pixel.
    """
    same = labels == labels[row, column]
    region = torch.zeros_like(same)
    region[row, column] = True
    limit, before = most * labels.numel(), 0
    while (now := int(region.sum())) > before:
        if now > limit:
            return None
        before = now
        # A few steps at a time: counting costs as much as growing.
        for _ in range(4):
            region = dilated(region, 1) & same
    return region


def dilated(region: Bool[Tensor, "h w"], by: int) -> Bool[Tensor, "h w"]:
    """Return a region grown by so many pixels in every direction."""
    grown = functional.max_pool2d(region[None, None].float(), 2 * by + 1, 1, by)
    return grown[0, 0] > 0


def _pull(weighted: Tensor, known: Tensor) -> Tensor:
    """Return the filling of premultiplied pictures: where ``known`` is 1 they are as they were."""
    height, width = weighted.shape[-2:]
    if height == 1 and width == 1:
        return weighted / known.clamp_min(1e-8)
    pad = (0, width % 2, 0, height % 2)
    small = functional.avg_pool2d(functional.pad(weighted, pad), 2)
    share = functional.avg_pool2d(functional.pad(known, pad), 2)
    # A block with anything known counts as known: its mean is divided by its share.
    whole = (share > 0).to(share)
    coarse = _pull(small / share.clamp_min(1e-8) * whole, whole)
    grown = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return weighted + grown[..., :height, :width] * (1 - known)
