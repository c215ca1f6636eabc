"""LPIPS: how different two pictures look to a network (Zhang and others 2018), version 0.1.

    trunk     features taken after                      channels
    alex      the five ReLUs of AlexNet                  64 192 384 256 256
    vgg       the last ReLU of each block of VGG16       64 128 256 512 512
    squeeze   conv1 and six fires of SqueezeNet 1.1      64 128 256 384 384 512 512

A distance has two parts: the trunk, trained on ImageNet, and the heads, one non-negative weight for each of
its channels. Neither is part of this package: both come from files that the user has (the heads as published,
``linK.model.1.weight``; the trunk in torchvision's layout, ``features.N.…``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models import load_any

__all__ = ["Lpips", "Trunk", "copy_tensor", "load_lpips", "vgg_layers"]

Trunk = Literal["alex", "vgg", "squeeze"]

CHANNELS: dict[str, tuple[int, ...]] = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": (64, 128, 256, 512, 512),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}
"""Channels of each feature that is compared."""

_STOPS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29), "squeeze": (1, 4, 7, 9, 10, 11, 12)}
"""Number of the layer after which each feature is taken, in torchvision's numbering."""
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class Fire(nn.Module):
    """SqueezeNet's block: a squeeze to few channels, then 1 x 1 and 3 x 3 side by side."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, channels, h, w)`` → ``(n, 2 * expanded, h, w)``."""
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], dim=1)


def _alex() -> list[nn.Module]:
    def conv(inside: int, outside: int, side: int, stride: int = 1) -> list[nn.Module]:
        padding = 2 if side > 3 else 1
        return [nn.Conv2d(inside, outside, side, stride, padding), nn.ReLU()]

    first = [*conv(3, 64, 11, 4), nn.MaxPool2d(3, 2), *conv(64, 192, 5), nn.MaxPool2d(3, 2)]
    return [*first, *conv(192, 384, 3), *conv(384, 256, 3), *conv(256, 256, 3)]


def vgg_layers(counts: Sequence[int] = (2, 2, 3, 3, 3)) -> list[nn.Module]:
    """Return the layers of a VGG's ``features`` up to its last ReLU, with random weights.

    Args:
        counts: Convolutions in each of the five blocks: 2 2 3 3 3 is VGG16, 2 2 4 4 4 VGG19.
    """
    layers: list[nn.Module] = []
    inside = 3
    for outside, count in zip(CHANNELS["vgg"], counts, strict=True):
        layers += [nn.MaxPool2d(2, 2)] if layers else []
        for _ in range(count):
            layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU()]
            inside = outside
    return layers


def _squeeze() -> list[nn.Module]:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    start = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool()]
    middle = [Fire(128, 32, 128), Fire(256, 32, 128), pool()]
    last = [Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)]
    return [*start, *middle, *last]


_LAYERS = {"alex": _alex, "vgg": vgg_layers, "squeeze": _squeeze}


class Lpips(nn.Module):
    """The distance, with random weights until ``load_lpips`` fills them.

    Args:
        trunk: Which network looks.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.features = nn.Sequential(*_LAYERS[trunk]())
        self.heads = nn.ParameterList([torch.full((count,), 1 / count) for count in CHANNELS[trunk]])

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """Return the distance ``(n,)`` of pictures ``(n, 3, h, w)``, display-encoded 0-1."""
        total = picture.new_zeros(picture.shape[0])
        for head, a, b in zip(self.heads, self._look(picture), self._look(truth), strict=True):
            apart = (_unit(a) - _unit(b)).square()
            total = total + torch.einsum("nchw,c->nhw", apart, head).mean((1, 2))
        return total

    def _look(self, pictures: Tensor) -> list[Tensor]:
        shift, scale = (pictures.new_tensor(value)[:, None, None] for value in (_SHIFT, _SCALE))
        x, found = (pictures * 2 - 1 - shift) / scale, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in _STOPS[self.trunk]:
                found.append(x)
        return found


def load_lpips(
    heads: str | os.PathLike[str], trunk: str | os.PathLike[str] | None, name: Trunk = "alex"
) -> Lpips:
    """Return the distance, ready to use.

    Args:
        heads: File of the linear heads, as published.
        trunk: File of the trunk's ImageNet weights in torchvision's layout; None raises, with advice.
        name: Which trunk the files are of.

    Raises:
        ModelError: There is no trunk file.
        CheckpointError: A file does not hold these weights; names the tensor.
    """
    if trunk is None:
        raise ModelError(
            f"LPIPS needs the ImageNet weights of {name}, which are not part of this package: give a file in"
            " torchvision's layout (features.0.weight …) that you have the right to use"
        )
    model = Lpips(name)
    lines = load_any(heads)
    with torch.no_grad():
        for number, head in enumerate(model.heads):
            key = f"lin{number}.model.1.weight"
            copy_tensor(head, lines, key, Path(heads), (1, len(head), 1, 1))
        found = load_any(trunk)
        for key, value in model.features.state_dict().items():
            copy_tensor(value, found, f"features.{key}", Path(trunk), tuple(value.shape))
    return model.eval().requires_grad_(False)


def copy_tensor(
    into: Tensor, held: Mapping[str, Tensor], key: str, path: Path, shape: tuple[int, ...]
) -> None:
    """Copy one tensor of a file into a parameter.

    Raises:
        CheckpointError: The file has none of that name, or it has another shape.
    """
    if key not in held:
        raise CheckpointError(f"{path}: has no tensor {key!r}; give the file of this trunk")
    if tuple(held[key].shape) != shape:
        raise CheckpointError(f"{path}: {key} has shape {tuple(held[key].shape)}, need {shape}")
    into.copy_(held[key].reshape(into.shape))


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
