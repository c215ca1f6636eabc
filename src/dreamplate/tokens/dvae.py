"""The discrete VAE whole: pictures to codes and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.models.layouts.dvae import infer
from dreamplate.nets.wrapping import OPEN, Wrap
from dreamplate.tokens.codec import check_codes, fingerprint_of, padded
from dreamplate.tokens.decoder import Decoder
from dreamplate.tokens.encoder import Encoder
from dreamplate.tokens.pixels import EPS, centre, map_pixels

FACTOR = 8
"""Pixels of a picture along a side of one code's cell."""


class Dvae(nn.Module):
    """Encoder, decoder or both, of one vocabulary: a `Codec`.

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

    @classmethod
    def from_settings(cls, settings: Mapping[str, int | float | str]) -> Dvae:
        """Return the networks that settings describe, with weights that are still to be loaded.

        Args:
            settings: As ``models.layouts.dvae.infer`` names them.

        Raises:
            ModelError: One is missing or no number.
        """
        parts = str(settings.get("parts", "")).split()
        encoder = decoder = None
        try:
            own = {
                name: int(value) for name, value in settings.items() if name not in ("parts", "architecture")
            }
            codes, channels = own["codes"], own["channels"]
            if "encoder" in parts:
                hidden, blocks = own["encoder_hidden"], own["encoder_blocks"]
                encoder = Encoder(codes, hidden, blocks=blocks, channels=channels)
            if "decoder" in parts:
                hidden, start, blocks = (own[f"decoder_{name}"] for name in ("hidden", "start", "blocks"))
                decoder = Decoder(codes, hidden, start, blocks=blocks, channels=channels)
        except (KeyError, ValueError) as error:
            raise ModelError(f"dVAE: settings are incomplete ({error!r}); use an unmodified file") from error
        return cls(encoder, decoder)

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What the networks are built from, ``architecture`` among it."""
        shapes = {name: tuple(tensor.shape) for name, tensor in self.state_dict().items()}
        return {"architecture": "dvae", **infer(shapes)}

    @property
    def codes(self) -> int:
        """Size of the vocabulary."""
        part = self.encoder or self.decoder
        return part.codes if part is not None else 0

    @property
    def factor(self) -> int:
        """Pixels along a side of one code's cell."""
        return FACTOR

    @property
    def book(self) -> Float[Tensor, "codes start"]:
        """What each code stands for, without the offset that all share."""
        return self._needed_decoder.book

    @property
    def offset(self) -> Float[Tensor, " start"]:
        """What all codes share."""
        return self._needed_decoder.offset

    @property
    def fingerprint(self) -> str:
        """Short hash of what the codes stand for."""
        return fingerprint_of(self.book)

    def logits(
        self, image: Float[Tensor, "n c height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n codes cells_high cells_wide"]:
        """Return the scores of all codes in every cell of display-encoded pictures in [0, 1].

        Sides that are no multiples of 8 are continued by reflection (`codec.padded`).

        Raises:
            CheckpointError: There is no encoder.
            ModelError: The picture tiles along a side that is no multiple of 8.
        """
        if self.encoder is None:
            raise CheckpointError("dVAE: there is no encoder in these weights; name a file that holds it")
        scores: Tensor = self.encoder(map_pixels(padded(image, FACTOR, wrap)), wrap)
        return scores

    def encode(
        self, image: Float[Tensor, "n c height width"], wrap: Wrap = OPEN
    ) -> Int[Tensor, "n cells_high cells_wide"]:
        """Return the codes of display-encoded pictures; sides as in ``logits``."""
        return self.logits(image, wrap).argmax(1)

    def from_features(
        self, features: Float[Tensor, "n start h w"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n c 8*h 8*w"]:
        """Return the pictures at the centre of what codes stand for; values may lie a little outside 0-1.

        Raises:
            CheckpointError: There is no decoder.
        """
        stats = self._needed_decoder.from_features(features, wrap)
        return (torch.sigmoid(stats[:, : stats.shape[1] // 2]) - EPS) / (1 - 2 * EPS)

    def decode(self, codes: Int[Tensor, "n h w"], wrap: Wrap = OPEN) -> Float[Tensor, "n c 8*h 8*w"]:
        """Return the display-encoded pictures of codes.

        Raises:
            CheckpointError: There is no decoder, or a code is outside the vocabulary.
        """
        decoder = self._needed_decoder
        check_codes(codes, decoder.codes, "dVAE")
        return centre(decoder.from_features(decoder.embed(codes), wrap))

    @property
    def _needed_decoder(self) -> Decoder:
        if self.decoder is None:
            raise CheckpointError("dVAE: there is no decoder in these weights; name a file that holds it")
        return self.decoder


def _holds(state: Mapping[str, Tensor], part: str) -> bool:
    return any(name.startswith(f"{part}.") for name in state)
