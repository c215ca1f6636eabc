"""Options of segmenter. No torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SegmenterOptions"]


@dataclass(frozen=True)
class SegmenterOptions:
    """A small segmenter: pictures in, label maps out."""
