"""What the generators and discriminators of the pix2pix family are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.nets.dropout import Dropout
from dreamplate.nets.statistics import BatchNorm, InstanceNorm
from dreamplate.translate.halving import double, double_resized, halve

__all__ = [
    "WIDEST",
    "DownConv",
    "ResidualBlock",
    "UpConv",
    "channels_last",
    "check_residual",
    "check_size",
    "entry",
    "initialise",
    "make_norm",
    "mirrored",
    "padded",
    "reflect",
]

Settings = Mapping[str, int | float | str]

WIDEST = 8
"""Channels grow to at most this many times those of the first level."""
NORMS = ("batch", "instance", "none")
UPSAMPLINGS = ("transposed", "resize")


def channels_last(network: nn.Module) -> None:
    """Lay out a network's weights as convolutions on processors are fastest (in place)."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def check_size(x: Tensor, multiple: int) -> None:
    """Raise ModelError unless height and width of ``(n, c, h, w)`` are multiples of a network's own."""
    if x.shape[-1] % multiple or x.shape[-2] % multiple:
        raise ModelError(
            f"a picture of {x.shape[-1]} x {x.shape[-2]} pixels does not fit this network: both must be"
            f" multiples of {multiple}; pad it"
        )


def check_residual(residual: bool, given: int, made: int) -> None:
    """Raise ModelError where a network shall make a change of its input, of other channels than it has."""
    if residual and given != made:
        raise ModelError(
            f"a residual model needs as many channels in as out, and has {given} and {made};"
            " turn residual off"
        )


def make_norm(kind: str, width: int) -> nn.Module:
    """Return a normalisation of ``width`` channels: ``batch``, ``instance`` (no parameters) or ``none``.

    Raises:
        ModelError: There is no such norm.
    """
    if kind == "batch":
        return BatchNorm(width)
    if kind == "instance":
        return InstanceNorm(width)
    if kind == "none":
        return nn.Identity()
    raise ModelError(f"norm {kind!r} is unknown; use {', '.join(NORMS)}")


def entry(settings: Settings, name: str, default: int | str, low: int = 0, high: int = 1 << 16) -> int | str:
    """Return a setting of the default's type; whole numbers within ``low`` to ``high``.

    Raises:
        ModelError: It is of another type, or out of range.
    """
    value = settings.get(name, default)
    if isinstance(default, str):
        return str(value)
    if not isinstance(value, int) or not low <= value <= high:
        raise ModelError(f"setting {name} is {value!r}; it must be a whole number {low} to {high}")
    return value


class UpConv(nn.Module):
    """Doubles height and width: a transposed convolution, or nearest neighbours and then a convolution.

    A transposed convolution of kernel 4 (or 3) and stride 2 covers neighbouring pixels unevenly, which
    shows as a chequerboard; resizing first cannot (Odena and others 2016).

    Args:
        entry: Channels in.
        out: Channels out.
        kernel: Of the transposed convolution, 4 or 3; resizing always has 3.
        bias: Whether there is one.
        upsampling: ``transposed`` or ``resize``.
    """

    def __init__(
        self, entry: int, out: int, kernel: int = 4, bias: bool = True, upsampling: str = "transposed"
    ) -> None:
        super().__init__()
        if upsampling not in UPSAMPLINGS:
            raise ModelError(f"upsampling {upsampling!r} is unknown; use {' or '.join(UPSAMPLINGS)}")
        self.resize = upsampling == "resize"
        shape = (out, entry, 3, 3) if self.resize else (entry, out, kernel, kernel)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        nn.init.normal_(self.weight, 0.0, 0.02)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hh ww"]:
        """Return ``(n, out, 2 h, 2 w)``."""
        if self.resize:
            return double_resized(x, self.weight, self.bias)
        if self.weight.shape[-1] == 4:
            return double(x, self.weight, self.bias)
        return functional.conv_transpose2d(x, self.weight, self.bias, 2, 1, 1)


class DownConv(nn.Conv2d):
    """Halves height and width with a kernel of 4."""

    def __init__(self, entry: int, out: int, bias: bool = True) -> None:
        super().__init__(entry, out, 4, 2, 1, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hh ww"]:
        """Return ``(n, out, h / 2, w / 2)``."""
        return halve(x, self.weight, self.bias)


class ResidualBlock(nn.Module):
    """Two reflected 3x3 convolutions beside an identity (He and others 2016; no activation after the sum).

    Args:
        width: Channels.
        norm: See `make_norm`.
        bias: Of the convolutions.
        dropout: Whether values are dropped between the two.
    """

    def __init__(self, width: int, norm: str, bias: bool, dropout: bool = False) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(width, width, 3, bias=bias)
        self.norm0 = make_norm(norm, width)
        self.dropout = Dropout() if dropout else nn.Identity()
        self.conv1 = nn.Conv2d(width, width, 3, bias=bias)
        self.norm1 = make_norm(norm, width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return a picture of the same size, at least 2 pixels a side."""
        h = functional.relu(self.norm0(self.conv0(reflect(x, 1))))
        h = self.norm1(self.conv1(reflect(self.dropout(h), 1)))
        return cast(Tensor, x + h)


def reflect(x: Tensor, pixels: int) -> Tensor:
    """Return pictures with mirrored borders, in the memory layout that they have."""
    layout = (
        torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    )
    return functional.pad(x, (pixels,) * 4, mode="reflect").contiguous(memory_format=layout)


def mirrored(x: Tensor, multiple: int) -> Tensor:
    """Return pictures whose height and width are multiples: mirrored at the right and below.

    Args:
        x: ``(n, c, h, w)``.
        multiple: Of pixels.
    """
    height, width = x.shape[-2:]
    right, below = -width % multiple, -height % multiple
    if not (right or below):
        return x
    # A mirror shows at most the picture's own width less one; what is left repeats the last pixel.
    whole = functional.pad(x, (0, min(right, width - 1), 0, min(below, height - 1)), mode="reflect")
    rest = (0, right - min(right, width - 1), 0, below - min(below, height - 1))
    whole = functional.pad(whole, rest, mode="replicate") if any(rest) else whole
    return whole.contiguous(memory_format=torch.channels_last)


def padded(network: nn.Module, x: Tensor) -> Tensor:
    """Return what a network makes of pictures of any size: padded with mirrored borders, then cropped.

    Args:
        network: Has ``multiple``.
        x: ``(n, c, h, w)``.
    """
    height, width = x.shape[-2:]
    return cast(Tensor, network(mirrored(x, int(cast(int, network.multiple)))))[..., :height, :width]


def initialise(network: nn.Module, generator: torch.Generator, spread: float = 0.02) -> nn.Module:
    """Draw fresh weights as pix2pix does (in place): N(0, 0.02), scales of norms N(1, 0.02), biases 0.

    Args:
        network: Of convolutions and norms.
        generator: On the CPU; what is drawn follows from it alone.
        spread: Standard deviation.
    """
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.dim() > 1:
                value.copy_(torch.randn(value.shape, generator=generator) * spread)
            elif name.endswith("weight"):
                value.copy_(1 + torch.randn(value.shape, generator=generator) * spread)
            else:
                value.zero_()
    return network
