"""The decoder of DALL-E's discrete VAE: codes, hard or soft, to the statistics of pixels.

Ramesh et al., "Zero-Shot Text-to-Image Generation", 2021, appendix A.1. The mirror image is in encoder.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.models.layouts.dvae import DECODER_KERNELS, GROUPS, decoder_widths
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.blocks import Conv, check_part, draw_weights, make_groups, run_group


class Decoder(nn.Module):
    """A 1x1 convolution, four groups of residual blocks with doubling between, and a 1x1 convolution.

    Args:
        codes: Size of the vocabulary.
        hidden: Channels at full size; they double with every halving of the side.
        start: Channels that a code stands for.
        blocks: Residual blocks a group.
        channels: Channels of a picture.
        draws: Random weights are drawn from it; without it all weights are zero.
    """

    def __init__(
        self,
        codes: int,
        hidden: int,
        start: int = 128,
        *,
        blocks: int = 2,
        channels: int = 3,
        draws: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.codes, self.channels = codes, channels
        self.blocks = nn.ModuleDict(
            {
                "input": Conv(codes, start, 1),
                **make_groups(start, decoder_widths(hidden), blocks, DECODER_KERNELS),
                "output": nn.ModuleDict({"conv": Conv(hidden, 2 * channels, 1)}),
            }
        )
        if draws is not None:
            draw_weights(self, draws)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Decoder:
        """Build the network from tensors named ``decoder.blocks…``; its size follows from their shapes.

        Raises:
            CheckpointError: A tensor is missing, is of another shape, or is no part of the network.
        """
        plain, settings = check_part("decoder", state)
        with torch.device("meta"):
            net = cls(
                settings["codes"],
                settings["decoder_hidden"],
                settings["decoder_start"],
                blocks=settings["decoder_blocks"],
                channels=settings["channels"],
            )
        net.load_state_dict(plain, assign=True)
        return net

    def forward(
        self, codes: Float[Tensor, "n codes h w"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n two_c 8*h 8*w"]:
        """Decode codes given by weights.

        Args:
            codes: ``(n, codes, h, w)``, one-hot or a mixture.
            wrap: Whether pictures tile in x and in y.

        Returns:
            ``(n, 2 * channels, 8 h, 8 w)``: centres of the pixels' logit-Laplace distributions, as logits,
            then the logarithms of their scales.
        """
        return self.from_features(self.blocks["input"](codes, wrap), wrap)

    def embed(self, codes: Int[Tensor, "n h w"]) -> Float[Tensor, "n start h w"]:
        """Look up what codes ``(n, h, w)`` stand for; equals the first convolution of one-hot codes."""
        vectors = F.embedding(codes, self.book) + self.offset
        return vectors.permute(0, 3, 1, 2)

    @property
    def book(self) -> Float[Tensor, "codes start"]:
        """What each code stands for, without the offset that all share."""
        return self._entry.w[:, :, 0, 0].T

    @property
    def offset(self) -> Float[Tensor, " start"]:
        """What all codes share."""
        return self._entry.b

    @property
    def _entry(self) -> Conv:
        entry = self.blocks["input"]
        assert isinstance(entry, Conv)
        return entry

    def from_features(
        self, features: Float[Tensor, "n start h w"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n two_c 8*h 8*w"]:
        """Decode what codes stand for: everything but the first convolution."""
        x = features
        for number in range(1, GROUPS + 1):
            x = run_group(self.blocks[f"group_{number}"], x, wrap)
            if number < GROUPS:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
        stats: Tensor = self.blocks["output"]["conv"](F.relu(x), wrap)  # type: ignore[index]  # a ModuleDict
        return stats
