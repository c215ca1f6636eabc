"""Options of scorer. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["ScorerOptions"]

Weight = Annotated[float, Bounds(ge=0, le=100)]


@dataclass(frozen=True)
class ScorerOptions:
    """A word-picture scorer: two towers that put pictures and texts into one space."""

    side: Annotated[int, Bounds(ge=32, le=512)] = 64
    """Side in pixels at which it learns, and at which it is best."""
    width: Annotated[int, Bounds(ge=8, le=512)] = 32
    """Channels of the picture tower where it begins; its later stages have 3, 6 and 7 times as many."""
    dim: Annotated[int, Bounds(ge=16, le=2048)] = 256
    """Length of the vectors in which pictures and texts meet."""
    rows: Annotated[int, Bounds(ge=64, le=1 << 20)] = 5120
    """Rows of the table of words, and of the table of their parts: words share rows by chance."""
    word: Annotated[int, Bounds(ge=8, le=1024)] = 96
    """Length of a row."""
    text_width: Annotated[int, Bounds(ge=32, le=2048)] = 192
    """Width of the text tower, a multiple of 32."""
    text_layers: Annotated[int, Bounds(ge=0, le=24)] = 2
    """Layers of the text tower."""
    zoom: Annotated[float, Bounds(ge=0, lt=0.9)] = 0.2
    """Pictures are cut by up to this share of their sides, so that places and sizes vary a little."""
    jitter: Annotated[float, Bounds(ge=0, le=1)] = 0.1
    """Change brightness, contrast and saturation of the pictures it learns from by up to this share."""
    clauses: Annotated[float, Bounds(ge=0, le=1)] = 0.3
    """Share of the captions of which only some words in a row are read, so that short prompts are
    understood."""
    alike: Annotated[float, Bounds(ge=0, le=1)] = 0.5
    """How much another example of equal facts counts as a right answer, against 1 for its own caption."""
    facts: Weight = 0.5
    """Weight of telling the values of each fact apart, by short texts of them."""
    teacher: Literal["auto", "bridge", "none"] = "auto"
    """Who teaches words beyond the captions: the bridge of the scorer extra, or no one; auto: the first where
    it is installed. It is not needed afterwards."""
    sentences: Weight = 1.0
    """Weight of meaning by texts what the teacher's sentence encoder means by them."""
    breadth: Weight = 0.5
    """Weight of seeing in pictures what the teacher sees in them, over words that captions may lack."""
    taught: Annotated[int, Bounds(ge=1, le=4096)] = 16
    """Pictures, and four times as many words, that the teacher looks at in a step."""
