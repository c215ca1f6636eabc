"""SPADE (GauGAN): generator, style encoder and discriminator as its authors' program saves them.

Weights carry their spectral norm as ``weight_orig`` with two vectors; it is folded here. What shapes do not
show, how often the size doubles and whether the last channel is instance edges, is read from the text file
``opt.txt`` that the program writes beside its weights (``opt.pkl`` is never opened), else guessed from what
is published: 184 and 36 channels are COCO and Cityscapes, which have edges.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape
from dreamplate.models.layouts.spectral import fold

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SPADE", "SPADE_DISCRIMINATOR", "SPADE_ENCODER", "pair", "shape_of"]

EDGED = (36, 184)
"""Channels of published models that take instance edges."""
DOUBLINGS = {"normal": 5, "more": 6, "most": 7}
LICENCE = "CC-BY-NC-SA-4.0, as published (weights of your own: say --licence)"
ENCODER = "netE."
"""What stands before the names of a style encoder that is read together with its generator."""


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    width = shape_of(shapes, "blocks.head_0.conv_0.weight")[0] // 16
    shared = shape_of(shapes, "blocks.head_0.norm_0.shared.weight")
    first = shapes.get("first.weight", ())
    settings: dict[str, int | float | str] = {
        "architecture": "spade",
        "entry": shared[1],
        "edges": int(shared[1] in EDGED),
        "channels": shape_of(shapes, "last.weight")[0],
        "width": width,
        "hidden": shared[0],
        "kernel": shared[2],
        "doublings": 7 if "blocks.up_4.conv_0.weight" in shapes else 5,
        "middles": 2,
        "norm": "batch" if "blocks.head_0.norm_0.norm.running_mean" in shapes else "instance",
        "noise": "start" if len(first) == 2 else "none",
        "z_dim": first[1] if len(first) == 2 else 0,
        "style_width": shape_of(shapes, "encoder.convs.0.weight")[0],
        "spectral": 0,
    }
    if len(first) == 2 and width:
        height, across = _start(first[0] // (16 * width))
        settings |= {"start_height": height, "start_width": across}
    return settings


def _start(area: int) -> tuple[int, int]:
    """Return height and width of the first features: square, or twice as wide, as all published ones are."""
    side = math.isqrt(area)
    if side * side == area:
        return side, side
    half = math.isqrt(area // 2)
    return (half, 2 * half) if half * half * 2 == area else (1, area)


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the generator that these settings describe."""
    width, entry, hidden = (int(settings[name]) for name in ("width", "entry", "hidden"))
    kernel, start = int(settings["kernel"]), 16 * width
    needed = pair("last", (int(settings["channels"]), _ladder(settings)[-1][2], 3, 3))
    if settings["noise"] == "start":
        area = int(settings["start_height"]) * int(settings["start_width"])
        needed |= pair("first", (start * area, int(settings["z_dim"])))
    else:
        needed |= pair("first", (start, entry, 3, 3))
    for name, before, after in _ladder(settings):
        middle, stem = min(before, after), f"blocks.{name}"
        norms = [("norm_0", before), ("norm_1", middle)] + [("norm_s", before)] * (before != after)
        for norm, channels in norms:
            needed |= pair(f"{stem}.{norm}.shared", (hidden, entry, kernel, kernel))
            needed |= pair(f"{stem}.{norm}.modulation", (2 * channels, hidden, kernel, kernel))
            if settings["norm"] == "batch":
                needed |= {f"{stem}.{norm}.norm.running_{what}": (channels,) for what in ("mean", "var")}
                needed[f"{stem}.{norm}.norm.num_batches_tracked"] = ()
        needed |= pair(f"{stem}.conv_0", (middle, before, 3, 3))
        needed |= pair(f"{stem}.conv_1", (after, middle, 3, 3))
        if before != after:
            needed[f"{stem}.conv_s.weight"] = (after, before, 1, 1)
    if settings["style_width"]:
        encoder = {"width": settings["style_width"], "z_dim": settings["z_dim"], "channels": 3}
        needed |= {f"encoder.{name}": shape for name, shape in expected_encoder(encoder).items()}
    return needed


def _ladder(settings: Settings) -> list[tuple[str, int, int]]:
    width = int(settings["width"])
    rungs = [(name, 16 * width, 16 * width) for name in ("head_0", "middle_0", "middle_1")]
    rungs += [(f"up_{i}", 16 * width >> i, 16 * width >> (i + 1)) for i in range(4)]
    return [*rungs, ("up_4", width, width // 2)] if int(settings["doublings"]) == 7 else rungs


def infer_encoder(shapes: Mapping[str, Shape]) -> Settings:
    """Read the encoder's sizes from the shapes."""
    first = shape_of(shapes, "convs.0.weight")
    return {
        "width": first[0],
        "channels": first[1],
        "z_dim": shape_of(shapes, "mean.weight")[0],
    }


def expected_encoder(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the encoder that these settings describe."""
    width, z_dim = int(settings["width"]), int(settings["z_dim"])
    widths = [int(settings["channels"])] + [width * factor for factor in (1, 2, 4, 8, 8, 8)]
    needed: dict[str, Shape] = {f"convs.{i}.weight": (widths[i + 1], widths[i], 3, 3) for i in range(6)}
    return needed | pair("mean", (z_dim, 128 * width)) | pair("spread", (z_dim, 128 * width))


def infer_discriminator(shapes: Mapping[str, Shape]) -> Settings:
    """Read the discriminator's sizes from the shapes."""
    first = shape_of(shapes, "scales.0.first.weight")
    convs = _numbers(shapes, r"scales\.0\.convs\.(\d{1,3})\.weight")
    return {
        "entry": first[1],
        "width": first[0],
        "layers": len(convs) + 1,
        "scales": len(_numbers(shapes, r"scales\.(\d{1,3})\.first\.weight")),
    }


def expected_discriminator(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the discriminator that these settings describe."""
    width, layers = int(settings["width"]), int(settings["layers"])
    widths = [width, *(min(width << i, 512) for i in range(1, layers))]
    needed: dict[str, Shape] = {}
    for scale in range(int(settings["scales"])):
        stem = f"scales.{scale}"
        needed |= pair(f"{stem}.first", (width, int(settings["entry"]), 4, 4))
        needed |= {f"{stem}.convs.{i}.weight": (widths[i + 1], widths[i], 4, 4) for i in range(layers - 1)}
        needed |= pair(f"{stem}.last", (1, widths[-1], 4, 4))
    return needed


def read_options(path: Path, names: Collection[str]) -> Settings:
    """Read ``opt.txt`` beside a checkpoint: what shapes do not show.

    Raises:
        CheckpointError: The file names a number of doublings that SPADE does not know.
    """
    del names
    file = path.with_name("opt.txt")
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8", errors="replace")[: 1 << 20]
    found = {m[1]: m[2] for m in re.finditer(r"^\s*(\w{1,60}): (\S+)", text, re.MULTILINE)}
    settings: dict[str, int | float | str] = {}
    if (doublings := found.get("num_upsampling_layers")) is not None:
        if doublings not in DOUBLINGS:
            raise CheckpointError(
                f"{file}: num_upsampling_layers is {doublings!r}; need {', '.join(DOUBLINGS)}"
            )
        settings["doublings"] = DOUBLINGS[doublings]
    if found.get("no_instance") in ("True", "False"):
        settings["edges"] = int(found["no_instance"] == "False")
    return settings


def find_encoder(path: Path) -> Mapping[str, Path]:
    """Return the style encoder saved beside a generator (``latest_net_E.pth`` for ``latest_net_G.pth``)."""
    other = path.with_name(path.name.replace("_net_G", "_net_E"))
    return {ENCODER: other} if other != path and other.is_file() else {}


def prepare_generator(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Fold; an encoder without a generator that takes a style says so.

    Raises:
        CheckpointError: Spectral norms are damaged.
    """
    folded = fold(state)
    first = folded.get("fc.weight")
    if first is not None and first.dim() != 2:  # this generator takes no style
        return {name: tensor for name, tensor in folded.items() if not name.startswith(ENCODER)}
    return folded


def prepare_discriminator(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Fold, and count layers: ``model0`` is the first, the last is the one without a norm after it.

    Raises:
        CheckpointError: Spectral norms are damaged.
    """
    made: dict[str, Tensor] = {}
    for name, tensor in fold(state).items():
        match = re.fullmatch(r"discriminator_(\d{1,3})\.model(\d{1,3})\.0(\.0)?\.(weight|bias)", name)
        if match is None:
            made[name] = tensor
            continue
        scale, layer, inner, what = match[1], int(match[2]), match[3], match[4]
        place = "first" if not layer else f"convs.{layer - 1}" if inner else "last"
        made[f"scales.{scale}.{place}.{what}"] = tensor
    return made


def _numbers(shapes: Mapping[str, Shape], pattern: str) -> set[int]:
    return {int(found[1]) for name in shapes if (found := re.fullmatch(pattern, name))}


def pair(name: str, shape: Shape) -> dict[str, Shape]:
    """Return weight and bias of a layer."""
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def shape_of(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


_BLOCK = r"(?:G_)?((?:head|middle|up)_\d)"

SPADE = Importer(
    name="spade",
    title="SPADE generator (GauGAN)",
    architecture="spade",
    family="translate",
    signature={
        "head_0.norm_0.mlp_shared.0.weight": (None, None, None, None),
        "head_0.norm_0.mlp_gamma.weight": (None, None, None, None),
        "conv_img.weight": (None, None, 3, 3),
        "fc.bias": (None,),
    },
    rules=(
        Rule(r"fc\.(weight|bias)", (r"first.\1",)),
        Rule(r"conv_img\.(weight|bias)", (r"last.\1",)),
        Rule(_BLOCK + r"\.(norm_[01s])\.mlp_shared\.0\.(weight|bias)", (r"blocks.\1.\2.shared.\3",)),
        Rule(_BLOCK + r"\.(norm_[01s])\.mlp_gamma\.(weight|bias)", (r"blocks.\1.\2.modulation.\3",), part=0),
        Rule(_BLOCK + r"\.(norm_[01s])\.mlp_beta\.(weight|bias)", (r"blocks.\1.\2.modulation.\3",), part=1),
        Rule(_BLOCK + r"\.(norm_[01s])\.param_free_norm\.(\w+)", (r"blocks.\1.\2.norm.\3",)),
        Rule(_BLOCK + r"\.(conv_[01s])\.(weight|bias)", (r"blocks.\1.\2.\3",)),
        Rule(r"netE\.layer1\.0\.weight", ("encoder.convs.0.weight",)),
        Rule(r"netE\.layer2\.0\.weight", ("encoder.convs.1.weight",)),
        Rule(r"netE\.layer3\.0\.weight", ("encoder.convs.2.weight",)),
        Rule(r"netE\.layer4\.0\.weight", ("encoder.convs.3.weight",)),
        Rule(r"netE\.layer5\.0\.weight", ("encoder.convs.4.weight",)),
        Rule(r"netE\.layer6\.0\.weight", ("encoder.convs.5.weight",)),
        Rule(r"netE\.fc_mu\.(weight|bias)", (r"encoder.mean.\1",)),
        Rule(r"netE\.fc_var\.(weight|bias)", (r"encoder.spread.\1",)),
    ),
    infer=infer,
    expected=expected,
    tags=read_options,
    prepare=prepare_generator,
    beside=find_encoder,
    licence=LICENCE,
)

SPADE_ENCODER = Importer(
    name="spade-encoder",
    title="SPADE style encoder",
    architecture="spade-encoder",
    family="translate",
    signature={
        "layer1.0.weight_orig": (None, None, 3, 3),
        "layer6.0.weight_orig": (None, None, 3, 3),
        "fc_mu.weight": (None, None),
        "fc_var.weight": (None, None),
    },
    rules=(
        *(Rule(rf"layer{i + 1}\.0\.weight", (f"convs.{i}.weight",)) for i in range(6)),
        Rule(r"fc_mu\.(weight|bias)", (r"mean.\1",)),
        Rule(r"fc_var\.(weight|bias)", (r"spread.\1",)),
    ),
    infer=infer_encoder,
    expected=expected_encoder,
    prepare=fold,
    licence=LICENCE,
)

SPADE_DISCRIMINATOR = Importer(
    name="spade-discriminator",
    title="SPADE discriminator",
    architecture="spade-discriminator",
    family="translate",
    signature={
        "discriminator_0.model0.0.weight": (None, None, 4, 4),
        "discriminator_0.model1.0.0.weight_orig": (None, None, 4, 4),
    },
    rules=(Rule(r"(scales\..+)", (r"\1",)),),
    infer=infer_discriminator,
    expected=expected_discriminator,
    prepare=prepare_discriminator,
    licence=LICENCE,
)
