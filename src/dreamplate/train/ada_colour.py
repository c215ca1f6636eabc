"""Colour in adaptive discriminator augmentation: one affine map of colours for each picture.

Karras and others 2020 (limited data), appendix B. The axis of grey is (1, 1, 1) in the picture's own
encoding; brightness moves along it, luma flip mirrors it, hue turns around it, saturation scales across it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.train.ada_steps import Ranges

__all__ = ["colour_matrix", "recolour"]

_GREY = torch.full((3, 3), 1 / 3, dtype=torch.float64)
_ACROSS = torch.eye(3, dtype=torch.float64) - _GREY
_AROUND = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=torch.float64) / math.sqrt(3)


def _affine(matrix: Tensor, offset: Tensor | None = None) -> Tensor:
    found = torch.eye(4, dtype=torch.float64).repeat(len(matrix), 1, 1)
    found[:, :3, :3] = matrix
    if offset is not None:
        found[:, :3, 3] = offset
    return found


def _brightness(draw: Tensor, ranges: Ranges) -> Tensor:
    return _affine(torch.eye(3, dtype=draw.dtype).repeat(len(draw), 1, 1), draw * ranges.brightness)


def _contrast(draw: Tensor, ranges: Ranges) -> Tensor:
    return _affine(torch.eye(3, dtype=draw.dtype) * torch.exp2(draw * ranges.contrast)[..., None])


def _luma_flip(draw: Tensor, ranges: Ranges) -> Tensor:
    return _affine(torch.eye(3, dtype=draw.dtype) - 2 * (2 * draw).floor()[..., None] * _GREY)


def _hue(draw: Tensor, ranges: Ranges) -> Tensor:
    angle = ((2 * draw - 1) * (math.pi * ranges.hue))[..., None]
    return _affine(_GREY + angle.cos() * _ACROSS + angle.sin() * _AROUND)


def _saturation(draw: Tensor, ranges: Ranges) -> Tensor:
    return _affine(_GREY + torch.exp2(draw * ranges.saturation)[..., None] * _ACROSS)


_MATRICES: dict[str, Callable[[Tensor, Ranges], Tensor]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "lumaflip": _luma_flip,
    "hue": _hue,
    "saturation": _saturation,
}
"""Step → map from its draws, in the order in which pictures go through them."""


def colour_matrix(drawn: Mapping[str, Tensor], ranges: Ranges) -> Tensor | None:
    """Return maps ``(n, 4, 4)`` of homogeneous colours (columns); None where no colour changes.

    Args:
        drawn: ``(n, 1)`` for each step that is taken, by name; see ``ada_steps``.
        ranges: How far steps go.
    """
    total: Tensor | None = None
    for name, matrix in _MATRICES.items():
        if name in drawn:
            step = matrix(drawn[name].double().cpu(), ranges)
            total = step if total is None else step @ total
    return total


def recolour(image: Float[Tensor, "n c h w"], matrix: Float[Tensor, "n 4 4"]) -> Float[Tensor, "n c h w"]:
    """Map the colours of each picture; one channel counts as grey, and the result's mean is kept.

    Raises:
        ValueError: There are neither three channels nor one.
    """
    n, c, h, w = image.shape
    if c not in (1, 3):
        raise ValueError(f"colours of {c} channels are not known")
    if c == 1:
        mean = matrix[:, :3].mean(1)
        factor, offset = mean[:, :3].sum(1), mean[:, 3]
        return torch.addcmul(_on(offset, image), image, _on(factor, image))
    mapped = torch.baddbmm(
        matrix[:, :3, 3:].to(image), matrix[:, :3, :3].to(image), image.reshape(n, 3, h * w)
    )
    return mapped.view(n, 3, h, w)


def _on(numbers: Tensor, image: Tensor) -> Tensor:
    return numbers.to(image).view(-1, 1, 1, 1)
