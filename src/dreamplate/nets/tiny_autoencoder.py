"""Tiny autoencoders of the TAESD family: pictures to the latents of a large model's autoencoder, and back.

Plain stacks of 3x3 convolutions and ReLU residual blocks that work at once on any size. Their layers are
read from the tensors, so that every member of the family fits, whatever its widths and depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.errors import CheckpointError
from dreamplate.nets.wrapping import OPEN, Wrap, wrap_pad

NORM_GROUPS = 4
"""Groups of channels that a block's branch is normalised in."""
LATENT_REACH = 3.0
"""Latents are softly kept within this by the decoder: ``3 tanh(z / 3)``."""


class Conv(nn.Module):
    """A 3x3 convolution with zeros beyond the edges, or the opposite edge where a picture tiles."""

    def __init__(self, weight: Tensor, bias: Tensor | None, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(bias) if bias is not None else None

    def forward(self, x: Float[Tensor, "n c h w"], wrap: Wrap) -> Float[Tensor, "n out h2 w2"]:
        """Filter ``(n, in, h, w)``."""
        x = wrap_pad(x, 1, wrap)
        return F.conv2d(x, self.weight, self.bias, self.stride, (1 - wrap[1], 1 - wrap[0]))


class Block(nn.Module):
    """Three convolutions beside a short cut; some blocks first add a branch normalised over the picture."""

    def __init__(self, convs: list[Conv], skip: Tensor | None, pool: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)
        self.skip = nn.Parameter(skip) if skip is not None else None
        self.pool = nn.ParameterDict({name.replace(".", "_"): nn.Parameter(t) for name, t in pool.items()})

    def forward(self, x: Float[Tensor, "n c h w"], wrap: Wrap) -> Float[Tensor, "n out h w"]:
        """``(n, in, h, w)`` to ``(n, out, h, w)``."""
        if self.pool:
            y = F.conv2d(x, self.pool["0_weight"])
            y = F.relu(F.group_norm(y, NORM_GROUPS, self.pool["1_weight"], self.pool["1_bias"]))
            x = x + F.conv2d(y, self.pool["3_weight"])
        y = x
        for index, conv in enumerate(self.convs):
            y = conv(F.relu(y) if index else y, wrap)
        return F.relu(y + (x if self.skip is None else F.conv2d(x, self.skip)))


class TinyAutoencoder(nn.Module):
    """Encoder, decoder or both. Build it with :meth:`from_state`; it is frozen."""

    def __init__(self, encoder: nn.ModuleList | None, decoder: nn.ModuleList | None) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_state(
        cls, state: Mapping[str, Tensor], settings: Mapping[str, int | float | str]
    ) -> TinyAutoencoder:
        """Build the frozen network.

        Args:
            state: Tensors named ``encoder.…`` or ``decoder.…``; kept in float32.
            settings: ``encoder`` and ``decoder``, the layers of each as the importer writes them.

        Raises:
            CheckpointError: A tensor is missing, or the settings describe no such network.
        """
        parts = {part: str(settings[part]) for part in ("encoder", "decoder") if part in settings}
        if not parts:
            raise CheckpointError("tiny autoencoder: the settings name no layers; import the weights again")
        made = {part: _sequence(state, part, layers) for part, layers in parts.items()}
        return cls(made.get("encoder"), made.get("decoder"))

    @property
    def latents(self) -> int:
        """Channels of the latents."""
        if self.decoder is not None:
            return int(_first(self.decoder).weight.shape[1])
        assert self.encoder is not None
        last = self.encoder[-1]
        assert isinstance(last, Conv)
        return int(last.weight.shape[0])

    @property
    def factor(self) -> int:
        """Pixels of a picture along a side of one latent cell."""
        layers = self.decoder if self.decoder is not None else self.encoder
        assert layers is not None
        return int(2 ** sum(isinstance(layer, Conv) and layer.bias is None for layer in layers))

    def encode(self, image: Float[Tensor, "n c h w"], wrap: Wrap = OPEN) -> Float[Tensor, "n latents h8 w8"]:
        """Return the latents of pictures.

        Args:
            image: ``(n, 3, h, w)``, display-encoded in [0, 1]; sides are multiples of ``factor``.
            wrap: Whether pictures tile in x and in y.

        Raises:
            CheckpointError: There is no encoder in these weights.
        """
        x = image
        for layer in self._part("encoder"):
            x = layer(x, wrap)
        return x

    def decode(
        self, latents: Float[Tensor, "n c h w"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n 3 height width"]:
        """Return the pictures of latents, display-encoded, nearly within [0, 1] (not clamped).

        Args:
            latents: ``(n, latents, h, w)``, at the scale at which the network was trained, about -3 to 3.
            wrap: Whether pictures tile in x and in y.

        Raises:
            CheckpointError: There is no decoder in these weights.
        """
        x = torch.tanh(latents / LATENT_REACH) * LATENT_REACH
        for index, layer in enumerate(self._part("decoder")):
            if isinstance(layer, Conv) and layer.bias is None:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = layer(x, wrap)
            x = F.relu(x) if index == 0 else x
        return x

    def _part(self, name: Literal["encoder", "decoder"]) -> nn.ModuleList:
        found = self.encoder if name == "encoder" else self.decoder
        if found is None:
            raise CheckpointError(
                f"tiny autoencoder: there is no {name} in these weights; name the {name}'s file"
            )
        return found


def _first(layers: nn.ModuleList) -> Conv:
    first = layers[0]
    assert isinstance(first, Conv)
    return first


def _sequence(state: Mapping[str, Tensor], part: str, layers: str) -> nn.ModuleList:
    made: list[nn.Module] = []

    def take(name: str) -> Tensor:
        if name not in state:
            raise CheckpointError(f"tiny autoencoder: tensor {name!r} is missing; use a complete checkpoint")
        return state[name].float()

    for layer in layers.split():
        position, _, rest = layer.partition(":")
        kind, name = rest.partition(":")[0], f"{part}.{position}"
        if kind == "block":
            convs = [Conv(take(f"{name}.conv.{i}.weight"), take(f"{name}.conv.{i}.bias")) for i in (0, 2, 4)]
            skip = state.get(f"{name}.skip.weight")
            prefix = f"{name}.pool."
            pool = {key.removeprefix(prefix): take(key) for key in state if key.startswith(prefix)}
            made.append(Block(convs, skip.float() if skip is not None else None, pool))
        elif kind == "step":
            made.append(Conv(take(f"{name}.weight"), None, stride=2 if part == "encoder" else 1))
        else:
            made.append(Conv(take(f"{name}.weight"), take(f"{name}.bias")))
    return nn.ModuleList(made)
