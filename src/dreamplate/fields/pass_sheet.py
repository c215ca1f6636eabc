"""A contact sheet of the passes of a frame: what a compositor would look at to see whether they are right.

Data have no colour of their own, so each kind is shown in one way, and the caption gives the numbers:

    depth, range, median    grey, near is bright; linear between the two ends in the caption
    variance, uncertainty   grey, 0 is black; linear up to the end in the caption
    P                       red, green, blue are x, y, z; linear between the ends in the caption
    N                       red, green, blue are x, y, z from -1 to 1
    motion                  hue is the way on the picture (red right, green down, cyan left, violet up),
                            brightness the speed, full at the end in the caption
    acc                     grey

Ends are the 1st and the 99th of a hundred parts of the pixels where something is (at least half opaque, where
the frame says how opaque it is), so that haze and stray pixels do not turn the rest grey. Where nothing is,
panels are black.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dreamplate.fields.passes import CHANNELS, NOTHING
from dreamplate.plate.colour import convert
from dreamplate.plate.draw import paste, shortened, text
from dreamplate.plate.plate import Plate

__all__ = ["pass_panel", "pass_sheet"]

Picture = npt.NDArray[np.float32]
_STRIP = 18
_NAMES = {"position": "P", "normal": "N", "forward": "motion forward", "backward": "motion backward"}


def pass_sheet(plate: Plate, passes: Sequence[str], columns: int = 3) -> Plate:
    """Return the passes of a frame side by side, each under its name and the ends of its scale.

    Args:
        plate: The frame, scene-linear, with the channels of these passes.
        passes: Names as in ``RenderConfig.passes``.
        columns: How many in a row.

    Returns:
        A display-encoded ``R G B`` plate; every panel is the whole display window.
    """
    shown = plate.to_display()
    height, width = shown.pixels.shape[:2]
    columns = min(columns, len(passes))
    rows = -(-len(passes) // columns)
    canvas = np.full((rows * (height + _STRIP), columns * width, 3), 0.11, np.float32)
    for number, name in enumerate(passes):
        x, y = number % columns * width, number // columns * (height + _STRIP)
        picture, ends = pass_panel(shown, name)
        paste(canvas, x, y + _STRIP, picture)
        caption = f"{_NAMES.get(name, name)}  {ends}".rstrip()
        text(canvas, x + 5, y + 2, shortened(caption, width - 8, 11), 11, 0.8)
    return Plate(canvas, ("R", "G", "B"), "srgb_display")


def pass_panel(plate: Plate, name: str) -> tuple[Picture, str]:
    """Return one pass as a monitor can show it, ``(height, width, 3)`` in 0-1, and the ends of its scale."""
    values = np.stack([plate.channel(channel) for channel in CHANNELS[name]], axis=2).astype(np.float64)
    if name == "beauty":
        light = Plate(np.ascontiguousarray(values[:, :, :3], np.float32), ("R", "G", "B"), "scene_linear")
        return np.clip(convert(light, "srgb_display").pixels, 0, 1), ""
    if name == "acc":
        return _grey(values[:, :, 0], np.ones(values.shape[:2], bool)), ""
    if name == "normal":
        met = (values != 0).any(axis=2)
        return _masked(values / 2 + 0.5, met), ""
    solid = _solid(plate)
    if name in ("forward", "backward"):
        return _flow(values, solid)
    if name == "position":
        met = (values != 0).any(axis=2)
        low, high = _ends(values, met & solid)
        return _masked((values - low) / (high - low), met), f"{low:.3g} to {high:.3g}"
    plain = values[:, :, 0]
    if name in ("variance", "uncertainty"):
        high = _ends(plain, (plain > 0) & solid)[1]
        return _grey(plain / high, plain > 0), f"0 to {high:.3g}"
    met = (plain > 0) & (plain < NOTHING / 2)
    low, high = _ends(plain, met & solid)
    return _grey(0.08 + 0.92 * np.clip((high - plain) / (high - low), 0, 1), met), f"{low:.3g} to {high:.3g}"


def _solid(plate: Plate) -> npt.NDArray[np.bool_]:
    cover = next((name for name in ("A", "acc") if name in plate.channels), None)
    return np.ones(plate.pixels.shape[:2], bool) if cover is None else plate.channel(cover) >= 0.5


def _ends(values: npt.NDArray[np.float64], met: npt.NDArray[np.bool_]) -> tuple[float, float]:
    if not met.any():
        return 0.0, 1.0
    low, high = np.percentile(values[met], (1, 99))
    return float(low), float(max(high, low + 1e-6 * max(abs(low), 1e-6)))


def _flow(values: npt.NDArray[np.float64], solid: npt.NDArray[np.bool_]) -> tuple[Picture, str]:
    speed = np.hypot(values[:, :, 0], values[:, :, 1])
    high = _ends(speed, (speed > 0) & solid)[1]
    hue = np.arctan2(values[:, :, 1], values[:, :, 0])[:, :, None] / (2 * np.pi) + [0, 2 / 3, 1 / 3]
    wheel = np.clip(np.abs((hue % 1) * 6 - 3) - 1, 0, 1)
    return _masked(wheel * (speed / high)[:, :, None], speed > 0), f"up to {high:.3g} px"


def _grey(values: npt.NDArray[np.float64], met: npt.NDArray[np.bool_]) -> Picture:
    return _masked(np.repeat(values[:, :, None], 3, axis=2), met)


def _masked(values: npt.NDArray[np.float64], met: npt.NDArray[np.bool_]) -> Picture:
    return np.ascontiguousarray(np.where(met[:, :, None], np.clip(values, 0, 1), 0), np.float32)
