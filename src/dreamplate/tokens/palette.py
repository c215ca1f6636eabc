"""Palettes: a few hundred colours that stand for all, the tokens of Image GPT.

A palette is ``(k, 3)``: red, green and blue, display-encoded, -1 to 1. It is found by clustering pixels
(Chen and others, "Generative Pretraining from Pixels", 2020, section 3.2): k-means that begins with colours
drawn far from each other (Arthur and Vassilvitskii, "k-means++", 2007) and goes on in small batches (Sculley,
"Web-scale k-means clustering", 2010), then whole rounds over all pixels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.errors import ConfigError

__all__ = ["find_palette", "nearest", "pictures_of", "tokens_of"]

CHUNK = 1 << 24
"""Distances held at once."""
SMALL = 16_384
"""Pixels of a small batch."""
ROUNDS = (40, 4)
"""Small batches, then rounds over all pixels."""


def find_palette(
    pixels: Float[Tensor, "n 3"], count: int, draws: torch.Generator
) -> Float[Tensor, "count 3"]:
    """Return the means of ``count`` clusters of pixels, dark to light.

    Args:
        pixels: Display-encoded, -1 to 1.
        count: How many colours; where pixels have fewer, some colours come twice.
        draws: Chooses the first colours and the batches.

    Raises:
        ConfigError: There are no pixels.
    """
    if not len(pixels):
        raise ConfigError("palette: there are no pixels to learn it from")
    some = pixels[torch.randperm(len(pixels), generator=draws)[: max(SMALL, 16 * count)]]
    means = _far_apart(some, count, draws)
    held = torch.ones(count)
    for _ in range(ROUNDS[0] if len(pixels) > SMALL else 0):
        batch = pixels[torch.randint(len(pixels), (SMALL,), generator=draws)]
        sums, counts = _gathered(batch, nearest(batch, means), count)
        held += counts
        # Each mean is that of all pixels it was ever given: steps grow smaller by themselves.
        means = means + (sums - counts[:, None] * means) / held[:, None]
    for _ in range(ROUNDS[1]):
        sums, counts = _gathered(pixels, nearest(pixels, means), count)
        means = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], means)
    return means[means.sum(1).argsort(stable=True)].contiguous()


def nearest(pixels: Float[Tensor, "n 3"], palette: Float[Tensor, "k 3"]) -> Int[Tensor, " n"]:
    """Return which colour of a palette is nearest to each pixel, by squared distance; int64.

    Of colours that are equally near, the first. Pixels are taken in chunks, so memory does not grow.
    """
    length = (palette * palette).sum(1)
    size = max(1, CHUNK // len(palette))
    # The pixel's own length is the same for all colours, and is left out.
    parts = [torch.addmm(length, part, palette.T, alpha=-2).argmin(1) for part in torch.split(pixels, size)]
    return torch.cat(parts) if parts else pixels.new_zeros(0, dtype=torch.int64)


def tokens_of(images: Float[Tensor, "n 3 h w"], palette: Float[Tensor, "k 3"]) -> Int[Tensor, "n h_w"]:
    """Return pictures as tokens in reading order.

    Args:
        images: Display-encoded, -1 to 1.
        palette: The colours.
    """
    flat = images.permute(0, 2, 3, 1).reshape(-1, 3).float()
    return nearest(flat, palette).view(len(images), -1)


def pictures_of(
    tokens: Int[Tensor, "n t"], palette: Float[Tensor, "k 3"], width: int
) -> Float[Tensor, "n 3 h width"]:
    """Return the pictures of tokens in reading order, -1 to 1 (127.5 (c + 1) as 8-bit values)."""
    return palette[tokens].view(len(tokens), -1, width, 3).permute(0, 3, 1, 2).contiguous()


def _far_apart(pixels: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """Draw first colours, each with a chance that grows with the squared distance to those drawn before."""
    uniform = torch.rand(count, generator=draws, dtype=torch.float64)
    chosen = [pixels[int(uniform[0] * len(pixels))]]
    distance = torch.full((len(pixels),), torch.inf)
    for number in uniform[1:].tolist():
        distance = torch.minimum(distance, (pixels - chosen[-1]).square().sum(1))
        total = distance.double().cumsum(0)
        place = int(torch.searchsorted(total, number * total[-1], right=True))
        chosen.append(pixels[min(place, len(pixels) - 1)])
    return torch.stack(chosen)


def _gathered(pixels: Tensor, owners: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the sum of the pixels of each colour, and how many there are."""
    sums = torch.zeros(count, 3).index_add_(0, owners, pixels)
    return sums, torch.bincount(owners, minlength=count).float()
