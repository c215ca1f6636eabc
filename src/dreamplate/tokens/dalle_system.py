"""How DALL-E learns: the next word and the next code, from captioned pictures.

Ramesh et al. 2021, sections 2.2 and 2.4: cross-entropy, 1/8 of it words and 7/8 codes. Departures: words are
judged up to the first pad (the others follow from it), a share of the examples is learnt without words (Ho
and Salimans 2022), and scores are kept from drifting by a small loss on the logarithm of their sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dreamplate.errors import ConfigError, MediaError
from dreamplate.tokens.codec import Codec, load_codec
from dreamplate.tokens.dalle import Dalle, standard_book
from dreamplate.tokens.dalle_codes import CodeShelf
from dreamplate.tokens.dalle_config import DalleOptions
from dreamplate.tokens.dalle_sample import Manner, sample
from dreamplate.tokens.dalle_shape import DalleShape
from dreamplate.tokens.words import Vocabulary, collect
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.optimise import Optimiser, autocast, rate_at
from dreamplate.train.options import LearnOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.train.processes import average
from dreamplate.train.system import Now

__all__ = ["DalleSystem", "build", "spoken", "token_losses"]


@runtime_checkable
class Config(Protocol):
    """What is asked of a run's configuration."""

    @property
    def data(self) -> Path:
        """Where the examples are."""
        ...

    @property
    def seed(self) -> int:
        """Of the run."""
        ...

    @property
    def source(self) -> SourceOptions:
        """How examples are read."""
        ...

    @property
    def learn(self) -> LearnOptions:
        """How fast."""
        ...

    @property
    def dalle(self) -> DalleOptions:
        """Its own options."""
        ...


class DalleSystem:
    """A DALL-E and what teaches it.

    Args:
        options: Of the system.
        learn: Of the optimiser.
        network: With fresh weights.
        codec: Frozen; its codes are what is learnt.
    """

    def __init__(self, options: DalleOptions, learn: LearnOptions, network: Dalle, codec: Codec) -> None:
        self.options, self.learning, self.codec = options, learn, codec
        self.generator: nn.Module = network
        self.settings = network.settings
        self.networks: dict[str, nn.Module] = {"generator": network}
        self.vocabulary = network.known()
        self.shelf = CodeShelf(codec, network.shape.rows, network.shape.columns)
        self.optimiser = Optimiser(network.parameters(), learn)
        self.matrices: list[Tensor] = [parameter for parameter in network.parameters() if parameter.dim() > 1]
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        self.generator.to(device)
        self.shelf.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step."""
        self.generator.train()
        many, options = len(batch), self.options
        codes = self.shelf.encode(batch.image)
        which = now.draws.named("captions").uniform((many,))
        silent = now.draws.named("silent").uniform((many,)) < options.drop_text
        text = self.texts(batch, which.tolist(), silent.tolist())
        with autocast(self.device, self.learning.precision):
            scores = self.generator(text, codes)
        heard = spoken(text, self.vocabulary) & ~silent.to(text.device)[:, None]
        words, drift = token_losses(scores[0], text)
        cells, more = token_losses(scores[1], codes)
        # By the words of the whole batch, so that processes with more of them do not count less.
        words_mean = (words * heard).sum() / average(heard.sum().float()).clamp_min(1)
        cells_mean = cells.mean()
        share = options.text_share
        loss = share * words_mean + (1 - share) * cells_mean
        total = loss + options.z_loss * (share * drift.square().mean() + (1 - share) * more.square().mean())
        self.optimiser.step(total, now)
        if options.weight_decay:
            kept = 1 - options.weight_decay * self.learning.rate * rate_at(self.learning, now)
            with torch.no_grad():
                torch._foreach_mul_(self.matrices, kept)
        bits = 1 / math.log(2)
        return {
            "loss": loss.detach(),
            "image_bits": cells_mean.detach() * bits,
            "text_bits": words_mean.detach() * bits,
        }

    def texts(self, batch: Batch, which: list[float], silent: list[bool]) -> Int[Tensor, "n t"]:
        """Return a caption of each example.

        Args:
            batch: The examples.
            which: Of each example's captions, as a share of them.
            silent: Who has none.

        Raises:
            ConfigError: There are no captions.
        """
        if not batch.texts:
            raise ConfigError(
                "dalle: the examples have no captions; put NAME.txt with a caption a line beside NAME.png"
            )
        rows = []
        for own, share, mute in zip(batch.texts, which, silent, strict=True):
            caption = own[int(share * len(own))] if own and not mute else ""
            rows.append(self.vocabulary.encode(caption))
        return torch.stack(rows).to(self.device)

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return pictures of the first caption of each example, -1 to 1."""
        assert isinstance(generator, Dalle)
        many, shape = len(batch), generator.shape
        text = self.texts(batch, [0.0] * many, [False] * many)
        manner = Manner(self.options.guidance, 1.0, self.options.top_k, self.options.top_p)
        uniform = draws.named("codes").uniform((many, shape.cells))
        codes = sample(generator, text, uniform.to(self.device), manner)
        return self.codec.decode(codes.view(many, shape.rows, shape.columns)).float() * 2 - 1

    def measure(self, batch: Batch, generator: nn.Module) -> dict[str, Tensor]:
        """Return the bits of words and of codes, with words and without, and how many there are of each."""
        many = len(batch)
        codes = self.shelf.encode(batch.image)
        text = self.texts(batch, [0.0] * many, [False] * many)
        heard = spoken(text, self.vocabulary) & (text[:, :1] < len(self.vocabulary.words))
        silence = self.vocabulary.empty().to(text).expand(many, -1)
        words, cells = generator(text, codes)
        alone = generator(silence, codes)[1]
        sums = {
            "text_nats": (token_losses(words, text)[0] * heard).sum(),
            "text_tokens": heard.sum(),
            "image_nats": token_losses(cells, codes)[0].sum(),
            "image_nats_without_text": token_losses(alone, codes)[0].sum(),
            "image_tokens": torch.tensor(codes.numel()),
        }
        return {name: value.detach().double().cpu() for name, value in sums.items()}

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return bits per token: of words, of codes, and of codes without words."""
        nats = {
            "image": ("image_nats", "image_tokens"),
            "image_without_text": ("image_nats_without_text", "image_tokens"),
            "text": ("text_nats", "text_tokens"),
        }
        return {
            f"{name}_bits_per_token": float(sums[total] / sums[count]) / math.log(2)
            for name, (total, count) in nats.items()
            if float(sums[count])
        }

    def state_dict(self) -> dict[str, Any]:
        """Return network and optimiser."""
        return {"generator": self.generator.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.generator.load_state_dict(state["generator"])
        self.optimiser.load_state_dict(state["optimiser"])


def token_losses(
    scores: Float[Tensor, "n m v"], tokens: Int[Tensor, "n m"]
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """Return how unlikely each token was, in nats, and the logarithm of its scores' sum."""
    scores, own = scores.float(), tokens[..., None]
    likely = scores.log_softmax(-1).gather(-1, own)[..., 0]
    return -likely, scores.gather(-1, own)[..., 0] - likely


def spoken(text: Int[Tensor, "n t"], vocabulary: Vocabulary) -> Bool[Tensor, "n t"]:
    """Return which tokens of texts say something: words, and the first pad."""
    word = text < len(vocabulary.words)
    return word | F.pad(word, (1, 0), value=True)[:, :-1]


def build(config: Config, given: Port | None, made: Port) -> DalleSystem:
    """Return a fresh DALL-E for the codes of a codec.

    Raises:
        ConfigError: The pictures are not of three colours, their size is no whole number of cells, or words
            cannot be found.
        ModelError: There is no such codec.
    """
    options = config.dalle
    if given is not None or made.kind != "picture" or len(made.channels) != 3:
        raise ConfigError(
            "dalle: learns from pictures of red, green and blue with captions; use source.pairing images"
        )
    codec = load_codec(options.codec)
    width, height = config.source.crop
    if not width or not height or width % codec.factor or height % codec.factor:
        raise ConfigError(
            f"source.crop is {width} x {height}: name multiples of {codec.factor}, the codec's cell"
        )
    vocabulary = Vocabulary(find_words(options.vocabulary, config.data, config.source), options.text)
    shape = DalleShape(
        text=options.text,
        words=len(vocabulary.words),
        bytes=len(vocabulary.pack()),
        rows=height // codec.factor,
        columns=width // codec.factor,
        codes=codec.codes,
        book=codec.book.shape[1],
        fingerprint=codec.fingerprint,
        codec=options.codec,
        factor=codec.factor,
        width=options.width,
        layers=options.layers,
        heads=options.heads,
        attention=options.attention,
        kernel=options.kernel,
        rotary=options.rotary,
        normed=options.normed,
        around=options.around,
        kinship=options.kinship,
        gist=options.gist,
    )
    network = Dalle(shape)
    network.draw_weights(torch.Generator().manual_seed(seed_of(config.seed, "weights")))
    network.vocabulary.copy_(vocabulary.pack())
    network.book.copy_(standard_book(codec.book))
    return DalleSystem(options, config.learn, network, codec)


def find_words(name: str, data: Path, source: SourceOptions) -> tuple[str, ...]:
    """Return the words to learn.

    Args:
        name: ``world``, ``data``, or the path of a text file.
        data: Where the examples are.
        source: How they are read.

    Raises:
        ConfigError: There are none.
    """
    from dreamplate.train.data.files import find_files
    from dreamplate.train.data.words import read_texts
    from dreamplate.train.data.world import is_world

    if name == "world" or (name == "data" and is_world(data)):
        from dreamplate.scenes.world.words import vocabulary

        return vocabulary()
    if name == "data":
        entries = find_files(data, source).entries
        told = ((entry.name, ref) for entry in entries for ref in entry.refs.get("texts", ()))
        found = collect(text for called, ref in told for text in read_texts(ref, name=called))
        if not found:
            raise ConfigError(
                f"{data}: holds no captions; put NAME.txt with a caption a line beside NAME.png"
            )
        return found
    try:
        return collect([Path(name).read_text(encoding="utf-8")])
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no UTF-8 text"
        raise MediaError(f"dalle.vocabulary {name}: {reason}; name world, data, or a text file") from error
