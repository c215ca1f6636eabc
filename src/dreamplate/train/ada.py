"""Adaptive discriminator augmentation: as much variation of the pictures as keeps it from learning by heart.

Karras and others, "Training Generative Adversarial Networks with Limited Data", 2020. The strength is the
probability of each variation. It rises while the mean sign of the discriminator's scores of real pictures is
above a target, which says that it has begun to know them, and falls while it is below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dreamplate.train.ada_colour import colour_matrix, recolour
from dreamplate.train.ada_filter import add_noise, band_gains, cut_out, filter_bands
from dreamplate.train.ada_geometry import inverse_of
from dreamplate.train.ada_resample import move
from dreamplate.train.ada_steps import Ranges, draw_steps, steps_of
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions
from dreamplate.train.processes import average
from dreamplate.train.system import Now

__all__ = ["Ada", "vary"]

EVERY = 4
"""Steps between changes of the strength."""
HASTE = 5
"""How much faster the strength moves where networks come from another run: 100 instead of 500 thousand."""


class Ada:
    """Augmentation whose strength follows from what the discriminator says.

    Args:
        pipe: Letters of the groups that are on; see ``ada_steps.steps_of``.
        target: Mean sign of real scores that is held.
        kimg: Thousands of pictures in which the strength can go from 0 to 1.
        strength: Where it starts, 0-1.
        ranges: How far variations go.

    Raises:
        ConfigError: There is no such group.
    """

    def __init__(
        self,
        pipe: str = "bgc",
        *,
        target: float = 0.6,
        kimg: float = 500.0,
        strength: float = 0.0,
        ranges: Ranges | None = None,
    ) -> None:
        self.steps, self.ranges = steps_of(pipe), ranges or Ranges()
        self.target, self.kimg, self.strength = target, kimg, strength
        self.sign, self.seen = 0.0, 0
        self._window: list[Tensor] = []

    @classmethod
    def from_options(cls, options: AugmentOptions, *, resumed: bool = False) -> Ada:
        """Return what options ask for; ``resumed``: networks come from another run."""
        return cls(
            options.ada_pipe,
            target=options.ada_target,
            kimg=options.ada_kimg / (HASTE if resumed else 1),
            strength=options.ada_start,
        )

    def __call__(
        self, image: Tensor, draws: Draws, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return pictures varied, and what lies beside them moved alike; differentiable, twice.

        Args:
            image: ``(n, c, h, w)``, -1 to 1. With neither 3 channels nor 1, colour is left as it is.
            draws: Random numbers.
            beside: ``(n, k, h, w)`` float.
        """
        steps = [step for step in self.steps if step.group != "colour" or image.shape[1] in (1, 3)]
        drawn = draw_steps(steps, len(image), self.strength, draws)
        field = draws.named("noise field").normal(image.shape) if "noise" in drawn else None
        return vary(image, drawn, self.ranges, field=field, beside=beside)

    def observe(self, real_scores: Tensor | Sequence[Tensor], now: Now) -> None:
        """Take in the scores of augmented real pictures; every fourth time the strength moves."""
        scales = [real_scores] if isinstance(real_scores, Tensor) else real_scores
        signs = [scores.detach().float().sign().mean() for scores in scales]
        self._window.append(torch.stack(signs).mean())
        if len(self._window) < EVERY:
            return
        self.sign = float(average(torch.stack(self._window).mean()))
        self._window.clear()
        step = (now.seen - self.seen) / (self.kimg * 1000)
        self.seen = now.seen
        # Published code lets the strength rise above 1, from where it takes longer to come back.
        self.strength = min(1.0, max(0.0, self.strength + (step if self.sign > self.target else -step)))

    @property
    def figures(self) -> dict[str, float]:
        """Strength, and the mean sign that it follows."""
        return {"ada_strength": self.strength, "ada_sign": self.sign}

    def state_dict(self) -> dict[str, Any]:
        """Return the strength, and what has been observed since it last moved."""
        window = torch.stack(self._window).cpu() if self._window else torch.zeros(0)
        return {"strength": self.strength, "sign": self.sign, "seen": self.seen, "window": window}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.strength, self.sign = float(state["strength"]), float(state["sign"])
        self.seen, self._window = int(state["seen"]), list(state["window"].unbind())


def vary(
    image: Tensor,
    drawn: Mapping[str, Tensor],
    ranges: Ranges,
    *,
    field: Tensor | None = None,
    beside: Tensor | None = None,
    exact: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Return pictures varied by what was drawn: moved, recoloured, filtered, noisy, with holes.

    Args:
        image: ``(n, c, h, w)``; for colour with 3 channels or 1.
        drawn: Draws of the steps that change anything, by name; see ``ada_steps``. Steps left out cost
            nothing, and pictures that do not move are not resampled.
        ranges: How far steps go.
        field: Standard normal numbers like the image, where there is noise.
        beside: ``(n, k, h, w)`` that is moved with the pictures, and nothing else.
        exact: See ``ada_resample.move``.
    """
    # Positions and colours are to be exact also where networks run in half precision.
    with torch.autocast(image.device.type, enabled=False):
        image = image.float()
        inverse = inverse_of(drawn, (image.shape[-2], image.shape[-1]), ranges)
        if inverse is not None and beside is not None:
            moved = move(torch.cat([image, beside.float()], 1), inverse, exact)
            image, beside = moved[:, : image.shape[1]], moved[:, image.shape[1] :]
        elif inverse is not None:
            image = move(image, inverse, exact)
        matrix = colour_matrix(drawn, ranges)
        if matrix is not None:
            image = recolour(image, matrix)
        if "imgfilter" in drawn:
            image = filter_bands(image, band_gains(drawn["imgfilter"], ranges.imgfilter))
        if "noise" in drawn and field is not None:
            image = add_noise(image, field, drawn["noise"][:, 0].abs() * ranges.noise)
        if "cutout" in drawn:
            image = cut_out(image, drawn["cutout"], ranges.cutout)
    return image, beside
