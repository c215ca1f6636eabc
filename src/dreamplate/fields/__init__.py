"""Fields: spaces learnt from posed photographs, rendered through any camera with every pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.fields.method import Batch, FieldFunction, Method, Traced
    from dreamplate.fields.rays import Rays, Samples, camera_rays

_HOME = {
    "Batch": "method",
    "FieldFunction": "method",
    "Method": "method",
    "Rays": "rays",
    "Samples": "rays",
    "Traced": "method",
    "camera_rays": "rays",
}

__all__ = [
    "Batch",
    "FieldFunction",
    "Method",
    "Rays",
    "Samples",
    "Traced",
    "camera_rays",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
