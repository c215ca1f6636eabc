"""What an artist may ask for besides words: regions, locks, motion, and the way of searching."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from dreamplate.dream.prompts import parse_prompt
from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds, nearest

LockKind = Literal["edges", "luminance", "depth", "features", "palette"]
Share = Annotated[float, Bounds(ge=0, le=1)]


@dataclass(frozen=True)
class Region:
    """A part of the picture with its own prompt; written ``MASK=PROMPT``."""

    mask: Path
    """A picture of the frame's shape; white is inside."""
    prompt: str
    """What this part should show, in the syntax of the main prompt."""

    def __post_init__(self) -> None:
        parse_prompt(self.prompt)

    @classmethod
    def parse(cls, text: str) -> Region:
        """Read ``MASK=PROMPT``.

        Raises:
            ConfigError: It has no ``=``, or one side of it is empty.
        """
        mask, _, prompt = text.partition("=")
        if not mask.strip() or not prompt.strip():
            raise ConfigError(f"region {text!r}: write MASK=PROMPT, such as sky.png=a stormy sky")
        return cls(Path(mask.strip()), prompt.strip())

    def __str__(self) -> str:
        return f"{self.mask}={self.prompt}"


@dataclass(frozen=True)
class Lock:
    """Something of a reference picture that the result should keep; written ``KIND:PICTURE[:WEIGHT]``."""

    kind: LockKind
    """What is kept."""
    reference: Path
    """The picture it is kept from."""
    weight: Annotated[float, Bounds(gt=0, le=1000)] = 1.0
    """How strictly."""

    @classmethod
    def parse(cls, text: str) -> Lock:
        """Read ``KIND:PICTURE`` or ``KIND:PICTURE:WEIGHT``.

        Raises:
            ConfigError: The kind is unknown, the picture is missing, or the weight is no number above 0.
        """
        kind, _, rest = text.partition(":")
        found = re.fullmatch(r"(?P<path>.+):(?P<weight>\d+(?:\.\d*)?|\.\d+)", rest)
        path, weight = (found["path"], float(found["weight"])) if found else (rest, 1.0)
        kinds = list(get_args(LockKind))
        if kind not in kinds:
            raise ConfigError(f"lock {text!r}: the kind is {kind!r}; {nearest(kind, kinds)}")
        if not path.strip():
            raise ConfigError(
                f"lock {text!r}: write KIND:PICTURE or KIND:PICTURE:WEIGHT, such as edges:ref.png:2"
            )
        if not 0 < weight <= 1000:
            raise ConfigError(f"lock {text!r}: the weight is {weight:g}; choose more than 0, at most 1000")
        return cls(kind, Path(path.strip()), weight)  # type: ignore[arg-type]  # one of the kinds, just checked

    def __str__(self) -> str:
        return f"{self.kind}:{self.reference}:{self.weight:g}"


@dataclass(frozen=True)
class MotionConfig:
    """A move of the camera in the picture plane, a frame at a time.

    Each value is a number, or keyframes ``0:1, 50:1.05`` with straight lines between them.
    """

    zoom: str = "1"
    """Enlargement from one frame to the next; 1.02 moves in, 0.98 out."""
    pan_x: str = "0"
    """How far what is seen moves to the right from one frame to the next, in widths of the picture."""
    pan_y: str = "0"
    """How far it moves down, in heights of the picture."""
    rotate: str = "0"
    """Clockwise turn from one frame to the next, in degrees."""

    def __post_init__(self) -> None:
        for name, low, high in (("zoom", 0.1, 10), ("pan_x", -1, 1), ("pan_y", -1, 1), ("rotate", -180, 180)):
            for _, value in parse_keys(getattr(self, name), f"motion.{name}"):
                if not low <= value <= high:
                    raise ConfigError(f"motion.{name} has {value:g}: choose from {low:g} to {high:g}")

    @property
    def still(self) -> bool:
        """Whether nothing moves."""
        return all(
            value == rest
            for name, rest in (("zoom", 1.0), ("pan_x", 0.0), ("pan_y", 0.0), ("rotate", 0.0))
            for _, value in parse_keys(getattr(self, name), name)
        )


def parse_keys(text: str, field: str) -> tuple[tuple[int, float], ...]:
    """Read a number or keyframes ``FRAME:VALUE, FRAME:VALUE`` as pairs of rising frames.

    Raises:
        ConfigError: It is neither, or frames do not rise.
    """
    try:
        if ":" not in text:
            return ((0, float(text)),)
        pairs = [part.split(":") for part in text.split(",")]
        keys = tuple((int(frame), float(value)) for frame, value in pairs)
    except ValueError:
        raise ConfigError(f"{field} is {text!r}: write a number, or keyframes such as 0:1, 50:1.05") from None
    if any(later <= frame for (frame, _), (later, _) in itertools.pairwise(keys)):
        raise ConfigError(f"{field} is {text!r}: frames must rise")
    if not all(abs(value) < float("inf") for _, value in keys):
        raise ConfigError(f"{field} is {text!r}: values must be finite")
    return keys


def key_value(keys: tuple[tuple[int, float], ...], frame: float) -> float:
    """Return the value at a frame: straight lines between keyframes, level beyond them."""
    if frame <= keys[0][0]:
        return keys[0][1]
    for (start, before), (end, after) in itertools.pairwise(keys):
        if frame <= end:
            return before + (after - before) * (frame - start) / (end - start)
    return keys[-1][1]


@dataclass(frozen=True)
class SearchConfig:
    """How parameters are found."""

    method: Literal["descend", "evolve", "hybrid"] = "descend"
    """Follow gradients, evolve a population without them, or evolve first and descend from the best."""
    best_of: Annotated[int, Bounds(ge=1, le=100_000)] = 1
    """How many random starts are scored first; the best is gone on with."""
    optimiser: Literal["adam", "adamw", "adamp", "diffgrad", "nadam", "radam", "rmsprop", "sgd"] = "adam"
    """What follows gradients."""
    betas: tuple[Annotated[float, Bounds(ge=0, lt=1)], Annotated[float, Bounds(ge=0, lt=1)]] = (0.9, 0.99)
    """Decay of the running mean of gradients and of their squares."""
    weight_decay: Share = 0.0
    """How much parameters shrink with every step, in units of the learning rate (adamw, adamp, sgd)."""
    algorithm: Literal["cma", "ga", "nsga2"] = "cma"
    """What evolves: covariance matrix adaptation, a genetic algorithm, or one with several objectives."""
    population: Annotated[int, Bounds(ge=4, le=4096)] = 16
    """Individuals a generation; a generation is one step."""
    share: Share = 0.5
    """Part of the steps that a hybrid search evolves."""
    objectives: tuple[Literal["similarity", "realism", "structure"], ...] = ("similarity",)
    """What nsga2 trades against each other; the other algorithms add them up."""
