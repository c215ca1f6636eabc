"""Spectral normalisation: weights over their largest singular value (Miyato and others 2018).

The value is found by power iteration, one step in each training pass, between two vectors that are kept with
the weight. Names are those that PyTorch gave them first, ``weight_orig``, ``weight_u`` and ``weight_v``,
because other people's checkpoints carry these. After training nothing changes any of them, so the division
can be done once: `fold_spectral`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SpectralConv", "each_weight", "fold_spectral", "make_conv"]

EPS = 1e-12
"""Smallest length that a vector is divided by."""


class SpectralConv(nn.Module):
    """A convolution whose weight, as a matrix (out, in·k·k), has a largest singular value of about 1.

    Args:
        entry: Channels in.
        out: Channels out.
        kernel: Side of the square kernel.
        stride: Step.
        padding: Zeros around the map.
        bias: Whether there is one.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self, entry: int, out: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.weight_orig = nn.Parameter(torch.zeros(out, entry, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.folded: tuple[tuple[int, ...], Tensor] | None = None
        self.register_buffer("weight_u", torch.full((out,), out**-0.5))
        self.register_buffer("weight_v", torch.full((entry * kernel * kernel,), (entry * kernel**2) ** -0.5))

    @property
    def weight(self) -> Float[Tensor, "out in k k"]:
        """The weight over its singular value, as its vectors give that now.

        Their lengths do not count: those of an average over a training run are below 1.
        """
        u = functional.normalize(self.weight_u, dim=0, eps=EPS)
        v = functional.normalize(self.weight_v, dim=0, eps=EPS)
        return self._over(u, v)

    @torch.no_grad()
    def find(self, steps: int) -> None:
        """Move the vectors towards the largest singular value."""
        matrix = self.weight_orig.detach().flatten(1)
        with torch.autocast(matrix.device.type, enabled=False):
            for _ in range(steps):
                self.weight_v.copy_(functional.normalize(matrix.T @ self.weight_u, dim=0, eps=EPS))
                self.weight_u.copy_(functional.normalize(matrix @ self.weight_v, dim=0, eps=EPS))

    def _fold(self) -> Tensor:
        """Return the weight, divided once for as long as nothing changes."""
        held = (self.weight_orig, self.weight_u, self.weight_v)
        key = tuple(number for part in held for number in (part.data_ptr(), part._version))
        if self.folded is None or self.folded[0] != key:
            self.folded = (key, self.weight.detach())
        return self.folded[1]

    def _over(self, u: Tensor, v: Tensor) -> Tensor:
        with torch.autocast(u.device.type, enabled=False):
            return self.weight_orig / torch.dot(u, self.weight_orig.flatten(1) @ v)

    def start(self, generator: torch.Generator) -> None:
        """Draw the vectors anew and let them find the weight's singular value."""
        self.weight_u.copy_(torch.randn(len(self.weight_u), generator=generator))
        self.find(15)

    def forward(self, x: Float[Tensor, "n in h w"]) -> Float[Tensor, "n out h_out w_out"]:
        """Convolve; in training mode the vectors take one step first."""
        if self.training:
            self.find(1)
            # Later steps change the vectors in place; the graph of this pass needs them as they are now.
            u, v = self.weight_u.clone(), self.weight_v.clone()
            weight = self._over(u, v)
        elif torch.is_grad_enabled():
            weight = self.weight
        else:
            weight = self._fold()
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


def make_conv(
    entry: int,
    out: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
    spectral: bool = True,
) -> SpectralConv | nn.Conv2d:
    """Return a convolution, normalised or plain."""
    if spectral:
        return SpectralConv(entry, out, kernel, stride, padding, bias)
    return nn.Conv2d(entry, out, kernel, stride, padding, bias=bias)


def fold_spectral(net: nn.Module) -> nn.Module:
    """Replace every normalised convolution by a plain one of the weights it has now (in place)."""
    for part in list(net.modules()):
        for name, child in part.named_children():
            if isinstance(child, SpectralConv):
                out, entry, kernel, _ = child.weight_orig.shape
                conv = nn.Conv2d(entry, out, kernel, child.stride, child.padding, bias=child.bias is not None)
                conv.load_state_dict({"weight": child.weight.detach()} | _bias(child.bias))
                setattr(part, name, conv.to(child.weight_orig.device).train(child.training))
    return net


def _bias(bias: Tensor | None) -> dict[str, Tensor]:
    return {} if bias is None else {"bias": bias.detach()}


def each_weight(net: nn.Module, change: Callable[[Tensor], Any]) -> None:
    """Apply a function to the weight of every convolution and matrix, as it is before normalisation."""
    for part in net.modules():
        if isinstance(part, SpectralConv):
            change(part.weight_orig)
        elif isinstance(part, nn.Conv2d | nn.Linear):
            change(part.weight)
