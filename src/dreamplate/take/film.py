"""The film of a run: its previews in order, then a while of the finished picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dreamplate.plate import Plate

FRAMES_PER_SECOND = 24
HOLD_SECONDS = 1.5
MAX_SIDE = 1280
"""Longest side of a film: it is for looking at, the pictures themselves are beside it."""


def write_film(
    pictures: Sequence[Path],
    path: Path,
    metadata: Mapping[str, str] | None = None,
    *,
    fps: int = FRAMES_PER_SECOND,
    hold: float = HOLD_SECONDS,
) -> None:
    """Write pictures as the frames of a video, all in the size of the last.

    Args:
        pictures: At least one picture file.
        path: The video.
        metadata: Text entries of the video.
        fps: Frames a second.
        hold: For how many seconds the last picture stays.

    Raises:
        MediaError: A picture cannot be read, or the video cannot be written.
        ResourceError: The disk is full.
    """
    from dreamplate.plate import VideoWriter, read

    last = _display(read(pictures[-1]))
    scale = min(1.0, MAX_SIDE / max(last.width, last.height))
    size = max(1, round(last.width * scale)), max(1, round(last.height * scale))
    with VideoWriter(path, fps=fps, metadata=dict(metadata or {})) as video:
        for picture in pictures[:-1]:
            video.write(resized(_display(read(picture)), *size))
        last = resized(last, *size)
        for _ in range(1 + round(hold * fps)):
            video.write(last)


def resized(plate: Plate, width: int, height: int) -> Plate:
    """Return the plate at another size, filtered so that neither stairs nor moiré appear."""
    if (plate.width, plate.height) == (width, height):
        return plate
    import OpenImageIO as oiio  # noqa: N813

    pixels = np.ascontiguousarray(plate.pixels)
    region: Any = oiio.ROI(0, width, 0, height, 0, 1, 0, pixels.shape[2])
    scaled = oiio.ImageBufAlgo.resize(oiio.ImageBuf(pixels), roi=region, nthreads=1)
    array = np.asarray(scaled.get_pixels(oiio.FLOAT), np.float32).reshape(height, width, -1)
    return plate.with_(pixels=array)


def _display(plate: Plate) -> Plate:
    # A preview of another space than display encoding is shown as it is stored.
    return plate.with_(colourspace="srgb_display")
