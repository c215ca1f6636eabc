"""Sample sheets: what was given, what was made of it and what it should be, a row for each example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.plate.colour import convert
from dreamplate.plate.labels import Palette
from dreamplate.plate.plate import Plate
from dreamplate.plate.tensor import ENCODINGS
from dreamplate.train.batch import Batch
from dreamplate.train.port import Port

__all__ = ["colours_of", "rows_of", "sheet", "shown"]

GAP = 4
"""Pixels between pictures."""
TALL = 4
"""Rows above each other, before another block begins beside them."""
GREY = 0.5
"""What is shown where a pixel is of no class."""

Shown = npt.NDArray[np.float32]


def shown(tensor: Tensor, port: Port) -> Shown:
    """Return pictures as a monitor shows them: ``(n, h, w, 3)``, display-encoded, 0-1.

    Colour is converted from the port's encoding and clipped. Data is shown as the network sees it: three
    channels as red, green and blue, otherwise the first as grey. Label maps take the colours of their
    palette.

    Args:
        tensor: ``(n, c, h, w)`` of -1 to 1; for ports of labels ``(n, classes, h, w)`` scores, of which the
            highest counts.
        port: What the tensor means.
    """
    values = tensor.detach().float().cpu()
    if port.palette is not None:
        return colours_of(values.argmax(1), port.palette)
    low, high = (torch.tensor(side).view(1, -1, 1, 1) for side in (port.low, port.high))
    if port.encoding == "raw":
        unit = (values + 1) / 2
        chosen = unit if unit.shape[1] == 3 else unit[:, :1].expand(-1, 3, -1, -1)
        return _last(chosen).clip(0, 1)
    pixels = _last((values + 1) / 2 * (high - low) + low)
    pixels = pixels[..., :3] if pixels.shape[-1] >= 3 else np.repeat(pixels[..., :1], 3, -1)
    made = [_display(picture, ENCODINGS[port.encoding]) for picture in pixels]
    return np.stack(made).clip(0, 1)


def colours_of(labels: Tensor, palette: Palette) -> Shown:
    """Return label maps ``(n, h, w)`` of class indices in the colours of their palette; grey: of no class."""
    table = np.full((len(palette) + 1, 3), GREY, np.float32)
    table[:-1] = np.array([item.colour for item in palette.classes], np.float32) / 255
    colours: Shown = table[labels.cpu().numpy().clip(0, len(palette))]
    return colours


def rows_of(batch: Batch, made: Tensor, given: Port | None, port: Port) -> list[list[Shown]]:
    """Return the pictures of each example: condition, what was made, what it should be.

    Models without a condition have no right answer: only what was made is shown.
    """
    columns = []
    if given is not None:
        if given.palette is not None:
            assert batch.labels is not None
            columns.append(colours_of(batch.labels, given.palette))
        else:
            assert batch.condition is not None
            columns.append(shown(batch.condition, given))
    columns.append(shown(made, port))
    if given is not None:
        truth = batch.image
        if port.palette is not None and batch.image.shape[1] == 1:
            columns.append(colours_of(truth[:, 0].round().long(), port.palette))
        else:
            columns.append(shown(truth, port))
    return [list(pictures) for pictures in zip(*columns, strict=True)]


def sheet(rows: Sequence[Sequence[Shown]]) -> Plate:
    """Return rows of pictures ``(h, w, 3)`` as one display-encoded plate.

    Pictures of other sizes are placed at the upper left of cells that fit the largest. More than four rows
    stand in blocks beside each other.
    """
    height = max(picture.shape[0] for row in rows for picture in row) + GAP
    width = max(picture.shape[1] for row in rows for picture in row) + GAP
    across = max(map(len, rows))
    # Pictures alone stand in about a square.
    tall = max(1, round(len(rows) ** 0.5)) if across == 1 else min(TALL, len(rows))
    blocks = -(-len(rows) // tall)
    canvas = np.zeros((tall * height - GAP, blocks * across * width - GAP, 3), np.float32)
    for number, row in enumerate(rows):
        block, line = divmod(number, tall)
        for place, picture in enumerate(row):
            top, left = line * height, (block * across + place) * width
            canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return Plate(canvas, ("R", "G", "B"), "srgb_display")


def _last(tensor: Tensor) -> Shown:
    return np.ascontiguousarray(tensor.numpy().transpose(0, 2, 3, 1), np.float32)


def _display(picture: Shown, space: str) -> Shown:
    plate = Plate(np.nan_to_num(picture), ("R", "G", "B"), space)
    return np.asarray(convert(plate, "srgb_display").pixels, np.float32)
