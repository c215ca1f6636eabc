"""One change of geometry for everything in an example: scale, zoom, turn, crop, mirror.

Pictures are filtered, in the encoding that the network sees; labels and ids take the nearest pixel, so that
no new value appears. A pixel is the square around its centre: sizes change about the corners of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.train.options import AugmentOptions

__all__ = [
    "Place",
    "centre",
    "draw_places",
    "scale_ids",
    "scale_picture",
    "scaled_size",
    "view_ids",
    "view_picture",
]


@dataclass(frozen=True)
class Place:
    """Which part of a picture is seen, and how.

    Attributes:
        top: Upper edge of the crop, in pixels of the picture enlarged by ``zoom``.
        left: Its left edge.
        height: Of the crop.
        width: Of the crop.
        zoom: Factor by which the picture is enlarged.
        angle: By which it is turned about the middle of the crop, radians, anticlockwise.
        flip: Whether it is mirrored left to right, last of all.
    """

    top: int
    left: int
    height: int
    width: int
    zoom: float = 1.0
    angle: float = 0.0
    flip: bool = False


def scaled_size(size: tuple[int, int], shortest: int, *, stretch: bool) -> tuple[int, int]:
    """Return height and width after scaling the shorter side to ``shortest``, or both with ``stretch``."""
    height, width = size
    if shortest == 0:
        return size
    if stretch:
        return shortest, shortest
    factor = shortest / min(size)
    return max(shortest, round(height * factor)), max(shortest, round(width * factor))


def centre(size: tuple[int, int], crop: tuple[int, int]) -> Place:
    """Return the middle of a picture; ``crop`` is height and width, 0 0 for all of it."""
    height, width = crop if crop != (0, 0) else size
    return Place((size[0] - height) // 2, (size[1] - width) // 2, height, width)


def draw_places(
    numbers: Tensor, sizes: list[tuple[int, int]], crop: tuple[int, int], options: AugmentOptions
) -> list[Place]:
    """Return what is seen of each picture.

    Args:
        numbers: ``(n, 5)`` in [0, 1): zoom, angle, top, left, mirror.
        sizes: Height and width of each.
        crop: Height and width, 0 0 for whole pictures.
        options: What may change.
    """
    places = []
    for (zoom_draw, angle_draw, top, left, mirror), size in zip(numbers.tolist(), sizes, strict=True):
        zoom = options.zoom ** (2 * zoom_draw - 1)
        height, width = crop if crop != (0, 0) else size
        # One more place than there is room for, so that both ends are as likely as the middle.
        room = [max(0, math.floor(side * zoom) - c) for side, c in zip(size, (height, width), strict=True)]
        spare = [
            min(0, math.floor(side * zoom) - c) // 2 for side, c in zip(size, (height, width), strict=True)
        ]
        places.append(
            Place(
                int(top * (room[0] + 1)) + spare[0],
                int(left * (room[1] + 1)) + spare[1],
                height,
                width,
                zoom,
                math.radians(options.rotate) * (2 * angle_draw - 1),
                options.flip and mirror < 0.5,
            )
        )
    return places


def scale_picture(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Return ``(c, h, w)`` at another size: bicubic, as wide as the scale asks for, within its own range."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    made = functional.interpolate(picture[None], size, mode="bicubic", antialias=True)[0]
    return _within(made, picture)


def scale_ids(ids: Tensor, size: tuple[int, int]) -> Tensor:
    """Return ``(h, w)`` whole numbers at another size: the nearest pixel."""
    rows, columns = (_nearest(old, new) for old, new in zip(ids.shape, size, strict=True))
    return ids[rows][:, columns]


def view_picture(picture: Tensor, place: Place) -> Tensor:
    """Return what a place shows of ``(c, h, w)``, float32; beyond its edges the picture is mirrored."""
    if place.zoom == 1 and place.angle == 0 and _inside(picture, place):
        seen = picture[:, place.top : place.top + place.height, place.left : place.left + place.width]
        return seen.flip(-1) if place.flip else seen
    height, width = picture.shape[-2:]
    source = picture
    if place.zoom < 1:  # shrunk: first filtered, then sampled pixel by pixel
        source = scale_picture(
            picture, (max(1, round(height * place.zoom)), max(1, round(width * place.zoom)))
        )
    rows, columns = _coordinates(place, (height, width))
    grid = torch.stack([columns * 2 / width - 1, rows * 2 / height - 1], dim=-1)[None]
    seen = functional.grid_sample(
        source[None], grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )[0]
    return _within(seen, picture)


def view_ids(ids: Tensor, place: Place) -> Tensor:
    """Return what a place shows of ``(h, w)`` whole numbers: the nearest pixel."""
    if place.zoom == 1 and place.angle == 0 and _inside(ids, place):
        seen = ids[place.top : place.top + place.height, place.left : place.left + place.width]
        return seen.flip(-1) if place.flip else seen
    rows, columns = _coordinates(place, (ids.shape[0], ids.shape[1]))
    return ids[_reflected(rows, ids.shape[0]), _reflected(columns, ids.shape[1])]


def _inside(picture: Tensor, place: Place) -> bool:
    height, width = picture.shape[-2:]
    rows = place.top >= 0 and place.top + place.height <= height
    return rows and place.left >= 0 and place.left + place.width <= width


def _coordinates(place: Place, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return row and column in the picture, counted from its corner, of each pixel seen: ``(h, w)``."""
    rows = torch.arange(place.height, dtype=torch.float64) + 0.5 - place.height / 2
    columns = torch.arange(place.width, dtype=torch.float64) + 0.5 - place.width / 2
    if place.flip:
        columns = -columns
    y, x = rows[:, None], columns[None, :]
    cosine, sine = math.cos(place.angle), math.sin(place.angle)
    middle = (place.top + place.height / 2, place.left + place.width / 2)
    turned = (cosine * y + sine * x + middle[0], cosine * x - sine * y + middle[1])
    return (turned[0] / place.zoom).float(), (turned[1] / place.zoom).float()


def _reflected(places: Tensor, length: int) -> Tensor:
    around = torch.remainder(places, 2 * length)
    return torch.where(around > length, 2 * length - around, around).floor().long().clamp(0, length - 1)


def _nearest(old: int, new: int) -> Tensor:
    if old == new:
        return torch.arange(old)
    return ((torch.arange(new, dtype=torch.float64) + 0.5) * (old / new)).floor().long().clamp(0, old - 1)


def _within(made: Tensor, picture: Tensor) -> Tensor:
    """Hold a filtered picture to the range of its source, channel by channel: filters overshoot at edges."""
    low, high = torch.aminmax(picture.flatten(1), dim=1)
    return torch.minimum(torch.maximum(made, low[:, None, None]), high[:, None, None])
