"""Sharp frames of a video, spread over its time, without those in which nothing moved.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., 2000) of the grey picture, made smaller first
so that compression noise does not count. It depends on what is seen, so frames are only held against those
near them in time: the video is cut into equal stretches, and each gives its sharpest frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.plate.io import write
from dreamplate.plate.plate import Pixels
from dreamplate.plate.video_reader import VideoReader

__all__ = ["FrameScore", "choose_frames", "score_frames", "sharpness", "write_frames"]

Say = Callable[[str], None]
_SIDE, _THUMBNAIL = 480, 24
_DEEP = re.compile(r"(9|10|12|14|16)(le|be)|48|64")
"""FFmpeg's names of pixel formats with more than 8 bits."""


@dataclass(frozen=True, eq=False)
class FrameScore:
    """One frame: its number, how sharp it is, and a tiny grey picture of it to see motion by."""

    number: int
    sharpness: float
    small: Pixels


def score_frames(video: Path, say: Say) -> list[FrameScore]:
    """Look at every frame of a video once.

    Raises:
        MediaError: It is damaged or no video.
        SceneError: It has fewer than two frames.
    """
    found = []
    with VideoReader(video) as reader:
        total = len(reader)
        for number, plate in reader:
            grey = plate.rgb().mean(axis=2)
            found.append(FrameScore(number, sharpness(grey), _reduced(grey, _THUMBNAIL)))
            if number % 25 == 0:
                say(f"frame {number + 1} of {total}")
    if len(found) < 2:
        raise SceneError(f"{video}: has {len(found)} frames; structure from motion needs two or more")
    return found


def sharpness(grey: Pixels) -> float:
    """Return the variance of the Laplacian of a display-encoded grey picture ``(height, width)``."""
    small = _reduced(grey, _SIDE)
    if min(small.shape) < 3:
        return 0.0
    inner = small[1:-1, 1:-1]
    around = small[:-2, 1:-1] + small[2:, 1:-1] + small[1:-1, :-2] + small[1:-1, 2:]
    return float((around - 4 * inner).var())


def choose_frames(scores: list[FrameScore], count: int, min_motion: float) -> list[int]:
    """Return the numbers of the frames to keep, in order.

    Args:
        scores: All frames.
        count: How many stretches the video is cut into.
        min_motion: Mean difference of display values from the frame kept before, below which a frame is not
            kept.
    """
    kept: list[FrameScore] = []
    for stretch in np.array_split(np.arange(len(scores)), min(count, len(scores))):
        best = max((scores[place] for place in stretch), key=lambda score: score.sharpness)
        if not kept or float(np.abs(best.small - kept[-1].small).mean()) >= min_motion:
            kept.append(best)
    return [score.number for score in kept]


def write_frames(video: Path, numbers: list[int], folder: Path, say: Say) -> list[Path]:
    """Write frames of a video as PNG files named by their numbers; 16 bits where the video has more than 8.

    Raises:
        MediaError: The video is damaged.
        ResourceError: The disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with VideoReader(video) as reader:
        deep = _DEEP.search(reader.pixel_format) is not None
        for place, number in enumerate(numbers, 1):
            say(f"writing frame {place} of {len(numbers)}")
            path = folder / f"frame_{number:06d}.png"
            write(reader.read(number), path, depth="16" if deep else "8")
            made.append(path)
    return made


def _reduced(grey: Pixels, side: int) -> Pixels:
    """Return a picture whose longer side is about ``side``, by averaging whole blocks."""
    factor = max(1, max(grey.shape) // side)
    height, width = grey.shape[0] // factor * factor, grey.shape[1] // factor * factor
    if not height or not width:
        return grey
    blocks = grey[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
