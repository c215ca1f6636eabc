"""Generators and discriminators of pytorch-CycleGAN-and-pix2pix, by their authors' names.

A U-Net nests its levels in one another, a ResNet numbers its layers; both are flattened here. Layers without
weights count too, so that dropout moves the names behind it: whether a ResNet has it shows. A U-Net's dropout
does not show; it is read from ``train_opt.txt`` or ``test_opt.txt`` beside the file, else taken to be on,
which is that program's default. Old files with instance norm hold running statistics that were never used:
they are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.models.importer import Importer, Rule, Settings, Shape

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PATCHGAN", "PIXEL_DISCRIMINATOR", "RESNET", "UNET"]

Names = dict[str, str]
"""Source stem (a layer) → ours."""

WRAPPERS = ("_orig_mod.",)
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
DROPPED = "dropped."
"""What is put before names that rules drop."""


def rename(
    names: Callable[[Mapping[str, Shape]], Names],
) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
    """Return a ``prepare`` that renames layers; what has no new name keeps its own, and is reported."""

    def prepare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        table = names({name: tuple(tensor.shape) for name, tensor in state.items()})
        made: dict[str, Tensor] = {}
        for name, tensor in state.items():
            stem, _, leaf = name.rpartition(".")
            unused = leaf in BUFFERS and f"{stem}.weight" not in state
            made[DROPPED + name if unused else f"{table[stem]}.{leaf}" if stem in table else name] = tensor
        return made

    return prepare


def kept(pattern: str) -> tuple[Rule, ...]:
    """Return rules that drop what `rename` marked and keep our names."""
    return Rule(re.escape(DROPPED) + ".+"), Rule(f"({pattern})", (r"\1",))


def shape_of(shapes: Mapping[str, Shape], name: str) -> Shape:
    """Return a shape, or zeros where the tensor is absent, which then shows as missing."""
    found = shapes.get(name, ())
    return found + (0,) * (4 - len(found))


def norm_of(shapes: Mapping[str, Shape], norm: str, conv: str) -> tuple[str, int]:
    """Return which norm there is, and whether convolutions before it have a bias."""
    bias = int(f"{conv}.bias" in shapes)
    return ("batch" if f"{norm}.weight" in shapes else "instance" if bias else "none"), bias


def conv(name: str, shape: Shape, bias: bool | int, out: int | None = None) -> dict[str, Shape]:
    """Return a convolution's tensors; ``out`` where the first axis is not the output."""
    needed: dict[str, Shape] = {f"{name}.weight": shape}
    return needed | ({f"{name}.bias": (shape[0] if out is None else out,)} if bias else {})


def norm(name: str, width: int, kind: object) -> dict[str, Shape]:
    """Return a norm's tensors."""
    if kind != "batch":
        return {}
    needed: dict[str, Shape] = {f"{name}.{leaf}": (width,) for leaf in ("weight", "bias", *BUFFERS[:2])}
    return needed | {f"{name}.{BUFFERS[2]}": ()}


def read_options(path: Path, names: Collection[str]) -> Settings:
    """Read whether dropout is on from the options that the program writes beside its weights."""
    for name in ("train_opt.txt", "test_opt.txt", "opt.txt"):
        file = path.parent / name
        if file.is_file() and file.stat().st_size < 1 << 20:
            text = file.read_text(encoding="utf-8", errors="replace")
            found = re.search(r"^\s*no_dropout:\s*(True|False)", text, re.MULTILINE)
            if found:
                return {"dropout": int(found[1] == "False")}
    return {}


# U-Net


def unet_names(shapes: Mapping[str, Shape]) -> Names:
    """Flatten the nested levels."""
    names = {"model.model.0": "down.0", "model.model.3": "up.0"}
    prefix, level = "model.model.1", 1
    while f"{prefix}.model.1.weight" in shapes:
        names[f"{prefix}.model.1"] = f"down.{level}"
        innermost = len(shapes.get(f"{prefix}.model.3.weight", ())) == 4
        up = 3 if innermost else 5
        names |= {f"{prefix}.model.{up}": f"up.{level}", f"{prefix}.model.{up + 1}": f"up_norm.{level}"}
        if innermost:
            break
        names[f"{prefix}.model.2"] = f"down_norm.{level}"
        prefix, level = f"{prefix}.model.3", level + 1
    return names


def unet_infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    first = shape_of(shapes, "down.0.weight")
    kind, bias = norm_of(shapes, "down_norm.1", "down.1")
    depth = sum(bool(re.fullmatch(r"down\.\d+\.weight", name)) for name in shapes)
    return {
        "architecture": "pix2pix-unet",
        "given": first[1],
        "made": shape_of(shapes, "up.0.weight")[1],
        "depth": depth,
        "width": first[0],
        "norm": kind,
        "dropout": 1,
        "upsampling": "transposed",
        "residual": 0,
        "bias": bias,
    }


def unet_expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the U-Net that these settings describe."""
    depth, width, bias = (int(settings[name]) for name in ("depth", "width", "bias"))
    widths = [width * min(2**level, 8) for level in range(depth)]
    needed: dict[str, Shape] = {}
    for level, out in enumerate(widths):
        before = widths[level - 1] if level else int(settings["given"])
        made = before if level else int(settings["made"])
        innermost = level == depth - 1
        needed |= conv(f"down.{level}", (out, before, 4, 4), bias)
        entry = out if innermost else 2 * out
        needed |= conv(f"up.{level}", (entry, made, 4, 4), bias or level == 0, made)
        if level and not innermost:
            needed |= norm(f"down_norm.{level}", out, settings["norm"])
        if level:
            needed |= norm(f"up_norm.{level}", made, settings["norm"])
    return needed


# ResNet


def resnet_names(shapes: Mapping[str, Shape], prefix: str = "model.", last: bool = True) -> Names:
    """Name the numbered layers: a convolution, halvings, blocks, doublings, a convolution.

    Args:
        shapes: By source name.
        prefix: What stands before the numbers.
        last: Whether the last convolution belongs to it.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d{1,4})\.(weight|conv_block\.1\.weight)")
    found = [
        (int(m[1]), m[2])
        for name, shape in shapes.items()
        if (m := pattern.fullmatch(name)) and len(shape) == 4
    ]
    convs = sorted(number for number, leaf in found if leaf == "weight")
    blocks = sorted(number for number, leaf in found if leaf != "weight")
    middle = convs[1:-1] if last else convs[1:]
    if not convs or len(middle) % 2:
        return {}
    downs = len(middle) // 2
    names = {f"{prefix}{convs[0]}": "first", f"{prefix}{convs[0] + 1}": "first_norm"}
    if last:
        names[f"{prefix}{convs[-1]}"] = "last"
    for level, number in enumerate(middle[:downs]):
        names |= {f"{prefix}{number}": f"down.{level}", f"{prefix}{number + 1}": f"down_norm.{level}"}
    for level, number in enumerate(reversed(middle[downs:])):
        names |= {f"{prefix}{number}": f"up.{level}", f"{prefix}{number + 1}": f"up_norm.{level}"}
    for index, number in enumerate(blocks):
        names |= block_names(shapes, f"{prefix}{number}", f"blocks.{index}")
    return names


def block_names(shapes: Mapping[str, Shape], source: str, target: str) -> Names:
    """Name the layers of a residual block; dropout moves the second convolution by one."""
    second = 6 if len(shapes.get(f"{source}.conv_block.6.weight", ())) == 4 else 5
    layers = {1: "conv0", 2: "norm0", second: "conv1", second + 1: "norm1"}
    return {f"{source}.conv_block.{number}": f"{target}.{layer}" for number, layer in layers.items()}


def dropout_of(path: Path, names: Collection[str]) -> Settings:
    """Say whether a ResNet drops values, which shows in its names."""
    return {
        "dropout": int(any(name.endswith("conv_block.6.weight") for name in names) and not _norm_at_6(names))
    }


def _norm_at_6(names: Collection[str]) -> bool:
    return any(name.endswith("conv_block.5.weight") for name in names)


def resnet_infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    first = shape_of(shapes, "first.weight")
    kind, bias = norm_of(shapes, "first_norm", "first")
    return {
        "architecture": "pix2pix-resnet",
        "given": first[1],
        "made": shape_of(shapes, "last.weight")[0],
        "width": first[0],
        "downs": sum(bool(re.fullmatch(r"down\.\d+\.weight", name)) for name in shapes),
        "blocks": sum(bool(re.fullmatch(r"blocks\.\d+\.conv0\.weight", name)) for name in shapes),
        "norm": kind,
        "dropout": 0,
        "upsampling": "transposed",
        "residual": 0,
        "bias": bias,
    }


def resnet_expected(settings: Settings) -> dict[str, Shape]:
    """Return every tensor of the ResNet that these settings describe, the last where made is above 0."""
    given, made, width, downs, blocks, bias = (
        int(settings[name]) for name in ("given", "made", "width", "downs", "blocks", "bias")
    )
    kind = settings["norm"]
    needed = conv("first", (width, given, 7, 7), bias) | norm("first_norm", width, kind)
    for level in range(downs):
        out = width * 2 ** (level + 1)
        needed |= conv(f"down.{level}", (out, out // 2, 3, 3), bias) | norm(f"down_norm.{level}", out, kind)
        needed |= conv(f"up.{level}", (out, out // 2, 3, 3), bias, out // 2)
        needed |= norm(f"up_norm.{level}", out // 2, kind)
    for index in range(blocks):
        needed |= block_expected(f"blocks.{index}", width * 2**downs, bias, kind)
    return needed | (conv("last", (made, width, 7, 7), True) if made else {})


def block_expected(stem: str, width: int, bias: int, kind: object) -> dict[str, Shape]:
    """Return every tensor of a residual block."""
    needed: dict[str, Shape] = {}
    for index in (0, 1):
        needed |= conv(f"{stem}.conv{index}", (width, width, 3, 3), bias)
        needed |= norm(f"{stem}.norm{index}", width, kind)
    return needed


def has_blocks(shapes: Mapping[str, Shape]) -> bool:
    """Say whether there are residual blocks, and nothing of pix2pixHD's enhancers."""
    return any(re.match(r"model\.\d{1,4}\.conv_block\.", name) for name in shapes) and not any(
        name.startswith("model1_") for name in shapes
    )


# Discriminators


def patchgan_names(shapes: Mapping[str, Shape]) -> Names:
    """Name the numbered layers: convolutions, and norms behind those that are neither first nor last."""
    pattern = re.compile(r"(model|net)\.(\d{1,3})\.weight")
    found = [m for name, shape in shapes.items() if (m := pattern.fullmatch(name)) and len(shape) == 4]
    numbers = sorted(int(match[2]) for match in found)
    names: Names = {}
    for index, number in enumerate(numbers):
        names |= {
            f"{found[0][1]}.{number}": f"convs.{index}",
            f"{found[0][1]}.{number + 1}": f"norms.{index}",
        }
    return names


def patchgan_infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes; ``layers`` is 0 for the pixel variant."""
    first = shape_of(shapes, "convs.0.weight")
    kind, bias = norm_of(shapes, "norms.1", "convs.1")
    count = sum(bool(re.fullmatch(r"convs\.\d+\.weight", name)) for name in shapes)
    return {
        "channels": first[1],
        "width": first[0],
        "layers": 0 if first[3] == 1 else max(count - 2, 1),
        "norm": kind,
        "padding": 1,
        "bias": bias,
    }


def patchgan_expected(settings: Settings) -> dict[str, Shape]:
    """Return every tensor of the discriminator that these settings describe."""
    channels, width, layers, bias = (int(settings[n]) for n in ("channels", "width", "layers", "bias"))
    if layers == 0:
        widths, side = [channels, width, 2 * width, 1], 1
    else:
        widths, side = [channels, *[width * min(2**i, 8) for i in range(layers + 1)], 1], 4
    needed: dict[str, Shape] = {}
    last = len(widths) - 2
    for index in range(last + 1):
        outer = index == 0 or (index == last and layers > 0)
        needed |= conv(f"convs.{index}", (widths[index + 1], widths[index], side, side), outer or bias)
        if 0 < index < last:
            needed |= norm(f"norms.{index}", widths[index + 1], settings["norm"])
    return needed


UNET = Importer(
    name="pix2pix-unet",
    title="U-Net generator of pix2pix",
    architecture="pix2pix-unet",
    family="translate",
    signature={
        "model.model.0.weight": (None, None, 4, 4),
        "model.model.1.model.1.weight": (None, None, 4, 4),
        "model.model.3.weight": (None, None, 4, 4),
    },
    rules=kept(r"(?:down|up|down_norm|up_norm)\.\d+\..+"),
    infer=unet_infer,
    expected=unet_expected,
    wrappers=WRAPPERS,
    tags=read_options,
    prepare=rename(unet_names),
)

RESNET = Importer(
    name="pix2pix-resnet",
    title="ResNet generator of pix2pix and CycleGAN, or pix2pixHD's global generator",
    architecture="pix2pix-resnet",
    family="translate",
    signature={"model.1.weight": (None, None, 7, 7), "model.4.weight": (None, None, 3, 3)},
    rules=kept(r"(?:first|first_norm|down|down_norm|blocks|up|up_norm|last)\..+"),
    infer=resnet_infer,
    expected=resnet_expected,
    wrappers=WRAPPERS,
    tags=dropout_of,
    prepare=rename(resnet_names),
    accepts=has_blocks,
)

PATCHGAN = Importer(
    name="pix2pix-patchgan",
    title="PatchGAN discriminator of pix2pix and CycleGAN",
    architecture="pix2pix-patchgan",
    family="translate",
    signature={"model.0.weight": (None, None, 4, 4), "model.2.weight": (None, None, 4, 4)},
    rules=kept(r"(?:convs|norms)\.\d+\..+"),
    infer=patchgan_infer,
    expected=patchgan_expected,
    wrappers=WRAPPERS,
    prepare=rename(patchgan_names),
)

PIXEL_DISCRIMINATOR = Importer(
    name="pix2pix-pixel-discriminator",
    title="Pixel discriminator of pix2pix",
    architecture="pix2pix-patchgan",
    family="translate",
    signature={
        "net.0.weight": (None, None, 1, 1),
        "net.2.weight": (None, None, 1, 1),
        "net.5.weight": (1, None, 1, 1),
    },
    rules=kept(r"(?:convs|norms)\.\d+\..+"),
    infer=patchgan_infer,
    expected=patchgan_expected,
    wrappers=WRAPPERS,
    prepare=rename(patchgan_names),
)
