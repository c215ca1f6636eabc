"""What an Image GPT is made of, in numbers. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dreamplate.errors import ModelError

__all__ = ["IgptShape"]

_MOST = 1 << 20


@dataclass(frozen=True)
class IgptShape:
    """Sizes and kinds of the parts of an Image GPT.

    Attributes:
        side: Of its square pictures, in pixels.
        codes: Colours of its palette.
        width: Numbers of a token inside.
        depth: Blocks.
        heads: Attention heads; they share the width.
        inner: Numbers of a token between the two layers of a block's perceptron.
        positions: ``learned``: a vector for every place; ``axes``: one for the row and one for the column.
        around: 1 where the pixels above are shown besides the one before; 0 as in the paper.
        kinship: 1 where colours that are alike share what is learnt of them; 0 as in the paper.

    Raises:
        ModelError: They do not fit each other.
    """

    side: int
    codes: int
    width: int
    depth: int
    heads: int
    inner: int
    positions: str = "learned"
    around: int = 0
    kinship: int = 0

    def __post_init__(self) -> None:
        sizes = (self.side, self.codes, self.width, self.depth, self.heads, self.inner)
        if not all(0 < size <= _MOST for size in sizes) or self.side > 1024:
            raise ModelError(f"Image GPT: sizes are 1 and up, found {asdict(self)}; use an undamaged model")
        if self.width % self.heads:
            raise ModelError(f"Image GPT: {self.heads} heads cannot share a width of {self.width}")
        if self.positions not in ("learned", "axes"):
            raise ModelError(f"Image GPT: positions are learned or axes, not {self.positions!r}")

    @property
    def length(self) -> int:
        """Tokens of a picture."""
        return self.side * self.side

    @classmethod
    def of(cls, settings: Mapping[str, int | float | str]) -> IgptShape:
        """Read what ``settings`` wrote.

        Raises:
            ModelError: An entry is missing, is no number, or does not fit the others.
        """
        try:
            numbers = {
                name: int(settings[name]) for name in ("side", "codes", "width", "depth", "heads", "inner")
            }
            more = {name: int(settings.get(name, 0)) for name in ("around", "kinship")}
        except (KeyError, ValueError) as error:
            raise ModelError(f"Image GPT: settings lack {error}; use an undamaged model") from error
        return cls(**numbers, positions=str(settings.get("positions", "learned")), **more)

    @property
    def settings(self) -> dict[str, int | float | str]:
        """What a model file says of the network."""
        return {"architecture": "image-gpt", **asdict(self)}
