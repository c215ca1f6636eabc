"""Options of the parts of a dream: cut-outs, and each generator. No torch here, so that help stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from dreamplate.errors import ConfigError
from dreamplate.take.fields import Bounds

Share = Annotated[float, Bounds(ge=0, le=1)]
Rate = Annotated[float, Bounds(gt=0, le=100)]
Weight = Annotated[float, Bounds(ge=0, le=1000)]


@dataclass(frozen=True)
class CutConfig:
    """The random views that the scorer judges at each step."""

    number: Annotated[int, Bounds(ge=1, le=4096)] = 8
    """How many cut-outs a step."""
    sizes: Literal["folded", "clipped", "uniform"] = "folded"
    """How sides are drawn: normal and folded back at the limits, normal and clipped to them, or uniform."""
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
    whole: Share = 0.0
    """Share of the cuts that see the whole picture."""
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
    resample: Literal["pyramid", "nearest", "bilinear"] = "pyramid"
    """How cuts are resized: from a pyramid without aliasing; the others are as early systems did it."""

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
    """Contrast of the network's output; with colour rgb it is not used."""
    colour: Literal["decorrelated", "rgb"] = "decorrelated"
    """What the network gives: decorrelated colour, or red, green and blue in -1 to 1 as in Deep Daze."""
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
class BigganConfig:
    """Options of the `biggan` generator (BigGAN-deep)."""

    weights: str = "biggan-small"
    """Name of the model in the store, or a weight file."""
    learning_rate: Rate = 0.07
    """Adam's step size at the start."""
    truncation: Annotated[float, Bounds(ge=0, le=1)] = 1.0
    """Which normalisation statistics are used; less is more typical and less varied."""
    swapped_truncation: bool = False
    """Blend the two nearest rows of statistics with exchanged shares, as the first PyTorch port does."""
    rows: Literal["each", "one"] = "each"
    """Latents: a row for each stage of the generator (BigSleep), or one for all."""
    classes: Annotated[int, Bounds(ge=0, le=1000)] = 0
    """Most classes that a row may mix, chosen softly; 0 lets it mix all (BigSleep's default)."""
    temperature: Annotated[float, Bounds(gt=0, le=100)] = 2.0
    """Softness of the choice of classes."""
    prior: Weight = 1.0
    """Weight of the latents' own losses: normality of z and few, small classes (BigSleep)."""
    basis: Annotated[int, Bounds(ge=0, le=64)] = 0
    """Starts that are joined with free weights for each row (FuseDream); 0 turns the latents themselves."""
    one_class: bool = False
    """Start each picture from one random class instead of a faint mixture of all."""
    canvas: bool = False
    """Also turn a map of features in the middle of the network, not only latents and classes."""


@dataclass(frozen=True)
class Stylegan2Config:
    """Options of the `stylegan2` generator."""

    weights: str = "stylegan2-small"
    """Name of the model in the store, or a weight file."""
    learning_rate: Rate = 0.05
    """Adam's step size at the start."""
    space: Literal["z", "w", "w+"] = "w+"
    """What is turned: z, one w for all layers, or a w for each."""
    truncation: Annotated[float, Bounds(ge=0, le=2)] = 0.7
    """How far the start may be from the average picture."""
    noise: Literal["const", "random", "none"] = "const"
    """Fine noise: the network's own, freshly drawn from the seed, or none."""
    prior: Weight = 0.0
    """Weight of closeness to the average w."""
    discriminator: str = ""
    """Name or weight file of the discriminator that tells how real a picture is, as objective realism."""


@dataclass(frozen=True)
class DvaeConfig:
    """Options of the `dvae` generator (DALL-E's discrete VAE)."""

    weights: str = "dvae-small"
    """Name of the model in the store, or a weight file."""
    learning_rate: Rate = 0.3
    """Adam's step size at the start."""
    relaxation: Literal["softmax", "gumbel", "straight-through"] = "softmax"
    """How codes are softened: plain softmax, with Gumbel noise, or a hard draw with softmax gradients."""
    temperature: Annotated[float, Bounds(gt=0, le=100)] = 1.0
    """Divides the logits at the start."""
    temperature_end: Annotated[float, Bounds(gt=0, le=100)] = 1.0
    """Divides the logits at the end, reached geometrically."""
    start: Literal["normal", "one-hot", "few-codes"] = "normal"
    """Random logits, a random code in every cell, or one of a few random codes in every cell."""
    start_scale: Annotated[float, Bounds(ge=0, le=100)] = 1.0
    """Size of the starting logits."""
    logit_scale: Annotated[float, Bounds(gt=0, le=100)] = 1.0
    """Multiplies the logits before noise is added and they are softened, at the start."""
    logit_scale_end: Annotated[float, Bounds(ge=0, le=100)] = 0.0
    """The same at the end, reached geometrically; 0 keeps it."""
    pairs: bool = False
    """Soften even and odd codes apart, two distributions a cell, as the first notebooks did by accident."""
    clamp: bool = False
    """Clip the decoder's raw values instead of passing them through its sigmoid."""
    laplace: bool = False
    """Draw pixels from the decoder's logit-Laplace distribution while learning, instead of its centre."""


@dataclass(frozen=True)
class AutoencoderConfig:
    """Options of the `autoencoder` generator: the latents of a tiny autoencoder."""

    weights: str = ""
    """Name of the model in the store, or the decoder's weight file."""
    encoder: str = ""
    """The encoder's weight file, for starting from a picture; not needed otherwise."""
    learning_rate: Rate = 0.05
    """Adam's step size at the start."""
    decay: Annotated[float, Bounds(ge=0, le=3)] = 1.0
    """How steeply the latents' amplitudes fall with frequency."""
    start: Annotated[float, Bounds(ge=0, le=10)] = 0.5
    """Size of the random start."""


@dataclass(frozen=True)
class DalleConfig:
    """Options of the `dalle` generator: a transformer that says pictures from words."""

    weights: str = "world-dalle"
    """Name of the model in the store, a model file, a training take, or a folder of a dalle-mini's files."""
    codec: str = ""
    """Its codec, named in the same way; empty: the one that it was trained with, or that lies beside."""
    candidates: Annotated[int, Bounds(ge=1, le=10_000)] = 16
    """Pictures that are drawn, of which the scorer chooses the best (as many as batch)."""
    guidance: Annotated[float, Bounds(ge=0, le=100)] = 3.0
    """How far the words are overstated: 1 as learnt, 0 not heard."""
    temperature: Annotated[float, Bounds(ge=0, le=10)] = 1.0
    """Divides the scores of codes: less is more typical and less varied, 0 takes the likeliest."""
    top_k: Annotated[int, Bounds(ge=0, le=65_536)] = 0
    """How many of the likeliest codes each cell is drawn from; 0: all."""
    top_p: Annotated[float, Bounds(gt=0, le=1)] = 0.95
    """Each cell is drawn from the fewest codes that have this share together."""
    start: Literal["variation", "completion"] = "variation"
    """What an init picture is for: pictures like it, or pictures that go on from its upper part."""
    likeness: Weight = 2.0
    """How near variations stay to the init picture."""
    keep: Share = 0.5
    """Share of the init picture, from the top, that a completion keeps."""
    learning_rate: Rate = 0.02
    """Adam's step size at the start, where the codes are refined (steps above 0)."""
    prior: Weight = 10.0
    """How strictly refined cells stay near their codes."""
