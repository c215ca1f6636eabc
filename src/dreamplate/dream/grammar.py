"""A small grammar of picture captions: ``a close-up of an old dog running on a beach at sunset``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dreamplate.dream.concepts import Concept, Words

BARS = {"quality": 3.5, "action": 5.0, "company": 7.0, "place": 5.0, "light": 5.5, "style": 5.0}
"""Evidence below which a clause of each sort is left unsaid, in standard deviations (see ``caption.py``)."""
STEM = 4
"""Words that begin with the same letters, so many, count as the same: snow and snowy, surf and surfing."""
_MOVABLE = ("vehicle", "thing")
STANDS_BESIDE: dict[str, tuple[str, ...]] = {
    "person": ("animal", "animals", *_MOVABLE),
    "people": ("animal", "animals", *_MOVABLE),
    "animal": ("person", "people", *_MOVABLE),
    "animals": ("person", "people", *_MOVABLE),
    "vehicle": ("person", "people", "animal", "animals", *_MOVABLE),
    "thing": ("person", "people", "animal", "animals", *_MOVABLE),
    "building": (),
    "buildings": (),
    "place": (),
}
"""Kind of noun → the kinds that may stand beside it. Not its own kind where scorers take one for the other
(breeds of dog); nothing beside places, because a beach with a dog is about the dog."""

_SMALL = {
    "a", "an", "the", "of", "in", "on", "at", "by", "under", "into", "with", "and", "or", "front", "between",
    "among", "against", "up", "something",
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One way to fill a clause.

    Attributes:
        text: What is said.
        alone: The same where nothing else is said, for a scorer.
        noun: For company, the noun.
    """

    text: str
    alone: str
    noun: Concept | None = None


@dataclass(frozen=True)
class Phrase:
    """A noun phrase with at most one clause of each sort.

    Attributes:
        noun: What it is about.
        quality: An adjective.
        company: ``with a ball``.
        action: ``running``.
        place: ``on a beach``.
        light: ``at sunset``.
        style: ``a drawing of {}``.
    """

    noun: Concept
    quality: str = ""
    company: str = ""
    action: str = ""
    place: str = ""
    light: str = ""
    style: str = ""

    def __str__(self) -> str:
        parts = (self.noun.phrase(self.quality), self.company, self.action, self.place, self.light)
        plain = " ".join(part for part in parts if part)
        return self.style.format(plain) if self.style else plain

    def filled(self, clause: str, option: Option) -> Phrase:
        """Return the phrase with a clause filled."""
        change: dict[str, Any] = {clause: option.text}
        return replace(self, **change)

    def repeats(self, option: Option) -> bool:
        """Whether an option says a word again that the phrase has."""
        return bool(content(str(self)) & content(option.alone))


def content(text: str) -> set[str]:
    """Return the beginnings of the words of a text that carry meaning."""
    return {word[:STEM] for word in set(text.replace("-", " ").lower().split()) - _SMALL}


def options(words: Words, clause: str, concept: Concept, company: Iterable[Concept] = ()) -> list[Option]:
    """Return how a clause can be filled for a noun.

    Args:
        words: The vocabulary.
        clause: ``quality``, ``action``, ``company``, ``place``, ``light`` or ``style``.
        concept: What the phrase is about.
        company: Nouns that may stand beside it.
    """
    kind = concept.kind
    if clause == "quality":
        return [Option(word, f"something {word}") for word in words.suiting(words.qualities, kind)]
    if clause == "action":
        return [Option(word, word) for word in words.suiting(words.actions, kind)]
    if clause == "place":
        return [Option(word, word) for word in words.suiting(words.places, kind)]
    if clause == "light":
        return [Option(word, word) for word in words.lights]
    if clause == "style":
        return [Option(word, word.format("something")) for word in words.styles]
    return [
        Option(f"with {other.phrase()}", other.phrase(), other)
        for other in company
        if other.kind in STANDS_BESIDE[kind]
    ]
