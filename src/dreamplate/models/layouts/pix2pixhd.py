"""pix2pixHD's generator with local enhancers, its feature encoder and its discriminators.

Its global generator alone is a ResNet of four halvings, and imports as ``pix2pix-resnet``. An enhancer
``n`` has its way down in ``model{n}_1`` and its blocks and way up in ``model{n}_2``; the finest is the one
with the highest number, and the only one with a last convolution. Of the discriminators the highest number
is the one that sees the full size; here scale 0 is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dreamplate.models.importer import Importer, Settings, Shape
from dreamplate.models.layouts.pix2pix import (
    WRAPPERS,
    Names,
    block_expected,
    block_names,
    conv,
    kept,
    norm,
    norm_of,
    patchgan_expected,
    patchgan_infer,
    rename,
    resnet_expected,
    resnet_infer,
    resnet_names,
    shape_of,
)

__all__ = ["DISCRIMINATOR", "ENCODER", "PIX2PIXHD"]


def count(shapes: Mapping[str, Shape], pattern: str) -> int:
    """Return how many names match a pattern wholly."""
    return sum(bool(re.fullmatch(pattern, name)) for name in shapes)


# Generator


def names(shapes: Mapping[str, Shape]) -> Names:
    """Name the coarse generator's layers and those of every enhancer."""
    made = {source: f"coarse.{target}" for source, target in resnet_names(shapes, last=False).items()}
    enhancers = count(shapes, r"model\d{1,2}_1\.1\.weight")
    for number in range(1, enhancers + 1):
        stem, way = f"enhancers.{number - 1}", f"model{number}_1"
        made |= {f"{way}.1": f"{stem}.first", f"{way}.2": f"{stem}.first_norm"}
        made |= {f"{way}.4": f"{stem}.down", f"{way}.5": f"{stem}.down_norm"}
        way = f"model{number}_2"
        blocks = count(shapes, re.escape(way) + r"\.\d{1,4}\.conv_block\.1\.weight")
        for index in range(blocks):
            made |= block_names(shapes, f"{way}.{index}", f"{stem}.blocks.{index}")
        made |= {f"{way}.{blocks}": f"{stem}.up", f"{way}.{blocks + 1}": f"{stem}.up_norm"}
        if number == enhancers:
            made[f"{way}.{blocks + 4}"] = "last"
    return made


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    enhancers = count(shapes, r"enhancers\.\d+\.first\.weight")
    first = shape_of(shapes, f"enhancers.{enhancers - 1}.first.weight")
    kind, bias = norm_of(shapes, "coarse.first_norm", "coarse.first")
    return {
        "architecture": "pix2pixhd",
        "given": first[1],
        "made": shape_of(shapes, "last.weight")[0],
        "width": first[0],
        "downs": count(shapes, r"coarse\.down\.\d+\.weight"),
        "blocks": count(shapes, r"coarse\.blocks\.\d+\.conv0\.weight"),
        "enhancers": enhancers,
        "local_blocks": count(shapes, r"enhancers\.0\.blocks\.\d+\.conv0\.weight"),
        "norm": kind,
        "upsampling": "transposed",
        "bias": bias,
        "features": 0,
        "classes": 0,
        "clusters": 0,
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the generator that these settings describe."""
    given, width, bias = (int(settings[name]) for name in ("given", "width", "bias"))
    enhancers, kind = int(settings["enhancers"]), settings["norm"]
    coarse = {**settings, "made": 0, "width": width * 2**enhancers}
    needed = {f"coarse.{name}": shape for name, shape in resnet_expected(coarse).items()}
    for index in range(enhancers):
        own, stem = width * 2 ** (enhancers - 1 - index), f"enhancers.{index}"
        needed |= conv(f"{stem}.first", (own, given, 7, 7), bias) | norm(f"{stem}.first_norm", own, kind)
        needed |= conv(f"{stem}.down", (2 * own, own, 3, 3), bias) | norm(f"{stem}.down_norm", 2 * own, kind)
        for block in range(int(settings["local_blocks"])):
            needed |= block_expected(f"{stem}.blocks.{block}", 2 * own, bias, kind)
        needed |= conv(f"{stem}.up", (2 * own, own, 3, 3), bias, own) | norm(f"{stem}.up_norm", own, kind)
    return needed | conv("last", (int(settings["made"]), width, 7, 7), True)


# Encoder


def is_encoder(shapes: Mapping[str, Shape]) -> bool:
    """Say whether there are as many halvings as doublings, and no blocks between."""
    return not any(".conv_block." in name or name.startswith("model1_") for name in shapes)


def infer_encoder(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    own = resnet_infer({name.removeprefix("network."): shape for name, shape in shapes.items()})
    wanted = ("given", "made", "width", "downs", "norm", "bias")
    return {"architecture": "pix2pixhd-encoder"} | {name: own[name] for name in wanted}


def expected_encoder(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the encoder that these settings describe."""
    return {f"network.{name}": shape for name, shape in resnet_expected({**settings, "blocks": 0}).items()}


# Discriminators


def discriminator_names(shapes: Mapping[str, Shape]) -> Names:
    """Name layers by scale (0 is the full size) and layer; norms lie beside the convolutions."""
    layers = {
        (int(found[1]), int(found[2]))
        for name in shapes
        if (found := re.fullmatch(r"scale(\d{1,2})_layer(\d{1,2})\.0\.weight", name))
    }
    highest = max((scale for scale, _ in layers), default=0)
    made: Names = {}
    for scale, layer in layers:
        stem = f"scales.{highest - scale}"
        made[f"scale{scale}_layer{layer}.0"] = f"{stem}.convs.{layer}"
        made[f"scale{scale}_layer{layer}.1"] = f"{stem}.norms.{layer}"
    return made


def infer_discriminator(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    own = {n.removeprefix("scales.0."): shape for n, shape in shapes.items() if n.startswith("scales.0.")}
    scales = count(shapes, r"scales\.\d+\.convs\.0\.weight")
    return {**patchgan_infer(own), "padding": 2, "scales": scales}


def expected_discriminator(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the discriminators that these settings describe."""
    own = patchgan_expected(settings)
    scales = range(int(settings["scales"]))
    return {f"scales.{scale}.{name}": shape for scale in scales for name, shape in own.items()}


PIX2PIXHD = Importer(
    name="pix2pixhd",
    title="pix2pixHD generator with local enhancers",
    architecture="pix2pixhd",
    family="translate",
    signature={
        "model.1.weight": (None, None, 7, 7),
        "model1_1.1.weight": (None, None, 7, 7),
        "model1_1.4.weight": (None, None, 3, 3),
    },
    rules=kept(r"(?:coarse|enhancers|last)\..+"),
    infer=infer,
    expected=expected,
    wrappers=WRAPPERS,
    prepare=rename(names),
)

ENCODER = Importer(
    name="pix2pixhd-encoder",
    title="pix2pixHD encoder of features",
    architecture="pix2pixhd-encoder",
    family="translate",
    signature={"model.1.weight": (None, None, 7, 7), "model.4.weight": (None, None, 3, 3)},
    rules=kept(r"network\..+"),
    infer=infer_encoder,
    expected=expected_encoder,
    wrappers=WRAPPERS,
    prepare=rename(
        lambda shapes: {source: f"network.{ours}" for source, ours in resnet_names(shapes).items()}
    ),
    accepts=is_encoder,
)

DISCRIMINATOR = Importer(
    name="pix2pixhd-discriminator",
    title="pix2pixHD discriminators",
    architecture="pix2pixhd-discriminator",
    family="translate",
    signature={"scale0_layer0.0.weight": (None, None, 4, 4), "scale0_layer1.0.weight": (None, None, 4, 4)},
    rules=kept(r"scales\..+"),
    infer=infer_discriminator,
    expected=expected_discriminator,
    wrappers=WRAPPERS,
    prepare=rename(discriminator_names),
)
