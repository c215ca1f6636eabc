"""DiffAugment: the same few variations on real and made pictures, with gradients through them.

Zhao and others, "Differentiable Augmentation for Data-Efficient GAN Training", 2020. Each operation is a
function of pictures and of what was drawn for each of them; `POLICIES` joins them under the paper's names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.train.draws import Draws

__all__ = ["POLICIES", "Operation", "brightness", "contrast", "cutout", "saturation", "translation"]

SHIFT = 0.125
"""Farthest translation, as a share of the side."""
HOLE = 0.5
"""Side of the cut-out, as a share of the picture's."""


def brightness(image: Float[Tensor, "n c h w"], draw: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Add ``draw - 0.5``, of a draw in 0-1."""
    return image + (_each(draw) - 0.5)


def saturation(image: Float[Tensor, "n c h w"], draw: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Scale the distance of each pixel from its channels' mean by ``2 * draw``."""
    grey = image.mean(1, keepdim=True)
    return torch.lerp(grey.expand_as(image), image, 2 * _each(draw))


def contrast(image: Float[Tensor, "n c h w"], draw: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Scale the distance from the whole picture's mean by ``draw + 0.5``."""
    middle = image.mean((1, 2, 3), keepdim=True)
    return torch.lerp(middle.expand_as(image), image, _each(draw) + 0.5)


def translation(
    image: Float[Tensor, "n c h w"], down: Int[Tensor, " n"], across: Int[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """Shift by whole pixels: row ``i`` of the result is row ``i + down``, with zeros from outside."""
    n, c, h, w = image.shape
    device = image.device
    rows = torch.arange(h, device=device)[None] + down.to(device)[:, None]
    columns = torch.arange(w, device=device)[None] + across.to(device)[:, None]
    inside = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None]
    place = rows.clamp(0, h - 1)[:, :, None] * w + columns.clamp(0, w - 1)[:, None]
    moved = image.reshape(n, c, h * w).gather(2, place.reshape(n, 1, h * w).expand(n, c, h * w))
    return moved.view(n, c, h, w) * inside[:, None].to(image)


def cutout(
    image: Float[Tensor, "n c h w"], row: Int[Tensor, " n"], column: Int[Tensor, " n"], size: tuple[int, int]
) -> Float[Tensor, "n c h w"]:
    """Set a rectangle of ``size`` (height, width) around a centre to 0, as far as it is in the picture."""
    h, w = image.shape[-2:]
    inside = _span(row, size[0], h)[:, :, None] & _span(column, size[1], w)[:, None]
    return image * (~inside)[:, None].to(image)


def _span(centre: Tensor, length: int, side: int) -> Tensor:
    first = (centre - length // 2)[:, None]
    places = torch.arange(side, device=centre.device)[None]
    return (places >= first) & (places < first + length)


def _each(draw: Tensor) -> Tensor:
    return draw.view(-1, 1, 1, 1)


@dataclass(frozen=True)
class Operation:
    """One policy.

    Attributes:
        apply: Pictures and draws to pictures.
        geometric: Whether a condition that lies beside the picture has to follow.
    """

    apply: Callable[[Tensor, Draws], Tensor]
    geometric: bool = False


def colour_policy(image: Tensor, draws: Draws) -> Tensor:
    """Brightness, saturation and contrast, in this order."""
    for change in (brightness, saturation, contrast):
        image = change(image, draws.uniform((len(image),)).to(image))
    return image


def translation_policy(image: Tensor, draws: Draws) -> Tensor:
    """Shift by up to an eighth of each side."""
    shifts = []
    for side in image.shape[-2:]:
        most = int(side * SHIFT + 0.5)
        shifts.append(draws.integers(2 * most + 1, (len(image),)) - most)
    return translation(image, *shifts)


def cutout_policy(image: Tensor, draws: Draws) -> Tensor:
    """Cut out half of each side, anywhere."""
    h, w = image.shape[-2:]
    size = int(h * HOLE + 0.5), int(w * HOLE + 0.5)
    row = draws.integers(h + (1 - size[0] % 2), (len(image),))
    column = draws.integers(w + (1 - size[1] % 2), (len(image),))
    return cutout(image, row, column, size)


POLICIES: dict[str, Operation] = {
    "color": Operation(colour_policy),
    "translation": Operation(translation_policy, geometric=True),
    "cutout": Operation(cutout_policy),
}
"""Name in the paper → operation."""
