"""From the size that a network makes pictures in to any other, and back."""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.nets.wrapping import wrap_pad

MOST = 32
"""Longest side over the shortest."""


def native_grid(size: tuple[int, int], wrap: tuple[bool, bool], base: int = 4) -> tuple[int, int]:
    """Return height and width of a network's first map, ``base`` by ``base`` for square pictures.

    An open axis gets a whole cell more rather than less, and `to_frame` cuts the surplus off; a tiled one the
    nearest whole number, since nothing may be cut off it.

    Args:
        size: Width and height of the finished picture.
        wrap: Whether it tiles in x and in y.
        base: Side of the map for square pictures.

    Raises:
        ConfigError: The picture is too long and thin.
    """
    width, height = size
    aspect = max(width, height) / min(width, height)
    if aspect > MOST:
        raise ConfigError(f"size is {width} {height}: this generator makes pictures of at most {MOST} to 1")
    wide = width >= height
    cells = round(base * aspect) if wrap[0 if wide else 1] else math.ceil(base * aspect - 1e-6)
    return (base, cells) if wide else (cells, base)


def frame_of(native: tuple[int, int], size: tuple[int, int], wrap: tuple[bool, bool]) -> tuple[int, int]:
    """Return height and width of the part of a native picture that has the aspect of ``size``."""
    height, width = native
    aspect = size[0] / size[1]
    if not wrap[0] and width > height * aspect:
        width = max(1, round(height * aspect))
    if not wrap[1] and height * aspect > width:
        height = max(1, round(width / aspect))
    return height, width


def to_frame(
    image: Float[Tensor, "n c h w"],
    size: tuple[int, int],
    wrap: tuple[bool, bool],
    width: int,
    height: int,
) -> Float[Tensor, "n c {height} {width}"]:
    """Cut a native picture to the aspect of ``size`` about its centre and resize it.

    Smaller without aliasing, larger by bicubic interpolation; along tiled axes the filter goes round.

    Args:
        image: In [0, 1].
        size: Width and height of the finished picture, which decide what is cut off.
        wrap: Whether the picture tiles in x and in y.
        width: Of the result.
        height: Of the result.
    """
    frame = frame_of((image.shape[2], image.shape[3]), size, wrap)
    top, left = (image.shape[2] - frame[0]) // 2, (image.shape[3] - frame[1]) // 2
    image = image[:, :, top : top + frame[0], left : left + frame[1]]
    if frame == (height, width):
        return image
    margin_y, more_y = _margins(frame[0], height, wrap[1])
    margin_x, more_x = _margins(frame[1], width, wrap[0])
    image = wrap_pad(wrap_pad(image, margin_x, (wrap[0], False)), margin_y, (False, wrap[1]))
    shape = (height + 2 * more_y, width + 2 * more_x)
    image = F.interpolate(image, shape, mode="bicubic", antialias=True)
    return image[:, :, more_y : more_y + height, more_x : more_x + width].clamp(0, 1)


def from_frame(
    mask: Float[Tensor, "1 1 h w"], native: tuple[int, int], size: tuple[int, int], wrap: tuple[bool, bool]
) -> Float[Tensor, "1 1 h_out w_out"]:
    """Return a finished picture's mask for the native one; what is cut off continues the edge."""
    frame = frame_of(native, size, wrap)
    # By area, which does not smear a mask's edge beyond the pixels that it crosses.
    small = F.interpolate(mask, frame, mode="area")
    down, across = native[0] - frame[0], native[1] - frame[1]
    sides = (across // 2, across - across // 2, down // 2, down - down // 2)
    return F.pad(small, sides, mode="replicate").clamp(0, 1)


def _margins(side: int, wanted: int, wraps: bool) -> tuple[int, int]:
    """Return how far to continue a tiled axis before resizing, and how much of the result that becomes.

    Both are whole numbers in the proportion of the sizes, and the former covers the filter.
    """
    if not wraps or side == wanted:
        return 0, 0
    unit = side // math.gcd(side, wanted)
    reach = 3 * max(1.0, side / wanted) + 1
    margin = unit * math.ceil(reach / unit)
    return margin, margin * wanted // side
