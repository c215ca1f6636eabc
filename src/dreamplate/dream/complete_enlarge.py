"""From a small completion to the size of the picture: only what is new is made, and led into what is kept."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.complete_grid import Grid
from dreamplate.tokens.codec import Codec, reconstruct

__all__ = ["enlarge", "held_to", "lead_in", "through_codec"]

CODEC_SIDE = 128
"""Pixels that a picture's shorter side has where a codec sees it: what our codecs learn from."""


def enlarge(image: Float[Tensor, "1 3 h w"], size: tuple[int, int]) -> Float[Tensor, "1 3 height width"]:
    """Return a picture in another size (height, width), bicubic; smaller without aliasing; 0-1."""
    if tuple(image.shape[-2:]) == size:
        return image
    shrinks = size[0] < image.shape[-2] or size[1] < image.shape[-1]
    return F.interpolate(image, size, mode="bicubic", antialias=shrinks).clamp(0, 1)


def held_to(
    image: Float[Tensor, "1 3 height width"], small: Float[Tensor, "1 3 h w"]
) -> Float[Tensor, "1 3 height width"]:
    """Return a picture moved, smoothly, to the colours of a small one, so that only its detail is its own."""
    sides = (int(small.shape[-2]), int(small.shape[-1]))
    apart = small - F.interpolate(image, sides, mode="area")
    return (image + F.interpolate(apart, image.shape[-2:], mode="bicubic")).clamp(0, 1)


def through_codec(small: Float[Tensor, "1 3 h w"], grid: Grid, codec: Codec) -> Float[Tensor, "1 3 hh ww"]:
    """Return a small completion larger, as the tokens of a codec show it.

    A codec has learnt what edges and textures look like; blur that has no token of its own becomes the
    nearest that has. What is kept is put in sharp before, so that the codec sees what the new part belongs
    to, and colours are held to those of the small picture.
    """
    factor = max(1, round(CODEC_SIDE / min(small.shape[-2:])))
    size = (small.shape[-2] * factor, small.shape[-1] * factor)
    larger = enlarge(small, size)
    sharp = F.interpolate(grid.kept[None], size, mode="area")
    inside = grid.line * size[1] // grid.size[1] if grid.across else grid.line * size[0] // grid.size[0]
    if grid.across:
        larger[..., :inside] = sharp[..., :inside]
    else:
        larger[..., :inside, :] = sharp[..., :inside, :]
    made, _ = reconstruct(codec, larger)
    return held_to(made, small)


def lead_in(
    made: Float[Tensor, "1 3 height width"], grid: Grid, seam: float
) -> Float[Tensor, "1 3 height width"]:
    """Return a picture whose new part begins with the colours that what is kept ends with.

    The difference along the line between both is added to the new part, ever weaker and ever more blurred
    with the distance, so that no streaks arise.

    Args:
        made: The completion at the size of the picture, mirrored as the grid is.
        grid: The picture.
        seam: How far this reaches, as a share of the picture's side across the line.
    """
    kept = grid.kept[None]
    if grid.across:
        turned = _lead_down(made.mT, kept.mT, grid.line, seam)
        return turned.mT.contiguous()
    return _lead_down(made, kept, grid.line, seam)


def _lead_down(made: Tensor, kept: Tensor, line: int, seam: float) -> Tensor:
    height = made.shape[-2]
    reach = min(round(seam * height), height - line)
    if reach < 1:
        return made
    apart = kept[0, :, line - 1] - made[0, :, line - 1]
    levels = _blurs(apart, reach)
    distance = torch.arange(reach, dtype=torch.float32)
    level = torch.log2(1 + distance).clamp(max=len(levels) - 1)
    below, share = level.floor().long(), (level - level.floor())[:, None, None]
    above = (below + 1).clamp(max=len(levels) - 1)
    mixed = levels[below] * (1 - share) + levels[above] * share
    t = 1 - (distance + 0.5) / reach
    weight = (t * t * (3 - 2 * t))[:, None, None]
    made = made.clone()
    made[0, :, line : line + reach] += (mixed * weight).permute(1, 0, 2)
    return made.clamp(0, 1)


def _blurs(line: Float[Tensor, "3 width"], reach: int) -> Float[Tensor, "levels 3 width"]:
    """Return a line blurred more and more, by binomials of doubling spacing; the ends are mirrored."""
    levels, width = [line], line.shape[-1]
    step = 1
    while step < reach and step < width:
        last = levels[-1]
        padded = F.pad(last[None], (step, step), mode="reflect")[0]
        levels.append(last / 2 + (padded[:, : -2 * step] + padded[:, 2 * step :]) / 4)
        step *= 2
    return torch.stack(levels)
