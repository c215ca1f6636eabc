"""The U-Net of pix2pix's browser demo (affinelayer's TensorFlow program), as its ``.pict`` files name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamplate.models.importer import Importer, Rule, Settings, Shape
from dreamplate.models.layouts.pix2pix import conv, shape_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PICT"]


LEAVES = {"kernel": "weight", "gamma": "weight", "beta": "bias"}


def prepare(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Number the levels from 0, from the outside in; other names stay, and are reported."""
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        found = re.fullmatch(r"generator/(encoder|decoder)_(\d{1,2})/(\w+)/(\w+)", name)
        if found:
            way = "down" if found[1] == "encoder" else "up"
            norm = "_norm" if found[3] == "batch_normalization" else ""
            made[f"{way}{norm}.{int(found[2]) - 1}.{LEAVES.get(found[4], found[4])}"] = tensor
        else:
            made[name] = tensor
    return made


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read all sizes from the shapes."""
    first = shape_of(shapes, "down.0.weight")
    return {
        "architecture": "pict-unet",
        "given": first[1],
        "made": shape_of(shapes, "up.0.weight")[1],
        "depth": sum(bool(re.fullmatch(r"down\.\d+\.weight", name)) for name in shapes),
        "width": first[0],
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    depth, width = int(settings["depth"]), int(settings["width"])
    widths = [width * min(2**level, 8) for level in range(depth)]
    needed: dict[str, Shape] = {}
    for level, out in enumerate(widths):
        before = widths[level - 1] if level else int(settings["given"])
        made = before if level else int(settings["made"])
        entry = out if level == depth - 1 else 2 * out
        needed |= conv(f"down.{level}", (out, before, 4, 4), True)
        needed |= conv(f"up.{level}", (entry, made, 4, 4), True, made)
        if level:
            for stem, channels in (("down_norm", out), ("up_norm", made)):
                needed |= {f"{stem}.{level}.{leaf}": (channels,) for leaf in ("weight", "bias")}
    return needed


PICT = Importer(
    name="pict-unet",
    title="U-Net of pix2pix's browser demo",
    architecture="pict-unet",
    family="translate",
    signature={
        "generator/encoder_1/conv2d/kernel": (4, 4, None, None),
        "generator/decoder_1/conv2d_transpose/kernel": (4, 4, None, None),
    },
    rules=(
        Rule(r"((?:down|up)\.\d+\.weight)", (r"\1",), "channels_first"),
        Rule(r"((?:down|up|down_norm|up_norm)\.\d+\.(?:weight|bias))", (r"\1",)),
    ),
    infer=infer,
    expected=expected,
    prepare=prepare,
)
