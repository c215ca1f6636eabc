"""Symmetry: how far a picture is from its own mirror image."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.errors import ConfigError

MIRRORS: dict[str, tuple[tuple[int, ...], ...]] = {
    "none": (),
    "x": ((-1,),),
    "y": ((-2,),),
    "both": ((-1,), (-2,)),
    "rotate": ((-1, -2),),
}
"""Axes that are turned over, for each image that the picture should equal."""


def asymmetry(image: Float[Tensor, "n 3 h w"], kind: str) -> Float[Tensor, " n"]:
    """Return the mean absolute difference between each picture and its mirror images; 0 when symmetric.

    Args:
        image: In [0, 1].
        kind: ``x`` (left to right), ``y`` (top to bottom), ``both``, ``rotate`` (half a turn), ``none``.

    Raises:
        ConfigError: No such kind.
    """
    if kind not in MIRRORS:
        raise ConfigError(f"symmetry is {kind!r}: choose from {', '.join(MIRRORS)}")
    images = [(image - image.flip(axes)).abs().mean((1, 2, 3)) for axes in MIRRORS[kind]]
    return torch.stack(images).mean(0) if images else image.new_zeros(image.shape[0])
