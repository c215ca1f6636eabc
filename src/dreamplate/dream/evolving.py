"""Finding pictures without gradients: scoring many starts, and scoring generations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.control import Control
from dreamplate.dream.cutouts import Cuts, full_view, widen
from dreamplate.dream.evolve import Evolution
from dreamplate.dream.generators import make_generator
from dreamplate.dream.judging import Judge
from dreamplate.dream.losses import Wanted
from dreamplate.dream.natural import deviation
from dreamplate.dream.painting import Painting
from dreamplate.dream.pareto import gallery
from dreamplate.dream.starts import best_starts
from dreamplate.errors import ConfigError
from dreamplate.plate import Plate
from dreamplate.take.config import replace_fields

CHUNK = 8
"""Pictures rendered at a time."""


def start_seeds(seed: int, count: int) -> list[int]:
    """Return seeds of starts to choose from: the run's own first, then random ones that follow from it."""
    draws = torch.Generator().manual_seed(seed ^ 0x2545F4914F6CDD1D)
    return [seed, *torch.randint(0, 2**62, (count - 1,), generator=draws).tolist()]


def choose_starts(
    config: DreamConfig, like: Painting, judge: Judge, wanted: Wanted, device: torch.device
) -> list[int]:
    """Score ``search.best_of`` random starts, seen whole, and return the seeds of the best, best first.

    As many as there are pictures; for a generator that joins several starts into one picture (``basis``),
    as many for each of them.
    """
    basis = int(getattr(config.options, "basis", 0))
    single = config
    if basis:
        # What is joined are starts of one row each, as `BigganPainting.join` makes them.
        single = replace_fields(config, {f"{config.generator}.basis": 0, f"{config.generator}.rows": "one"})
    keep = config.batch * max(1, basis)
    seeds = start_seeds(config.seed, max(config.search.best_of, keep))
    width, height = (max(8, round(length * config.stages[0])) for length in config.size)
    found = best_starts(
        lambda draws: make_generator(single, [d.initial_seed() for d in draws], like).to(device),
        lambda images: judge.scores(images, full_view(), judge.side(0), wanted),
        seeds,
        keep=keep,
        chunk=CHUNK,
        width=width,
        height=height,
    )
    return [seeds[index] for index in found]


def start_from(config: DreamConfig, seeds: list[int], like: Painting) -> Painting:
    """Return the generator that begins from chosen seeds, one for each picture or ``basis`` for each."""
    basis = int(getattr(config.options, "basis", 0))
    made = make_generator(config, seeds[:: max(1, basis)], like)
    join = getattr(made, "join", None)
    if basis and join is not None:
        join([torch.Generator().manual_seed(seed) for seed in seeds])
    return made


class Evolving:
    """A population, scored a generation at a time; the generator becomes its best.

    Args:
        config: The dream.
        evolution: What proposes and learns.
        judge: What judges.
        control: What pictures are held to besides.
    """

    def __init__(self, config: DreamConfig, evolution: Evolution, judge: Judge, control: Control) -> None:
        self.config, self.evolution, self.judge, self.control = config, evolution, judge, control

    @classmethod
    def of(cls, config: DreamConfig, generator: Painting, judge: Judge, control: Control) -> Evolving:
        """Make the population that a config names.

        Raises:
            ConfigError: The generator has nothing to evolve, or an objective cannot be had.
        """
        search = config.search
        several = search.algorithm == "nsga2"
        if "structure" in search.objectives and not config.locks:
            raise ConfigError(
                "search.objectives has structure, which needs a reference: give --locks KIND:PICTURE"
            )
        if len(set(search.objectives)) != len(search.objectives) or not search.objectives:
            raise ConfigError(f"search.objectives is {search.objectives}: name each once, at least one")
        count = len(search.objectives) if several else 1
        evolution = Evolution(generator.genome(), search.algorithm, search.population, config.seed, count)
        return cls(config, evolution, judge, control)

    @torch.no_grad()
    def advance(
        self,
        generator: Painting,
        cuts: Cuts,
        stage: int,
        wanted: Wanted,
    ) -> dict[str, float]:
        """Score one generation; ``generator`` becomes the best so far.

        All individuals of a generation are seen through the same random cuts, of which one is the whole.
        """
        config, genes = self.config, self.evolution.ask()
        width, height = (max(8, round(side * config.stages[stage])) for side in config.size)
        rows = []
        for start in range(0, len(genes), CHUNK):
            generator.adopt(genes[start : start + CHUNK])
            generator.settle(0.0)
            images = self.control.show(generator(width, height))
            rows.append(self.costs(generator, images, cuts, self.judge.side(stage), wanted))
        costs = torch.cat(rows).double().cpu()
        self.evolution.tell(costs if self.several else costs.sum(1, keepdim=True))
        generator.adopt(self.evolution.best(config.batch))
        means = {f"mean_{name}": float(costs[:, i].mean()) for i, name in enumerate(config.search.objectives)}
        best = costs.min(0).values
        return {"score": float(-best[0]), **means}

    @property
    def several(self) -> bool:
        """Whether objectives are traded against each other."""
        return self.config.search.algorithm == "nsga2"

    def costs(
        self,
        generator: Painting,
        images: Tensor,
        cuts: Cuts,
        side: int,
        wanted: Wanted,
    ) -> Tensor:
        """Return what each picture costs ``(n, objectives)``; less is better."""
        judge, control = self.judge, self.control
        columns = {
            "similarity": lambda: -judge.scores(images, widen(cuts, 1), side, wanted),
            "realism": lambda: unreality(generator, images, judge, side),
            "structure": lambda: control.structure(images),
        }
        return torch.stack([columns[name]().float().cpu() for name in self.config.search.objectives], dim=1)

    def gallery(self, generator: Painting, config: DreamConfig) -> dict[str, Plate]:
        """Return a sheet of the best trade-offs, where several objectives were traded; else nothing."""
        if not self.several or len(config.search.objectives) < 2:
            return {}
        genes, costs = self.evolution.front(most=24)
        kept = dict(generator.named_parameters())
        count = generator.count
        scale = min(1.0, 256 / max(config.size))
        width, height = (max(8, round(side * scale)) for side in config.size)
        images = []
        with torch.no_grad():
            for start in range(0, len(genes), CHUNK):
                generator.adopt(genes[start : start + CHUNK])
                generator.settle(1.0)
                images.append(generator(width, height).cpu())
            generator.adopt(self.evolution.best(count))
            generator.load_state_dict(kept, strict=False)
        return {"front": gallery(torch.cat(images), costs, config.search.objectives)}

    def state_dict(self) -> dict[str, Any]:
        """Return the evolution's state."""
        return dict(self.evolution.state_dict())

    def load_state_dict(self, state: Mapping[str, Any], generator: Painting) -> None:
        """Restore it, and give the generator parameters of the right shapes."""
        self.evolution.load_state_dict(state)
        if len(state.get("costs", ())):
            generator.adopt(self.evolution.best(self.config.batch))


def unreality(generator: Painting, images: Tensor, judge: Judge, side: int) -> Tensor:
    """Return how unlike photographs pictures are ``(n,)``, by the generator's own critic or else by features.

    Raises:
        ConfigError: Neither can tell.
    """
    critic = getattr(generator, "realism", None)
    if critic is not None:
        found: Tensor | None = critic(images)
        if found is not None:
            return found
    layered = getattr(judge.scorer, "encode_with_layers", None)
    if layered is None:
        raise ConfigError(
            f"search.objectives has realism, which scorer {judge.scorer.name} cannot tell: use bridge, or a"
            " generator with a discriminator"
        )
    return torch.stack(
        [deviation(layered(judge.views(image, full_view(), side))[1]) for image in torch.split(images, 1)]
    )
