"""Scenes: captures from photographs, camera files in every convention, camera paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.scenes.scene import Mask, Points, Scene, View

_HOME = {
    "Mask": "scene",
    "Points": "scene",
    "Scene": "scene",
    "View": "scene",
}

__all__ = [
    "Mask",
    "Points",
    "Scene",
    "View",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
