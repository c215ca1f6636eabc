"""Previews: the picture so far at evenly spaced steps, and the film they make.

The steps are fixed by the length of the job, never by the clock, so that a run which was stopped and
resumed leaves the same previews as one that was not.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dreamplate.errors import TakeError
from dreamplate.files import raise_os_error
from dreamplate.take.job import Step
from dreamplate.take.links import give_second_name
from dreamplate.take.listeners import Listener
from dreamplate.take.provenance import with_provenance

if TYPE_CHECKING:
    from dreamplate.plate import Plate
    from dreamplate.take.take import Take

PREVIEW_FRAMES = 120
"""About how many previews a run leaves: five seconds of film."""


def spacing(steps: int, frames: int) -> int:
    """Return every how many steps to look, so that ``steps`` steps give at most about ``frames`` pictures."""
    return max(1, -(-steps // frames))


def preview_path(folder: Path, index: int, name: str = "") -> Path:
    """Return where the preview of a step lies; ``name`` tells further pictures of one step apart."""
    return folder / "previews" / (f"{name}_{index:06d}.png" if name else f"step_{index:06d}.png")


class Previews(Listener):
    """Writes ``previews/step_000120.png`` at even steps and the newest as ``preview.png``.

    The first picture of a step is its main one; others are written as ``NAME_000120.png``.
    """

    def __init__(self, take: Take, every: int, steps: int) -> None:
        self.take, self.every, self.steps = take, every, steps

    def on_step(self, step: Step) -> None:
        """Render and write the pictures of a step that is due."""
        if step.index % self.every and step.index != self.steps:
            return
        from dreamplate.plate import write

        for number, (name, render) in enumerate(step.previews.items()):
            picture = with_provenance(displayable(render()), self.take)
            path = preview_path(self.take.path, step.index, name if number else "")
            try:
                path.parent.mkdir(exist_ok=True)
                write(picture, path, depth="8")
                if number == 0:
                    give_second_name(path, self.take.path / "preview.png")
            except OSError as error:
                raise_os_error(error, path, TakeError)


def displayable(plate: Plate) -> Plate:
    """Return the colour channels of a plate, and its alpha, in display encoding."""
    from dreamplate.plate import convert

    colour = next((names for names in (("R", "G", "B"), ("Y",)) if set(names) <= set(plate.channels)), None)
    if colour is None:
        plate, colour = plate.select(plate.channels[0]).with_(channels=("Y",)), ("Y",)
    names = (*colour, *(["A"] if plate.has_alpha else []))
    if names != plate.channels:
        plate = plate.select(*names)
        plate = plate.with_(pixels=np.ascontiguousarray(plate.pixels))
    return plate if plate.colourspace in ("srgb_display", "raw") else convert(plate, "srgb_display")
