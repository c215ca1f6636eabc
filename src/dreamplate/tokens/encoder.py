"""The encoder of DALL-E's discrete VAE: pictures to the scores of every code in every cell.

Ramesh et al., "Zero-Shot Text-to-Image Generation", 2021, appendix A.1. The mirror image is in decoder.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dreamplate.models.layouts.dvae import ENCODER_ENTRY, ENCODER_KERNELS, GROUPS, encoder_widths
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.blocks import Conv, check_part, draw_weights, make_groups, run_group


class Encoder(nn.Module):
    """A 7x7 convolution, four groups of residual blocks with max-pooling between, and a 1x1 convolution.

    Args:
        codes: Size of the vocabulary.
        hidden: Channels at full size; they double with every halving of the side.
        blocks: Residual blocks a group.
        channels: Channels of a picture.
        draws: Random weights are drawn from it; without it all weights are zero.
    """

    def __init__(
        self,
        codes: int,
        hidden: int,
        *,
        blocks: int = 2,
        channels: int = 3,
        draws: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.codes, self.channels = codes, channels
        widths = encoder_widths(hidden)
        self.blocks = nn.ModuleDict(
            {
                "input": Conv(channels, hidden, ENCODER_ENTRY),
                **make_groups(hidden, widths, blocks, ENCODER_KERNELS),
                "output": nn.ModuleDict({"conv": Conv(widths[-1], codes, 1)}),
            }
        )
        if draws is not None:
            draw_weights(self, draws)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Encoder:
        """Build the network from tensors named ``encoder.blocks…``; its size follows from their shapes.

        Raises:
            CheckpointError: A tensor is missing, is of another shape, or is no part of the network.
        """
        plain, settings = check_part("encoder", state)
        with torch.device("meta"):
            net = cls(
                settings["codes"],
                settings["encoder_hidden"],
                blocks=settings["encoder_blocks"],
                channels=settings["channels"],
            )
        net.load_state_dict(plain, assign=True)
        return net

    def forward(
        self, pixels: Float[Tensor, "n c height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n codes height//8 width//8"]:
        """Score the codes.

        Args:
            pixels: ``(n, channels, height, width)`` as from ``map_pixels``; sides are multiples of 8.
            wrap: Whether pictures tile in x and in y.

        Returns:
            ``(n, codes, height / 8, width / 8)``, before any softmax.
        """
        x = self.features(pixels, wrap)
        logits: Tensor = self.blocks["output"]["conv"](x, wrap)  # type: ignore[index]  # a ModuleDict
        return logits

    def features(
        self, pixels: Float[Tensor, "n c height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n wide height//8 width//8"]:
        """Return what the codes are scored from: everything but the last convolution."""
        x = self.blocks["input"](pixels, wrap)
        for number in range(1, GROUPS + 1):
            x = run_group(self.blocks[f"group_{number}"], x, wrap)
            if number < GROUPS:
                x = F.max_pool2d(x, 2)
        return F.relu(x)
