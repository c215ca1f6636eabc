"""How Image GPT learns: every pixel's colour from those before it (Chen and others 2020, section 2.1).

The loss is the mean cross-entropy of the next colour; the paper's other one, over hidden pixels, is not
offered. Colours are those of a palette that is learnt from the training set before the first step.

Departures: rates fall linearly instead of by a cosine; the palette is of the data at hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.tokens.igpt import ImageGpt, draw_weights
from dreamplate.tokens.igpt_config import IgptOptions
from dreamplate.tokens.igpt_sample import Chances, go_on
from dreamplate.tokens.igpt_shape import IgptShape
from dreamplate.tokens.palette import find_palette, pictures_of, tokens_of
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.options import LearnOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now

__all__ = ["IgptSystem", "build", "loss_of"]

TOGETHER = 32
"""Pictures that are read at once for the palette."""
PIXELS = 400_000
"""Pixels that the palette is learnt from, at most."""


class Asked(Protocol):
    """What is read of a training run's config."""

    @property
    def seed(self) -> int: ...
    @property
    def source(self) -> SourceOptions: ...
    @property
    def learn(self) -> LearnOptions: ...
    @property
    def igpt(self) -> IgptOptions: ...


class IgptSystem:
    """A network that learns to go on with pictures.

    Args:
        config: Of the run.
        generator: The network; its palette is found by ``prepare``.
    """

    def __init__(self, config: Asked, generator: ImageGpt) -> None:
        self.options, self.seed, self.precision = config.igpt, config.seed, config.learn.precision
        self.generator: ImageGpt = generator
        self.networks: Mapping[str, nn.Module] = {"generator": generator}
        self.settings = generator.settings
        self.optimiser = Optimiser(generator.parameters(), config.learn)
        self.device = torch.device("cpu")

    def prepare(self, examples: Any) -> None:
        """Learn the palette from pictures of the training set, spread evenly over it."""
        total = len(examples)
        count = min(total, self.options.palette_pictures)
        chosen = [place * total // count for place in range(count)]
        generator = torch.Generator().manual_seed(seed_of(self.seed, "palette"))
        each = max(1, PIXELS // count)
        parts = []
        for start in range(0, count, TOGETHER):
            image = examples.batch(chosen[start : start + TOGETHER], None).image
            pixels = image.permute(0, 2, 3, 1).reshape(len(image), -1, 3).float()
            some = torch.randperm(pixels.shape[1], generator=generator)[:each]
            parts.append(pixels[:, some].reshape(-1, 3))
        palette = find_palette(torch.cat(parts), self.options.colours, generator)
        self.generator.palette.copy_(palette.clamp(-1, 1))

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        self.generator.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step."""
        self.generator.train()
        with autocast(self.device, self.precision):
            loss = loss_of(self.generator, self._tokens(batch)).mean()
        self.optimiser.step(loss, now)
        return {"loss": loss.detach(), "bits_per_token": loss.detach() / math.log(2)}

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return the batch's pictures, of which the upper part is kept and the rest drawn."""
        assert isinstance(generator, ImageGpt)
        shape = generator.shape
        known = torch.arange(shape.length) < round(self.options.keep * shape.side) * shape.side
        uniform = draws.named("colours").uniform((len(batch), shape.length))
        chances = Chances(top_k=self.options.top_k)
        tokens, _ = go_on(generator, self._tokens(batch), known, uniform, chances)
        return pictures_of(tokens, generator.palette, shape.side)

    @torch.no_grad()
    def measure(self, batch: Batch, generator: nn.Module) -> dict[str, Tensor]:
        """Return how many bits a batch's tokens cost, how many there are, and what the palette loses."""
        assert isinstance(generator, ImageGpt)
        with autocast(self.device, self.precision):
            tokens = self._tokens(batch)
            bits = loss_of(generator, tokens) / math.log(2)
        near = pictures_of(tokens, generator.palette, generator.shape.side)
        lost = (near - batch.image.float()).square() / 4
        sums = {"bits": bits.sum(), "tokens": tokens.numel(), "lost": lost.sum(), "values": lost.numel()}
        return {name: torch.as_tensor(value, dtype=torch.float64).cpu() for name, value in sums.items()}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return bits for each token, and the peak signal-to-noise ratio of pictures in the palette."""
        lost = float(sums["lost"] / sums["values"])
        return {
            "bits_per_token": float(sums["bits"] / sums["tokens"]),
            "palette_psnr": -10 * math.log10(max(lost, 1e-10)),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return network and optimiser."""
        return {"generator": self.generator.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _tokens(self, batch: Batch) -> Tensor:
        side = self.generator.shape.side
        if batch.size != (side, side):
            height, width = batch.size
            raise ConfigError(
                f"igpt: pictures are {width} x {height}, the network's are {side} x {side};"
                f" set source.shortest {side} and source.crop {side} {side}"
            )
        with torch.autocast(self.device.type, enabled=False):
            return tokens_of(batch.image, self.generator.palette)


def build(config: Asked, given: Port | None, made: Port) -> IgptSystem:
    """Return Image GPT with fresh weights.

    Raises:
        ConfigError: The pictures are not square or not in colour, or sizes do not fit.
    """
    options, (width, height) = config.igpt, config.source.crop
    if width != height or width < 2:
        raise ConfigError(
            f"source.crop is {width} {height}: Image GPT learns squares, such as 32 32, 48 48 or 64 64"
        )
    if made.kind != "picture" or len(made.channels) != 3 or made.encoding == "raw":
        raise ConfigError(
            f"igpt: needs pictures of red, green and blue, found {' '.join(made.channels)}; name them"
            " (source.image)"
        )
    if given is not None:
        raise ConfigError("igpt: learns from pictures alone; set source.pairing images")
    if options.width % options.heads:
        raise ConfigError(f"igpt.heads is {options.heads}, which cannot share igpt.width {options.width}")
    if options.top_k > options.colours:
        raise ConfigError(f"igpt.top_k is {options.top_k}: the palette has {options.colours} colours")
    network = ImageGpt(
        IgptShape(
            width,
            options.colours,
            options.width,
            options.depth,
            options.heads,
            4 * options.width,
            options.positions,
            int(options.around),
            int(options.kinship),
        )
    )
    draw_weights(network, torch.Generator().manual_seed(seed_of(config.seed, "weights")))
    return IgptSystem(config, network)


def loss_of(net: ImageGpt, tokens: Tensor) -> Tensor:
    """Return the cross-entropy of every token, ``(n * t,)``, in nats."""
    scores = net(tokens)
    return functional.cross_entropy(scores.float().flatten(0, 1), tokens.flatten(), reduction="none")
