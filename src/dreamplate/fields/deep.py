"""Deep samples: what a pixel sees in front of what, so that other things can be put in between.

Rays of a pixel are a few hundred intervals; a deep pixel should hold a handful. Intervals are grouped by
weighted one-dimensional k-means along depth, which keeps surfaces apart and cannot make groups overlap. The
opacity of a group follows from its weight and the weight in front of it; so composited front to back, the
groups are the pixel: alpha adds up by construction, and colours are scaled to add up to the beauty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.fields.passes import decode

__all__ = ["DeepPixels", "Pieces", "merge_pieces"]

_ROUNDS = 4
_NO_WEIGHT = 1e-8


@dataclass(frozen=True)
class Pieces:
    """Weighted intervals of all rays of a set of pixels, in any order.

    Attributes:
        pixel: ``(m,)`` int64 which pixel.
        fronts: ``(m,)`` planar depth of the near end.
        backs: ``(m,)`` planar depth of the far end.
        weights: ``(m,)`` share of the pixel.
        colours: ``(m, 3)`` straight, in the encoding of the fit.
    """

    pixel: Tensor
    fronts: Tensor
    backs: Tensor
    weights: Tensor
    colours: Tensor


@dataclass(frozen=True)
class DeepPixels:
    """Deep samples, those of pixel i at ``offsets[i] : offsets[i + 1]``, near to far.

    Attributes:
        offsets: ``(n + 1,)`` int64.
        fronts: ``(k,)`` planar depth, world units.
        backs: ``(k,)``, at least the front and at most the next front.
        colours: ``(k, 4)`` scene-linear, premultiplied by the sample's own alpha.
    """

    offsets: Tensor
    fronts: Tensor
    backs: Tensor
    colours: Tensor


def merge_pieces(pieces: Pieces, beauty: Float[Tensor, "n 4"], most: int, encoding: str) -> DeepPixels:
    """Return at most ``most`` deep samples for each pixel, which composited give ``beauty``.

    Args:
        pieces: Intervals of the pixels.
        beauty: Premultiplied scene-linear colour and alpha of each pixel.
        most: Largest number of samples in a pixel.
        encoding: Of the pieces' colours.
    """
    count = len(beauty)
    pieces = _sorted(pieces)
    mids = (pieces.fronts + pieces.backs).double() / 2
    group = _grouped(pieces, mids, count, most)
    label, place = torch.unique(pieces.pixel * most + group, return_inverse=True)
    pixel, number = label // most, len(label)
    weight = _summed(place, pieces.weights.double(), number)
    light = _summed(place, pieces.weights.double()[:, None] * pieces.colours.double(), number)
    light = decode(light / weight[:, None], encoding) * weight[:, None]
    light = light * _correction(light, beauty[:, :3].double(), pixel, count)[pixel]
    offsets = torch.searchsorted(pixel.contiguous(), torch.arange(count + 1, device=pixel.device))
    clear = 1 - _before(weight, pixel, offsets)
    alpha = (weight / clear.clamp_min(1e-12)).clamp_max(1)
    colours = torch.cat([light / clear.clamp_min(1e-12)[:, None], alpha[:, None]], dim=1)
    fronts = _extreme(place, pieces.fronts, number, "amin")
    backs = torch.maximum(_extreme(place, pieces.backs, number, "amax"), fronts)
    follows = torch.cat([pixel[1:] == pixel[:-1], pixel.new_zeros(1, dtype=torch.bool)])
    nearest = torch.maximum(torch.cat([fronts[1:], fronts[-1:]]), fronts)
    backs = torch.where(follows, torch.minimum(backs, nearest), backs)
    return DeepPixels(offsets, fronts, backs, colours.float())


def _sorted(pieces: Pieces) -> Pieces:
    """Return pieces that weigh anything, by pixel and then by depth."""
    kept = pieces.weights > _NO_WEIGHT
    middle = (pieces.fronts + pieces.backs)[kept]
    order = torch.argsort(middle, stable=True)
    order = order[torch.argsort(pieces.pixel[kept][order], stable=True)]
    each = (pieces.pixel, pieces.fronts, pieces.backs, pieces.weights, pieces.colours)
    return Pieces(*(values[kept][order] for values in each))


def _grouped(pieces: Pieces, mids: Float[Tensor, " m"], count: int, most: int) -> Int[Tensor, " m"]:
    """Return a group 0 to ``most`` - 1 for each piece, ascending along depth within a pixel."""
    weights = pieces.weights.double()
    offsets = torch.searchsorted(
        pieces.pixel.contiguous(), torch.arange(count + 1, device=pieces.pixel.device)
    )
    total = _summed(pieces.pixel, weights, count)
    middle = (_before(weights, pieces.pixel, offsets) + weights / 2) / total[pieces.pixel].clamp_min(1e-12)
    group = (middle * most).long().clamp(0, most - 1)
    for _ in range(_ROUNDS):
        label = pieces.pixel * most + group
        mass = _summed(label, weights, count * most)
        centres = _summed(label, weights * mids, count * most) / mass.clamp_min(1e-12)
        centres = torch.where(mass > 0, centres, torch.inf).reshape(count, most).sort(dim=1).values
        group = (mids[:, None] - centres[pieces.pixel]).abs().argmin(dim=1)
    return group


def _correction(light: Tensor, beauty: Tensor, pixel: Tensor, count: int) -> Tensor:
    """Return ``(n, 3)`` factors that make the light of each pixel's samples add up to the beauty."""
    there = _summed(pixel, light, count)
    return torch.where(there.abs() > 1e-12, beauty / torch.where(there == 0, 1.0, there), 0.0)


def _before(weights: Tensor, pixel: Tensor, offsets: Tensor) -> Tensor:
    """Return the weight in front of each item within its pixel; float64, items sorted by pixel."""
    running = torch.cat([weights.new_zeros(1), weights.cumsum(0)])
    return running[:-1] - running[offsets[:-1]][pixel]


def _summed(place: Tensor, values: Tensor, number: int) -> Tensor:
    return values.new_zeros(number, *values.shape[1:]).index_add_(0, place, values)


def _extreme(place: Tensor, values: Tensor, number: int, which: str) -> Tensor:
    return values.new_zeros(number).scatter_reduce_(0, place, values, which, include_self=False)
