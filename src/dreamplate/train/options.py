"""What every training run is asked: where its data is, how it is varied, how long it learns. No torch.

Fields become flags, YAML recipes and provenance; their docstrings become the help.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from dreamplate.take.fields import Bounds

__all__ = ["AugmentOptions", "LearnOptions", "MeasureOptions", "SourceOptions"]

Share = Annotated[float, Bounds(ge=0, le=1)]
Positive = Annotated[float, Bounds(gt=0, le=1e9)]
Side = Annotated[int, Bounds(ge=0, le=65_536)]


@dataclass(frozen=True)
class SourceOptions:
    """Where examples are, and how they are read."""

    condition: str = ""
    """What the model is given: a folder inside the data, a pattern (label/####.png), a suffix inside tar
    shards (label.png), or layers of the image's own EXR (layer:N,Z); empty: found by its usual names."""
    image: str = ""
    """What it shall make, named in the same way."""
    instances: str = ""
    """Object ids that come with a label map, named in the same way; empty: found where there are any; none:
    not used."""
    layout: Literal["auto", "folders", "aligned", "layers", "shards"] = "auto"
    """How pairs lie: two folders with equal names, both in one picture side by side, layers of one EXR, or
    tar shards."""
    swap: bool = False
    """With aligned pictures: the right half is the condition (BtoA)."""
    pairing: Literal["paired", "images", "unpaired"] = "paired"
    """Pairs, images alone (no condition), or conditions and images that do not belong together."""
    condition_kind: Literal["auto", "picture", "labels"] = "auto"
    """Whether conditions are pictures or label maps; auto: label maps where a palette is given or found."""
    palette: Path | None = None
    """Palette of the label map (JSON: id, name, colour)."""
    encoding: Literal["auto", "display", "log", "linear"] = "auto"
    """What the network sees of colour; auto: display, and log where images hold values above 1."""
    ranges: dict[str, tuple[float, float]] | None = None
    """Lowest and highest value of data channels, such as Z; by default measured on the training set."""
    splits: Path | None = None
    """JSON of the names in each split; by default sub-folders train, val and test, or splits.json."""
    train_on: tuple[str, ...] = ("train",)
    """Splits to learn from."""
    validate_on: tuple[str, ...] = ("val", "test")
    """Splits to measure on: the first of these that exists."""
    holdout: Share = 0.1
    """Share of the examples held out where there are no splits."""
    share: Annotated[float, Bounds(gt=0, le=1)] = 1.0
    """Learn from this share of the training set only."""
    shortest: Side = 0
    """Scale every example so that its shorter side has this many pixels; 0: leave the size."""
    stretch: bool = False
    """With shortest: make both sides that long, as the original programs do (changes the proportions);
    measured are then whole pictures, made as large as the crop."""
    crop: tuple[Side, Side] = (256, 256)
    """Width and height that a step sees; 0 0: whole pictures, which then must be of one size."""
    skip_bad: bool = False
    """Leave out files that cannot be read, and list them; otherwise the first stops before training."""
    cache: str = "2GB"
    """Memory for decoded examples, of each split; the rest is read again every epoch."""


@dataclass(frozen=True)
class AugmentOptions:
    """How examples are varied, on condition and image together where geometry changes."""

    flip: bool = True
    """Mirror half of the examples left to right; in captions and facts, left becomes right."""
    rotate: Annotated[float, Bounds(ge=0, le=180)] = 0.0
    """Turn by up to this many degrees either way."""
    zoom: Annotated[float, Bounds(ge=1, le=8)] = 1.0
    """Enlarge or shrink by up to this factor."""
    colour: Share = 0.0
    """Change brightness, contrast and saturation of the condition (where it is a picture) by this much."""
    policy: Literal["none", "diffaugment", "ada"] = "none"
    """What the discriminator's pictures go through, real and made alike."""
    diffaugment: str = "color,translation,cutout"
    """Policies of DiffAugment, joined by commas."""
    ada_target: Share = 0.6
    """Overfitting (mean sign of the real scores) that ADA holds."""
    ada_kimg: Positive = 500.0
    """Thousands of images over which ADA's strength may rise from 0 to 1; with init a fifth of them."""
    ada_start: Share = 0.0
    """Strength of ADA at the beginning."""
    ada_pipe: str = "bgc"
    """Which of ADA's groups: b blit, g geometry, c colour, f filter, n noise, c cut-out, as in the paper."""
    robust: bool = False
    """Perturb conditions so that what lies outside the examples (a high forehead, an absent mouth) is
    obeyed."""
    robust_strength: Share = 0.5
    """How far the perturbations go."""


@dataclass(frozen=True)
class LearnOptions:
    """How long and how fast."""

    epochs: Annotated[float, Bounds(gt=0, le=1e6)] = 200.0
    """Passes through the training set, without steps and max-cpu-seconds."""
    steps: Annotated[int, Bounds(ge=1, le=10**9)] | None = None
    """Instead: optimiser steps."""
    max_cpu_seconds: Positive | None = None
    """Instead: processor seconds (user and system, all threads) for everything, final figures included."""
    batch: Annotated[int, Bounds(ge=1, le=65_536)] = 1
    """Examples in a step, over all processes."""
    rate: Positive = 2e-4
    """Adam's learning rate of the generator."""
    rate_d: Positive | None = None
    """Of the discriminator; by default the same."""
    betas: tuple[Share, Share] = (0.5, 0.999)
    """Adam's decay of the first and second moment."""
    decay_from: Share = 0.5
    """Share of the run after which rates fall linearly to 0; 1: never."""
    warm_up: Annotated[int, Bounds(ge=0, le=10**9)] = 0
    """Steps over which rates rise from 0."""
    clip: Annotated[float, Bounds(ge=0, le=1e9)] = 0.0
    """Largest norm of a network's gradient; 0: no limit."""
    ema: Annotated[float, Bounds(ge=0, lt=1)] = 0.0
    """Decay of the generator's average for each step, such as 0.999; 0: no average."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of convolutions; auto: bfloat16 where the machine is fast at it."""
    init: Path | None = None
    """Begin with the networks of another take (or model file) of the same system."""
    freeze_d: Annotated[int, Bounds(ge=0, le=64)] = 0
    """With init: keep this many of the discriminator's layers, from the picture on, as they are."""


@dataclass(frozen=True)
class MeasureOptions:
    """What is looked at while it learns, and in the end."""

    every: Annotated[int, Bounds(ge=0, le=10**9)] = 0
    """Steps between measurements on the validation split; 0: at the end only."""
    examples: Annotated[int, Bounds(ge=1, le=1_000_000)] = 50
    """Validation examples measured on the way; the end measures all."""
    sheet: Annotated[int, Bounds(ge=1, le=64)] = 8
    """Rows of a sample sheet."""
    features: Literal["auto", "none", "efficientnet"] = "auto"
    """Network of FID and KID: efficientnet (Lite0, of the scorer extra) or none; auto: where it is installed.
    Every figure is named with its network."""
    segmenter: Path | None = None
    """Take of a segmenter trained on real pairs: measures label accuracy of what is made."""
    report: bool = True
    """Write the brittleness report at the end."""
    tensorboard: bool = False
    """Write events for TensorBoard into the take as well (it is needed to look at them only)."""
