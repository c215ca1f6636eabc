"""Image GPT: the published checkpoints as the transformers library saves them, and our own files.

There each layer is a matrix turned round (in, out), a start token follows the colours, the output has as many
rows as there are colours, and old files hold the causal mask of every block as a buffer. The palette is in
no weight file: ``preprocessor_config.json`` beside it has the colours as ``clusters``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape

if TYPE_CHECKING:
    from torch import Tensor

HEADS = 8
"""Attention heads of every published size, where no ``config.json`` tells."""
COLOUR_FEATURES = 128
"""Inputs of what is common to alike colours (of our own)."""
_COLOURS, _CONFIG = "preprocessor_config.json", "config.json"
_MAX_BYTES = 4 << 20
_FIXED = {
    "activation_function": "quick_gelu",
    "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read from the shapes what `dreamplate.tokens.igpt_shape.IgptShape` is made of, all but the heads."""

    def size(name: str, axis: int) -> int:
        shape = shapes.get(name, ())
        return shape[axis] if len(shape) > axis else 0

    blocks = {int(found[1]) for name in shapes if (found := re.match(r"h\.(\d{1,4})\.", name))}
    axes = "rows.weight" in shapes
    return {
        "side": size("rows.weight", 0) if axes else math.isqrt(size("wpe.weight", 0)),
        "codes": size("head.weight", 0),
        "width": size("wte.weight", 1),
        # Counted, not the highest number: a hole in the numbering shows as a missing block.
        "depth": len(blocks),
        "heads": HEADS,
        "inner": size("h.0.mlp.c_fc.weight", 0),
        "positions": "axes" if axes else "learned",
        "around": int("above.weight" in shapes),
        "kinship": int("kin_in.weight" in shapes),
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    side, codes, width, inner = (int(settings[name]) for name in ("side", "codes", "width", "inner"))
    needed: dict[str, Shape] = {
        "palette": (codes, 3),
        "wte.weight": (codes + 1, width),
        "ln_f.weight": (width,),
        "head.weight": (codes, width),
    }
    if settings["positions"] == "axes":
        needed |= {"rows.weight": (side, width), "columns.weight": (side, width)}
    else:
        needed["wpe.weight"] = (side * side, width)
    if settings["around"]:
        needed["above.weight"] = (width, 3 * width)
    if settings["kinship"]:
        needed |= {f"kin_{way}.weight": (width, COLOUR_FEATURES) for way in ("in", "out")}
    for index in range(int(settings["depth"])):
        stem = f"h.{index}"
        needed |= {f"{stem}.ln_1.weight": (width,), f"{stem}.ln_2.weight": (width,)}
        needed |= _pair(f"{stem}.attn.c_attn", (3 * width, width)) | _pair(
            f"{stem}.attn.c_proj", (width, width)
        )
        needed |= _pair(f"{stem}.mlp.c_fc", (inner, width)) | _pair(f"{stem}.mlp.c_proj", (width, inner))
    return needed


def tags(path: Path, names: Collection[str]) -> Settings:
    """Read the number of heads from ``config.json`` beside a file.

    Raises:
        CheckpointError: It is damaged, or of a network that computes otherwise.
    """
    del names
    entries = _read(path.parent / _CONFIG)
    if entries is None or "n_head" not in entries:
        return {}
    for key, value in _FIXED.items():
        if entries.get(key, value) != value:
            raise CheckpointError(
                f"{path.parent / _CONFIG}: {key} is {entries[key]!r}; only {value!r} is known, as published"
            )
    heads = entries["n_head"]
    if not isinstance(heads, int) or heads < 1:
        raise CheckpointError(f"{path.parent / _CONFIG}: n_head is {heads!r}; use an unmodified file")
    return {"heads": heads}


def palette_beside(path: Path) -> Mapping[str, Tensor]:
    """Return the palette ``(codes, 3)``, -1 to 1, that lies beside a file.

    Raises:
        CheckpointError: It is absent, or no list of colours.
    """
    import torch

    place = path.parent / _COLOURS
    entries = _read(place)
    if entries is None:
        raise CheckpointError(f"{path}: its palette is in {_COLOURS}, which is not beside it; put it there")
    try:
        palette = torch.tensor(entries["clusters"], dtype=torch.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{place}: has no clusters of colours ({error}); use the whole file") from error
    if palette.dim() != 2 or palette.shape[1] != 3 or not bool((palette.abs() <= 1).all()):
        raise CheckpointError(f"{place}: clusters are no colours of -1 to 1; use an unmodified file")
    return {"palette": palette}


def _read(path: Path) -> dict[str, Any] | None:
    """Return a small JSON file's entries; None where there is no such file."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        entries = json.loads(text[:_MAX_BYTES])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is not JSON ({str(error)[:80]}); use an unmodified file") from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: is no table of settings; use an unmodified file")
    return entries


def _one_more(shapes: Mapping[str, Shape]) -> bool:
    """Say whether the input knows one token more than the output: GPT-2 has as many, and norms with bias."""
    into, out = shapes["transformer.wte.weight"], shapes["lm_head.weight"]
    return into[0] == out[0] + 1 and "transformer.ln_f.bias" not in shapes


def _pair(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


IMAGE_GPT = Importer(
    name="image-gpt",
    title="Image GPT",
    architecture="image-gpt",
    family="tokens",
    signature={
        "palette": (None, 3),
        "wte.weight": (None, None),
        "head.weight": (None, None),
        "h.0.attn.c_attn.weight": (None, None),
    },
    rules=(Rule(r"((?:palette|wte|wpe|rows|columns|above|kin_in|kin_out|h|ln_f|head)(?:\..+)?)", (r"\1",)),),
    infer=infer,
    expected=expected,
)

IMAGE_GPT_HUGGING_FACE = Importer(
    name="image-gpt-hugging-face",
    title="Image GPT, as published (transformers)",
    architecture="image-gpt",
    family="tokens",
    signature={
        "transformer.wte.weight": (None, None),
        "transformer.wpe.weight": (None, None),
        "transformer.h.0.attn.c_attn.weight": (None, None),
        "lm_head.weight": (None, None),
    },
    rules=(
        Rule(r"transformer\.h\.\d+\.attn\.(?:bias|masked_bias)"),
        Rule(r"transformer\.(h\.\d+\.(?:attn|mlp)\.c_\w+\.weight)", (r"\1",), transform="transpose"),
        Rule(r"transformer\.((?:wte|wpe|ln_f|h\.\d+)\..+)", (r"\1",)),
        Rule(r"lm_head\.weight", ("head.weight",)),
        Rule(r"palette", ("palette",)),
    ),
    infer=infer,
    expected=expected,
    accepts=_one_more,
    tags=tags,
    adds=palette_beside,
    licence="MIT",
)
