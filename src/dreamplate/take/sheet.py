"""Contact sheets: pictures of one size in a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dreamplate.plate import Plate


def contact_sheet(plates: Sequence[Plate], columns: int | None = None) -> Plate | None:
    """Return the plates side by side, row by row, or ``None`` when they do not fit together.

    Args:
        plates: At least one; all of one size, with the same channels in the same colour space.
        columns: How many stand in a row; by default the grid is about square.
    """
    first = plates[0]
    kind = (first.pixels.shape, first.channels, first.colourspace)
    if any((plate.pixels.shape, plate.channels, plate.colourspace) != kind for plate in plates):
        return None
    columns = columns or math.ceil(math.sqrt(len(plates)))
    rows = -(-len(plates) // columns)
    height, width, channels = first.pixels.shape
    sheet = np.zeros((rows * height, columns * width, channels), np.float32)
    for number, plate in enumerate(plates):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + height, left : left + width] = plate.pixels
    return first.with_(pixels=sheet, data_window=None, display_window=None, metadata={})
