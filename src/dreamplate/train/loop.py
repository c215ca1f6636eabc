"""The loop: examples in order, a system that learns from them, and where the run stands.

All random numbers are functions of the seed and the step, so what a run holds is only what it has learnt: the
system, the average, how many steps are done, and the processor time that is spent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from dreamplate.errors import ConfigError, DreamplateError, ResourceError
from dreamplate.take.budget import Budget
from dreamplate.take.failures import is_out_of_memory
from dreamplate.train.batch import Batch
from dreamplate.train.data.order import batch_indices
from dreamplate.train.draws import Draws
from dreamplate.train.ema import Average
from dreamplate.train.options import LearnOptions
from dreamplate.train.processes import agree, average, rank, share, world
from dreamplate.train.system import Now, System

__all__ = ["BUDGET_ROUNDS", "Learnable", "Loop"]

BUDGET_ROUNDS = 100
"""Rounds of a run that has a budget of time."""
SHORTEST = 2000
"""Rounds of a long run at least: how finely it can be stopped and logged."""
LONGEST = 100
"""Optimiser steps of a round at most."""
FIRST = ("loss_g", "l1", "loss_d", "loss")
"""What people look at first."""


class Learnable(Protocol):
    """Examples to learn from."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def batch(self, indices: Sequence[int], draws: Draws | None) -> Batch:
        """Return some of them, varied by random numbers; as they are without."""
        ...

    def ahead(self, indices: Sequence[int], draws: Draws | None) -> None:
        """Begin to make what ``batch`` will be asked for."""
        ...


class Loop:
    """Rounds of optimiser steps.

    Without a budget a round is as many steps as leave 2000 rounds or more, 1 to 100. With
    ``max_cpu_seconds`` there are 100 rounds of equal time, and the share of the time that is used is the
    progress that schedules follow. Several processes have equal shares of the batch and of the budget.

    Args:
        system: What learns, on its device.
        examples: What it learns from.
        options: How long, and how.
        seed: What every random number follows from.
        device: Where the system is.
        began: Processor seconds of this process at which the budget begins; now when None.

    Raises:
        ConfigError: The batch cannot be shared equally among the processes.
    """

    def __init__(
        self,
        system: System,
        examples: Learnable,
        options: LearnOptions,
        seed: int,
        device: torch.device,
        began: float | None = None,
    ) -> None:
        if options.batch % world():
            raise ConfigError(
                f"learn.batch is {options.batch}, which {world()} processes cannot share equally;"
                f" make it a multiple of {world()}"
            )
        self.system, self.examples, self.options = system, examples, options
        self.seed, self.device = seed, device
        limit = options.max_cpu_seconds
        self.budget = Budget(None if limit is None else limit / world(), began)
        self.average = Average(system.generator, options.ema) if options.ema else None
        self.done = self.iterations = 0
        self.reached = 0.0
        self.inside = False
        """Whether a round is going on, or ended by an error: the other processes then wait for this one."""

    @property
    def steps(self) -> int | None:
        """Optimiser steps of the whole run; None where time decides."""
        if self.options.max_cpu_seconds is not None:
            return None
        if self.options.steps is not None:
            return self.options.steps
        return max(1, math.ceil(self.options.epochs * len(self.examples) / self.options.batch))

    @property
    def round_steps(self) -> int:
        """Optimiser steps of a round, without a budget."""
        return max(1, min(LONGEST, (self.steps or 0) // SHORTEST))

    def __len__(self) -> int:
        return BUDGET_ROUNDS if self.steps is None else -(-self.steps // self.round_steps)

    @property
    def generator(self) -> nn.Module:
        """What is used and kept: the average where there is one, ready to be used."""
        network = self.system.generator if self.average is None else self.average.network
        return network.eval()

    @property
    def progress(self) -> float:
        """How much of the run is done, 0-1."""
        return self.reached if self.steps is None else self.iterations / self.steps

    @property
    def epoch(self) -> float:
        """Passes through the examples."""
        return self.iterations * self.options.batch / len(self.examples)

    def round(self) -> dict[str, float]:
        """Do one round; return the means of its figures over steps and processes.

        Raises:
            ResourceError: Memory ran out.
            DreamplateError: An example cannot be read.
        """
        self.inside = True
        found: dict[str, list[Tensor]] = {}
        while self._goes_on():
            for name, value in self._iterate().items():
                found.setdefault(name, []).append(value.detach().float().reshape(()).to(self.device))
        self.done += 1
        # Some figures are not of every step: each is averaged over those that have it.
        names = sorted(found, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        means = average(torch.stack([torch.stack(found[name]).mean() for name in names])) if names else ()
        self.inside = False
        return {"epoch": self.epoch, **dict(zip(names, map(float, means), strict=True))}

    def _goes_on(self) -> bool:
        """Say whether the round has another step; process 0 decides where time does."""
        if self.steps is not None:
            return self.iterations < min(self.steps, (self.done + 1) * self.round_steps)
        self.reached = share(self.budget.progress)
        # Even a budget that is spent already buys one step.
        return self.iterations == 0 or self.reached < (self.done + 1) / BUDGET_ROUNDS

    def _iterate(self) -> dict[str, Tensor]:
        batch, failed = None, None
        try:
            batch = self._load(self.iterations)
        except DreamplateError as error:
            failed = error
        agree(failed)
        assert batch is not None
        now = Now(
            self.iterations,
            self.iterations * self.options.batch,
            self.epoch,
            self.progress,
            self._draws("step", self.iterations),
        )
        try:
            scalars = self.system.learn(batch.to(self.device), now)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(_too_large(batch, self.options, self.device)) from error
        if self.average is not None:
            self.average.update(self.system.generator)
        self.iterations += 1
        # The clock of the schedules begins after what is done once, in the first step.
        self.budget.start()
        return scalars

    def _load(self, step: int) -> Batch:
        batch = self.examples.batch(*self._wanted(step))
        if self.device.type != "cuda":
            return batch
        # A card computes while the next examples are read; a processor has no one to spare.
        self.examples.ahead(*self._wanted(step + 1))
        return batch.each(lambda tensor: tensor.pin_memory())

    def _wanted(self, step: int) -> tuple[tuple[int, ...], Draws]:
        """Return this process's share of a step's examples, and what varies them."""
        size = self.options.batch
        indices = batch_indices(self.seed, step, size, len(self.examples))
        own = size // world()
        mine = indices[rank() * own : (rank() + 1) * own]
        return mine, self._draws("examples", step)

    def _draws(self, *parts: int | str) -> Draws:
        return Draws(self.seed, *parts, rank=rank(), world=world())

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next round depends on."""
        return {
            "done": self.done,
            "iterations": self.iterations,
            "reached": self.reached,
            "budget": self.budget.state_dict(),
            "system": self.system.state_dict(),
            "average": {} if self.average is None else self.average.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.done, self.iterations = int(state["done"]), int(state["iterations"])
        self.reached = float(state["reached"])
        self.budget.load_state_dict(state["budget"])
        self.system.load_state_dict(state["system"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _too_large(batch: Batch, options: LearnOptions, device: torch.device) -> str:
    height, width = batch.size
    place = f"{device}: " if device.type != "cpu" else ""
    lower = f"learn.batch (now {options.batch})" if options.batch > world() else "source.crop"
    return (
        f"{place}not enough memory for a step of {len(batch)} examples of {width} x {height}; start again"
        f" with a lower {lower}, a smaller network, or learn.precision bfloat16. A batch is never cut in"
        " chunks while learning: its statistics would be others"
    )
