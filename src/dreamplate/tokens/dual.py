"""The word-picture scorer of our own: two towers that put pictures and texts into one space.

Radford and others, "Learning Transferable Visual Models From Natural Language Supervision", 2021, for the
principle; the towers are small enough to ship. See ``scorer_system`` for how it learns.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.nets.efficientnet_lite import Layer
from dreamplate.tokens.dual_picture import PictureTower
from dreamplate.tokens.dual_text import HEAD, TextTower

__all__ = ["ARCHITECTURE", "DualEncoder"]

ARCHITECTURE = "dual-encoder"
SHARPEST = 100.0
"""Factor on cosines at most."""
VOCABULARY = 48 << 10
"""Bytes for the words that it has read."""
SMALLEST = 32
"""Side in pixels of the smallest picture that is looked at."""
_SIZES = ("side", "width", "dim", "rows", "word", "text_width", "text_layers")


class DualEncoder(nn.Module):
    """A picture tower, a text tower, and a matrix from each into the common space.

    Args:
        side: Side in pixels of the pictures it learns from.
        width: Channels of the picture tower where it begins.
        dim: Length of the vectors.
        rows: Rows of the table of words, and of that of their pieces.
        word: Length of a row.
        text_width: Width of the text tower.
        text_layers: Its layers.

    Raises:
        ModelError: The text tower's width is no multiple of 32.
    """

    vocabulary: Tensor

    def __init__(
        self, side: int, width: int, dim: int, rows: int, word: int, text_width: int, text_layers: int
    ) -> None:
        super().__init__()
        if text_width % HEAD:
            raise ModelError(f"dual encoder: text_width is {text_width}; use a multiple of {HEAD}")
        sizes = (side, width, dim, rows, word, text_width, text_layers)
        self.settings: dict[str, int | float | str] = dict(zip(_SIZES, sizes, strict=True))
        self.settings |= {"architecture": ARCHITECTURE}
        self.side, self.dim = side, dim
        self.pictures = PictureTower(width)
        self.texts = TextTower(rows, word, text_width, text_layers)
        self.join_picture = nn.Linear(self.pictures.out, dim, bias=False)
        self.join_text = nn.Linear(text_width, dim, bias=False)
        self.register_buffer("vocabulary", torch.zeros(VOCABULARY, dtype=torch.uint8))
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> DualEncoder:
        """Return a network with weights that are still to be loaded.

        Raises:
            ModelError: A setting is missing or no number.
        """
        try:
            return cls(**{name: int(settings[name]) for name in _SIZES})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"dual encoder: setting {error} is missing or no number") from error

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], settings: Mapping[str, Any], source: str) -> DualEncoder:
        """Return a frozen network in float32, whatever its weights are stored in.

        Raises:
            CheckpointError: A tensor is missing, left over or of another shape; names the first.
        """
        made = cls.from_settings(settings)
        own = made.state_dict()
        for name, value in own.items():
            if name not in state or state[name].shape != value.shape:
                found = "missing" if name not in state else f"{tuple(state[name].shape)}"
                raise CheckpointError(f"{source}: tensor {name!r} is {found}, needed is {tuple(value.shape)}")
        if left := sorted(state.keys() - own.keys()):
            raise CheckpointError(f"{source}: tensor {left[0]!r} has no place in a dual encoder")
        made.load_state_dict({name: value.to(own[name].dtype) for name, value in state.items()})
        return made.eval().requires_grad_(False)

    def randomise(self, generator: torch.Generator) -> None:
        """Draw fresh weights."""
        self.pictures.randomise(generator)
        self.texts.randomise(generator)
        for join in (self.join_picture, self.join_text):
            nn.init.normal_(join.weight, std=join.in_features**-0.5, generator=generator)

    def known_words(self) -> frozenset[str]:
        """Return the words that it has read while it learnt."""
        return frozenset(bytes(self.vocabulary.tolist()).rstrip(b"\0").decode("utf-8", "ignore").split())

    def note_words(self, words: Collection[str]) -> None:
        """Write down words that it has read, sorted; those that do not fit are left out."""
        text = " ".join(sorted(words)).encode()
        if len(text) > VOCABULARY:
            text = text[:VOCABULARY].rpartition(b" ")[0]
        self.vocabulary.zero_()
        self.vocabulary[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8).to(
            self.vocabulary
        )

    @property
    def sharpness(self) -> Float[Tensor, ""]:
        """Factor on cosines that makes them scores: learnt, 100 at most (Radford 2021)."""
        return self.log_sharpness.exp().clamp(max=SHARPEST)

    def encode_image(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Pictures ``(n, 3, h, w)`` of -1 to 1 to unit vectors; gradients reach them.

        Raises:
            ModelError: They have no three channels, or a side is below 32 pixels.
        """
        return self.unit(self.join_picture, self.pictures(self.checked(images)))

    def encode_with_layers(self, images: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, list[Layer]]:
        """Like :meth:`encode_image`, with what the tower's normalisations were given."""
        vectors, layers = self.pictures.with_layers(self.checked(images))
        return self.unit(self.join_picture, vectors), layers

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Texts to unit vectors."""
        return self.unit(self.join_text, self.texts(texts))

    def forward(
        self, images: Float[Tensor, "n 3 h w"], texts: Sequence[str]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m d"]]:
        """Return unit vectors of pictures and of texts."""
        return self.encode_image(images), self.encode_text(texts)

    @staticmethod
    def unit(join: nn.Linear, vectors: Tensor) -> Tensor:
        """Return unit vectors in the common space, float32."""
        return functional.normalize(join(vectors).float(), dim=-1)

    @staticmethod
    def checked(images: Tensor) -> Tensor:
        """Return pictures as they are.

        Raises:
            ModelError: They are not ``(n, 3, h, w)`` with sides of 32 or more.
        """
        if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[2:]) < SMALLEST:
            raise ModelError(
                f"dual encoder: pictures have shape {tuple(images.shape)};"
                f" (n, 3, h, w) with sides from {SMALLEST} up expected"
            )
        return images
