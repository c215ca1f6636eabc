"""The segmenter's network: a trunk of five strides, and a pyramid that draws the map from coarse to fine.

    picture → trunk → strides 2 4 8 16 32
                          │ │ │ │  │      1 x 1 to one width, added to what comes from the coarser one
    logits ← 2 ←──────────┴─┴─┴─┴──┘      (a feature pyramid, Lin and others 2017)

The trunk is EfficientNet-Lite0, or a plain residual network for pictures with other channels. Logits are
drawn at half the picture's size and enlarged. Any size of picture works; nothing is padded or resized.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.nets.efficientnet_lite import MEAN, STD, STRIDES, Block, Conv, EfficientNetLite
from dreamplate.nets.statistics import BatchNorm

__all__ = ["Lite0Trunk", "OwnTrunk", "SegmenterNet"]

_LITE0 = (
    (1, 3, 16, 1),
    (6, 3, 24, 2),
    (6, 5, 40, 2),
    (6, 3, 80, 3),
    (6, 5, 112, 3),
    (6, 5, 192, 4),
    (6, 3, 320, 1),
)
"""Stages of EfficientNet-Lite0: how much a block widens, its kernel, its channels, and how many there are."""


class Lite0Trunk(nn.Module):
    """EfficientNet-Lite0 without its head; weights are 0 until they are loaded or copied."""

    widths = (16, 24, 40, 112, 320)
    """Channels at strides 2, 4, 8, 16 and 32."""
    ends = (0, 1, 2, 4, 6)
    """Stage that each stride ends with."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(32, 3, 3, 2)
        stages, inside = [], 32
        for (widen, kernel, width, count), stride in zip(_LITE0, STRIDES, strict=True):
            blocks = []
            for number in range(count):
                middle = inside * widen
                expand = _conv(middle, inside, 1) if widen > 1 else None
                depthwise = _conv(middle, 1, kernel, stride if number == 0 else 1)
                blocks.append(Block(expand, depthwise, _conv(width, middle, 1, clip=False)))
                inside = width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def copy(self, network: EfficientNetLite) -> None:
        """Take the weights of a network that knows photographs."""
        held = network.state_dict()
        self.load_state_dict({name: held[name] for name in self.state_dict()})

    def forward(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Return features at strides 2 to 32 of pictures of -1 to 1 with one or three channels."""
        x = (x + 1) / 2
        x = self.stem((x.expand(-1, 3, -1, -1) - MEAN) / STD)
        found = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in self.ends:
                found.append(x)
        return found


class OwnTrunk(nn.Module):
    """A residual block at each of five strides.

    Args:
        channels: Of the picture.
        width: Channels at stride 2; they double to four times as many.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.widths = (half, width, 2 * width, 4 * width, 4 * width)
        inside = (channels, *self.widths[:-1])
        self.down = nn.ModuleList(_layer(a, b, 3, 2) for a, b in zip(inside, self.widths, strict=True))
        self.more = nn.ModuleList(nn.Sequential(_layer(w, w), _layer(w, w)) for w in self.widths)

    def forward(self, x: Float[Tensor, "n c h w"]) -> list[Tensor]:
        """Return features at strides 2 to 32."""
        found = []
        for down, more in zip(self.down, self.more, strict=True):
            x = down(x)
            x = x + more(x)
            found.append(x)
        return found


class SegmenterNet(nn.Module):
    """Pictures to class scores.

    Args:
        channels: Of the picture.
        classes: Of the palette; pixels of no class are never answered.
        width: Channels of the pyramid.
        trunk: ``efficientnet`` or ``own``.
    """

    multiple = 1
    """Pictures of any size are taken as they are."""
    reach = 256
    """Pixels around a tile that its answer depends on noticeably."""
    z_dim = 0

    def __init__(self, channels: int, classes: int, width: int = 64, trunk: str = "efficientnet") -> None:
        super().__init__()
        if trunk not in ("efficientnet", "own"):
            raise ModelError(f"segmenter: trunk {trunk!r} is unknown; there are efficientnet and own")
        if trunk == "efficientnet" and channels not in (1, 3):
            raise ModelError(f"segmenter: EfficientNet sees 1 or 3 channels, not {channels}; use trunk own")
        self.settings: dict[str, int | float | str] = {
            "architecture": "segmenter",
            "channels": channels,
            "classes": classes,
            "width": width,
            "trunk": trunk,
        }
        self.trunk: Lite0Trunk | OwnTrunk = (
            Lite0Trunk() if trunk == "efficientnet" else OwnTrunk(channels, width)
        )
        self.side = nn.ModuleList(nn.Conv2d(inside, width, 1) for inside in self.trunk.widths)
        self.draw = nn.ModuleList(_layer(width, width) for _ in self.trunk.widths)
        self.answer = nn.Conv2d(width, classes, 1)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> SegmenterNet:
        """Return the network that settings describe."""
        channels, classes, width = (int(settings[name]) for name in ("channels", "classes", "width"))
        return cls(channels, classes, width, str(settings["trunk"]))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Return scores before softmax for every class and pixel."""
        levels = self.trunk(x)
        found: Tensor | None = None
        for level, side, draw in reversed(list(zip(levels, self.side, self.draw, strict=True))):
            here = side(level)
            if found is not None:
                here = here + functional.interpolate(found, here.shape[-2:], mode="nearest")
            found = draw(here)
        assert found is not None
        scores = self.answer(found).float()
        return functional.interpolate(scores, x.shape[-2:], mode="bilinear", align_corners=False)


def _conv(out: int, inside: int, kernel: int, stride: int = 1, clip: bool = True) -> Conv:
    return Conv(torch.zeros(out, inside, kernel, kernel), torch.zeros(out), stride, clip)


def _layer(inside: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, BatchNorm(out), nn.ReLU())
