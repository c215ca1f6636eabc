"""What dalle-mini and dalle-mega are built from, read from the sizes of their tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from dreamplate.errors import ModelError

__all__ = ["HEAD", "MiniShape"]

HEAD = 64
"""Numbers of an attention head: 16 heads at width 1024 (mini), 32 at 2048 (mega). No shape tells."""
GROUPS = 32
"""Groups of the VQGAN's norms; its widths are multiples."""


@dataclass(frozen=True)
class MiniShape:
    """Sizes of the networks; those of dalle-mini beside them.

    Attributes:
        text_pieces: Pieces of words: 50,264 (mega: 50,272).
        text_length: Pieces of a text, with its ends: 64.
        text_width: Of the encoder: 1024 (2048).
        text_inner: Of its feed-forward: 2730 (4096).
        text_layers: 12 (24).
        inputs: Codes that the decoder can be told; the last is the start: 16,385 (16,416).
        outputs: Scores that it gives, of which those of the codes count: 16,385 (16,416).
        cells: Of a picture: 256.
        width: Of the decoder, as the encoder's.
        inner: As the encoder's.
        layers: As the encoder's.
        codes: Vectors of the codebook: 16,384.
        latent: Size of one: 256.
        widths: Channels of the VQGAN's levels, full size first: 128, 128, 256, 256, 512.
        blocks: Residual blocks of a level: 3.
        attention: Levels with attention: the last.
        vocabulary_bytes: Of the list of pieces.
        merges_bytes: Of the list of merges.
    """

    text_pieces: int
    text_length: int
    text_width: int
    text_inner: int
    text_layers: int
    inputs: int
    outputs: int
    cells: int
    width: int
    inner: int
    layers: int
    codes: int
    latent: int
    widths: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    vocabulary_bytes: int
    merges_bytes: int

    def __post_init__(self) -> None:
        wrong = {
            f"width {self.width} is no multiple of {HEAD}": self.width % HEAD or self.width < HEAD,
            f"encoder is {self.text_width} wide, decoder {self.width}": self.text_width != self.width,
            f"{self.cells} cells are no square": math.isqrt(self.cells) ** 2 != self.cells,
            f"{self.inputs} inputs and {self.outputs} outputs for {self.codes} codes": not (
                0 < self.codes < self.inputs and self.codes <= self.outputs
            ),
            f"widths {self.widths} are no multiples of {GROUPS}": any(
                w % GROUPS or not w for w in self.widths
            ),
        }
        for what, found in wrong.items():
            if found:
                raise ModelError(f"dalle-mini: {what}; use files that belong together")

    @classmethod
    def of(cls, settings: Mapping[str, int | float | str], source: str = "dalle-mini") -> MiniShape:
        """Read the shape from a model's settings.

        Raises:
            ModelError: They are of one part only, or do not fit together.
        """
        lists = ("widths", "attention")
        names = set(cls.__dataclass_fields__)
        if names - set(settings):
            raise ModelError(
                f"{source}: holds only the {settings.get('parts', 'parts')} of a dalle-mini; name the folder"
                " that holds encoder, decoder and detoker"
            )
        try:
            numbers = {name: int(settings[name]) for name in names.difference(lists)}
            rows = {name: tuple(int(part) for part in str(settings[name]).split()) for name in lists}
        except ValueError as error:
            raise ModelError(f"{source}: its settings are damaged ({error}); import it again") from error
        return cls(**numbers, **rows)  # type: ignore[arg-type]

    @cached_property
    def rows(self) -> int:
        """Rows of a picture's cells."""
        return math.isqrt(self.cells)

    @property
    def columns(self) -> int:
        """Columns, as many as rows."""
        return self.rows

    @property
    def start(self) -> int:
        """Code that stands before the first cell."""
        return self.inputs - 1

    @property
    def factor(self) -> int:
        """Pixels along a side of one cell: every level but one doubles the side."""
        return int(2 ** (len(self.widths) - 1))
