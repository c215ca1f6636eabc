"""Where a run stands: which frame, which stage, which learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dreamplate.dream.config import DreamConfig


@dataclass(frozen=True)
class Clock:
    """The position of one step.

    Attributes:
        frame: Index of the frame, 0 for the first or only one.
        step: Index of the step within its frame.
        steps: Steps of that frame.
        progress: Share of the schedule that is over, 0 to 1: what stages and learning rates go by.
        time: Share of the whole run that is over, 0 to 1: what stories go by.
    """

    frame: int
    step: int
    steps: int
    progress: float
    time: float

    @property
    def begins(self) -> bool:
        """Whether a new frame begins, after the first."""
        return self.frame > 0 and self.step == 0

    @property
    def ends(self) -> bool:
        """Whether this is the last step of its frame."""
        return self.step == self.steps - 1


def clock_at(config: DreamConfig, done: int) -> Clock:
    """Return where the step after ``done`` steps stands.

    The first frame runs the whole schedule. Each later frame begins with the picture before it and runs
    the last part of the schedule again, from the last stage on and at least from the middle.
    """
    if done < config.opening_steps:
        progress = done / config.opening_steps
        return Clock(0, done, config.opening_steps, progress, progress if config.frames == 1 else 0.0)
    frame, step = divmod(done - config.opening_steps, config.frame_steps)
    late = max(0.5, config.stage_starts[-1])
    progress = late + (1 - late) * step / config.frame_steps
    return Clock(frame + 1, step, config.frame_steps, progress, (frame + 1) / (config.frames - 1))


def stage_at(config: DreamConfig, progress: float) -> int:
    """Return the index of the stage at ``progress`` (0 to 1)."""
    return max(index for index, start in enumerate(config.stage_starts) if start <= progress)


def learning_rate(config: DreamConfig, progress: float, step: int = 0) -> float:
    """Return the learning rate at ``progress``: half a cosine down to the share left at the end.

    Args:
        config: Names the rates.
        progress: Share of the schedule that is over, 0 to 1.
        step: How many steps growth has had.
    """
    end = config.learning_rate_end
    shape = end + (1 - end) * 0.5 * (1 + math.cos(math.pi * progress))
    # Growth ends at the limit; the power is taken of a number that cannot overflow.
    grown = math.log(config.options.learning_rate) + step * math.log(config.learning_rate_growth)
    rate = config.options.learning_rate
    if config.learning_rate_growth != 1:
        rate = math.exp(min(grown, math.log(config.learning_rate_max)))
    return rate * shape


def evolving_steps(config: DreamConfig) -> int:
    """Return how many of the steps evolve a population before any descend."""
    shares = {"descend": 0.0, "evolve": 1.0, "hybrid": config.search.share}
    return round(config.steps * shares[config.search.method])
