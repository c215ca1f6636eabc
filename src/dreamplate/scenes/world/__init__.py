"""A procedural world: scenes from a seed, with every pass, a caption and cameras, free of anyone's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.scenes.world.build import World, build
    from dreamplate.scenes.world.cameras import drive, flight, rig, still
    from dreamplate.scenes.world.caption import caption, captions, vocabulary
    from dreamplate.scenes.world.classes import PALETTE
    from dreamplate.scenes.world.draw import draw_spec, time_of_day
    from dreamplate.scenes.world.facts import facts_of
    from dreamplate.scenes.world.passes import PASSES, Frame
    from dreamplate.scenes.world.render import render
    from dreamplate.scenes.world.source import Sample, WorldPictures, see
    from dreamplate.scenes.world.spec import ThingSpec, ViewSpec, WorldSpec

_HOME = {
    "PALETTE": "classes",
    "PASSES": "passes",
    "Frame": "passes",
    "Sample": "source",
    "ThingSpec": "spec",
    "ViewSpec": "spec",
    "World": "build",
    "WorldPictures": "source",
    "WorldSpec": "spec",
    "build": "build",
    "caption": "caption",
    "captions": "caption",
    "draw_spec": "draw",
    "drive": "cameras",
    "facts_of": "facts",
    "flight": "cameras",
    "render": "render",
    "rig": "cameras",
    "see": "source",
    "still": "cameras",
    "time_of_day": "draw",
    "vocabulary": "caption",
}

__all__ = [
    "PALETTE",
    "PASSES",
    "Frame",
    "Sample",
    "ThingSpec",
    "ViewSpec",
    "World",
    "WorldPictures",
    "WorldSpec",
    "build",
    "caption",
    "captions",
    "draw_spec",
    "drive",
    "facts_of",
    "flight",
    "render",
    "rig",
    "see",
    "still",
    "time_of_day",
    "vocabulary",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
