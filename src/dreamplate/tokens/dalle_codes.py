"""The codes of pictures that are seen again and again, each found once."""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dreamplate.errors import ConfigError
from dreamplate.tokens.codec import Codec

__all__ = ["CodeShelf"]

MOST = 1 << 28
"""Bytes of codes that are kept."""


class CodeShelf:
    """Looks pictures up by their pixels, so that it is right however examples are varied.

    Pictures are encoded one by one: a code at the edge between two then does not depend on which others are
    in the batch, and a run that is resumed sees what the whole one would.

    Args:
        codec: Frozen.
        rows: Rows of the grid that pictures shall have.
        columns: Columns.
    """

    def __init__(self, codec: Codec, rows: int, columns: int) -> None:
        self.codec, self.rows, self.columns = codec, rows, columns
        self.held: dict[bytes, Tensor] = {}

    def to(self, device: torch.device) -> None:
        """Move the codec to a device."""
        if isinstance(self.codec, nn.Module):
            self.codec.to(device)

    @torch.no_grad()
    def encode(self, image: Float[Tensor, "n 3 h w"]) -> Int[Tensor, "n cells"]:
        """Return the codes of pictures of -1 to 1, in raster order, int64.

        Raises:
            ConfigError: They are of another size than the grid.
        """
        wanted = (self.rows * self.codec.factor, self.columns * self.codec.factor)
        if tuple(image.shape[-2:]) != wanted:
            height, width = image.shape[-2:]
            raise ConfigError(
                f"dalle: a picture is {width} x {height}, the grid is of {wanted[1]} x {wanted[0]};"
                f" use source.crop {wanted[1]} {wanted[0]} (and source.shortest {min(wanted)})"
            )
        return torch.stack([self._find(one) for one in image]).long()

    def _find(self, image: Float[Tensor, "3 h w"]) -> Tensor:
        pixels = image.detach().cpu().contiguous().numpy()
        key = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
        found = self.held.get(key)
        if found is None:
            codes = self.codec.encode(image[None].float() / 2 + 0.5)
            found = codes.flatten().to("cpu", torch.int32)
            if len(self.held) * found.numel() * found.element_size() < MOST:
                self.held[key] = found
        return found.to(image.device)
