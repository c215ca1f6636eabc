"""Corruptions of adaptive discriminator augmentation: bands of frequency, noise, and cut-outs.

Karras and others 2020 (limited data), appendix B.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.train.ada_resample import reflected

__all__ = ["add_noise", "band_gains", "cut_out", "filter_bands", "filter_bank"]

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
"""Scaling filter of the wavelet with two vanishing moments (Daubechies 1992, table 6.1)."""
POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Share of each band, coarse to fine, in the power of natural pictures."""


@lru_cache(maxsize=1)
def filter_bank() -> Float[Tensor, "bands taps"]:
    """Return symmetric filters, coarse to fine, that add up to a picture unchanged."""
    low = torch.tensor(SYM2, dtype=torch.float64)
    high = low * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    smooth, sharp = (_convolve(f[None], f.flip(0))[0] / 2 for f in (low, high))
    bank = torch.eye(len(POWER), 1, dtype=torch.float64)
    for band in range(1, len(POWER)):
        apart = torch.stack([bank, torch.zeros_like(bank)], 2).flatten(1)[:, :-1]
        bank = _convolve(apart, smooth)
        middle = (bank.shape[1] - len(sharp)) // 2
        bank[band, middle : middle + len(sharp)] += sharp
    return bank.float()


def _convolve(lines: Tensor, taps: Tensor) -> Tensor:
    padded = torch.nn.functional.pad(lines, (len(taps) - 1,) * 2)
    return torch.nn.functional.conv1d(padded[:, None], taps.flip(0)[None, None])[:, 0]


def band_gains(draw: Float[Tensor, "n bands"], deviation: float) -> Float[Tensor, "n bands"]:
    """Return the factor of each band, so that the power of natural pictures stays."""
    power = torch.tensor(POWER, dtype=torch.float64)
    gains = torch.ones(draw.shape, dtype=torch.float64)
    for band in range(len(POWER)):
        own = torch.ones_like(gains)
        own[:, band] = torch.exp2(draw[:, band].double().cpu() * deviation)
        gains = gains * own / (power * own.square()).sum(1, keepdim=True).sqrt()
    return gains


def filter_bands(
    image: Float[Tensor, "n c h w"], gains: Float[Tensor, "n bands"]
) -> Float[Tensor, "n c h w"]:
    """Scale the bands of each picture, along x and along y; edges are mirrors."""
    n, c, h, w = image.shape
    across = torch.einsum("nb,bij->nij", gains.to(image), _band_matrices(w).to(image))
    down = torch.einsum("nb,bij->nij", gains.to(image), _band_matrices(h).to(image))
    lines = image.reshape(n, c * h, w) @ across.mT
    return down[:, None] @ lines.view(n, c, h, w)


@lru_cache(maxsize=4)
def _band_matrices(side: int) -> Float[Tensor, "bands side side"]:
    bank = filter_bank()
    taps = bank.shape[1]
    columns = reflected(torch.arange(side)[:, None] + torch.arange(taps) - taps // 2, side)
    found = torch.zeros(len(bank), side, side)
    return found.scatter_add_(2, columns.expand(len(bank), -1, -1), bank[:, None].expand(-1, side, -1))


def add_noise(
    image: Float[Tensor, "n c h w"], field: Float[Tensor, "n c h w"], deviation: Float[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """Add a standard normal field, times a deviation for each picture."""
    return torch.addcmul(image, field.to(image), deviation.to(image).view(-1, 1, 1, 1))


def cut_out(
    image: Float[Tensor, "n c h w"], centre: Float[Tensor, "n 2"], size: float
) -> Float[Tensor, "n c h w"]:
    """Set a rectangle of each picture to 0.

    Args:
        image: Pictures.
        centre: x and y of the rectangle's, as shares of width and height.
        size: Its sides, as shares of width and height.
    """
    inside = []
    for axis in (0, 1):
        side = image.shape[3 - axis]
        places = (torch.arange(side, device=image.device) + 0.5) / side
        inside.append((places - centre[:, axis : axis + 1].to(image.device)).abs() < size / 2)
    hole = inside[1][:, None, :, None] & inside[0][:, None, None, :]
    return image * (~hole).to(image)
