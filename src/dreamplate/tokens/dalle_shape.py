"""What a DALL-E is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from dreamplate.errors import ModelError
from dreamplate.tokens.attention import Layout

__all__ = ["DalleShape"]


@dataclass(frozen=True)
class DalleShape:
    """Sizes of a network, and the codec that its codes are of.

    Attributes:
        text: Places of a text.
        words: Words that it knows.
        bytes: Length of their list in the model file.
        rows: Rows of the grid.
        columns: Columns of the grid.
        codes: Codes of the codec.
        book: Numbers that the codec has for a code.
        fingerprint: Of the codec's codebook.
        codec: Where the codec was found.
        factor: Pixels along a cell's side.
        width: Numbers of a token inside.
        layers: Blocks.
        heads: Of attention.
        attention: Its kinds, see `transformer.kinds_of`.
        kernel: Of convolutional attention.
        rotary: Turn queries and keys by row and column.
        normed: Queries and keys of unit length.
        around: Show the codes above the cell to be told.
        kinship: Let codes that stand for alike things share.
        gist: Show every cell the mean of all words.
    """

    text: int
    words: int
    bytes: int
    rows: int
    columns: int
    codes: int
    book: int
    fingerprint: str
    codec: str
    factor: int
    width: int
    layers: int
    heads: int
    attention: str = "full"
    kernel: int = 11
    rotary: bool = True
    normed: bool = True
    around: bool = True
    kinship: bool = True
    gist: bool = True

    @property
    def cells(self) -> int:
        """Tokens of a picture."""
        return self.rows * self.columns

    @property
    def layout(self) -> Layout:
        """The sequence: a start, the text, the picture."""
        return Layout(self.text + 1, self.rows, self.columns, self.kernel)

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What a model file says of the network."""
        plain = {
            name: int(value) if isinstance(value, bool) else value for name, value in asdict(self).items()
        }
        return {"architecture": "dalle", **plain}

    @classmethod
    def of(cls, settings: Mapping[str, int | float | str], source: str = "dalle") -> DalleShape:
        """Read what ``settings`` says.

        Raises:
            ModelError: A setting is missing or is no number.
        """
        read = {}
        for field in fields(cls):
            if field.name not in settings:
                raise ModelError(f"{source}: its settings lack {field.name!r}; the file is damaged")
            value = settings[field.name]
            try:
                read[field.name] = str(value) if field.type == "str" else int(value)
            except (TypeError, ValueError):
                raise ModelError(
                    f"{source}: its setting {field.name!r} is {value!r}, a number is needed"
                ) from None
        flags = {name: bool(read[name]) for name in ("rotary", "normed", "around", "kinship", "gist")}
        return cls(**(read | flags))  # type: ignore[arg-type]
