"""Tiny autoencoders of the TAESD family, as plain sequences and as the diffusers library saves them.

A plain sequence names tensors by position: ``0.weight``, ``1.conv.0.weight``. Ours carry ``encoder.`` or
``decoder.`` before that, so that one file can hold both. Positions count only by their order: the libraries
number them differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Rule, Settings, Shape

PARTS = ("encoder", "decoder")


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read the layers of each sequence from the names and shapes.

    Returns:
        ``encoder``, ``decoder``: layers joined by spaces, each ``position kind in out groups``, joined by
        colons (``0:conv:3:64:0 1:block:64:64:0 2:step:64:64:0 …``). ``step`` is a convolution without
        offset, by which the side halves or doubles; ``groups`` is the width of a block's normalised branch,
        0 for none.
        ``latents``: channels between the two.
    """
    settings: dict[str, int | float | str] = {}
    for part in PARTS:
        layers = _layers(shapes, part)
        if layers:
            settings[part] = " ".join(layers)
            first, last = layers[0].split(":"), layers[-1].split(":")
            settings["latents"] = int(last[3] if part == "encoder" else first[2])
    return settings


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the sequences that these settings describe."""
    needed: dict[str, Shape] = {}
    for part in PARTS:
        width = 0
        for number, layer in enumerate(str(settings.get(part, "")).split()):
            position, kind, inside, out, groups = layer.split(":")
            # Each layer takes what the one before gives; a wrong width shows as a mismatch.
            width = width if number else int(inside)
            after = int(out) or width
            needed |= _layer(f"{part}.{position}", kind, width, after, int(groups))
            width = after
    return needed


def _layer(name: str, kind: str, inside: int, out: int, groups: int) -> dict[str, Shape]:
    if kind != "block":
        needed: dict[str, Shape] = {f"{name}.weight": (out, inside, 3, 3)}
        return needed | ({f"{name}.bias": (out,)} if kind == "conv" else {})
    needed = {}
    for index, before in ((0, inside), (2, out), (4, out)):
        needed |= {f"{name}.conv.{index}.weight": (out, before, 3, 3), f"{name}.conv.{index}.bias": (out,)}
    if inside != out:
        needed |= {f"{name}.skip.weight": (out, inside, 1, 1)}
    if groups:
        needed |= {
            f"{name}.pool.0.weight": (groups, inside, 1, 1),
            f"{name}.pool.3.weight": (inside, groups, 1, 1),
        }
        needed |= {f"{name}.pool.1.weight": (groups,), f"{name}.pool.1.bias": (groups,)}
    return needed


def _layers(shapes: Mapping[str, Shape], part: str) -> list[str]:
    pattern = re.compile(rf"{part}\.(\d{{1,3}})\.")
    positions = sorted({int(found[1]) for name in shapes if (found := pattern.match(name))})
    layers: list[str] = []
    for index, position in enumerate(positions):
        name = f"{part}.{position}"
        block = any(key.startswith((f"{name}.conv.", f"{name}.pool.", f"{name}.skip.")) for key in shapes)
        weight = _shape(shapes, f"{name}.conv.0.weight" if block else f"{name}.weight")
        biased = f"{name}.bias" in shapes or index in (0, len(positions) - 1)
        kind = "block" if block else "conv" if biased else "step"
        # A decoder has layers without tensors, one activation after its entry and one enlargement before
        # each step. Any other hole is a lost block: it is asked for, and shows as missing.
        reach = 2 if part == "decoder" and (index == 1 or kind == "step") else 1
        if index and position > positions[index - 1] + reach:
            layers.append(f"{position - reach}:block:0:0:0")
        groups = _shape(shapes, f"{name}.pool.0.weight")[0] if block else 0
        if block and not groups and any(key.startswith(f"{name}.pool.") for key in shapes):
            groups = _shape(shapes, f"{name}.pool.1.weight")[0]
        layers.append(f"{position}:{kind}:{weight[1]}:{weight[0]}:{groups}")
        if index == len(positions) - 1 and block:
            layers.append(f"{position + 1}:conv:0:0:0")
    return layers


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


_INNER = r"(\d+\.(?:conv\.\d+\.|pool\.\d+\.|skip\.)?(?:weight|bias))"

TINY_ENCODER = Importer(
    name="tiny-autoencoder-encoder",
    title="Tiny autoencoder of the TAESD family, encoder (pictures to latents)",
    architecture="tiny-autoencoder",
    family="dream",
    signature={
        "1.conv.0.weight": (None, None, 3, 3),
        "1.conv.2.weight": (None, None, 3, 3),
        "0.weight": (None, None, 3, 3),
        "2.weight": (None, None, 3, 3),
    },
    rules=(Rule(_INNER, (r"encoder.\1",)),),
    infer=infer,
    expected=expected,
)

TINY_DECODER = Importer(
    name="tiny-autoencoder-decoder",
    title="Tiny autoencoder of the TAESD family, decoder (latents to pictures)",
    architecture="tiny-autoencoder",
    family="dream",
    signature={
        "3.conv.0.weight": (None, None, 3, 3),
        "3.conv.2.weight": (None, None, 3, 3),
        "1.weight": (None, None, 3, 3),
    },
    rules=(Rule(_INNER, (r"decoder.\1",)),),
    infer=infer,
    expected=expected,
)

TINY_AUTOENCODER = Importer(
    name="tiny-autoencoder",
    title="Tiny autoencoder of the TAESD family, encoder and decoder (diffusers, or ours)",
    architecture="tiny-autoencoder",
    family="dream",
    signature={
        "encoder.layers.1.conv.0.weight": (None, None, 3, 3),
        "encoder.layers.0.weight": (None, None, 3, 3),
        "decoder.layers.0.weight": (None, None, 3, 3),
    },
    rules=(Rule(rf"(encoder|decoder)\.(?:layers\.)?{_INNER}", (r"\1.\2",)),),
    infer=infer,
    expected=expected,
)
