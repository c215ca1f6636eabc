"""The layers that StyleGAN2's generator and discriminator share.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020. Weights are kept at unit
variance and multiplied by ``1 / sqrt(fan in)`` when used (equalised learning rate, Karras et al. 2018, 4.1).
The factor ``sqrt(2)`` after each leaky ReLU moves in front of it, where it joins a factor that is there
anyway: a leaky ReLU lets positive factors through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import ModelError
from dreamplate.nets.upfirdn import halve, smooth

SLOPE = 0.2
"""Of the leaky ReLU below zero."""
GAIN = math.sqrt(2)
"""After each leaky ReLU, so that variance stays."""


def unit_moment(x: Float[Tensor, "n d"], eps: float = 1e-8) -> Float[Tensor, "n d"]:
    """Scale rows so that the mean of their squares is one."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + eps)


class Dense(nn.Module):
    """A fully connected layer at equalised learning rate; ``active`` adds the leaky ReLU.

    Args:
        entry: Inputs.
        out: Outputs.
        active: Whether the leaky ReLU and its factor follow.
        rate: Learning-rate factor: weights are kept that much larger and used that much smaller.
        bias: Where the bias starts.
    """

    def __init__(
        self, entry: int, out: int, *, active: bool = False, rate: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.active, self.rate = active, rate
        self.weight = nn.Parameter(torch.zeros(out, entry))
        self.bias = nn.Parameter(torch.full((out,), bias / rate))

    def forward(self, x: Float[Tensor, "n entry"]) -> Float[Tensor, "n out"]:
        """``(n, entry)`` to ``(n, out)``."""
        gain = self.rate * (GAIN if self.active else 1.0)
        y = F.linear(x, self.weight * (gain / math.sqrt(self.weight.shape[1])), self.bias * gain)
        return F.leaky_relu(y, SLOPE) if self.active else y


class Conv(nn.Module):
    """A plain convolution of the discriminator: maybe halving, maybe with bias and leaky ReLU.

    Args:
        entry: Input channels.
        out: Output channels.
        kernel: 1 or 3.
        active: Bias and leaky ReLU follow.
        down: Filter and halve first.
        gain: Factor on the result.
    """

    def __init__(
        self,
        entry: int,
        out: int,
        kernel: int,
        *,
        active: bool = True,
        down: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.active, self.down, self.gain = active, down, gain
        self.weight = nn.Parameter(torch.zeros(out, entry, kernel, kernel))
        if active:
            self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out h_out w_out"]:
        """``(n, entry, h, w)`` to ``(n, out, h, w)``, or half the size."""
        gain = self.gain * (GAIN if self.active else 1.0)
        weight = self.weight * (gain / math.sqrt(self.weight[0].numel()))
        bias = self.bias * gain if self.active else None
        kernel = weight.shape[-1]
        if not self.down:
            y = F.conv2d(x, weight, bias, padding=kernel // 2)
        elif kernel == 1:
            y = F.conv2d(halve(x), weight, bias)
        else:
            y = F.conv2d(smooth(x, padding=2), weight, bias, stride=2)
        return F.leaky_relu(y, SLOPE) if self.active else y


def randomise(net: nn.Module, draws: torch.Generator) -> None:
    """Draw the starting weights, constants and noise maps of a network from a CPU generator."""
    with torch.no_grad():
        for name, tensor in sorted((*net.named_parameters(), *net.named_buffers())):
            last = name.rpartition(".")[2]
            if last in ("weight", "const", "noise_const"):
                rate = getattr(net.get_submodule(name.rpartition(".")[0]), "rate", 1.0)
                tensor.copy_(torch.randn(tensor.shape, generator=draws) / rate)


def load_state(net: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Give a network its tensors, as float32 and without copying what is float32 already.

    Raises:
        ModelError: They are not the network's.
    """
    try:
        net.load_state_dict(
            {name: tensor.float() for name, tensor in state.items()}, strict=True, assign=True
        )
    except RuntimeError as error:
        faults = " ".join(str(error).split())[:300]
        raise ModelError(f"{what}: {faults}; import the model again") from error
