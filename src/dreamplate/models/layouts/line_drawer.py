"""Line drawers of Chan and others 2022 (informative-drawings), which control annotators use too.

Their generator is the ResNet of CycleGAN with instance norm, but for its ends: it takes 0 to 1 where ours
takes -1 to 1, and ends in a sigmoid where ours ends in tanh. Both are absorbed by the weights, exactly: the
first convolution takes ``(x + 1) / 2`` (its borders are mirrored, so that no constant meets them), and
``2 sigmoid(h) - 1 = tanh(h / 2)``. So these checkpoints become a ``pix2pix-resnet``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.importer import Importer, Rule, Settings, Shape

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LINE_DRAWER"]

_DOWNS = 2
_FIRST, _LAST = "model0.1", "model4.1"


def absorb(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the weights with both ends changed to -1 to 1.

    Raises:
        CheckpointError: One of the outer convolutions lacks its bias.
    """
    made = dict(state)
    for end in (_FIRST, _LAST):
        if f"{end}.weight" not in made or f"{end}.bias" not in made:
            raise CheckpointError(f"line drawer: {end} lacks a weight or a bias; copy the file again")
    weight = made[f"{_FIRST}.weight"].float()
    made[f"{_FIRST}.weight"] = weight / 2
    made[f"{_FIRST}.bias"] = made[f"{_FIRST}.bias"].float() + weight.sum((1, 2, 3)) / 2
    for name in (f"{_LAST}.weight", f"{_LAST}.bias"):
        made[name] = made[name].float() / 2
    return made


def infer(shapes: Mapping[str, Shape]) -> Settings:
    """Read widths and the number of blocks from the shapes."""
    first, last = (shapes.get(f"{name}.weight", (0, 0, 0, 0)) for name in ("first", "last"))
    blocks = {int(found[1]) for name in shapes if (found := re.match(r"blocks\.(\d{1,3})\.", name))}
    return {
        "architecture": "pix2pix-resnet",
        "given": first[1],
        "made": last[0],
        "width": first[0],
        "downs": _DOWNS,
        "blocks": max(blocks, default=-1) + 1,
        "norm": "instance",
        "dropout": 0,
        "upsampling": "transposed",
        "residual": 0,
        "bias": 1,
    }


def expected(settings: Settings) -> Mapping[str, Shape]:
    """Return every tensor of the network that these settings describe."""
    given, made, width = (int(settings[name]) for name in ("given", "made", "width"))
    needed = _pair("first", (width, given, 7, 7), width) | _pair("last", (made, width, 7, 7), made)
    for level in range(_DOWNS):
        narrow, wide = width << level, width << (level + 1)
        needed |= _pair(f"down.{level}", (wide, narrow, 3, 3), wide)
        needed |= _pair(f"up.{level}", (wide, narrow, 3, 3), narrow)
    inner = width << _DOWNS
    for block in range(int(settings["blocks"])):
        for part in ("conv0", "conv1"):
            needed |= _pair(f"blocks.{block}.{part}", (inner, inner, 3, 3), inner)
    return needed


def _pair(name: str, shape: Shape, out: int) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": (out,)}


_END = r"\.(weight|bias)"

LINE_DRAWER = Importer(
    name="line-drawer",
    title="Line drawer of informative-drawings (Chan and others 2022), pictures to drawings",
    architecture="pix2pix-resnet",
    family="translate",
    signature={
        "model0.1.weight": (None, None, 7, 7),
        "model1.0.weight": (None, None, 3, 3),
        "model2.0.conv_block.1.weight": (None, None, 3, 3),
        "model4.1.weight": (None, None, 7, 7),
    },
    rules=(
        Rule(rf"model0\.1{_END}", (r"first.\1",)),
        Rule(rf"model1\.0{_END}", (r"down.0.\1",)),
        Rule(rf"model1\.3{_END}", (r"down.1.\1",)),
        Rule(rf"model2\.(\d+)\.conv_block\.1{_END}", (r"blocks.\1.conv0.\2",)),
        Rule(rf"model2\.(\d+)\.conv_block\.5{_END}", (r"blocks.\1.conv1.\2",)),
        # The network counts its doublings from the full size, the file from the coarsest.
        Rule(rf"model3\.0{_END}", (r"up.1.\1",)),
        Rule(rf"model3\.3{_END}", (r"up.0.\1",)),
        Rule(rf"model4\.1{_END}", (r"last.\1",)),
    ),
    infer=infer,
    expected=expected,
    prepare=absorb,
)
