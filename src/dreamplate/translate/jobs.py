"""Training as a job: examples in, a model out, in rounds of optimiser steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dreamplate.errors import ConfigError, TakeError
from dreamplate.files import write_bytes_atomic
from dreamplate.plate import Plate, convert
from dreamplate.take.config import to_dict
from dreamplate.take.job import Outcome, Step
from dreamplate.take.listeners import Listener
from dreamplate.take.machine import cpu_seconds
from dreamplate.take.previews import PREVIEW_FRAMES, spacing
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.examine import Counts, Examiner
from dreamplate.train.features import open_features
from dreamplate.train.loop import Learnable, Loop
from dreamplate.train.memory import Memory, save_memory
from dreamplate.train.precision import find_device, resolve_precision
from dreamplate.train.processes import follow, lead
from dreamplate.train.remember import remember
from dreamplate.train.report import brittleness
from dreamplate.train.robust import Perturbed
from dreamplate.train.sheets import sheet
from dreamplate.train.system import Prepares, System
from dreamplate.train.transfer import transfer
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import Model, save_model
from dreamplate.translate.systems import build_system

if TYPE_CHECKING:
    from dreamplate.train.data.examples import Examples

__all__ = ["TrainJob"]

SPARE = 1.2
"""Times the measured cost of a look that is kept of a budget for the last."""


class TrainJob:
    """Train a model (`dreamplate train`).

    A step of the job is a round of optimiser steps. Every draw follows from the seed and the step, so a run
    that was stopped ends with the same bits as one that was not, unless a budget of time ends it. Where
    several processes train together, the one of rank 0 is handed to ``take.run`` and the others `follow`;
    figures, sheets and files are the business of rank 0.

    Args:
        config: The complete description of the run.
        system: Used in place of the one that the config names.
        examples: Used in place of those that the config names: to learn from, and to measure on.
        began: Processor seconds of this process at which the budget begins; now when None.

    Raises:
        MediaError: An example cannot be read, or a label is not in the palette.
        ConfigError: The options, the ports and the system do not fit together.
        ModelError: The run to begin with is of another architecture.
    """

    kind = "train"

    def __init__(
        self,
        config: TrainConfig,
        system: System | None = None,
        examples: tuple[Examples, Examples] | None = None,
        *,
        began: float | None = None,
    ) -> None:
        self.config = config
        self.device = find_device(config.device)
        precision = resolve_precision(config.learn.precision, self.device)
        resolved = replace(config, learn=replace(config.learn, precision=precision))
        self.examples, self.validation = examples or _open(config)
        self.given, self.made = self.examples.given, self.examples.made
        self.system = system or build_system(resolved, self.given, self.made)
        self._notices = [*self.examples.notices, *self.validation.notices, *self._about()]
        if isinstance(self.system, Prepares):
            self.system.prepare(self.examples)
        if config.learn.init is not None:
            self._notices += transfer(self.system.networks, config.learn.init)
        self.system.to(self.device)
        self.loop = Loop(self.system, self._lessons(), config.learn, config.seed, self.device, began)
        self.figures: dict[str, float] = {}
        self.report: dict[str, Any] = {}
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self.loop)

    def _lessons(self) -> Learnable:
        """Return what is learnt from: the examples, perturbed where that is asked for."""
        if not self.config.augment.robust or self.given is None:
            return self.examples
        return Perturbed(self.examples, self.config.augment.robust_strength)

    @property
    def position(self) -> int:
        """How many rounds are done."""
        return self.loop.done

    def follow(self) -> None:
        """Take part in what the process of rank 0 does, until it ends."""
        follow({"round": lambda _: self.loop.round(), "state": self.loop.load_state_dict})

    def step(self) -> Step:
        """Do one round, and a measurement where one is due."""
        before = self.loop.iterations
        if self.loop.steps is None and not self.seconds:
            self._price()
        lead("round")
        scalars = self.loop.round()
        every = self.config.measure.every
        if every and self.loop.iterations // every > before // every and self.position < len(self):
            seen = self.examiner.look(self.loop.generator, self._indices(self.config.measure.examples))
            scalars |= self._named(seen.figures)
        self.loop.budget.keep(self.seconds * SPARE * len(self.measured))
        scalars["steps"] = float(self.loop.iterations)
        previews = {"sheet": self.preview} if self._shows() else {}
        return Step(self.position, scalars, previews)

    # -- what it shows and leaves -------------------------------------------------------------------

    @cached_property
    def examiner(self) -> Examiner:
        """What looks at made pictures: of the validation split or, without one, the training set."""
        segment: Callable[[Tensor], Tensor] | None = None
        if self.config.measure.segmenter is not None:
            from dreamplate.translate.segmenter import open_segmenter

            assert self.given is not None and self.given.palette is not None
            segment = open_segmenter(
                self.config.measure.segmenter, self.given.palette, self.made, self.device
            )
        features = open_features(self.config.measure.features)
        return Examiner(
            self.system,
            self.measured,
            self.given,
            self.made,
            self.config.seed,
            self.device,
            None if features is None else features.to(self.device),
            segment,
        )

    def preview(self) -> Plate:
        """Return a sheet of what is made now: condition, picture, truth."""
        rows = self.config.measure.sheet
        seen = self.examiner.look(self.loop.generator, self._indices(rows), rows)
        return sheet(seen.rows)

    def outcome(self) -> Outcome:
        """Return the sheet of the finished model, scene-linear, and all figures."""
        seen = self.examiner.look(self.loop.generator, self._indices(None), self.config.measure.sheet, True)
        self.figures = self._named(seen.figures)
        plates = {"final": convert(sheet(seen.rows), "scene_linear")}
        if self.memory is not None:
            self.report, brittle = brittleness(
                self.memory, self.examples, self.measured, self.made, self._make, self.config.measure.sheet
            )
            plates["brittleness"] = convert(brittle, "scene_linear")
            self.figures["outside"] = self.report["outside"]
        scalars = self.figures | {
            "steps": float(self.loop.iterations),
            "epoch": self.loop.epoch,
            "examples": float(len(self.examples)),
            "train_cpu_seconds": self.loop.budget.spent,
        }
        return Outcome(plates, scalars)

    @cached_property
    def memory(self) -> Memory | None:
        """What the brittleness report is made from: conditions of the training set; None: no report."""
        wanted = self.config.measure.report and self.given is not None and not isinstance(self.system, Counts)
        if not wanted or len(self.examples) < 2:
            return None
        assert self.given is not None
        return remember(self.examples, self.given, flip=self.config.augment.flip, seed=self.config.seed)

    @property
    def measured(self) -> Examples:
        """What figures are of: the validation split or, without one, the training set."""
        return self.validation if len(self.validation) else self.examples

    @torch.no_grad()
    def _make(self, batch: Batch) -> Tensor:
        draws = Draws(self.config.seed, "report")
        return self.system.make(batch.to(self.device), self.loop.generator, draws)

    def files(self) -> dict[str, Callable[[Path], None]]:
        """Return the model as it is now and, once it is finished, the brittleness report and its memory."""
        found: dict[str, Callable[[Path], None]] = {
            "model.safetensors": lambda path: save_model(self.model(), path)
        }
        if self.report and self.memory is not None:
            memory, text = self.memory, json.dumps(self.report, indent=1, ensure_ascii=False)
            found["memory.safetensors"] = lambda path: save_memory(memory, path)
            found["brittleness.json"] = lambda path: write_bytes_atomic(path, text.encode(), family=TakeError)
        return found

    def model(self) -> Model:
        """Return the model as it is now: the averaged generator where there is an average."""
        given, made = getattr(self.system, "ports", (self.given, self.made))
        notes = {
            "training": to_dict(self.config),
            "steps": self.loop.iterations,
            "examples": {
                "learnt": len(self.examples),
                "validation": len(self.validation),
                "left_out": [str(item) for item in self.examples.left_out],
            },
            "figures": self.figures,
        }
        return Model(self.loop.generator, dict(self.system.settings), given, made, notes)

    def take_notices(self) -> tuple[str, ...]:
        """Return what the user should know and has not been told."""
        if "examiner" in self.__dict__:
            self._notices += self.examiner.notices
            self.examiner.notices.clear()
        told, self._notices = tuple(self._notices), []
        return told

    def listeners(self) -> tuple[Listener, ...]:
        """Return the writer of TensorBoard's events, where it is asked for."""
        if not self.config.measure.tensorboard:
            return ()
        from dreamplate.train.events import EventWriter

        return (EventWriter(),)

    def _about(self) -> list[str]:
        """Check what the last measurements need before the first step; return what is to be known of them."""
        found = []
        if not len(self.validation):
            found.append(f"{self.config.data}: nothing is held out; figures are those of the training set")
        segmenter = self.config.measure.segmenter
        if segmenter is not None and (self.given is None or self.given.palette is None):
            raise ConfigError(
                "measure.segmenter: label accuracy needs label maps as conditions; leave it out"
            )
        return found

    def _named(self, figures: Mapping[str, float]) -> dict[str, float]:
        if len(self.validation):
            return dict(figures)
        return {f"train_{name}": value for name, value in figures.items()}

    def _indices(self, most: int | None) -> tuple[int, ...]:
        """Return examples to look at: all, or some that are spread evenly over the set."""
        count = len(self.measured)
        number = count if most is None else min(most, count)
        return tuple(place * count // number for place in range(number))

    def _shows(self) -> bool:
        """Say whether a sheet is due: at places where ``run`` looks, about as many as are asked for."""
        if not self.config.previews:
            return False
        unit = spacing(len(self), PREVIEW_FRAMES)
        every = unit * spacing(-(-len(self) // unit), self.config.previews)
        return self.position % every == 0 or self.position == len(self)

    def _price(self) -> None:
        """Find what the last look will cost for each example, so that a budget has room for it."""
        began = cpu_seconds()
        remembered = 0.0
        if self.memory is not None:
            remembered = (cpu_seconds() - began) / len(self.examples)
        self.examiner.look(self.loop.generator, self._indices(1), whole=True)  # loads what it needs
        looked = self.examiner.look(self.loop.generator, self._indices(3), whole=True).seconds
        # To be held against the memory costs about as much as to be remembered.
        self.seconds = looked + remembered

    # -- stopping and going on ----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next round depends on."""
        return self.loop.state_dict() | {"figures": dict(self.figures), "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned, in every process."""
        lead("state", state)
        self.loop.load_state_dict(state)
        self.figures, self.seconds = dict(state["figures"]), float(state["seconds"])


def _open(config: TrainConfig) -> tuple[Examples, Examples]:
    from dreamplate.train.data.opening import open_examples

    learnt = open_examples(config.data, config.source, config.augment, "train", config.seed)
    ports = (learnt.given, learnt.made)
    held = open_examples(config.data, config.source, config.augment, "validate", config.seed, ports)
    return learnt, held
