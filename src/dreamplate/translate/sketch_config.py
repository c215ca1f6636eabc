"""Options of ``dreamplate sketch``. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds

__all__ = ["SketchOptions", "line_width"]

Colour = tuple[
    Annotated[float, Bounds(ge=0, le=1)],
    Annotated[float, Bounds(ge=0, le=1)],
    Annotated[float, Bounds(ge=0, le=1)],
]

USUAL = 0.0025
"""Width of lines as a share of the frame's height."""
THINNEST_USUAL = 1.2
"""Pixels that usual lines are wide at least."""
THINNEST = 0.6
"""Pixels below which no line can be measured."""


@dataclass(frozen=True)
class SketchOptions:
    """How a picture is drawn without any weights."""

    style: Literal["lines", "contour"] = "lines"
    """lines: every edge and fold; contour: fewer, those between one thing and the next."""
    width: str = "auto"
    """Width of lines: pixels (2.5), or a share of the frame's height (0.3%); auto: 0.25%, at least 1.2
    pixels."""
    detail: Annotated[float, Bounds(ge=0, le=1)] = 0.5
    """How faint an edge may be that still gets a line: 0 only the strongest, 1 nearly all."""
    tone: Annotated[float, Bounds(ge=0, le=1)] = 0.0
    """Lightness below which all is filled with ink: 0.2 blackens shadows, 0 draws lines only."""
    softness: Annotated[float, Bounds(gt=0, le=20)] = 2.0
    """How slowly ink grows with contrast: 0.3 is a pen, 2 a brush, 6 a pencil."""
    line_colour: Colour = (0.0, 0.0, 0.0)
    """Display-encoded red, green, blue of the ink."""
    paper: Colour = (1.0, 1.0, 1.0)
    """And of the paper."""

    @property
    def faintest(self) -> float:
        """Contrast (of lightness, 0-1) at which a line begins."""
        return float(0.25 * (0.012 / 0.25) ** self.detail)


def line_width(asked: str, height: int) -> float:
    """Return the width of lines in pixels of a frame so many rows high.

    Raises:
        ConfigError: It is neither a number nor a share, or too thin or too wide to be drawn.
    """
    text = asked.strip()
    try:
        if text == "auto":
            return max(USUAL * height, THINNEST_USUAL)
        value = float(text.removesuffix("px").removesuffix("%"))
    except ValueError:
        raise ConfigError(
            f"width is {asked!r}: give pixels (2.5), a share of the height (0.3%), or auto"
        ) from None
    width = value / 100 * height if text.endswith("%") else value
    if not THINNEST <= width <= height / 8:
        raise ConfigError(
            f"width is {asked}, {width:.3g} pixels in a frame {height} high: choose {THINNEST} pixels"
            f" ({100 * THINNEST / height:.2g}%) to {height / 8:.4g}"
        )
    return width
