"""What a dream is: every option of ``dreamplate dream``, spelt here and nowhere else.

This module imports neither torch nor numpy, so that ``--help`` stays fast. Fields become flags,
YAML recipes and provenance; their docstrings become the help.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from dreamplate.dream.prompts import parse_prompt
from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds
from dreamplate.take.machine import parse_memory

Side = Annotated[int, Bounds(ge=16, le=16_384)]
Share = Annotated[float, Bounds(ge=0, le=1)]
Rate = Annotated[float, Bounds(gt=0, le=100)]
Weight = Annotated[float, Bounds(ge=0, le=1000)]


@dataclass(frozen=True)
class CutConfig:
    """The random views that the scorer judges at each step."""

    number: Annotated[int, Bounds(ge=1, le=4096)] = 8
    """How many cut-outs a step."""
    size_mean: Annotated[float, Bounds(gt=0, le=4)] = 1.0
    """Mean side of a cut at the start, over the picture's shorter side."""
    size_mean_end: Annotated[float, Bounds(gt=0, le=4)] = 0.6
    """Mean side of a cut at the end of the run."""
    size_std: Annotated[float, Bounds(ge=0, le=4)] = 0.25
    """Spread of the sides."""
    size_min: Annotated[float, Bounds(gt=0, le=4)] = 0.25
    """Smallest side."""
    size_max: Annotated[float, Bounds(gt=0, le=4)] = 1.1
    """Largest side; above 1 a cut sees mirrored (or wrapped) surroundings."""
    overhang: Share = 0.0
    """How much of a cut may hang over the edge: more lets things stand at the rim, 0 keeps them whole."""
    rotate: Annotated[float, Bounds(ge=0, le=180)] = 8.0
    """Largest rotation in degrees."""
    shear: Share = 0.06
    """Largest shear."""
    perspective: Annotated[float, Bounds(ge=0, le=0.45)] = 0.06
    """Largest perspective tilt."""
    flip: Share = 0.5
    """Probability of a left-right mirror."""
    brightness: Share = 0.06
    """Largest shift of brightness."""
    contrast: Annotated[float, Bounds(ge=0, le=2)] = 0.15
    """Largest change of contrast, as a logarithm."""
    tint: Annotated[float, Bounds(ge=0, le=2)] = 0.06
    """Largest change of a colour channel, as a logarithm."""
    noise: Share = 0.04
    """Largest standard deviation of added noise."""

    def __post_init__(self) -> None:
        if self.size_min > self.size_max:
            raise ConfigError(
                f"cuts.size_min is {self.size_min:g}: choose at most cuts.size_max ({self.size_max:g})"
            )


@dataclass(frozen=True)
class FftConfig:
    """Options of the `fft` generator."""

    learning_rate: Rate = 0.12
    """Adam's step size at the start."""
    decay: Annotated[float, Bounds(ge=0, le=3)] = 1.6
    """How steeply amplitudes fall with frequency; 1 is that of natural pictures, more is smoother."""
    start: Annotated[float, Bounds(ge=0, le=10)] = 0.3
    """Size of the random start; 1 has the contrast of a natural picture."""
    chroma: Annotated[float, Bounds(ge=0, le=10)] = 1.3
    """Spread of colour against brightness; 1 is that of natural pictures."""


@dataclass(frozen=True)
class SirenConfig:
    """Options of the `siren` generator."""

    learning_rate: Rate = 0.0001
    """Adam's step size at the start."""
    scale: Annotated[float, Bounds(gt=0, le=1)] = 0.4
    """Size at which it learns, as a share of the stage's size: its cost grows with every pixel rendered."""
    hidden: Annotated[int, Bounds(ge=1, le=4096)] = 192
    """Neurons a layer."""
    layers: Annotated[int, Bounds(ge=1, le=64)] = 6
    """Sine layers."""
    w0: Annotated[float, Bounds(gt=0, le=1000)] = 30.0
    """Frequency factor of the hidden layers."""
    w0_first: Annotated[float, Bounds(gt=0, le=1000)] = 30.0
    """Frequency factor of the first layer: how fine the first structures are."""
    gain: Annotated[float, Bounds(gt=0, le=1000)] = 8.0
    """Contrast of the network's output."""
    chroma: Annotated[float, Bounds(ge=0, le=10)] = 1.3
    """Spread of colour against brightness; 1 is that of natural pictures."""


@dataclass(frozen=True)
class PixelsConfig:
    """Options of the `pixels` generator."""

    learning_rate: Rate = 0.1
    """Adam's step size at the start."""
    levels: Annotated[int, Bounds(ge=1, le=14)] = 7
    """Grids in the pyramid; 1 is plain pixels."""
    decay: Annotated[float, Bounds(ge=0, le=3)] = 1.0
    """How steeply the amplitude falls from one level to the next finer one, in octaves."""
    start: Annotated[float, Bounds(ge=0, le=10)] = 0.1
    """Size of the random start."""
    chroma: Annotated[float, Bounds(ge=0, le=10)] = 1.3
    """Spread of colour against brightness; 1 is that of natural pictures."""


@dataclass(frozen=True)
class DreamConfig:
    """A picture from words: a generator's parameters turned until a scorer sees the words in it."""

    prompt: Positional[str] = ""
    """What to show. Parts separated by |, a leading - avoids, a trailing :number weighs a part."""
    image_prompts: tuple[Path, ...] = ()
    """Pictures that the result should resemble in content."""
    image_weights: tuple[float, ...] = ()
    """A weight for each image prompt; negative ones are avoided; 1 for all when empty."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that every random draw follows from."""
    count: Annotated[int, Bounds(ge=1, le=10_000)] = 1
    """How many pictures, from seeds seed, seed + 1, and so on."""
    size: tuple[Side, Side] = (512, 512)
    """Width and height in pixels."""
    generator: Literal["fft", "siren", "pixels"] = "fft"
    """What the picture is made of."""
    scorer: str = "bridge"
    """What judges it; `bridge` is built in."""
    steps: Annotated[int, Bounds(ge=1, le=1_000_000)] = 250
    """How many steps."""
    init: Path | None = None
    """A picture to start from."""
    seamless: Literal["none", "x", "y", "both"] = "none"
    """Axes along which the picture tiles."""
    learning_rate_end: Share = 0.1
    """Share of the generator's learning rate that is left at the end, reached by a cosine."""
    ema: Annotated[float, Bounds(ge=0, lt=1)] = 0.0
    """Decay of the running average of the parameters that is shown; 0 shows the parameters."""
    stages: tuple[Share, ...] = (0.25, 0.5, 1.0)
    """Size of the picture during each stage, as a share of the final one: composition first."""
    stage_starts: tuple[Share, ...] = (0.0, 0.3, 0.65)
    """When each stage begins, as a share of all steps."""
    cut_sides: tuple[Annotated[int, Bounds(ge=32, le=1024)], ...] = (128, 160, 224)
    """Side in pixels at which cuts are judged during each stage (scorers of one fixed size keep theirs)."""
    natural: Weight = 1.0
    """Weight of natural statistics: how far the scorer's features may stray from those of photographs."""
    smooth: Weight = 0.0
    """Weight of smoothness (mean squared difference of neighbouring pixels)."""
    sharpen: Annotated[float, Bounds(ge=0, le=4)] = 0.5
    """Final sharpening of the finished picture."""
    memory: str = "1GiB"
    """Memory for judging cuts; they are worked off in chunks that fit."""
    device: str = "cpu"
    """Where to compute: cpu, cuda, cuda:1, mps."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the scorer computes in."""
    cuts: CutConfig = field(default_factory=CutConfig)
    """The random views."""
    fft: FftConfig = field(default_factory=FftConfig)
    """Options of generator fft."""
    siren: SirenConfig = field(default_factory=SirenConfig)
    """Options of generator siren."""
    pixels: PixelsConfig = field(default_factory=PixelsConfig)
    """Options of generator pixels."""

    def __post_init__(self) -> None:
        if self.prompt:  # a recipe has none yet; the job asks for one
            parse_prompt(self.prompt)
        if self.image_weights and len(self.image_weights) != len(self.image_prompts):
            raise ConfigError(
                f"image_weights has {len(self.image_weights)} values for {len(self.image_prompts)}"
                " image_prompts: give one each"
            )
        if any(weight == 0 or abs(weight) > 100 for weight in self.image_weights):
            raise ConfigError(f"image_weights is {self.image_weights}: choose from -100 to 100, but not 0")
        if not len(self.stages) == len(self.stage_starts) == len(self.cut_sides) or not self.stages:
            raise ConfigError(
                f"stages, stage_starts and cut_sides have {len(self.stages)}, {len(self.stage_starts)} and"
                f" {len(self.cut_sides)} values: give as many of each, at least one"
            )
        if self.stage_starts[0] != 0 or list(self.stage_starts) != sorted(self.stage_starts):
            raise ConfigError(f"stage_starts is {self.stage_starts}: begin with 0 and rise")
        if min(self.stages) <= 0:
            raise ConfigError(f"stages is {self.stages}: choose shares above 0")
        parse_memory(self.memory)

    @property
    def options(self) -> FftConfig | SirenConfig | PixelsConfig:
        """The options of the generator in use."""
        choices: dict[str, FftConfig | SirenConfig | PixelsConfig] = {
            "fft": self.fft,
            "siren": self.siren,
            "pixels": self.pixels,
        }
        return choices[self.generator]

    @property
    def wrap(self) -> tuple[bool, bool]:
        """Whether the picture tiles in x and in y."""
        return self.seamless in ("x", "both"), self.seamless in ("y", "both")
