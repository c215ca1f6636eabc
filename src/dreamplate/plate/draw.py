"""Drawing on pictures: words, lines, rectangles and bars, for sheets and reports.

A canvas is a float32 array ``(height, width, channels)`` that is drawn on in place. Coordinates are pixels
from its top left corner, and may be fractions or lie outside: edges are smooth, and what does not fit is
cut off. A colour is one number for each channel, or one for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError
from dreamplate.plate.letters import letter_mask, line_height

__all__ = [
    "Canvas",
    "Colour",
    "bar",
    "line",
    "line_height",
    "paste",
    "rectangle",
    "shortened",
    "text",
    "text_width",
    "wrapped",
]

Canvas = npt.NDArray[np.float32]
Colour = float | Sequence[float]


def text(
    canvas: Canvas,
    x: float,
    y: float,
    string: str,
    size: int = 14,
    colour: Colour = 1.0,
    align: Literal["left", "centre", "right"] = "left",
) -> None:
    """Write one line of text.

    Args:
        canvas: What is drawn on.
        x: Left edge, middle or right edge of the text, as ``align`` says.
        y: Top of the line; the line is `line_height` high.
        string: What is written; line breaks and tabs become spaces.
        size: Size of the letters in pixels, 6 to 400.
        colour: Their colour.
        align: What ``x`` means.

    Raises:
        MediaError: The canvas or the colour does not fit, or the size is out of range.
    """
    mask = letter_mask(" ".join(string.split()), _checked_size(size))
    shift = {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * mask.shape[1]
    left, top = round(x - shift), round(y)
    height, width = canvas.shape[:2]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + mask.shape[1], width), min(top + mask.shape[0], height)
    cover = mask[max(y0 - top, 0) : max(y1 - top, 0), max(x0 - left, 0) : max(x1 - left, 0)]
    _blend(canvas, x0, y0, cover, colour)


def text_width(string: str, size: int = 14) -> int:
    """Return how many pixels wide `text` writes a line.

    Raises:
        MediaError: The size is out of range.
    """
    return int(letter_mask(" ".join(string.split()), _checked_size(size)).shape[1])


def shortened(string: str, width: float, size: int = 14) -> str:
    """Return the text, its end replaced by dots where it is wider than ``width`` pixels."""
    if text_width(string, size) <= width:
        return string
    low, high = 0, len(string)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if text_width(string[:middle] + "...", size) <= width else (low, middle - 1)
        )
    return string[:low].rstrip() + "..." if low else ""


def wrapped(string: str, width: float, size: int = 14) -> list[str]:
    """Return the text as lines up to ``width`` pixels wide, broken at spaces; longer words are shortened."""
    lines: list[str] = []
    for word in string.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, width, size))
    return lines


def rectangle(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    height: float,
    colour: Colour = 1.0,
    outline: float | None = None,
) -> None:
    """Fill a rectangle, or draw its outline ``outline`` pixels thick, inside of it.

    Raises:
        MediaError: The canvas or the colour does not fit.
    """
    if width <= 0 or height <= 0:
        return
    if outline is not None and 2 * outline < min(width, height):
        inner = height - 2 * outline
        for part in ((x, y, width, outline), (x, y + height - outline, width, outline)):
            rectangle(canvas, *part, colour)
        for left in (x, x + width - outline):
            rectangle(canvas, left, y + outline, outline, inner, colour)
        return
    rows, columns = canvas.shape[:2]
    (x0, across), (y0, down) = _overlap(x, x + width, columns), _overlap(y, y + height, rows)
    _blend(canvas, x0, y0, down[:, None] * across[None, :], colour)


def line(
    canvas: Canvas, x0: float, y0: float, x1: float, y1: float, colour: Colour = 1.0, width: float = 1.0
) -> None:
    """Draw a straight line with round ends; one without length is a dot ``width`` across.

    Raises:
        MediaError: The canvas or the colour does not fit.
    """
    reach = width / 2 + 1
    rows, columns = canvas.shape[:2]
    left, right = max(0, int(min(x0, x1) - reach)), min(columns, int(max(x0, x1) + reach) + 1)
    top, bottom = max(0, int(min(y0, y1) - reach)), min(rows, int(max(y0, y1) + reach) + 1)
    px = np.arange(left, max(left, right))[None, :] + 0.5 - x0
    py = np.arange(top, max(top, bottom))[:, None] + 0.5 - y0
    dx, dy = x1 - x0, y1 - y0
    along = np.clip((px * dx + py * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
    distance = np.hypot(px - along * dx, py - along * dy)
    _blend(canvas, left, top, np.clip(width / 2 + 0.5 - distance, 0, 1), colour)


def bar(
    canvas: Canvas,
    x: float,
    y: float,
    width: float,
    height: float,
    share: float,
    colour: Colour = 1.0,
    back: Colour | None = None,
) -> None:
    """Draw a level bar filled from the left to ``share`` (limited to 0-1; not a number: empty).

    Raises:
        MediaError: The canvas or a colour does not fit.
    """
    if back is not None:
        rectangle(canvas, x, y, width, height, back)
    filled = 0.0 if math.isnan(share) else min(1.0, max(0.0, share))
    rectangle(canvas, x, y, width * filled, height, colour)


def paste(canvas: Canvas, x: int, y: int, picture: Canvas) -> None:
    """Put a picture ``(height, width, channels)`` onto the canvas, its top left corner at ``x``, ``y``.

    Raises:
        MediaError: It has another number of channels than the canvas.
    """
    if picture.ndim != 3 or picture.shape[2] != canvas.shape[2]:
        raise MediaError(
            f"picture of shape {picture.shape}: the canvas has shape {canvas.shape}; match channels"
        )
    rows, columns = canvas.shape[:2]
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + picture.shape[1], columns), min(y + picture.shape[0], rows)
    if x1 > x0 and y1 > y0:
        canvas[y0:y1, x0:x1] = picture[y0 - y : y1 - y, x0 - x : x1 - x]


def _checked_size(size: int) -> int:
    if not 6 <= size <= 400:
        raise MediaError(f"text size is {size}: choose 6 to 400 pixels")
    return size


def _overlap(start: float, end: float, length: int) -> tuple[int, npt.NDArray[np.float64]]:
    """Return the first pixel that an interval touches, and how much of each pixel from there it covers."""
    start, end = max(start, 0.0), min(end, float(length))
    if end <= start:
        return 0, np.zeros(0)
    first, last = int(start), int(np.ceil(end))
    edges = np.clip(np.arange(first, last + 1), start, end)
    return first, np.diff(edges)


def _blend(canvas: Canvas, x: int, y: int, cover: npt.NDArray[np.floating], colour: Colour) -> None:
    """Mix the colour into the canvas, as much as ``cover`` says, from pixel ``x``, ``y`` on."""
    if canvas.ndim != 3 or canvas.dtype != np.float32:
        raise MediaError(
            f"canvas: need float32 (height, width, channels), found {canvas.dtype} {canvas.shape}"
        )
    paint = np.asarray(colour, np.float32)
    if paint.ndim and paint.shape != (canvas.shape[2],):
        raise MediaError(
            f"colour {colour!r}: the canvas has {canvas.shape[2]} channels; give one number for each"
        )
    if cover.size:
        part = canvas[y : y + cover.shape[0], x : x + cover.shape[1]]
        part += cover[..., None].astype(np.float32) * (paint - part)
