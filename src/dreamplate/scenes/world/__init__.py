"""A procedural world: scenes from a seed, with every pass, a caption and cameras, free of anyone's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.scenes.world.classes import PALETTE
    from dreamplate.scenes.world.spec import ThingSpec, ViewSpec, WorldSpec

_HOME = {
    "PALETTE": "classes",
    "ThingSpec": "spec",
    "ViewSpec": "spec",
    "WorldSpec": "spec",
}

__all__ = ["PALETTE", "ThingSpec", "ViewSpec", "WorldSpec"]

__getattr__, __dir__ = lazy(__name__, _HOME)
