"""What the encoder and the decoder of the discrete VAE are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import CheckpointError
from dreamplate.models.layouts.dvae import expected, infer
from dreamplate.nets.wrapping import Wrap, conv_same


class Conv(nn.Module):
    """A convolution that keeps the size: zeros beyond the edges, or the opposite edge where a picture tiles.

    Parameters are ``w`` ``(out, in, k, k)`` and ``b`` ``(out,)``, as the public files call them.
    """

    def __init__(self, inside: int, out: int, kernel: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(out, inside, kernel, kernel))
        self.b = nn.Parameter(torch.zeros(out))

    def forward(self, x: Float[Tensor, "n c h w"], wrap: Wrap) -> Float[Tensor, "n out h w"]:
        """Filter ``(n, in, h, w)`` to ``(n, out, h, w)``."""
        return conv_same(x, self.w, self.b, wrap)


class Block(nn.Module):
    """A residual block: four ReLU convolutions, a quarter as wide inside.

    The residue counts with ``1 / blocks ** 2``, the square of the number of blocks in the whole network,
    so that a deep network begins nearly as the identity.
    """

    def __init__(self, inside: int, out: int, kernels: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.gain = 1 / blocks**2
        sides = [inside, *[out // 4] * 3, out]
        self.res_path = nn.ModuleDict(
            {
                f"conv_{index}": Conv(before, after, kernel)
                for index, ((before, after), kernel) in enumerate(
                    zip(pairwise(sides), kernels, strict=True), 1
                )
            }
        )
        self.id_path = Conv(inside, out, 1) if inside != out else None

    def forward(self, x: Float[Tensor, "n c h w"], wrap: Wrap) -> Float[Tensor, "n out h w"]:
        """``(n, in, h, w)`` to ``(n, out, h, w)``."""
        y = x
        for conv in self.res_path.values():
            y = conv(F.relu(y), wrap)
        kept = x if self.id_path is None else self.id_path(x, wrap)
        return torch.add(kept, y, alpha=self.gain)


def make_groups(
    inside: int, widths: Sequence[int], count: int, kernels: Sequence[int]
) -> dict[str, nn.Module]:
    """Return ``group_1`` and so on, each of ``count`` blocks named ``block_1`` and so on."""
    groups: dict[str, nn.Module] = {}
    for number, width in enumerate(widths, 1):
        blocks = {
            f"block_{index}": Block(inside if index == 1 else width, width, kernels, len(widths) * count)
            for index in range(1, count + 1)
        }
        groups[f"group_{number}"] = nn.ModuleDict(blocks)
        inside = width
    return groups


def run_group(group: nn.Module, x: Float[Tensor, "n c h w"], wrap: Wrap) -> Float[Tensor, "n out h w"]:
    """Pass a picture's features through all blocks of a group."""
    for block in group.children():
        x = block(x, wrap)
    return x


def draw_weights(net: nn.Module, draws: torch.Generator) -> None:
    """Give every convolution random weights of variance ``1 / (in * k * k)`` and no offset."""
    with torch.no_grad():
        for conv in net.modules():
            if isinstance(conv, Conv):
                spread = conv.w[0].numel() ** -0.5
                conv.w.copy_(torch.randn(conv.w.shape, generator=draws) * spread)
                conv.b.zero_()


def check_part(part: str, state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Return one network's tensors without their prefix, as float32, and its settings.

    Args:
        part: ``encoder`` or ``decoder``.
        state: Tensors by name, those of this network with ``encoder.`` or ``decoder.`` before them.

    Raises:
        CheckpointError: A tensor is missing, is of another shape, or is no part of the network.
    """
    own = {name: tensor for name, tensor in state.items() if name.startswith(f"{part}.")}
    if not own:
        raise CheckpointError(f"dVAE: there is no {part} in these weights; name a file that holds it")
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    settings = infer(shapes)
    needed = expected(settings)
    for name, shape in needed.items():
        if name not in shapes:
            raise CheckpointError(f"dVAE: tensor {name!r} is missing; use a complete checkpoint")
        if shapes[name] != shape:
            raise CheckpointError(
                f"dVAE: {name} has shape {shapes[name]}, {shape} expected; use an unmodified checkpoint"
            )
    for name in own:
        if name not in needed:
            raise CheckpointError(
                f"dVAE: tensor {name!r} is not part of the {part}; use an unmodified checkpoint"
            )
    plain = {name.removeprefix(f"{part}."): tensor.float() for name, tensor in own.items()}
    return plain, {key: int(value) for key, value in settings.items() if key != "parts"}
