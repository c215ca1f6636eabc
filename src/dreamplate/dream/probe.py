"""What a scorer makes of a prompt or a picture: what it confuses, what it hears, what it sees everywhere.

Agreement is counted from what all texts have in common (see ``Contrast``), so that 0 means nothing in
particular for every scorer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.bridge import BridgeScorer
from dreamplate.dream.caption import TextMemory
from dreamplate.dream.concepts import Contrast, Words, read_words, see
from dreamplate.dream.heat import heat_maps
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ConfigError
from dreamplate.nets.minilm import encode_sentences

TEMPERATURE = 0.05
"""Agreement is divided by this before the softmax that shares a prompt out among the concepts: one that
agrees 0.05 less than another counts 1 / e as much."""
NEUTRAL = 24
"""Pictures of nothing that obsessions are looked for in."""
SLOPES = (0.8, 1.0, 1.2, 1.5)
"""Fall of their spectra: amplitude is frequency to minus this. Photographs have about 1."""


@dataclass(frozen=True)
class Found:
    """A concept and how well something agrees with it, -1 to 1."""

    concept: str
    agreement: float


@dataclass(frozen=True)
class WordWeight:
    """A word of a prompt, and how far the prompt's direction moves without it: 1 - cosine, 0 to 2."""

    word: str
    weight: float


@dataclass(frozen=True)
class TextProbe:
    """What a scorer makes of a prompt.

    Attributes:
        prompt: The words.
        scorer: Its name.
        nearest: Concepts that it could take the prompt for, best first.
        meanings: Effective number of concepts: e to the entropy of the prompt's shares in them. 1 is
            unmistakable; the size of the vocabulary says nothing.
        margin: Agreement of the first concept less that of the second.
        words: Every word and its weight, in the order of the prompt; empty for a single word.
        expressed: How much of the prompt the scorer can express, 0 to 1. For the built-in scorer the cosine
            between the prompt and what its class texts make of it (see `explained`); for others, agreement
            with the nearest concept.
        noise: Mean agreement of pictures of nothing with the prompt.
        noise_rank: Share of the concepts on which pictures of nothing fire less than on the prompt.
    """

    prompt: str
    scorer: str
    nearest: tuple[Found, ...]
    meanings: float
    margin: float
    words: tuple[WordWeight, ...]
    expressed: float
    noise: float
    noise_rank: float


@dataclass(frozen=True)
class Seen:
    """A concept in a picture.

    Attributes:
        concept: Its words.
        agreement: Of the picture with it.
        everywhere: Mean agreement of pictures of nothing with it.
    """

    concept: str
    agreement: float
    everywhere: float


@dataclass(frozen=True)
class PictureProbe:
    """What a scorer sees in a picture.

    Attributes:
        scorer: Its name.
        seen: Concepts in the picture, best first.
        obsessions: Concepts that fire on pictures of nothing, worst first.
        shown: The concepts that have a map: the first that are not names of the same thing.
        maps: Where each of them is, ``(shown, h, w)`` in [0, 1].
    """

    scorer: str
    seen: tuple[Seen, ...]
    obsessions: tuple[Seen, ...]
    shown: tuple[str, ...]
    maps: Float[Tensor, "shown h w"]


class Probe:
    """Questions to one scorer; build it once.

    Args:
        scorer: What is asked.
        words: The vocabulary; the built-in one when not given.
    """

    def __init__(self, scorer: Scorer, words: Words | None = None) -> None:
        self.scorer = scorer
        self.concepts = (words or read_words()).everything()
        self.encode = TextMemory(scorer)
        self.vectors = self.encode(self.concepts)
        self.contrast = Contrast(self.vectors)
        self.directions = self.contrast.texts(self.vectors)
        self._everywhere: Tensor | None = None
        self._neutral: Tensor | None = None

    @property
    def neutral(self) -> Float[Tensor, "n dim"]:
        """Unit vectors of pictures of nothing."""
        if self._neutral is None:
            with torch.no_grad():
                pictures = neutral_pictures(self.scorer.size)
                parts = [self.scorer.encode_image(pictures[at : at + 6]) for at in range(0, len(pictures), 6)]
            self._neutral = torch.cat(parts).float().cpu()
        return self._neutral

    @property
    def everywhere(self) -> Float[Tensor, " concepts"]:
        """Mean agreement of pictures of nothing with each concept."""
        if self._everywhere is None:
            self._everywhere = (self.neutral @ self.directions.T).mean(0)
        return self._everywhere

    def text(self, prompt: str, top: int = 12) -> TextProbe:
        """Return what the scorer makes of words.

        Args:
            prompt: Plain words, without weights or signs.
            top: How many of the nearest concepts to name.

        Raises:
            ConfigError: There is no word in it.
        """
        words = prompt.split()
        if not re.search(r"\w", prompt):
            raise ConfigError(f"prompt is {prompt!r}: there is no word in it; say what to probe")
        shorter = [" ".join(words[:at] + words[at + 1 :]) for at in range(len(words))]
        heard = [at for at, rest in enumerate(shorter) if re.search(r"\w", rest)]
        vectors = self.contrast.texts(self.encode([prompt, *(shorter[at] for at in heard)]))
        agreement = self.directions @ vectors[0]
        best = agreement.topk(min(max(top, 2), len(agreement)))
        shares = (agreement / TEMPERATURE).softmax(0)
        noise = float((self.neutral @ vectors[0]).mean())
        return TextProbe(
            prompt=prompt,
            scorer=self.scorer.name,
            nearest=tuple(self._found(best.indices, best.values))[:top],
            meanings=float(torch.exp(-(shares * shares.clamp(min=1e-30).log()).sum())),
            margin=float(best.values[0] - best.values[1]) if len(best.values) > 1 else 1.0,
            words=tuple(
                WordWeight(words[at], max(0.0, 1 - float(vectors[0] @ vector)))
                for at, vector in zip(heard, vectors[1:], strict=True)
            ),
            expressed=self._expressed(prompt, float(best.values[0])),
            noise=noise,
            noise_rank=float((self.everywhere < noise).float().mean()),
        )

    def picture(self, image: Float[Tensor, "1 3 h w"], top: int = 12, maps: int = 6) -> PictureProbe:
        """Return what the scorer sees in a picture, and where.

        Args:
            image: Display-encoded, in [0, 1].
            top: How many concepts to name.
            maps: How many of them to look for in the picture.
        """
        agreement = self.directions @ see(self.scorer, image).cpu()
        order = agreement.argsort(descending=True, stable=True).tolist()
        worst = self.everywhere.argsort(descending=True, stable=True).tolist()
        shown: list[int] = []
        for index in order:
            if len(shown) == maps:
                break
            if not shown or float((self.vectors[shown] @ self.vectors[index]).max()) < ALIKE:
                shown.append(index)
        heat = heat_maps(self.scorer, image, self.vectors[shown]).cpu()
        return PictureProbe(
            scorer=self.scorer.name,
            seen=self._seen(order[:top], agreement),
            obsessions=self._seen(worst[:top], agreement),
            shown=tuple(self.concepts[index] for index in shown),
            maps=heat,
        )

    def _found(self, indices: Tensor, values: Tensor) -> list[Found]:
        pairs = zip(indices.tolist(), values.tolist(), strict=True)
        return [Found(self.concepts[index], value) for index, value in pairs]

    def _seen(self, indices: Sequence[int], agreement: Tensor) -> tuple[Seen, ...]:
        return tuple(Seen(self.concepts[i], float(agreement[i]), float(self.everywhere[i])) for i in indices)

    def _expressed(self, prompt: str, nearest: float) -> float:
        share = explained(self.scorer, prompt) if isinstance(self.scorer, BridgeScorer) else nearest
        return min(1.0, max(0.0, share))


ALIKE = 0.8
"""Concepts whose vectors' cosine is above this share one map."""


@torch.no_grad()
def explained(scorer: BridgeScorer, text: str) -> float:
    """Return how much of a text, 0 to 1, the built-in scorer's class texts explain.

    Its map is a kernel regression. The Gaussian process with the same kernel explains the share
    ``k' (K + ridge)^-1 k`` of a text's variance (Rasmussen and Williams, "Gaussian Processes for Machine
    Learning", eq. 2.26); this is its square root, which like a cosine is the length of the part explained.
    A text that is one of the class texts has about 0.9, letters without meaning about 0.2.
    """
    sentence = encode_sentences(scorer.encoder, scorer.tokenizer, [text])
    own = torch.nn.functional.normalize(sentence - scorer.map.mean, dim=-1)
    likeness = scorer.map.kernel(own)[0]
    # Anchors that are nothing like the text explain nothing of it: the nearest are enough, and quick.
    near = likeness.topk(min(512, len(likeness))).indices
    anchors = scorer.map.anchors[near]
    gram = torch.exp(scorer.map.sharpness * (anchors @ anchors.T - 1)).double()
    gram.diagonal().add_(scorer.map.ridge)
    side = likeness[near].double()
    return float((side @ torch.linalg.solve(gram, side)).clamp(min=0).sqrt())


def neutral_pictures(side: int, count: int = NEUTRAL) -> Float[Tensor, "count 3 {side} {side}"]:
    """Return pictures of nothing: plain colours, and noise with spectra like those of photographs.

    The same for every call. A third are plain.

    Args:
        side: In pixels.
        count: How many.
    """
    draws = torch.Generator().manual_seed(0)
    plain = torch.rand((count // 3, 3, 1, 1), generator=draws).expand(-1, -1, side, side)
    number = count - len(plain)
    down, across = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)[None]
    radius = (down * down + across * across).sqrt().clamp(min=1 / side)
    slopes = torch.tensor(SLOPES).repeat(-(-number // len(SLOPES)))[:number]
    shape = (number, 4, side, side // 2 + 1)
    spectrum = torch.complex(torch.randn(shape, generator=draws), torch.randn(shape, generator=draws))
    waves = torch.fft.irfft2(spectrum / radius ** slopes[:, None, None, None], s=(side, side))
    waves = (waves - waves.mean((2, 3), keepdim=True)) / waves.std((2, 3), keepdim=True)
    # Mostly light and dark, a little colour, as in photographs.
    noise = 0.5 + 0.2 * (0.9 * waves[:, :1] + 0.4 * waves[:, 1:])
    return torch.cat([plain, noise]).clamp(0, 1)
