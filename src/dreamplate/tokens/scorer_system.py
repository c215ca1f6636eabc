"""How the word-picture scorer learns: from captioned pictures, and from a teacher for words they lack.

Four things are learnt at once, all as cosines times one learnt sharpness:

- which caption of a batch belongs to which picture and the other way round (InfoNCE), where equal captions
  and equal facts count as right as well;
- which value of each fact a picture has, by short texts of the values;
- what texts mean to the teacher's sentence encoder, so that words which no caption holds lie near those that
  do (a linear map from the text tower, which is not kept);
- how pictures share themselves out among a broad list of words, as the teacher sees it, without what it sees
  in every picture.

Several processes each contrast their own share of the batch only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError, MissingExtraError
from dreamplate.tokens.dual import DualEncoder
from dreamplate.tokens.dual_losses import (
    belonging,
    clause,
    contrast,
    cropped,
    jittered,
)
from dreamplate.tokens.dual_teacher import Bridge, Teacher
from dreamplate.tokens.scorer_config import ScorerOptions
from dreamplate.tokens.scorer_facts import Facts, fact_hits, fact_losses
from dreamplate.tokens.scorer_teaching import Teaching
from dreamplate.tokens.wordpieces import split_words
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws, seed_of
from dreamplate.train.optimise import Optimiser, autocast
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.processes import gather
from dreamplate.train.system import Now

__all__ = ["ScorerSystem", "build"]

PARTS = 8
"""Parts of a batch that are cropped alike."""


class Config(Protocol):
    """What is read of a training run's config."""

    @property
    def scorer(self) -> ScorerOptions:
        """Options of the scorer."""
        ...

    @property
    def learn(self) -> LearnOptions:
        """How it learns."""
        ...

    @property
    def seed(self) -> int:
        """What fresh weights follow from."""
        ...


class ScorerSystem:
    """Two towers that learn from captioned pictures.

    Args:
        config: Of the run.
        made: Port of the pictures.
        generator: The towers.
        teaching: Of words beyond the captions; None: no one teaches.
    """

    def __init__(
        self,
        config: Config,
        made: Port,
        generator: DualEncoder,
        teaching: Teaching | None = None,
    ) -> None:
        self.options, self.precision = config.scorer, config.learn.precision
        self.ports = (None, made)
        self.towers, self.teaching = generator, teaching
        self.generator: nn.Module = generator
        self.settings = generator.settings
        self.networks: dict[str, nn.Module] = {"generator": generator}
        if teaching is not None:
            self.networks["reader"] = teaching.reader
        parameters = [parameter for network in self.networks.values() for parameter in network.parameters()]
        self.optimiser = Optimiser(parameters, config.learn)
        self.facts = Facts()
        self._known: set[str] | None = None
        self._read: dict[int, dict[str, Tensor]] = {}
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        self.device = device
        for network in self.networks.values():
            network.to(device)

    def learn(self, batch: Batch, now: Now) -> dict[str, Tensor]:
        """Do one step.

        Raises:
            ConfigError: An example has no caption.
        """
        options, draws = self.options, now.draws
        self._read.clear()
        self.generator.train()
        captions = self._captions(batch, draws.named("captions"))
        asked = self.facts.ask(batch.facts, draws.named("facts")) if options.facts else []
        taught = self.teaching.choose(captions, draws.named("broad")) if self.teaching else None
        others = taught[1] if taught else []
        texts = [*captions, *(text for fact in asked for text in fact.texts), *others]
        self._note(texts)
        images = self._seen(batch.image, draws.named("crop"), draws.named("jitter"))
        towers = self.towers
        with autocast(self.device, self.precision):
            seen = towers.encode_image(images)
            read = towers.texts(texts)
            said = towers.unit(towers.join_text, read)
        n, sharp = len(batch), towers.sharpness
        right = belonging(captions, batch.facts, options.alike).to(seen)
        figures = {"loss_captions": contrast(seen, said[:n], sharp, right)}
        total = figures["loss_captions"]
        if asked:
            figures["loss_facts"] = fact_losses(seen, said[n:], sharp, asked)
            total = total + options.facts * figures["loss_facts"]
        if self.teaching is not None and taught is not None:
            own = slice(len(texts) - len(others), None)
            shown = (batch.image + 1) / 2
            figures |= self.teaching.losses(shown, seen, said[own], read[own], sharp, taught)
            total = total + options.sentences * figures["loss_sentences"]
            total = total + options.breadth * figures["loss_breadth"]
        self.optimiser.step(total, now)
        with torch.no_grad():
            best = (seen @ said[:n].T).argmax(1)
            hit = right[torch.arange(n), best].ge(1).float().mean()
        return {"loss": total.detach(), "right": hit, "sharpness": sharp.detach()} | {
            name: value.detach() for name, value in figures.items()
        }

    def _note(self, texts: Sequence[str]) -> None:
        """Write down the words of texts, those that other processes read among them."""
        if self._known is None:
            self._known = set(self.towers.known_words())
        own = {word for text in texts for word in split_words(text)}
        here = set().union(*gather(sorted(own)))
        if not here <= self._known:
            self._known |= here
            self.towers.note_words(self._known)

    def _seen(self, images: Tensor, place: Draws, light: Draws) -> Tensor:
        options = self.options
        cut = cropped(images, place.uniform((PARTS, 3)), options.zoom, options.side)
        return jittered(cut, light.uniform((len(images), 3)), options.jitter)

    def _captions(self, batch: Batch, draws: Draws) -> list[str]:
        if not batch.texts or not all(batch.texts):
            raise ConfigError(
                "scorer: the examples have no captions; put NAME.txt beside each picture, or captions.json"
            )
        numbers = draws.uniform((len(batch), 4)).tolist()
        chosen = []
        for own, (which, whole, share, start) in zip(batch.texts, numbers, strict=True):
            text = own[min(int(which * len(own)), len(own) - 1)]
            chosen.append(clause(text, share, start) if whole < self.options.clauses else text)
        return chosen

    def make(self, batch: Batch, generator: nn.Module, draws: Draws) -> Tensor:
        """Return the pictures as they are seen: at the side that the towers learn at, and back."""
        side = self.options.side
        small = functional.interpolate(batch.image, (side, side), mode="area")
        return functional.interpolate(small, batch.size, mode="bilinear", align_corners=False)

    def measure(self, batch: Batch, generator: nn.Module) -> dict[str, Tensor]:
        """Return how many facts are told rightly by their texts, and how many captions are found."""
        assert isinstance(generator, DualEncoder)
        side = self.options.side
        small = functional.interpolate(batch.image, (side, side), mode="bilinear", antialias=True)
        with autocast(self.device, self.precision):
            seen = generator.encode_image(small)
            captions = [own[0] for own in batch.texts] if batch.texts and all(batch.texts) else []
            said = generator.encode_text(captions) if captions else None
            sums = fact_hits(seen, batch.facts, self.facts.values, self._remembering(generator))
        if said is not None and len(captions) == len(batch):
            equal = belonging(captions, batch.facts, 0.0)
            best = (said @ seen.T).argmax(1).cpu()
            hits = equal[torch.arange(len(batch)), best].sum()
            sums |= {"found": hits.double(), "captions": torch.tensor(len(batch)).double()}
        return sums

    def _remembering(self, generator: DualEncoder) -> Callable[[Sequence[str]], Tensor]:
        """Return an encoder of texts that reads each only once between two steps."""
        held = self._read.setdefault(id(generator), {})

        def encode(texts: Sequence[str]) -> Tensor:
            fresh = [text for text in dict.fromkeys(texts) if text not in held]
            if fresh:
                held.update(zip(fresh, generator.encode_text(fresh), strict=True))
            return torch.stack([held[text] for text in texts])

        return encode

    def figures(self, sums: Mapping[str, Tensor]) -> dict[str, float]:
        """Return shares: of each fact, and of captions whose picture is the first of 16."""
        found = {
            f"accuracy_{name.removeprefix('right_')}": float(value / sums[f"asked_{name[6:]}"])
            for name, value in sums.items()
            if name.startswith("right_")
        }
        if "captions" in sums:
            found["found_in_16"] = float(sums["found"] / sums["captions"])
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return networks, optimiser, the values of facts so far, and what the teacher often sees."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimiser": self.optimiser.state_dict(),
            "facts": self.facts.state_dict(),
            "teaching": self.teaching.state_dict() if self.teaching is not None else {},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self._read.clear()
        self._known = None
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.facts.load_state_dict(state["facts"])
        if self.teaching is not None:
            self.teaching.load_state_dict(state["teaching"])


def build(config: Config, given: Port | None, made: Port) -> ScorerSystem:
    """Return a scorer with fresh weights that follow from the seed.

    Raises:
        ConfigError: The pictures have no three channels, or the text tower's width is no multiple of 32.
        MissingExtraError: The bridge is asked for and the scorer extra is not installed.
    """
    options = config.scorer
    if made.kind != "picture" or len(made.channels) != 3 or made.encoding != "srgb_display":
        raise ConfigError("scorer: needs display-encoded colour pictures; use source.encoding display")
    if options.text_width % 32:
        raise ConfigError(f"scorer.text_width is {options.text_width}; use a multiple of 32")
    sizes = (options.rows, options.word, options.text_width, options.text_layers)
    network = DualEncoder(options.side, options.width, options.dim, *sizes)
    network.randomise(torch.Generator().manual_seed(seed_of(config.seed, "weights")))
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    teacher: Teacher | None = None
    if options.teacher != "none":
        try:
            teacher = Bridge()
        except MissingExtraError:
            if options.teacher == "bridge":
                raise
    teaching = None if teacher is None else _teaching(options, teacher, config.seed)
    return ScorerSystem(config, made, network, teaching)


def _teaching(options: ScorerOptions, teacher: Teacher, seed: int) -> Teaching:
    reader = nn.Linear(options.text_width, teacher.sentences(["a"]).shape[1])
    generator = torch.Generator().manual_seed(seed_of(seed, "reader"))
    nn.init.normal_(reader.weight, std=options.text_width**-0.5, generator=generator)
    nn.init.zeros_(reader.bias)
    return Teaching(teacher, reader, options.taught)
