"""BERT sentence encoders (MiniLM and its siblings) as the transformers library saves them.

The names are kept, since the network builds itself from them. The position counter is implied, and the
pooler plays no part in the mean of the token vectors, so that both are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Rule, Settings, Shape


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read vocabulary, window, width, inner width and depth from the shapes."""

    def size(name: str, axis: int) -> int:
        shape = shapes.get(name, ())
        return shape[axis] if len(shape) > axis else 0

    layers = {int(found[1]) for name in shapes if (found := re.match(r"encoder\.layer\.(\d{1,4})\.", name))}
    return {
        "words": size("embeddings.word_embeddings.weight", 0),
        "positions": size("embeddings.position_embeddings.weight", 0),
        "segments": size("embeddings.token_type_embeddings.weight", 0),
        "width": size("embeddings.word_embeddings.weight", 1),
        "inner": size("encoder.layer.0.intermediate.dense.weight", 0),
        # Counted, not the highest number: a hole in the numbering shows as a missing layer.
        "depth": len(layers),
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the encoder that these settings describe."""
    width, inner = int(settings["width"]), int(settings["inner"])
    needed: dict[str, Shape] = {
        "embeddings.word_embeddings.weight": (int(settings["words"]), width),
        "embeddings.position_embeddings.weight": (int(settings["positions"]), width),
        "embeddings.token_type_embeddings.weight": (int(settings["segments"]), width),
    } | _pair("embeddings.LayerNorm", (width,))
    for index in range(int(settings["depth"])):
        prefix = f"encoder.layer.{index}."
        for part in ("query", "key", "value"):
            needed |= _pair(f"{prefix}attention.self.{part}", (width, width))
        needed |= _pair(f"{prefix}attention.output.dense", (width, width))
        needed |= _pair(f"{prefix}attention.output.LayerNorm", (width,))
        needed |= _pair(f"{prefix}intermediate.dense", (inner, width))
        needed |= _pair(f"{prefix}output.dense", (width, inner))
        needed |= _pair(f"{prefix}output.LayerNorm", (width,))
    return needed


def _pair(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


BERT = Importer(
    name="bert",
    title="BERT sentence encoder, such as all-MiniLM-L6-v2",
    architecture="bert",
    family="scorer",
    signature={
        "embeddings.word_embeddings.weight": (None, None),
        "embeddings.position_embeddings.weight": (None, None),
        "encoder.layer.0.attention.self.query.weight": (None, None),
        "encoder.layer.0.intermediate.dense.weight": (None, None),
    },
    rules=(
        Rule(r"embeddings\.(position_ids|token_type_ids)"),
        Rule(r"(pooler|cls)\..+"),
        Rule(r"((?:embeddings|encoder)\..+)\.gamma", (r"\1.weight",)),
        Rule(r"((?:embeddings|encoder)\..+)\.beta", (r"\1.bias",)),
        Rule(r"((?:embeddings|encoder)\..+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    wrappers=("bert.", "0.auto_model."),
)
