"""Our own codec: pictures to codes of a learned codebook, and back.

A cell's numbers are brought to length 1 and replaced by the nearest of the book's directions (van den Oord et
al., "Neural Discrete Representation Learning", 2017; directions as in Yu et al., "Vector-quantized Image
Modeling with Improved VQGAN", 2022). How it learns is in vq_system.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.codec import check_codes, fingerprint_of, padded
from dreamplate.tokens.vq_nets import FACTOR, VqDecoder, VqEncoder, draw_weights

__all__ = ["DEFAULTS", "Vq"]

DEFAULTS: Mapping[str, int] = {
    "codes": 1024,
    "latent": 16,
    "encoder_width": 64,
    "encoder_blocks": 2,
    "decoder_width": 160,
    "decoder_blocks": 3,
    "decoder_blocks_4": 2,
    "decoder_blocks_2": 1,
}
"""Settings of the network, and what they are where nothing is said."""


class Vq(nn.Module):
    """Encoder, codebook and decoder.

    Args:
        settings: Some of `DEFAULTS`: ``codes`` of the book; ``latent`` numbers a cell; channels and residual
            blocks of both networks (``decoder_blocks`` at an eighth of the size, ``_4`` at a quarter, ``_2``
            at a half).
        draws: Random weights are drawn from it; without it all weights are zero.
    """

    book: Tensor
    offset: Tensor
    spread: Tensor

    def __init__(self, settings: Mapping[str, int], draws: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings: dict[str, int | float | str] = {"architecture": "vq", **DEFAULTS, **settings}
        chosen = {name: int(self.settings[name]) for name in DEFAULTS}
        latent, blocks = chosen["latent"], chosen["decoder_blocks"]
        self.encoder = VqEncoder(chosen["encoder_width"], chosen["encoder_blocks"], latent)
        self.decoder = VqDecoder(
            chosen["decoder_width"], (blocks, chosen["decoder_blocks_4"], chosen["decoder_blocks_2"]), latent
        )
        self.register_buffer("book", torch.zeros(chosen["codes"], latent))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("offset", torch.zeros(latent), persistent=False)
        if draws is not None:
            draw_weights(self, draws)

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Vq:
        """Return the network that settings describe, with weights that are still to be loaded.

        Raises:
            ModelError: A setting is unknown or no whole number above 0.
        """
        chosen: dict[str, int] = {}
        for name, value in settings.items():
            if name == "architecture":
                continue
            if name not in DEFAULTS:
                raise ModelError(f"vq: setting {name!r} is unknown; there are {', '.join(DEFAULTS)}")
            least = 0 if "blocks" in name else 4 if "width" in name else 1
            if isinstance(value, str) or int(value) != value or value < least:
                raise ModelError(f"vq: setting {name} is {value!r}; it must be a whole number from {least}")
            chosen[name] = int(value)
        return cls(chosen)

    @classmethod
    def from_state(
        cls, state: Mapping[str, Tensor], settings: Mapping[str, int | float | str], source: str = "vq"
    ) -> Vq:
        """Return the network of these settings with its weights, as float32.

        Raises:
            ModelError: The settings are not those of such a network.
            CheckpointError: A tensor is missing, left over, or of another shape.
        """
        with torch.device("meta"):
            net = cls.from_settings(settings)
        net.offset = torch.zeros(net.book.shape[1])
        own = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
        for name in [*own, *state]:
            found, needed = tuple(state[name].shape) if name in state else None, own.get(name)
            if found != needed:
                raise CheckpointError(
                    f"{source}: tensor {name!r} is {found or 'missing'}, {needed or 'none'} expected;"
                    " use an unmodified file"
                )
        net.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
        return net

    @property
    def codes(self) -> int:
        """Size of the codebook."""
        return len(self.book)

    @property
    def factor(self) -> int:
        """Pixels along a side of one code's cell."""
        return FACTOR

    @property
    def fingerprint(self) -> str:
        """Short hash of the codebook."""
        return fingerprint_of(self.book)

    def latents(
        self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n cells_high cells_wide latent"]:
        """Return each cell's direction, of length 1, before it is replaced by the book's."""
        pixels = padded(image, FACTOR, wrap) * 2 - 1
        found = self.encoder(pixels.contiguous(memory_format=torch.channels_last), wrap)
        return F.normalize(found.to(image.dtype).permute(0, 2, 3, 1), dim=-1)

    def logits(
        self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n codes cells_high cells_wide"]:
        """Return the scores of all codes in every cell of display-encoded pictures in [0, 1].

        They are the logarithms, but for a sum, of how likely each code is if cells lie around their codes as
        far as they did in training: ``spread`` is the mean squared distance.
        """
        return self.sharp(self.latents(image, wrap) @ self.book.T).permute(0, 3, 1, 2)

    def sharp(self, cosines: Tensor) -> Tensor:
        """Return scores of cosines between cells and codes."""
        # The squared distance of directions is 2 - 2 cos; a normal density of it has variance spread / dims.
        dims = max(1, self.book.shape[1] - 1)
        return cosines * (dims / self.spread.clamp(min=1e-6))

    def encode(
        self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Int[Tensor, "n cells_high cells_wide"]:
        """Return the codes of display-encoded pictures."""
        return (self.latents(image, wrap) @ self.book.T).argmax(-1)

    def from_features(
        self, features: Float[Tensor, "n latent h w"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n 3 8*h 8*w"]:
        """Return the pictures of what codes stand for; values may lie a little outside 0-1."""
        made: Tensor = self.decoder(features.contiguous(memory_format=torch.channels_last), wrap)
        return (made.to(features.dtype) + 1) / 2

    def embed(self, codes: Int[Tensor, "n h w"]) -> Float[Tensor, "n latent h w"]:
        """Look up what codes stand for."""
        return F.embedding(codes, self.book).permute(0, 3, 1, 2)

    def decode(self, codes: Int[Tensor, "n h w"], wrap: Wrap = OPEN) -> Float[Tensor, "n 3 8*h 8*w"]:
        """Return the display-encoded pictures of codes, 0-1.

        Raises:
            CheckpointError: A code is outside the codebook.
        """
        check_codes(codes, self.codes, "vq")
        return self.from_features(self.embed(codes), wrap).clamp(0, 1)
