"""The dream as a job: a generator's parameters, turned until a scorer sees the words in the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.control import Control
from dreamplate.dream.cutouts import Cuts, draw_cuts, full_view
from dreamplate.dream.delivery import Delivery
from dreamplate.dream.device import find_device
from dreamplate.dream.evolving import Evolving, choose_starts, start_from, start_seeds
from dreamplate.dream.generators import make_generator
from dreamplate.dream.judging import Judge
from dreamplate.dream.losses import Wanted
from dreamplate.dream.motion import step_motion, warp
from dreamplate.dream.natural import NaturalStatistics
from dreamplate.dream.optimisers import make_optimiser
from dreamplate.dream.painting import Painting
from dreamplate.dream.pictures import read_picture
from dreamplate.dream.planning import plan_dreams
from dreamplate.dream.schedule import Clock, clock_at, evolving_steps, learning_rate, stage_at
from dreamplate.dream.scorers import Scorer, load_scorer
from dreamplate.dream.targets import Story
from dreamplate.plate import Plate, from_tensor
from dreamplate.take.job import Outcome, Step

PREVIEW_SIDE = 512
"""Longest side of a preview in pixels."""


class DreamJob:
    """Optimise pictures for their prompts (`dreamplate dream`).

    Each step renders the pictures once, judges random cut-outs of them in chunks that fit the memory
    setting, adds up all gradients *at the picture* (words, regions, locks, smoothness), and sends the sum
    through the generator once. All draws of a step are made before the first chunk, on the CPU, so that
    neither chunking nor the device changes them. Steps that evolve score a population instead.

    Args:
        config: The complete description of one run.
        scorer: Used in place of the one that the config names.
        generator: Used in place of the one that the config names; it has ``batch`` pictures.

    Raises:
        ConfigError: A device or scorer does not exist, or a prompt or mask cannot be used.
        MediaError: A picture named in the config cannot be read.
        ModelError: Weights named in the config cannot be found or do not fit.
        ResourceError: The memory setting cannot hold even one cut.
    """

    kind = "dream"
    plan = staticmethod(plan_dreams)

    def __init__(
        self,
        config: DreamConfig,
        scorer: Scorer | None = None,
        generator: Painting | None = None,
    ) -> None:
        self.config = config
        self.device = find_device(config.device)
        self.scorer = scorer or load_scorer(config.scorer, self.device, getattr(torch, config.precision))
        self.judge = Judge.of(self.scorer, config)
        self.story = Story.of(config, self.scorer, self.device)
        self.control = Control.of(config, self.scorer, self.device)
        self.seeds = [config.seed + index for index in range(config.batch)]
        # Every picture draws for itself, so that a batch makes what single runs would.
        self.draws = [torch.Generator().manual_seed(seed ^ 0x5DEECE66D) for seed in self.seeds]
        self.natural = [NaturalStatistics() for _ in self.seeds]
        self.done = 0
        self._begin(generator or make_generator(config, self.seeds))
        if config.init is not None:
            self.generator.paint(read_picture(config.init, config.size).to(self.device))
            self._show_all()
        self.evolving: Evolving | None = None
        if evolving_steps(config):
            self.evolving = Evolving.of(config, self.generator, self.judge, self.control)

    def _begin(self, generator: Painting) -> None:
        """Take a generator up: confine it, give it an optimiser, and show it as it is."""
        self.generator = generator.to(self.device)
        self.control.confine(self.generator)
        self._new_optimiser()
        self._show_all()

    def _new_optimiser(self) -> None:
        own = [parameter for parameter in self.generator.parameters() if parameter.requires_grad]
        self.optimiser = make_optimiser(self.config.search, own, self.config.options.learning_rate)

    def _show_all(self) -> None:
        self.shown = {name: value.detach().clone() for name, value in self.generator.named_parameters()}
        self.averaged = 0

    def __len__(self) -> int:
        return self.config.total_steps

    @property
    def position(self) -> int:
        """How many steps are done."""
        return self.done

    @property
    def wanted(self) -> Wanted:
        """What is wanted where the run stands now."""
        return self.story.at(clock_at(self.config, min(self.done, len(self) - 1)).time)

    # -- one step -----------------------------------------------------------------------------------

    def step(self) -> Step:
        """Render, judge, and turn the parameters once; or score one generation."""
        clock = clock_at(self.config, self.done)
        if self.done == 0:
            self._choose_starts()
        if clock.begins:
            self._move(clock)
        if self.evolving is not None and self.done < evolving_steps(self.config):
            scalars = self._evolve(clock)
        elif self.config.steps or clock.frame:
            scalars = self._descend(clock)
        else:
            scalars = {"score": float(self.delivery().scores().max())}
        self.done += 1
        finished: dict[str, Callable[[], Plate]] = {}
        if self.config.frames > 1 and clock.ends:
            finished = {self._frame_name(clock.frame): lambda: self.delivery().frame()}
        previews = {"picture": self.preview}
        return Step(self.done, scalars, previews, finished, self.control.depth)

    def _choose_starts(self) -> None:
        """Score many random starts and go on with the best, before the first step."""
        config = self.config
        compose = getattr(self.generator, "compose", None)
        if compose is not None:
            wanted, side = self.story.at(0.0), self.judge.side(0)
            compose(
                lambda images: self.judge.scores(images, full_view(), side, wanted),
                start_seeds(config.seed, config.dalle.candidates),
            )
            self._show_all()
        if config.search.best_of <= 1 or config.init is not None:
            return
        chosen = choose_starts(config, self.generator, self.judge, self.story.at(0.0), self.device)
        self._begin(start_from(config, chosen, self.generator))

    def _descend(self, clock: Clock) -> dict[str, float]:
        """Follow the gradient of everything that is wanted for one step."""
        config, progress = self.config, clock.progress
        stage = stage_at(config, progress)
        width, height = self._stage_size(stage)
        cuts = [self._draw(draws, progress) for draws in self.draws]
        rate = learning_rate(config, progress, self.done)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        self.generator.refresh(progress, self.draws[0])
        image = self.control.show(self.generator(width, height))
        leaf = image.detach().requires_grad_()
        score = self._judge(leaf, cuts, self.judge.side(stage), self.story.at(clock.time))
        scalars = self.control.add_gradient(leaf, self.draws, progress, self.judge.side(stage))
        loss = sum(scalars.values()) - config.agreement * score
        prior = self.generator.prior()
        if prior is not None:
            torch.autograd.backward(prior.sum(), retain_graph=True)
            loss += float(prior.detach().mean())
        torch.autograd.backward(image, leaf.grad)
        self.optimiser.step()
        self._average()
        return {"score": score, "loss": loss, "learning_rate": rate, **scalars}

    def _judge(self, leaf: Tensor, cuts: list[Cuts], side: int, wanted: Wanted) -> float:
        """Add the words' gradient to ``leaf.grad``; return the mean agreement over pictures."""
        leaf.grad = torch.zeros_like(leaf)
        total = 0.0
        for index, (own, natural) in enumerate(zip(cuts, self.natural, strict=True)):
            one = leaf.detach()[index : index + 1].requires_grad_()
            held = natural if self.config.natural else None
            total += self.judge.add_gradient(one, own, side, wanted, held)
            assert one.grad is not None
            leaf.grad[index] += one.grad[0]
        return total / len(cuts)

    def _evolve(self, clock: Clock) -> dict[str, float]:
        """Score one generation and become its best."""
        assert self.evolving is not None
        stage = stage_at(self.config, clock.progress)
        cuts = self._draw(self.draws[0], clock.progress)
        scalars = self.evolving.advance(self.generator, cuts, stage, self.story.at(clock.time))
        self._new_optimiser()
        self._show_all()
        return scalars

    def _draw(self, draws: torch.Generator, progress: float) -> Cuts:
        config = self.config
        aspect = config.size[0] / config.size[1]
        return draw_cuts(config.cuts, config.cuts.number, aspect, draws, wrap=config.wrap, progress=progress)

    def _stage_size(self, stage: int) -> tuple[int, int]:
        scale = self.config.stages[stage] * getattr(self.config.options, "scale", 1.0)
        width, height = (max(8, round(side * scale)) for side in self.config.size)
        return width, height

    def _move(self, clock: Clock) -> None:
        """Begin a frame: paint the last picture as the camera now sees it, and start afresh from it."""
        config = self.config
        if not config.motion.still:
            moved = warp(self.render(*config.size), step_motion(config.motion, clock.frame - 1), config.wrap)
            self.generator.paint(moved.clamp(0, 1))
        else:
            self.generator.load_state_dict(self.shown, strict=False)
        self._new_optimiser()
        self._show_all()

    def _average(self) -> None:
        """Follow the parameters with the running average that is shown (bias-corrected)."""
        decay, count = self.config.ema, self.averaged
        keep = decay * (1 - decay**count) / (1 - decay ** (count + 1)) if decay else 0.0
        self.averaged += 1
        with torch.no_grad():
            for name, value in self.generator.named_parameters():
                self.shown[name].mul_(keep).add_(value, alpha=1 - keep)

    # -- what it shows ------------------------------------------------------------------------------

    @torch.no_grad()
    def render(self, width: int, height: int) -> Tensor:
        """Return the pictures as shown, ``(batch, 3, height, width)``, display-encoded."""
        own = {name: value.detach().clone() for name, value in self.generator.named_parameters()}
        self.generator.load_state_dict(self.shown, strict=False)
        self.generator.settle(clock_at(self.config, min(self.done, len(self) - 1)).progress)
        try:
            return self.control.show(self.generator(width, height))
        finally:
            self.generator.load_state_dict(own, strict=False)

    def preview(self) -> Plate:
        """Return the first picture so far: at most 512 pixels a side, no larger than it learns."""
        scale = min(1.0, PREVIEW_SIDE / max(self.config.size)) * getattr(self.config.options, "scale", 1.0)
        width, height = (max(8, round(side * scale)) for side in self.config.size)
        return from_tensor(self.render(width, height)[:1])

    def delivery(self) -> Delivery:
        """Return the pictures as they stand, ready to be measured and handed over."""
        return Delivery(
            self.config,
            self.judge,
            self.control,
            self.story.targets,
            self.wanted,
            self.render(*self.config.size),
        )

    def _frame_name(self, frame: int) -> str:
        return f"frame.{self.config.first_frame + frame:04d}"

    def outcome(self) -> Outcome:
        """Return the finished pictures, scene-linear, and how well the scorer thinks they agree."""
        delivery = self.delivery()
        plates, scalars = delivery.pictures(), delivery.figures()
        if self.evolving is not None:
            plates |= self.evolving.gallery(self.generator, self.config)
        names = tuple(self._frame_name(index) for index in range(self.config.frames))
        frames = names if len(names) > 1 else ()
        return Outcome(plates, scalars, self.control.depth, frames, self.config.fps)

    def take_notices(self) -> tuple[str, ...]:
        """Return what the user should know and has not been told: words read as others, a stand-in scorer."""
        told: list[str] = []
        for part in (self.scorer, self.generator):
            notices: list[str] = getattr(part, "notices", [])
            told += notices
            notices.clear()
        return tuple(dict.fromkeys(told))

    # -- stopping and going on ----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next step depends on."""
        return {
            "done": self.done,
            "generator": dict(self.generator.state_dict()),
            "shown": dict(self.shown),
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "draws": [draws.get_state() for draws in self.draws],
            "natural": [natural.state_dict() for natural in self.natural],
            "evolving": self.evolving.state_dict() if self.evolving is not None else {},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.done, self.averaged = int(state["done"]), int(state["averaged"])
        if self.evolving is not None:
            self.evolving.load_state_dict(state["evolving"], self.generator)
            self._new_optimiser()
        self.generator.load_state_dict(state["generator"])
        self.shown = {name: value.to(self.device) for name, value in state["shown"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        for draws, kept in zip(self.draws, state["draws"], strict=True):
            draws.set_state(kept)
        for natural, old in zip(self.natural, state["natural"], strict=True):
            natural.load_state_dict(old)
