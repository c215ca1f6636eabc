"""The discrete VAE whole: pictures to codes and back."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import CheckpointError
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.decoder import Decoder
from dreamplate.tokens.encoder import Encoder
from dreamplate.tokens.pixels import centre, map_pixels

FACTOR = 8
"""Pixels of a picture along a side of one code's cell."""


class Dvae(nn.Module):
    """Encoder, decoder or both, of one vocabulary.

    Raises:
        CheckpointError: The two are of different vocabularies.
    """

    def __init__(self, encoder: Encoder | None, decoder: Decoder | None) -> None:
        super().__init__()
        if encoder is not None and decoder is not None and encoder.codes != decoder.codes:
            raise CheckpointError(
                f"dVAE: the encoder knows {encoder.codes} codes and the decoder {decoder.codes};"
                " use files of the same model"
            )
        self.encoder, self.decoder = encoder, decoder

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Dvae:
        """Build whatever networks the tensors ``encoder.…`` and ``decoder.…`` hold.

        Raises:
            CheckpointError: Neither is there, or one of them is not complete.
        """
        encoder = Encoder.from_state(state) if _holds(state, "encoder") else None
        decoder = Decoder.from_state(state) if _holds(state, "decoder") or encoder is None else None
        return cls(encoder, decoder)

    @property
    def codes(self) -> int:
        """Size of the vocabulary."""
        part = self.encoder or self.decoder
        return part.codes if part is not None else 0

    def logits(
        self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n codes height//8 width//8"]:
        """Return the scores of all codes in every cell of display-encoded pictures in [0, 1].

        Raises:
            CheckpointError: There is no encoder.
        """
        if self.encoder is None:
            raise CheckpointError("dVAE: there is no encoder in these weights; name a file that holds it")
        scores: Tensor = self.encoder(map_pixels(image), wrap)
        return scores

    def encode(
        self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Int[Tensor, "n height//8 width//8"]:
        """Return the codes of display-encoded pictures whose sides are multiples of 8."""
        return self.logits(image, wrap).argmax(1)

    def decode(self, codes: Int[Tensor, "n h w"], wrap: Wrap = OPEN) -> Float[Tensor, "n 3 8*h 8*w"]:
        """Return the display-encoded pictures of codes.

        Raises:
            CheckpointError: There is no decoder.
        """
        if self.decoder is None:
            raise CheckpointError("dVAE: there is no decoder in these weights; name a file that holds it")
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < self.decoder.codes:
            raise CheckpointError(
                f"dVAE: codes reach from {int(codes.min())} to {int(codes.max())}, there are"
                f" {self.decoder.codes}; use codes of this model"
            )
        return centre(self.decoder.from_features(self.decoder.embed(codes), wrap))


def _holds(state: Mapping[str, Tensor], part: str) -> bool:
    return any(name.startswith(f"{part}.") for name in state)
