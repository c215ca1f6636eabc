"""Perceptual loss: how far apart two pictures are to a network that knows photographs.

    name          network                                     what is compared
    none          -                                           nothing: the loss is 0
    efficientnet  EfficientNet-Lite0 of the scorer extra      five stages, L1 over the features' own size
    a file        VGG19 or VGG16, torchvision's layout        relu1_1 … relu5_1, L1 x 1/32 1/16 1/8 1/4 1

VGG as in pix2pixHD (Wang and others 2018, section 3.3) and SPADE (Park and others 2019, appendix A), which
feed it pictures of -1 to 1 as they are; ``normalise`` brings them to the mean and deviation that the network
was trained with. The weights belong to their owners and are not part of this package.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError

__all__ = ["EFFICIENTNET_LAYERS", "EfficientNetLoss", "VggLoss", "as_colour", "build_perceptual"]

EFFICIENTNET_LAYERS = ("stem", "stage1", "stage2", "stage3", "stage5")
"""Where EfficientNet-Lite0 is looked at: strides 2, 2, 4, 8, 16."""
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Of relu1_1 to relu5_1."""
VGG_COUNTS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Convolutions in each block."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of photographs in 0-1, as torchvision's networks want them."""


def build_perceptual(name_or_file: str, *, normalise: bool = False) -> nn.Module:
    """Return a loss ``(fake, real) -> scalar`` for pictures ``(n, 1 or 3, h, w)`` of -1 to 1.

    Gradients run to ``fake`` alone; the network is frozen and part of no optimiser.

    Args:
        name_or_file: ``none``, ``efficientnet``, or a file of VGG weights.
        normalise: For VGG: bring pictures to ImageNet's mean and deviation first.

    Raises:
        MissingExtraError: The scorer extra is not installed.
        ModelError: There is no such file or name.
        CheckpointError: The file holds no VGG16 or VGG19; names the tensor.
    """
    if name_or_file in ("none", ""):
        return NoLoss()
    if name_or_file == "efficientnet":
        return EfficientNetLoss()
    if not Path(name_or_file).is_file():
        raise ModelError(
            f"perceptual loss {name_or_file!r}: no such file; use none, efficientnet, or a file of VGG19"
            " weights in torchvision's layout"
        )
    return VggLoss.load(name_or_file, normalise=normalise)


class NoLoss(nn.Module):
    """The loss that is always 0."""

    def forward(self, fake: Float[Tensor, "n c h w"], real: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return 0."""
        return fake.new_zeros((), dtype=torch.float32)


class EfficientNetLoss(nn.Module):
    """Mean over stages of ``|features(fake) - features(real)|`` relative to ``|features(real)|``.

    The ratio makes stages count alike and gives the loss one size for every picture: 0 for equal pictures,
    about 1 for unrelated ones.

    Args:
        network: An `EfficientNetLite`; by default Lite0 of the scorer extra.
    """

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        if network is None:
            from dreamplate.nets.packaged import load_classifier

            network = load_classifier("lite0")
        self.network = network.requires_grad_(False).eval()

    def forward(self, fake: Float[Tensor, "n c h w"], real: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss of pictures of -1 to 1, float32."""
        with torch.no_grad():
            wanted = self._look(real.detach())
        found = self._look(fake)
        total = fake.new_zeros((), dtype=torch.float32)
        for name in EFFICIENTNET_LAYERS:
            target = wanted[name].float()
            size = target.abs().mean().clamp_min(1e-6)
            total = total + (found[name].float() - target).abs().mean() / size
        return total / len(EFFICIENTNET_LAYERS)

    def _look(self, pictures: Tensor) -> dict[str, Tensor]:
        shown = (as_colour(pictures) + 1) / 2
        shown = shown.contiguous(memory_format=torch.channels_last)
        return cast(dict[str, Tensor], self.network.features(shown, EFFICIENTNET_LAYERS))  # type: ignore[operator]


class VggLoss(nn.Module):
    """Weighted L1 between the first ReLU of each of VGG's five blocks, real features held fixed.

    Args:
        counts: Convolutions in each block, as in `VGG_COUNTS`.
        normalise: Bring pictures to ImageNet's mean and deviation first.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, counts: tuple[int, ...], normalise: bool = False) -> None:
        from dreamplate.nets.lpips import vgg_layers

        super().__init__()
        self.normalise = normalise
        layers = vgg_layers(counts)
        pools = [number for number, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        self.stops = (1, *(number + 2 for number in pools))
        self.features = nn.Sequential(*layers[: self.stops[-1] + 1]).requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str], normalise: bool = False) -> VggLoss:
        """Read a file in torchvision's layout (``features.0.weight`` …); which VGG it is shows in its names.

        Raises:
            CheckpointError: It is neither; names the tensor that is missing or of another shape.
        """
        from dreamplate.models import load_any
        from dreamplate.nets.lpips import copy_tensor

        state = load_any(path)
        # Layer 16 is a convolution in VGG19 and a pooling in VGG16, where layer 17 is one.
        kind = next((k for k, n in (("vgg19", 16), ("vgg16", 17)) if f"features.{n}.weight" in state), None)
        if kind is None:
            some = ", ".join(list(state)[:3])
            raise CheckpointError(f"{path}: holds no VGG16 or VGG19 (features.N.weight), but {some} …")
        loss = cls(VGG_COUNTS[kind], normalise)
        with torch.no_grad():
            for name, value in loss.features.state_dict().items():
                copy_tensor(value, state, f"features.{name}", Path(path), tuple(value.shape))
        return loss.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def forward(self, fake: Float[Tensor, "n c h w"], real: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss of pictures of -1 to 1, float32."""
        with torch.no_grad():
            wanted = self._look(real.detach())
        total = fake.new_zeros((), dtype=torch.float32)
        for weight, a, b in zip(VGG_WEIGHTS, self._look(fake), wanted, strict=True):
            total = total + weight * (a.float() - b.float()).abs().mean()
        return total

    def _look(self, pictures: Tensor) -> list[Tensor]:
        x = as_colour(pictures)
        if self.normalise:
            x = ((x + 1) / 2 - self.mean) / self.std
        x, found = x.contiguous(memory_format=torch.channels_last), []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.stops:
                found.append(x)
        return found


def as_colour(pictures: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h w"]:
    """Return pictures with three channels: grey is repeated.

    Raises:
        ModelError: They have neither one nor three.
    """
    channels = pictures.shape[1]
    if channels not in (1, 3):
        raise ModelError(
            f"a network for photographs sees 1 or 3 channels, these pictures have {channels};"
            " set the perceptual loss and the feature network to none"
        )
    return pictures.expand(-1, 3, -1, -1) if channels == 1 else pictures
