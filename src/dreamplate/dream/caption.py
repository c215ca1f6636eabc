"""Words for a picture, by searching a grammar against a scorer.

All nouns are scored first. The best become phrases, and a beam search adds one clause after another. A
clause is weighed by its evidence: how much better the whole phrase agrees with the picture than it did
before, plus how well the clause agrees by itself. The second half is needed because a scorer hears mostly
the noun of a phrase; on photographs it finds places and actions several times as often as the first half
alone. Evidence is counted in standard deviations of the picture's agreement with all the nouns, so that it
means the same for every scorer, and a clause without enough of it is left unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.caption_config import CaptionConfig, PhraseConfig
from dreamplate.dream.concepts import Concept, Contrast, Words, read_words, see
from dreamplate.dream.grammar import BARS, Option, Phrase, options
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ConfigError

ALIKE = 0.8
"""Nouns whose vectors' cosine is above this are two names of one thing: one caption for both."""
APART = 0.2
"""Nouns whose directions' cosine is below this can stand side by side in one caption."""


@dataclass(frozen=True)
class Caption:
    """A caption and how well it fits.

    Attributes:
        text: The words.
        score: The scorer's plain cosine of picture and text.
        evidence: What captions are ranked by: agreement of the noun, and of each clause above the bar, in
            standard deviations; for a language model the score.
        noun: What it is about; empty for a language model.
    """

    text: str
    score: float
    evidence: float
    noun: str = ""


@dataclass(frozen=True)
class _Draft:
    phrase: Phrase
    agreement: float
    total: float


class TextMemory:
    """A scorer's text vectors, each computed once.

    Args:
        scorer: What reads the texts.
        batch: How many are read at once.
    """

    def __init__(self, scorer: Scorer, batch: int = 256) -> None:
        self.scorer, self.batch = scorer, batch
        self._known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Float[Tensor, "t dim"]:
        """Return unit vectors of texts, on the CPU."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        for start in range(0, len(fresh), self.batch):
            part = fresh[start : start + self.batch]
            self._known.update(zip(part, self.scorer.encode_text(part).float().cpu(), strict=True))
        return torch.stack([self._known[text] for text in texts])


class PhraseCaptions:
    """Captions from the grammar, for any number of pictures; build it once.

    Args:
        scorer: What judges.
        config: The grammar's options.
        words: The vocabulary; the built-in one when not given.
    """

    def __init__(
        self, scorer: Scorer, config: PhraseConfig | None = None, words: Words | None = None
    ) -> None:
        self.scorer, self.config = scorer, config or PhraseConfig()
        self.words = words or read_words(self.config.class_names)
        self.encode = TextMemory(scorer)
        self.nouns = self.encode([concept.phrase() for concept in self.words.nouns])
        self.contrast = Contrast(self.nouns)
        self.directions = self.contrast.texts(self.nouns)

    def __call__(self, image: Float[Tensor, "1 3 h w"], count: int = 5) -> list[Caption]:
        """Return captions of a picture, best first, each about another thing.

        Args:
            image: Display-encoded, in [0, 1].
            count: How many.
        """
        return self.describe(see(self.scorer, image).cpu(), count)

    def describe(self, seen: Float[Tensor, " dim"], count: int = 5) -> list[Caption]:
        """Return captions of a picture that is given by its unit vector."""
        agreement = self.directions @ seen
        unit = float(agreement.std().clamp(min=1e-6)) if len(agreement) > 1 else 1.0
        chosen = self._apart(agreement.argsort(descending=True, stable=True).tolist(), count)

        def measure(texts: Sequence[str]) -> Tensor:
            return self.contrast(seen[None], self.encode(texts))[0] / unit

        company = self._company(agreement, chosen)
        beams = {
            index: [_Draft(Phrase(self.words.nouns[index]), *[float(agreement[index]) / unit] * 2)]
            for index in chosen
        }
        for clause in self.config.clauses:
            for index, drafts in beams.items():
                beams[index] = self._extend(drafts, clause, company[index], measure)
        best = sorted((max(drafts, key=_total) for drafts in beams.values()), key=_total, reverse=True)
        texts = [str(draft.phrase) for draft in best]
        scores = (self.encode(texts) @ seen).tolist() if texts else []
        return [
            Caption(text, score, draft.total, draft.phrase.noun.noun)
            for text, score, draft in zip(texts, scores, best, strict=True)
        ]

    def _extend(
        self,
        drafts: list[_Draft],
        clause: str,
        company: Iterable[Concept],
        measure: Callable[[Sequence[str]], Tensor],
    ) -> list[_Draft]:
        """Return the best phrases with this clause filled or left out."""
        found = options(self.words, clause, drafts[0].phrase.noun, company)
        if not found:
            return drafts
        alone = measure([option.alone for option in found])
        order = alone.argsort(descending=True, stable=True).tolist()
        pairs: list[tuple[_Draft, Option, float]] = []
        for draft in drafts:
            fresh = [i for i in order if not draft.phrase.repeats(found[i])][: self.config.tries]
            pairs += [(draft, found[i], float(alone[i])) for i in fresh]
        kept = list(drafts)
        bar = BARS[clause] * self.config.caution
        if pairs:
            phrases = [draft.phrase.filled(clause, option) for draft, option, _ in pairs]
            whole = measure([str(phrase) for phrase in phrases]).tolist()
            for (draft, _, by_itself), phrase, agreement in zip(pairs, phrases, whole, strict=True):
                gain = agreement - draft.agreement + by_itself - bar
                kept.append(_Draft(phrase, agreement, draft.total + gain))
        return sorted(kept, key=_total, reverse=True)[: self.config.beam]

    def _apart(self, order: Sequence[int], count: int) -> list[int]:
        """Return the first nouns of an order that are not names of the same thing."""
        chosen: list[int] = []
        for index in order:
            if len(chosen) == count:
                break
            if not chosen or float((self.nouns[chosen] @ self.nouns[index]).max()) < ALIKE:
                chosen.append(index)
        return chosen

    def _company(self, agreement: Float[Tensor, " words"], chosen: Sequence[int]) -> dict[int, list[Concept]]:
        """Return, for each chosen noun, the nouns that fit the picture best and mean something else."""
        order = agreement.argsort(descending=True, stable=True)[: 8 * self.config.tries].tolist()
        return {
            index: [
                self.words.nouns[other]
                for other in order
                if float(self.directions[index] @ self.directions[other]) < APART
            ][: self.config.tries]
            for index in chosen
        }


def _total(draft: _Draft) -> float:
    return draft.total


@dataclass
class Captioner:
    """Captions of pictures as a config says; what is loaded and read once serves every picture.

    Args:
        config: The options.
        scorer: What judges, as the config names it.

    Raises:
        ConfigError: A language model is wanted and no folder given.
    """

    config: CaptionConfig
    scorer: Scorer
    _make: Callable[[Tensor], list[Caption]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        config = self.config
        if not config.by_language_model:
            phrases = PhraseCaptions(self.scorer, config.phrases)
            self._make = lambda image: phrases(image, config.count)
            return
        if config.lm is None:
            raise ConfigError(
                "lm is empty: a language model is needed; give its folder with --lm, or --method phrases"
            )
        from dreamplate.dream.caption_lm import LanguageModelCaptions, load_writer

        writer = LanguageModelCaptions(self.scorer, load_writer(config.lm), config.writer, config.seed)
        self._make = lambda image: writer(image, config.count)

    def __call__(self, image: Float[Tensor, "1 3 h w"]) -> list[Caption]:
        """Return captions of a picture, display-encoded in [0, 1], best first."""
        return self._make(image)
