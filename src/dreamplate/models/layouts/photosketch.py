"""PhotoSketch's generator: pix2pix's ResNet in an older numbering.

Its program puts a dropout of rate 0 into every block, so that its names look like those of a network that
drops values. It is recognised by its published form: 9 blocks, batch norm, colour in, grey out.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dreamplate.models.importer import Importer, Settings
from dreamplate.models.layouts.pix2pix import RESNET

__all__ = ["PHOTOSKETCH"]


def tags(path: Path, names: Collection[str]) -> Settings:
    """Say that nothing is dropped."""
    return {"dropout": 0}


PHOTOSKETCH = Importer(
    name="photosketch",
    title="PhotoSketch generator",
    architecture=RESNET.architecture,
    family=RESNET.family,
    signature={
        "model.1.weight": (None, 3, 7, 7),
        "model.2.running_mean": (None,),
        "model.10.conv_block.6.weight": (None, None, 3, 3),
        "model.18.conv_block.6.weight": (None, None, 3, 3),
        "model.26.weight": (1, None, 7, 7),
    },
    rules=RESNET.rules,
    infer=RESNET.infer,
    expected=RESNET.expected,
    wrappers=RESNET.wrappers,
    tags=tags,
    prepare=RESNET.prepare,
)
