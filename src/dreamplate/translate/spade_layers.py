"""SPADE: normalisation whose scale and offset at each pixel follow from a label map.

Park and others 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization", section 3 and
appendix A. A layer is given its condition in one of two forms that mean the same: `MapCondition`, any picture
or one-hot map, convolved as the paper says; and `LabelCondition`, class indices, for which a layer is
evaluated once for each neighbourhood that occurs (see `spade_patterns`). Both can be learnt through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.nets.spectral import make_conv
from dreamplate.nets.statistics import BatchNorm, InstanceNorm
from dreamplate.translate.spade_modulate import modulate
from dreamplate.translate.spade_moments import normalise
from dreamplate.translate.spade_patterns import Level, find_level, resize_labels

__all__ = ["Condition", "LabelCondition", "MapCondition", "SpadeBlock", "SpadeNorm"]

SLOPE = 0.2
"""Of every leaky ReLU."""


@runtime_checkable
class Condition(Protocol):
    """What modulates: a map in one of its forms."""

    def modulate(self, x: Tensor, layer: SpadeNorm, active: bool) -> Tensor:
        """Return normalised features times one plus scale, plus offset; then a leaky ReLU where active."""
        ...

    def first(self, conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
        """Return a convolution of the map resized to (height, width): where a generator starts."""
        ...


class SpadeNorm(nn.Module):
    """Parameter-free normalisation, then a scale and an offset that two convolutions make of the condition.

    Args:
        width: Channels of the features.
        entry: Channels of the condition.
        hidden: Channels between the two convolutions; 128 in the paper.
        kernel: Of both.
        norm: ``batch`` or ``instance``.
    """

    def __init__(self, width: int, entry: int, hidden: int, kernel: int, norm: str = "batch") -> None:
        super().__init__()
        self.norm = BatchNorm(width, affine=False) if norm == "batch" else InstanceNorm(width)
        self.shared = nn.Conv2d(entry, hidden, kernel, padding=kernel // 2)
        # Scale (gamma) and offset (beta) are halves of one convolution: the hidden map is read once.
        self.modulation = nn.Conv2d(hidden, 2 * width, kernel, padding=kernel // 2)

    def forward(
        self,
        x: Float[Tensor, "n c h w"],
        condition: Condition,
        active: bool = False,
        double: bool = False,
    ) -> Float[Tensor, "n c h_out w_out"]:
        """Normalise and modulate.

        Args:
            x: Features.
            condition: What modulates.
            active: Whether the leaky ReLU follows.
            double: Enlarge twofold first, by repeating pixels. That changes neither mean nor variance, so the
                small map is normalised.
        """
        normal = normalise(self.norm, x, 4 if double else 1)
        large = functional.interpolate(normal, scale_factor=2, mode="nearest") if double else normal
        return condition.modulate(large, self, active)


class SpadeBlock(nn.Module):
    """Residual block: twice SPADE, leaky ReLU and a 3 by 3 convolution, and a learnt shortcut.

    Args:
        entry: Channels in.
        out: Channels out.
        spade: Builds a SPADE layer for so many channels.
        spectral: Whether the convolutions are spectrally normalised; those inside SPADE never are.
    """

    def __init__(
        self, entry: int, out: int, spade: Callable[[int], SpadeNorm], spectral: bool = True
    ) -> None:
        super().__init__()
        middle = min(entry, out)
        self.norm_0, self.norm_1 = spade(entry), spade(middle)
        self.conv_0 = make_conv(entry, middle, 3, padding=1, spectral=spectral)
        self.conv_1 = make_conv(middle, out, 3, padding=1, spectral=spectral)
        self.norm_s, self.conv_s = None, None
        if entry != out:
            self.norm_s = spade(entry)
            self.conv_s = make_conv(entry, out, 1, bias=False, spectral=spectral)

    def forward(
        self, x: Float[Tensor, "n c h w"], condition: Condition, double: bool = False
    ) -> Float[Tensor, "n out h_out w_out"]:
        """Return features of the same size, or first enlarged twofold by repeating pixels."""
        inner = self.conv_0(self.norm_0(x, condition, True, double))
        inner = self.conv_1(self.norm_1(inner, condition, True))
        made: Tensor = self.shortcut(x, condition, double) + inner
        return made

    def shortcut(self, x: Tensor, condition: Condition, double: bool = False) -> Tensor:
        """Return what the block's input adds to its output: no activation, and no bias."""
        if self.norm_s is None or self.conv_s is None:
            return functional.interpolate(x, scale_factor=2, mode="nearest") if double else x
        out: Tensor = self.conv_s(self.norm_s(x, condition, False, double))
        return out


class MapCondition:
    """A condition as a map: resized to each layer's size with nearest neighbour, then convolved.

    Args:
        map: ``(n, c, h, w)``.
    """

    def __init__(self, map: Float[Tensor, "n c h w"]) -> None:
        self.map = map
        self.sizes: dict[tuple[int, int], Tensor] = {}

    def at(self, size: tuple[int, int]) -> Tensor:
        """Return the map at (height, width)."""
        if size not in self.sizes:
            same = tuple(self.map.shape[-2:]) == size
            self.sizes[size] = self.map if same else functional.interpolate(self.map, size, mode="nearest")
        return self.sizes[size]

    def modulate(self, x: Tensor, layer: SpadeNorm, active: bool) -> Tensor:
        """See `Condition`."""
        hidden = functional.relu(layer.shared(self.at((x.shape[-2], x.shape[-1]))))
        gamma, beta = layer.modulation(hidden).chunk(2, 1)
        made: Tensor = x * (1 + gamma) + beta
        return functional.leaky_relu(made, SLOPE) if active else made

    def first(self, conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
        """See `Condition`."""
        out: Tensor = conv(self.at(size))
        return out


class LabelCondition:
    """A condition as class indices, with an edge channel and noise that is one vector for each picture.

    It means a `MapCondition` of the one-hot map, then the edges, then the noise spread over the picture.

    Args:
        labels: ``(n, h, w)`` class indices; ``classes`` is a pixel of none, whose one-hot map is 0.
        classes: Channels of the one-hot map.
        edges: ``(n, 1, h, w)`` 0 or 1.
        noise: ``(n, d)``.
    """

    def __init__(
        self,
        labels: Int[Tensor, "n h w"],
        classes: int,
        edges: Float[Tensor, "n 1 h w"] | None = None,
        noise: Float[Tensor, "n d"] | None = None,
    ) -> None:
        self.classes, self.noise, self.edged = classes, noise, edges is not None
        codes = labels if edges is None else labels + (classes + 1) * edges[:, 0].to(torch.int64)
        self.count = (classes + 1) * (2 if self.edged else 1)
        if noise is not None:  # each picture has values of its own
            codes = codes + self.count * torch.arange(len(codes), device=codes.device)[:, None, None]
            self.count *= len(codes)
        self.codes = codes
        self.levels: dict[tuple[int, int, int], Level] = {}
        self.tables: dict[SpadeNorm, Tensor] | None = None
        """Of layers that were evaluated, where they are kept; only for use without gradients or noise."""

    def level(self, size: tuple[int, int], kernel: int) -> Level:
        """Return the neighbourhoods at (height, width)."""
        key = (*size, kernel)
        if key not in self.levels:
            self.levels[key] = find_level(resize_labels(self.codes, size), self.count, kernel)
        return self.levels[key]

    def columns(self, weight: Float[Tensor, "out in k k"]) -> Float[Tensor, "taps values out"]:
        """Return what each value of the map adds under each tap of a kernel; nothing outside."""
        taps = weight.flatten(2).permute(2, 1, 0)
        table = functional.pad(taps[:, : self.classes], (0, 0, 0, 1))
        if self.edged:
            table = torch.cat([table, table + taps[:, self.classes, None]], 1)
        if self.noise is not None:
            start = self.classes + self.edged
            added = torch.einsum("nd,tdh->tnh", self.noise.to(taps.dtype), taps[:, start:])
            table = (table[:, None] + added[:, :, None]).flatten(1, 2)
        return functional.pad(table, (0, 0, 0, 1))

    def table(self, layer: SpadeNorm, level: Level) -> Tensor:
        """Return ``(o, 2 c)`` one plus scale, and offset, of each neighbourhood."""
        hidden = functional.relu(_sum_taps(self.columns(layer.shared.weight), level.inner, layer.shared.bias))
        hidden = functional.pad(hidden, (0, 0, 0, 1))  # zeros beyond the picture
        taps = layer.modulation.weight.flatten(2).permute(1, 2, 0)
        with torch.autocast(hidden.device.type, enabled=False):
            spread = hidden @ taps.flatten(1)
        spread = spread.view(len(hidden), taps.shape[1], taps.shape[2]).flatten(0, 1)
        index = level.outer * taps.shape[1] + torch.arange(taps.shape[1], device=level.outer.device)
        made = functional.embedding_bag(index, spread, mode="sum")
        assert layer.modulation.bias is not None
        plain = torch.cat([torch.ones_like(made[0, ::2]), torch.zeros_like(made[0, ::2])])
        return made + (layer.modulation.bias + plain)

    def modulate(self, x: Tensor, layer: SpadeNorm, active: bool) -> Tensor:
        """See `Condition`."""
        size = (x.shape[-2], x.shape[-1])
        level = self.level(size, layer.shared.kernel_size[0])
        table = None if self.tables is None else self.tables.get(layer)
        if table is None:
            table = self.table(layer, level)
            if self.tables is not None:
                self.tables[layer] = table
        return modulate(x, table, level, SLOPE if active else 1.0)

    def first(self, conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
        """See `Condition`."""
        level = self.level(size, conv.kernel_size[0])
        made = _sum_taps(self.columns(conv.weight), level.inner, conv.bias)
        # The first of two kernels is the one in the middle of the second.
        middle = level.outer[:, level.outer.shape[1] // 2]
        return functional.embedding(middle[level.inverse], made).permute(0, 3, 1, 2)


def _sum_taps(columns: Tensor, rows: Tensor, bias: Tensor | None) -> Tensor:
    """Return the sum over taps of the column that each row names, plus the bias."""
    taps, values, _ = columns.shape
    index = rows + values * torch.arange(taps, device=rows.device)
    made = functional.embedding_bag(index, columns.flatten(0, 1), mode="sum")
    return made if bias is None else made + bias
