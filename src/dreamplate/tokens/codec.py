"""What turns pictures into tokens and back: the one shape of the discrete VAE and of our own codec."""

from __future__ import annotations

import hashlib
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.nets.wrapping import OPEN, Wrap

__all__ = ["Codec", "check_codec", "check_codes", "fingerprint_of", "load_codec", "padded", "reconstruct"]


@runtime_checkable
class Codec(Protocol):
    """Pictures to codes of a finite vocabulary, one for each square cell of pixels, and back.

    Pictures are display-encoded, 0-1. Both known codecs are `torch.nn.Module`s.
    """

    @property
    def codes(self) -> int:
        """Size of the vocabulary."""
        ...

    @property
    def factor(self) -> int:
        """Pixels along a side of one code's cell."""
        ...

    @property
    def book(self) -> Float[Tensor, "codes d"]:
        """What each code stands for, without the offset that all share."""
        ...

    @property
    def offset(self) -> Float[Tensor, " d"]:
        """What all codes share."""
        ...

    @property
    def fingerprint(self) -> str:
        """Short hash of the codebook; what is learnt from codes keeps it, and refuses others."""
        ...

    def logits(
        self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN
    ) -> Float[Tensor, "n codes h w"]:
        """Return the scores of all codes in every cell: their softmax is how likely each is.

        Sides that are no multiples of the factor are continued by reflection (`padded`).
        """
        ...

    def encode(self, image: Float[Tensor, "n 3 height width"], wrap: Wrap = OPEN) -> Int[Tensor, "n h w"]:
        """Return the best code of every cell, int64; sides as in ``logits``."""
        ...

    def from_features(self, features: Float[Tensor, "n d h w"], wrap: Wrap = OPEN) -> Tensor:
        """Return the pictures ``(n, 3, factor h, factor w)`` of what codes stand for: ``book + offset``.

        Mixtures of codes are allowed and gradients run through; values may lie a little outside 0-1.
        """
        ...

    def decode(self, codes: Int[Tensor, "n h w"], wrap: Wrap = OPEN) -> Tensor:
        """Return the pictures of codes, ``(n, 3, factor h, factor w)``, 0-1.

        Raises:
            CheckpointError: A code is outside the vocabulary.
        """
        ...


def load_codec(name: str) -> Codec:
    """Return a codec, frozen and ready for use.

    Args:
        name: A model of the store (``world-vq``, ``dvae-small``), a model or weight file, or a training take.

    Raises:
        ModelError: There is no such model, or it is neither a ``vq`` nor a ``dvae``.
        CheckpointError: A file is damaged or does not fit.
    """
    from dreamplate.models.find import find_weights

    try:
        from dreamplate.tokens.vq import Vq

        state, settings = find_weights(name, "vq")
        net: torch.nn.Module = Vq.from_state(state, settings, name)
    except CheckpointError:
        raise
    except ModelError as error:
        from dreamplate.tokens.dvae import Dvae

        try:
            net = Dvae.from_state(find_weights(name, "dvae")[0])
        except ModelError as other:
            kinds = "a vq or a dvae is needed" if "a dvae is needed" in str(other) else ""
            raise (ModelError(str(other).replace("a dvae is needed", kinds)) if kinds else error) from None
    net = net.eval().requires_grad_(False)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def fingerprint_of(book: Float[Tensor, "codes d"]) -> str:
    """Return 12 hexadecimal digits that change with the codebook, and not with its rounding to 16 bits."""
    rounded = book.detach().to("cpu", torch.float16).contiguous().numpy()
    return hashlib.sha256(f"{tuple(book.shape)}".encode() + rounded.tobytes()).hexdigest()[:12]


def check_codec(codec: Codec, fingerprint: str, user: str) -> None:
    """Make sure that a codec is the one whose codes something was learnt from.

    Args:
        codec: What is at hand.
        fingerprint: Of the codec that was learnt from.
        user: What learnt from it, for the error.

    Raises:
        ModelError: They differ.
    """
    if codec.fingerprint != fingerprint:
        raise ModelError(
            f"{user}: codebook mismatch: learnt from codes of {fingerprint}, the codec at hand is"
            f" {codec.fingerprint} ({codec.codes} codes); name the codec that it was trained with"
        )


def check_codes(codes: Int[Tensor, "n h w"], size: int, source: str) -> None:
    """Make sure that all codes are in a vocabulary.

    Raises:
        CheckpointError: One is not.
    """
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < size:
        raise CheckpointError(
            f"{source}: codes reach from {int(codes.min())} to {int(codes.max())}, there are {size};"
            " use codes of this model"
        )


def padded(
    image: Float[Tensor, "n c h w"], factor: int, wrap: Wrap = OPEN
) -> Float[Tensor, "n c h_out w_out"]:
    """Continue pictures at their right and lower ends by reflection, to sides that are multiples of a factor.

    The reflection goes on as often as needed, so a picture may be smaller than what is added. Pictures that
    have such sides are returned as they are.

    Raises:
        ModelError: An axis tiles and is no multiple: cells would not meet at the seam.
    """
    for axis, tiles in ((2, wrap[1]), (3, wrap[0])):
        side = image.shape[axis]
        target = -(-side // factor) * factor
        if target == side:
            continue
        if tiles:
            name = "height" if axis == 2 else "width"
            raise ModelError(
                f"the picture tiles and its {name} is {side}, no multiple of {factor}; make it {target}"
            )
        image = image.index_select(axis, _mirrored(side, target, image.device))
    return image


@torch.no_grad()
def reconstruct(codec: Codec, image: Float[Tensor, "n 3 h w"], wrap: Wrap = OPEN) -> tuple[Tensor, Tensor]:
    """Return what becomes of pictures, in their own size, and their codes ``(n, cells high, cells wide)``."""
    codes = codec.encode(image, wrap)
    return codec.decode(codes, wrap)[..., : image.shape[-2], : image.shape[-1]], codes


def _mirrored(side: int, target: int, device: torch.device) -> Tensor:
    """Return the places that continue an axis by reflection about its last pixel's centre."""
    period = max(1, 2 * (side - 1))
    place = torch.arange(target, device=device) % period
    return torch.where(place < side, place, period - place)
