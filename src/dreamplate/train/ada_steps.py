"""The variations of adaptive discriminator augmentation, and the draws that they follow from.

Karras and others, "Training Generative Adversarial Networks with Limited Data", 2020, appendix B. A step is
described by what is drawn for it; a draw at its ``rest`` changes nothing. So whatever decides that a step
leaves a picture alone, chance or an option, puts its draw to rest, and all that follows is a function of
draws.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.train.draws import Draws

__all__ = ["STEPS", "Ranges", "Step", "draw_steps", "steps_of"]


@dataclass(frozen=True)
class Ranges:
    """How far steps go; the paper's figures.

    Attributes:
        xint: Largest whole shift, as a share of the side.
        scale: Deviation of the size's logarithm (base 2).
        rotate: Largest turn, as a share of half a turn.
        aniso: Deviation of the logarithm of stretching.
        xfrac: Deviation of fractional shifts, as a share of the side.
        brightness: Deviation of what is added.
        contrast: Deviation of the factor's logarithm (base 2).
        hue: Largest turn, as a share of half a turn.
        saturation: Deviation of the factor's logarithm (base 2).
        imgfilter: Deviation of the logarithm of each band's factor.
        noise: Deviation of the noise's deviation.
        cutout: Side of the cut-out, as a share of the picture's.
    """

    xint: float = 0.125
    scale: float = 0.2
    rotate: float = 1.0
    aniso: float = 0.2
    xfrac: float = 0.125
    brightness: float = 0.2
    contrast: float = 0.5
    hue: float = 1.0
    saturation: float = 1.0
    imgfilter: float = 1.0
    noise: float = 0.1
    cutout: float = 0.5


@dataclass(frozen=True)
class Step:
    """One variation.

    Attributes:
        name: In the tables of what is drawn.
        group: Option that switches it on.
        normal: Whether its numbers are standard normal; else they are uniform in 0-1.
        rest: Draw that changes nothing.
        numbers: How many it needs.
        pair: Whether it is one of two like it, whose chances together are to be that of one.
        apart: Whether each of its numbers comes by its own chance.
    """

    name: str
    group: str
    normal: bool = True
    rest: float = 0.0
    numbers: int = 1
    pair: bool = False
    apart: bool = False

    def chance(self, strength: float) -> float:
        """Return the probability that it changes a picture."""
        return 1 - math.sqrt(max(0.0, 1 - strength)) if self.pair else strength


STEPS = (
    Step("xflip", "blit", normal=False),
    Step("rotate90", "blit", normal=False),
    Step("xint", "blit", normal=False, rest=0.5, numbers=2),
    Step("scale", "geometry"),
    Step("rotate_before", "geometry", normal=False, rest=0.5, pair=True),
    Step("aniso", "geometry"),
    Step("rotate_after", "geometry", normal=False, rest=0.5, pair=True),
    Step("xfrac", "geometry", numbers=2),
    Step("brightness", "colour"),
    Step("contrast", "colour"),
    Step("lumaflip", "colour", normal=False),
    Step("hue", "colour", normal=False, rest=0.5),
    Step("saturation", "colour"),
    Step("imgfilter", "filter", numbers=4, apart=True),
    Step("noise", "noise"),
    # At rest the rectangle lies outside the picture.
    Step("cutout", "cutout", normal=False, rest=-2.0, numbers=2),
)
"""In the order in which they are applied."""

_PIPE = re.compile(r"(b?)(g?)(c?)(f?)(n?)(c?)")
_GROUPS = ("blit", "geometry", "colour", "filter", "noise", "cutout")


def steps_of(pipe: str) -> tuple[Step, ...]:
    """Return the steps of groups named by letters, such as ``bgc`` or ``bgcfnc``.

    Raises:
        ConfigError: There is no such group, or they are out of order.
    """
    found = _PIPE.fullmatch(pipe)
    if found is None or not pipe:
        raise ConfigError(
            f"augment.ada_pipe is {pipe!r}: join some of b (blit), g (geometry), c (colour), f (filter),"
            " n (noise) and c (cut-out), in this order"
        )
    on = {group for group, letter in zip(_GROUPS, found.groups(), strict=True) if letter}
    return tuple(step for step in STEPS if step.group in on)


def draw_steps(steps: Sequence[Step], count: int, strength: float, draws: Draws) -> dict[str, Tensor]:
    """Draw what happens to each of ``count`` pictures.

    Args:
        steps: Those that are on.
        count: Pictures.
        strength: Probability of each step for each picture, 0-1.
        draws: Random numbers.

    Returns:
        ``(count, numbers)`` for each step that changes any picture, by name.
    """
    drawn = {}
    for step in steps:
        own = draws.named(step.name)
        size = (count, step.numbers)
        value = own.normal(size) if step.normal else own.uniform(size)
        gate = own.uniform((count, step.numbers if step.apart else 1)) < step.chance(strength)
        if gate.any():
            drawn[step.name] = torch.where(gate, value, torch.full((), step.rest))
    return drawn
