"""What a dream is: every option of ``dreamplate dream``, spelt here and nowhere else.

This module imports neither torch nor numpy, so that ``--help`` stays fast. Fields become flags,
YAML recipes and provenance; their docstrings become the help. Groups of options are in ``options.py``
(cut-outs, generators) and ``controls.py`` (regions, locks, motion, search).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction

from dreamplate.dream.controls import Lock, MotionConfig, Region, SearchConfig
from dreamplate.dream.options import (
    AutoencoderConfig,
    BigganConfig,
    CutConfig,
    DalleConfig,
    DvaeConfig,
    FftConfig,
    PixelsConfig,
    Rate,
    Share,
    SirenConfig,
    Stylegan2Config,
    Weight,
)
from dreamplate.dream.prompts import check_prompt
from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds
from dreamplate.take.flags import from_text
from dreamplate.take.machine import parse_memory

Side = Annotated[int, Bounds(ge=16, le=16_384)]
GeneratorConfig = (
    FftConfig
    | SirenConfig
    | PixelsConfig
    | BigganConfig
    | Stylegan2Config
    | DvaeConfig
    | AutoencoderConfig
    | DalleConfig
)


@dataclass(frozen=True)
class DreamConfig:
    """A picture from words: a generator's parameters turned until a scorer sees the words in it."""

    prompt: Positional[str] = ""
    """What to show. Parts separated by |, a leading - avoids, a trailing :number weighs a part; {night|day}
    makes a picture of each."""
    prompts: Path | None = None
    """A text file with a prompt on every line; a picture of each."""
    image_prompts: tuple[Path, ...] = ()
    """Pictures that the result should resemble in content."""
    image_weights: tuple[float, ...] = ()
    """A weight for each image prompt; negative ones are avoided; 1 for all when empty."""
    story: tuple[str, ...] = ()
    """Prompts that follow the first one over time, evenly, each flowing into the next."""
    seed: Annotated[int, Bounds(ge=0, lt=2**63)] = 0
    """Number that every random draw follows from."""
    count: Annotated[int, Bounds(ge=1, le=10_000)] = 1
    """How many pictures, from seeds seed, seed + 1, and so on, each in a run of its own."""
    batch: Annotated[int, Bounds(ge=1, le=256)] = 1
    """How many pictures are made together in one run; the best one becomes the final picture."""
    size: tuple[Side, Side] = (512, 512)
    """Width and height in pixels."""
    generator: Literal["fft", "siren", "pixels", "biggan", "stylegan2", "dvae", "autoencoder", "dalle"] = (
        "fft"
    )
    """What the picture is made of."""
    scorer: str = "auto"
    """What judges it: bridge, own (both built in), clip:MODEL, transformers:FOLDER, or several:
    2*clip:a + own; auto: bridge, or own where the scorer extra is not installed."""
    steps: Annotated[int, Bounds(ge=0, le=1_000_000)] = 250
    """How many steps; 0 takes the start as it is, the best of those that were looked at."""
    init: Path | None = None
    """A picture to start from."""
    mask: Path | None = None
    """Where the picture may change (white); elsewhere the init picture stays as it is, to the last bit."""
    regions: UseAppendAction[tuple[Annotated[Region, from_text(Region, "MASK=PROMPT")], ...]] = ()
    """Parts of the picture with prompts of their own: --regions sky.png="a stormy sky"."""
    locks: UseAppendAction[tuple[Annotated[Lock, from_text(Lock, "KIND:PICTURE[:WEIGHT]")], ...]] = ()
    """What to keep of a reference: --locks edges:ref.png:2; edges, luminance, depth, features, palette."""
    palette: tuple[str, ...] = ()
    """Colours to keep to, such as #203a5f."""
    palette_weight: Weight = 1.0
    """How strictly the palette is kept."""
    symmetry: Literal["none", "x", "y", "both", "rotate"] = "none"
    """Mirror image left to right (x), top to bottom (y), both, or turned by half a turn."""
    symmetry_weight: Weight = 1.0
    """How strictly the symmetry is kept."""
    seamless: Literal["none", "x", "y", "both"] = "none"
    """Axes along which the picture tiles."""
    frames: Annotated[int, Bounds(ge=1, le=100_000)] = 1
    """How many frames; more than one makes a sequence, frames/####.exr."""
    first_frame: Annotated[int, Bounds(ge=0, le=10_000_000)] = 1001
    """Number of the first frame."""
    frame_steps: Annotated[int, Bounds(ge=1, le=1_000_000)] = 20
    """Steps for every frame after the first, which takes `steps`."""
    fps: Annotated[int, Bounds(ge=1, le=240)] = 24
    """Frames a second of the film."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    """A camera move for the sequence."""
    search: SearchConfig = field(default_factory=SearchConfig)
    """How parameters are found."""
    learning_rate_end: Share = 0.1
    """Share of the generator's learning rate that is left at the end, reached by a cosine."""
    learning_rate_growth: Annotated[float, Bounds(ge=0.9, le=1.1)] = 1.0
    """Factor on the learning rate at every step."""
    learning_rate_max: Rate = 100.0
    """Where such growth ends."""
    ema: Annotated[float, Bounds(ge=0, lt=1)] = 0.0
    """Decay of the running average of the parameters that is shown; 0 shows the parameters."""
    stages: tuple[Share, ...] = (0.25, 0.5, 1.0)
    """Size of the picture during each stage, as a share of the final one: composition first."""
    stage_starts: tuple[Share, ...] = (0.0, 0.3, 0.65)
    """When each stage begins, as a share of all steps."""
    cut_sides: tuple[Annotated[int, Bounds(ge=32, le=1024)], ...] = (128, 160, 224)
    """Side in pixels at which cuts are judged during each stage (scorers of one fixed size keep theirs)."""
    agreement: Weight = 1.0
    """Weight of the words."""
    distance: Literal["cosine", "spherical"] = "cosine"
    """How agreement is measured: cosine, or the squared great-circle distance."""
    mean_share: Share = 0.0
    """Part of the agreement that the mean of all cuts is judged by, instead of each cut (Deep Daze: 0.3)."""
    natural: Weight = 1.0
    """Weight of natural statistics: how far the scorer's features may stray from those of photographs."""
    smooth: Weight = 0.0
    """Weight of smoothness (mean squared difference of neighbouring pixels)."""
    total_variation: Weight = 0.0
    """Weight of total variation (mean absolute difference of neighbours): flat areas, crisp edges."""
    sharpen: Annotated[float, Bounds(ge=0, le=4)] = 0.5
    """Final sharpening of the finished picture."""
    heat: bool = False
    """Add layers to the EXR that show where the scorer sees each part of the prompt."""
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
    biggan: BigganConfig = field(default_factory=BigganConfig)
    """Options of generator biggan."""
    stylegan2: Stylegan2Config = field(default_factory=Stylegan2Config)
    """Options of generator stylegan2."""
    dvae: DvaeConfig = field(default_factory=DvaeConfig)
    """Options of generator dvae."""
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    """Options of generator autoencoder."""
    dalle: DalleConfig = field(default_factory=DalleConfig)
    """Options of generator dalle."""

    def __post_init__(self) -> None:
        check_prompt(self.prompt)  # a recipe has none yet; the job asks for one
        for prompt in self.story:
            check_prompt(prompt)
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
        if self.mask is not None and self.init is None:
            raise ConfigError("mask says what to keep of the init picture, but init is not set: give --init")
        if self.generator == "dalle" and (self.search.best_of > 1 or self.search.method != "descend"):
            raise ConfigError("generator dalle has a search of its own: use dalle.candidates, not search")
        if self.frames > 1 and (self.search.method != "descend" or self.batch > 1):
            raise ConfigError(f"frames is {self.frames}: a sequence needs search.method descend and batch 1")
        if self.search.method != "descend" and self.batch > self.search.population:
            raise ConfigError(
                f"batch is {self.batch}, more than search.population ({self.search.population}): lower it"
            )
        parse_memory(self.memory)

    @property
    def options(self) -> GeneratorConfig:
        """The options of the generator in use."""
        choices: dict[str, GeneratorConfig] = {
            "fft": self.fft,
            "siren": self.siren,
            "pixels": self.pixels,
            "biggan": self.biggan,
            "stylegan2": self.stylegan2,
            "dvae": self.dvae,
            "autoencoder": self.autoencoder,
            "dalle": self.dalle,
        }
        return choices[self.generator]

    @property
    def wrap(self) -> tuple[bool, bool]:
        """Whether the picture tiles in x and in y."""
        return self.seamless in ("x", "both"), self.seamless in ("y", "both")

    @property
    def opening_steps(self) -> int:
        """Steps of the first frame: one look at least, even where nothing is changed."""
        return max(1, self.steps)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run, all frames together."""
        return self.opening_steps + (self.frames - 1) * self.frame_steps
