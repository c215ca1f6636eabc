"""The fit as a job: photographs in, a field out, in rounds of many optimiser steps."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from dreamplate.fields.about import About, learning_views
from dreamplate.fields.backgrounds import backgrounds
from dreamplate.fields.build import build_method, find_device
from dreamplate.fields.config import FitConfig
from dreamplate.fields.data import RayBatches
from dreamplate.fields.evaluate import Compared, Viewer, compare, figures, sheet
from dreamplate.fields.held_out import HeldOut
from dreamplate.fields.limits import ray_limits
from dreamplate.fields.method import Method, Prepares
from dreamplate.fields.photographs import Encoding, choose_encoding, load_photographs
from dreamplate.fields.spaces import extent_of
from dreamplate.fields.trainer import Trainer
from dreamplate.plate import Plate, convert
from dreamplate.scenes.read import read_scene
from dreamplate.scenes.scene import Scene
from dreamplate.take.budget import Budget
from dreamplate.take.job import Outcome, Step

__all__ = ["FitJob"]

ROUND = 50
"""Optimiser steps of a round where there is no budget."""
ROUNDS = 100
"""Rounds of a fit that has a budget."""
SHEET_ROWS = 4
"""Views shown on the sheet."""


class FitJob:
    """Learn a field from a scene (`dreamplate fit`).

    A step of the job is a round. Without a budget it is 50 optimiser steps, every draw follows from the seed,
    and a run that was stopped ends with the same bits. With ``max_cpu_seconds`` there are 100 rounds of equal
    time; the share of the time that is used drives every schedule, and the time that the final figures will
    take, measured on a few pixels as the field grows, is kept aside.

    Args:
        config: The complete description of the fit.
        method: Used in place of the one that the config names.
        scene: Used in place of the one that the config names.
        began: Processor seconds of this process at which the budget begins; now when None.

    Attributes:
        notices: What the user should know about the scene, one line each.

    Raises:
        SceneError: The scene cannot be used.
        MediaError: A photograph cannot be read.
        ConfigError: The device does not exist.
    """

    kind = "fit"

    def __init__(
        self,
        config: FitConfig,
        method: Method | None = None,
        scene: Scene | None = None,
        *,
        began: float | None = None,
    ) -> None:
        self.config = config
        self.budget = Budget(config.max_cpu_seconds, began)
        self.device = find_device(config.device)
        scene = scene or _read(config)
        learning = learning_views(scene, config.train_on)
        encoding = _encoding(config, scene)
        self.photographs = load_photographs(
            learning, encoding, scale=config.image_scale, longest=config.max_side, memory=config.memory
        )
        extent = extent_of(scene, clear=self.photographs.has_alpha, kind=config.extent)
        learnt, shown = backgrounds(config.background, scene.background, self.photographs.has_alpha, encoding)
        self.about = About(
            tuple(view.name for view in scene.views),
            tuple(view.camera for view in scene.views),
            tuple(view.split for view in scene.views),
            extent,
            encoding,
            shown,
            scene.up,
        )
        seeds = torch.Generator().manual_seed(config.seed ^ 0x5DEECE66D)
        first, batches, steps = (int(torch.randint(2**62, (1,), generator=seeds)) for _ in range(3))
        planned = 0 if config.max_cpu_seconds is not None else config.steps
        self.method = method or build_method(
            config, extent, planned, torch.Generator().manual_seed(first), encoding
        )
        self.batches = RayBatches(
            self.photographs,
            lambda origins, directions: ray_limits(extent, origins, directions),
            draws=torch.Generator().manual_seed(batches),
            patch=config.patch,
            device=self.device,
        )
        behind = None if learnt is None else torch.tensor(learnt, device=self.device)
        self.trainer = Trainer(
            self.method, config, behind, torch.Generator().manual_seed(steps), len(self.photographs), extent
        )
        self.viewer = Viewer(self.method, extent, shown, encoding, config.chunk, self.device)
        self.held_out = HeldOut.of(scene, config, self.viewer)
        self.notices = (*_notices(scene), *self.photographs.notices, *self.held_out.notices)
        self.done = self.iterations = self.rays = 0
        self.train_seconds = 0.0

    def __len__(self) -> int:
        if self.config.max_cpu_seconds is not None:
            return ROUNDS
        return math.ceil(self.config.steps / ROUND)

    @property
    def position(self) -> int:
        """How many rounds are done."""
        return self.done

    @property
    def progress(self) -> float:
        """How much of the fit is done, 0-1."""
        if self.config.max_cpu_seconds is None:
            return self.iterations / self.config.steps
        return self.budget.progress

    def step(self) -> Step:
        """Do one round."""
        began = self.budget.spent
        sums: dict[str, torch.Tensor] = {}
        count = 0
        while not self._round_over():
            for name, value in self._iterate().items():
                sums[name] = sums[name] + value if name in sums else value.clone()
            count += 1
        self.train_seconds += self.budget.spent - began
        self.done += 1
        scalars = {name: float(value) / count for name, value in sums.items()}
        if self.config.max_cpu_seconds is not None:
            self.budget.keep(self.held_out.seconds_to_measure(self.budget.spent, self.progress))
        scalars |= {"iterations": float(self.iterations), "progress": self.progress}
        previews = {"heldout": self.preview} if self._shows() else {}
        return Step(self.done, scalars, previews)

    def _iterate(self) -> dict[str, torch.Tensor]:
        progress = self.progress
        if self.iterations == 0 and isinstance(self.method, Prepares):
            self.method.prepare(self.photographs)
        batch = self.batches.draw(
            self.method.rays_per_step(progress), crop=self._crop(), one_view=self.config.one_view
        )
        scalars = self.trainer.learn(batch, progress)
        self.iterations += 1
        self.rays += len(batch.rays)
        # Kernels are compiled in the first step; the clock of the schedules begins after it.
        self.budget.start()
        return scalars

    def _round_over(self) -> bool:
        if self.config.max_cpu_seconds is None:
            return self.iterations >= min(self.config.steps, (self.done + 1) * ROUND)
        # Even a budget that is spent already buys one step.
        return self.iterations > 0 and self.budget.progress >= (self.done + 1) / ROUNDS

    def _crop(self) -> float:
        options = self.config.nerf
        early = self.config.method == "nerf" and self.iterations < options.crop_steps
        return options.crop_share if early else 1.0

    # -- what it shows ------------------------------------------------------------------------------

    def _shows(self) -> bool:
        wanted = min(self.config.previews, len(self))
        if not wanted:
            return False
        due = self.done * wanted // len(self) > (self.done - 1) * wanted // len(self)
        return due and (self.config.max_cpu_seconds is None or self.held_out.affordable(self.budget.spent))

    def preview(self) -> Plate:
        """Return a held-out view as it is rendered now, beside its photograph, at most 200 pixels a side."""
        return self.held_out.preview()

    def outcome(self) -> Outcome:
        """Return renders of held-out views, scene-linear, and the figures of all of them."""
        began, wall = self.budget.spent, time.monotonic()
        held = self.held_out
        distance = held.distance()
        chosen = range(len(held.photographs))
        compared: list[Compared] = [compare(self.viewer, held.photographs, view, distance) for view in chosen]
        found = figures(compared)
        if not held.is_held_out:
            found = {f"train_{name}": value for name, value in found.items()}
        frames = max(1, len(compared))
        scalars = found | {
            "iterations": float(self.iterations),
            "rays": float(self.rays),
            "train_cpu_seconds": self.train_seconds,
            "eval_cpu_seconds": self.budget.spent - began,
            "eval_wall_seconds_per_view": (time.monotonic() - wall) / frames,
            "fit_cpu_seconds": self.budget.spent,
            **self.trainer.refinement.figures(),
        }
        shown = compared[:: -(-len(compared) // SHEET_ROWS)]
        final = convert(self.viewer.plate(compared[0].render), "scene_linear")
        return Outcome(
            {"final": final, "comparison": convert(sheet(self.viewer, shown), "scene_linear")}, scalars
        )

    def _about_now(self) -> About:
        """Return the scene as the fit knows it now: cameras that were corrected, where they are believed."""
        refinement, about = self.trainer.refinement, self.about
        if not self.config.refine_poses:
            return about
        cameras = list(about.cameras)
        learnt = [number for number, split in enumerate(about.splits) if split in self.config.train_on]
        corrected = refinement.corrected(tuple(cameras[number] for number in learnt))
        for number, camera in zip(learnt, corrected, strict=True):
            cameras[number] = camera
        return replace(about, cameras=tuple(cameras))

    # -- stopping and going on ----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next round depends on, and what ``load_fit`` needs."""
        return {
            "done": self.done,
            "iterations": self.iterations,
            "rays": self.rays,
            "train_seconds": self.train_seconds,
            "about": self._about_now().to_json(),
            "method": self.method.state_dict(),
            "trainer": self.trainer.state_dict(),
            "batches": self.batches.state_dict(),
            "budget": self.budget.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.done, self.iterations, self.rays = (int(state[name]) for name in ("done", "iterations", "rays"))
        self.train_seconds = float(state["train_seconds"])
        self.method.load_state_dict(state["method"])
        self.trainer.load_state_dict(state["trainer"])
        self.batches.load_state_dict(state["batches"])
        self.budget.load_state_dict(state["budget"])


def _read(config: FitConfig) -> Scene:
    convention = None if config.convention == "auto" else config.convention
    return read_scene(config.scene, kind=convention, holdout=config.holdout, images=config.images)


def _encoding(config: FitConfig, scene: Scene) -> Encoding:
    if config.encoding == "auto":
        return choose_encoding(scene.views)
    return "srgb_display" if config.encoding == "display" else "scene_linear"


def _notices(scene: Scene) -> list[str]:
    found = []
    if scene.missing:
        found.append(
            f"{scene.path}: {len(scene.missing)} listed files are missing, such as {scene.missing[0]}; their"
            " views are left out"
        )
    if "left out" in scene.notes:
        found.append(f"{scene.path}: left out: {scene.notes['left out']}")
    return found
