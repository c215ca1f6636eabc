"""EfficientNet-Lite classifiers as the PyTorch port saves them (``_blocks.0._depthwise_conv.weight``).

The names are kept, since the network builds itself from them; counters that only training reads are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Rule, Settings, Shape

_NORM = ("weight", "bias", "running_mean", "running_var")


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read widths, depth, kernel sizes and class count from the shapes.

    Returns:
        ``blocks``: for each block ``in-expanded-out-kernel``, joined by spaces (``32-32-16-3 16-96-24-3 …``);
        ``stem``, ``head`` and ``classes``: channels.
    """
    indices = sorted({int(found[1]) for name in shapes if (found := re.match(r"_blocks\.(\d{1,4})\.", name))})
    blocks = []
    for index in indices:
        prefix = f"_blocks.{index}."
        depthwise = _shape(shapes, f"{prefix}_depthwise_conv.weight")
        project = _shape(shapes, f"{prefix}_project_conv.weight")
        entry = _shape(shapes, f"{prefix}_expand_conv.weight") if index else project
        blocks.append(f"{entry[1]}-{depthwise[0]}-{project[0]}-{depthwise[2]}")
    return {
        "blocks": " ".join(blocks),
        "stem": _shape(shapes, "_conv_stem.weight")[0],
        "head": _shape(shapes, "_conv_head.weight")[0],
        "classes": _shape(shapes, "_fc.weight")[0],
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    stem, head, classes = int(settings["stem"]), int(settings["head"]), int(settings["classes"])
    needed: dict[str, Shape] = {"_conv_stem.weight": (stem, 3, 3, 3)} | _norm("_bn0", stem)
    width = stem
    for index, block in enumerate(str(settings["blocks"]).split()):
        # Each block takes what the one before gives; a wrong width shows as a mismatch.
        _, inner, out, kernel = map(int, block.split("-"))
        prefix = f"_blocks.{index}."
        if index:
            needed |= {f"{prefix}_expand_conv.weight": (inner, width, 1, 1)} | _norm(f"{prefix}_bn0", inner)
        needed |= {f"{prefix}_depthwise_conv.weight": (inner, 1, kernel, kernel)} | _norm(
            f"{prefix}_bn1", inner
        )
        needed |= {f"{prefix}_project_conv.weight": (out, inner, 1, 1)} | _norm(f"{prefix}_bn2", out)
        width = out
    needed |= {"_conv_head.weight": (head, width, 1, 1)} | _norm("_bn1", head)
    return needed | {"_fc.weight": (classes, head), "_fc.bias": (classes,)}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.{part}": (width,) for part in _NORM}


def _shape(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


EFFICIENTNET_LITE = Importer(
    name="efficientnet-lite",
    title="EfficientNet-Lite image classifier (PyTorch port)",
    architecture="efficientnet-lite",
    family="scorer",
    signature={
        "_blocks.0._depthwise_conv.weight": (None, 1, None, None),
        "_conv_stem.weight": (None, 3, 3, 3),
        "_conv_head.weight": (None, None, 1, 1),
        "_fc.weight": (None, None),
    },
    rules=(
        Rule(r".*num_batches_tracked"),
        Rule(r"((?:_conv_stem|_bn0|_blocks\.\d+\.\w+|_conv_head|_bn1|_fc)\.\w+)", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
)
