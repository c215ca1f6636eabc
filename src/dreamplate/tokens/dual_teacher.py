"""Who teaches the word-picture scorer words that its captions lack: the bridge of the scorer extra.

It has a sentence encoder (MiniLM), which knows what words mean, and a classifier (EfficientNet-Lite0) with a
map from sentences to mixtures of its classes, which knows what a picture looks like. Both are only asked
while the scorer learns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from dreamplate.models.store import Store
from dreamplate.nets.kernel_map import KernelMap, unpack
from dreamplate.nets.minilm import MiniLM, encode_sentences, load_tokenizer
from dreamplate.nets.packaged import load_classifier, package_file

__all__ = ["Bridge", "Teacher", "broad_words"]

SIDE = 128
"""Pixels at which the classifier looks: less than its best, 224, at a third of the time."""


@runtime_checkable
class Teacher(Protocol):
    """What a teacher tells."""

    words: Sequence[str]
    """Texts that it is asked about."""

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Return what texts mean, ``(n, width)`` of unit length."""
        ...

    def meanings(self) -> Tensor:
        """Return what the words mean, as `sentences` does."""
        ...

    def agreement(self, images: Tensor) -> Tensor:
        """Return how well pictures ``(n, 3, h, w)`` of 0 to 1 agree with each word, ``(n, words)``."""
        ...


class Bridge:
    """The teacher of the scorer extra.

    Raises:
        MissingExtraError: A package that carries a part of it is not installed.
        CheckpointError: A file is damaged or not the one that is known.
    """

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer(package_file("tokenizer"))
        self.encoder = MiniLM.from_state(load_file(package_file("minilm")))
        self.net = load_classifier("lite0").use_products(torch.bfloat16)
        self.map = KernelMap(unpack(Store.default().load("bridge")[0]))
        self.words: Sequence[str] = broad_words()
        self._vectors: Tensor | None = None
        self._meanings: Tensor | None = None

    @torch.no_grad()
    def sentences(self, texts: Sequence[str]) -> Float[Tensor, "n w"]:
        """Return what texts mean: MiniLM's vectors, without what all texts have in common, at unit length."""
        return F.normalize(encode_sentences(self.encoder, self.tokenizer, texts) - self.map.mean, dim=-1)

    def meanings(self) -> Float[Tensor, "words w"]:
        """Return what the words mean."""
        if self._meanings is None:
            self._meanings = self.sentences(self.words)
        return self._meanings

    @torch.no_grad()
    def agreement(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n words"]:
        """Return the cosines of pictures with each of the words."""
        if self._vectors is None:
            rows = self.net.fc.weight - self.net.fc.weight.mean(0)
            shares = self.map(encode_sentences(self.encoder, self.tokenizer, self.words))
            self._vectors = F.normalize(shares @ rows, dim=-1)
        sides = (SIDE, SIDE)
        seen = F.interpolate(images.float(), sides, mode="bilinear", antialias=True, align_corners=False)
        seen = seen.contiguous(memory_format=torch.channels_last)
        return F.normalize(self.net.features(seen)["pooled"].float(), dim=-1) @ self._vectors.T


def broad_words() -> tuple[str, ...]:
    """Return what pictures are of: nouns, looks and lights of the built-in vocabulary, class names.

    Raises:
        MissingExtraError: The package with the class names is not installed.
    """
    import yaml

    # The vocabulary of captions is a file of the room of dreams; no code of it is used here.
    data = yaml.safe_load(files("dreamplate.dream").joinpath("words.yaml").read_text(encoding="utf-8"))
    nouns = [str(noun) for group in data["nouns"].values() for noun in group]
    names = json.loads(package_file("clean").read_text(encoding="utf-8"))
    classes = [data["renamed"].get(name, re.split(r" \(| / |, ", name)[0]) for name in names]
    others = [str(text) for text in (*data["looks"], *data["lights"])]
    return tuple(dict.fromkeys((*nouns, *classes, *others)))
