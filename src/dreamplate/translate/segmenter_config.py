"""Options of segmenter. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["SegmenterOptions"]


@dataclass(frozen=True)
class SegmenterOptions:
    """A small segmenter: pictures in, label maps out. It learns the way back of a label-to-picture model."""

    trunk: Literal["auto", "efficientnet", "own"] = "auto"
    """What looks at the picture: EfficientNet-Lite0 of the scorer extra, which knows photographs, or a
    network that begins knowing nothing; auto: the first where it is installed and pictures have 1 or 3
    channels."""
    width: Annotated[int, Bounds(ge=8, le=1024)] = 64
    """Channels of the part that draws the map."""
    tune: Annotated[float, Bounds(ge=0, le=1)] = 0.2
    """Learning rate of EfficientNet's weights, as a share of the others'; 0: they stay."""
    balance: Annotated[float, Bounds(ge=0, le=1)] = 0.5
    """How far rare classes count more: weights are class frequencies to the power of minus this."""
    jitter: Annotated[float, Bounds(ge=0, le=1)] = 0.2
    """Change brightness, contrast and saturation of the pictures it learns from by up to this share."""
