"""Words as tokens of a closed vocabulary, and texts read in its words.

A model knows the words of the captions that it learnt from, and no others. A text holds its words' numbers,
then a pad token of each place that is left (Ramesh et al. 2021, section 2.2), so that an empty text is all
pads. Departure from the paper: words are whole, not pieces, because the vocabulary is small and closed.

A word that is not known is read as the nearest one that is, by spelling or by meaning, or left out; what was
done is said.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from dreamplate.errors import CheckpointError, ConfigError
from dreamplate.tokens.wordpieces import split_words

__all__ = ["Reading", "Vocabulary", "by_meaning", "by_spelling", "collect", "read_text"]

ALIKE = 0.84
"""Likeness in spelling (shared letters over all, difflib) above which words are forms of each other."""
RELATED = 0.5
"""Cosine of sentence vectors above which one word may stand for another."""
MOST_WORDS = 65_000
"""Words of a vocabulary at most."""

LITTLE = frozenset(split_words("a an and are as at by for from in is it of on one or that the this to with"))
"""Words that say nothing alone."""

Nearest = Callable[[Sequence[str]], Sequence[str | None]]
"""Unknown words to known ones, None where none is near."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that a model knows.

    Attributes:
        words: In order; their places are their tokens.
        length: Places of a text. The pad token of place ``i`` is ``len(words) + i``.
    """

    words: tuple[str, ...]
    length: int

    def __post_init__(self) -> None:
        if not self.words or len(set(self.words)) != len(self.words) or len(self.words) > MOST_WORDS:
            raise ConfigError(
                f"vocabulary: {len(self.words)} words, {len(set(self.words))} different;"
                f" give 1 to {MOST_WORDS:,}, each once"
            )

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Token of each word."""
        return {word: number for number, word in enumerate(self.words)}

    @property
    def size(self) -> int:
        """Tokens, pads included."""
        return len(self.words) + self.length

    def encode(self, text: str) -> Int[Tensor, " length"]:
        """Return a text's tokens; words that are not known are left out, those beyond the length cut off."""
        known = [self.numbers[word] for word in split_words(text) if word in self.numbers][: self.length]
        pads = range(len(self.words) + len(known), self.size)
        return torch.tensor([*known, *pads])

    def decode(self, tokens: Int[Tensor, " length"]) -> str:
        """Return the words of a text."""
        return " ".join(self.words[token] for token in tokens.tolist() if token < len(self.words))

    def empty(self) -> Int[Tensor, " length"]:
        """Return the tokens of a text without words."""
        return torch.arange(len(self.words), self.size)

    def pack(self) -> UInt8[Tensor, " bytes"]:
        """Return the words as bytes, so that a model file can hold them among its tensors."""
        return torch.tensor(list("\n".join(self.words).encode()), dtype=torch.uint8)

    @classmethod
    def unpack(cls, data: UInt8[Tensor, " bytes"], length: int, source: str = "model") -> Vocabulary:
        """Read what ``pack`` made.

        Raises:
            CheckpointError: It is no list of words.
        """
        try:
            return cls(tuple(bytes(data.tolist()).decode().split("\n")), length)
        except (ValueError, ConfigError) as error:
            raise CheckpointError(f"{source}: its vocabulary is damaged ({error}); write it again") from error


def collect(texts: Iterable[str], most: int = MOST_WORDS) -> tuple[str, ...]:
    """Return the words of texts in the order of the alphabet; the most frequent where there are too many."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in split_words(text):
            counts[word] = counts.get(word, 0) + 1
    kept = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    return tuple(sorted(kept))


@dataclass(frozen=True)
class Reading:
    """How a text was read.

    Attributes:
        text: In known words.
        notices: What was read as what, and what was left out; one sentence each.
    """

    text: str
    notices: tuple[str, ...] = ()


def read_text(text: str, words: Sequence[str], nearest: Nearest) -> Reading:
    """Return a text in known words.

    Args:
        text: Any.
        words: Those that are known.
        nearest: Finds known words for others.

    Raises:
        ConfigError: No word is left that says anything; lists what is known.
    """
    known, found = set(words), split_words(text)
    unknown = [word for word in dict.fromkeys(found) if word not in known]
    near = dict(zip(unknown, nearest(unknown), strict=True)) if unknown else {}
    read = [near.get(word, word) for word in found]
    kept = [word for word in read if word is not None]
    if LITTLE.issuperset(kept):
        raise ConfigError(f"{text[:60]!r}: no word of it is known; the model knows {', '.join(words)}")
    notices = [f"{word!r} is not known; read as {other!r}" for word, other in near.items() if other]
    left = [repr(word) for word, other in near.items() if other is None]
    if left:
        verb = "is" if len(left) == 1 else "are"
        notices.append(f"{', '.join(left)} {verb} not known, nor like any known word; left out")
    return Reading(" ".join(kept), tuple(notices))


def by_spelling(words: Sequence[str]) -> Nearest:
    """Return what finds the known word that is spelt most alike."""

    def nearest(unknown: Sequence[str]) -> list[str | None]:
        found = (difflib.get_close_matches(word, words, n=1, cutoff=ALIKE) for word in unknown)
        return [one[0] if one else None for one in found]

    return nearest


def by_meaning(
    words: Sequence[str], encode: Callable[[Sequence[str]], Float[Tensor, "n d"]], least: float = RELATED
) -> Nearest:
    """Return what finds the known word of the nearest sentence vector, where none is spelt alike.

    Args:
        words: Those that are known.
        encode: Texts to vectors of unit length.
        least: Cosine below which there is none.
    """
    spelt = by_spelling(words)

    def nearest(unknown: Sequence[str]) -> list[str | None]:
        cosines = encode(list(unknown)) @ encode(list(words)).T
        best, places = cosines.max(1)
        meant = [
            words[place] if value >= least else None
            for value, place in zip(best.tolist(), places.tolist(), strict=True)
        ]
        return [one or other for one, other in zip(spelt(unknown), meant, strict=True)]

    return nearest
