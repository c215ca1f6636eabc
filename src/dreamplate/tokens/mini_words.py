"""Texts as pieces of words, by byte-pair encoding (Sennrich et al. 2016), as dalle-mini reads them.

Any words can be said. A text is lower-cased and cut at white space; each word, with a sign for the space
before it, is joined from its letters by the merges, the earliest merge of the list first. Merges never join
letters with digits or other signs, so that words need no further cutting. Then come the marks of beginning
and end, and pads.

Departures: accents are taken off letters and what is then not plain Latin is left out, and said; the original
turned such signs into Latin ones or bytes. A text that is too long keeps its mark of the end.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from dreamplate.errors import CheckpointError, ConfigError

__all__ = ["PAD", "Pieces"]

PAD = 1
"""Number of the pad."""
SPACE = "Ġ"
"""Stands for the space before a word."""
MARKS = ("<s>", "</s>", "<pad>", "<unk>")
MOST_CHARACTERS = 10_000


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of words and how they are joined.

    Attributes:
        numbers: Of the pieces.
        ranks: Of pairs that are joined, the first is joined first.
        length: Places of a text, its ends included.
    """

    numbers: Mapping[str, int]
    ranks: Mapping[tuple[str, str], int]
    length: int

    def encode(self, text: str) -> Int[Tensor, " length"]:
        """Return a text's numbers; what does not fit is cut off.

        Raises:
            ConfigError: It has more than 10,000 characters.
        """
        inside = [self.numbers.get(piece, self.numbers["<unk>"]) for piece in self.cut(text)]
        row = torch.full((self.length,), PAD)
        ids = [self.numbers["<s>"], *inside[: self.length - 2], self.numbers["</s>"]]
        row[: len(ids)] = torch.tensor(ids)
        return row

    def notices(self, text: str) -> tuple[str, ...]:
        """Say what of a text is not read, one sentence each."""
        found = []
        if lost := sorted(set(_unaccented(text)) - set(_plain(text))):
            found.append(f"{''.join(lost)!r} is not known to this model; left out")
        pieces, room = self.cut(text), self.length - 2
        if len(pieces) > room:
            rest = "".join(pieces[room:]).replace(SPACE, " ").strip()
            found.append(f"the prompt is too long for this model; {rest[:60]!r} is not heard")
        return tuple(found)

    def cut(self, text: str) -> list[str]:
        """Return a text's pieces.

        Raises:
            ConfigError: It has more than 10,000 characters.
        """
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(f"prompt has {len(text):,} characters; {MOST_CHARACTERS:,} are allowed")
        return [piece for word in _plain(text).split() for piece in self._join([SPACE, *word])]

    def _join(self, pieces: list[str]) -> list[str]:
        while len(pieces) > 1:
            ranked = [
                (self.ranks[pair], at) for at, pair in enumerate(pairwise(pieces)) if pair in self.ranks
            ]
            if not ranked:
                break
            _, at = min(ranked)
            pieces = [*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :]]
        return pieces

    @classmethod
    def unpack(
        cls,
        vocabulary: UInt8[Tensor, " v"],
        merges: UInt8[Tensor, " m"],
        length: int,
        size: int,
        source: str = "dalle-mini",
    ) -> Pieces:
        """Read the bytes of ``vocab.json`` and ``merges.txt``.

        Args:
            vocabulary: A table from pieces to numbers.
            merges: A first line that says what it is, then two pieces a line.
            length: Places of a text.
            size: Numbers that the encoder knows.
            source: For the error.

        Raises:
            CheckpointError: One is damaged, or of another network.
        """
        try:
            numbers = json.loads(vocabulary.cpu().numpy().tobytes())
            lines = merges.cpu().numpy().tobytes().decode().splitlines()
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{source}: vocab.json or merges.txt is damaged ({str(error)[:80]})"
            ) from error
        sound = isinstance(numbers, dict) and all(
            type(number) is int and 0 <= number < size for number in numbers.values()
        )
        if not sound or any(mark not in numbers for mark in MARKS) or numbers["<pad>"] != PAD:
            raise CheckpointError(
                f"{source}: vocab.json is no table of {size:,} pieces with {', '.join(MARKS)};"
                " use the one of this model"
            )
        pairs = [tuple(line.split()) for line in lines if line.strip() and not line.startswith("#version")]
        wrong = next((pair for pair in pairs if len(pair) != 2), None)
        if wrong is not None:
            raise CheckpointError(
                f"{source}: merges.txt: {' '.join(wrong)[:40]!r} is no pair; use a whole file"
            )
        return cls(numbers, {(pair[0], pair[1]): rank for rank, pair in enumerate(pairs)}, length)


def _unaccented(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def _plain(text: str) -> str:
    return _unaccented(text).encode("ascii", "ignore").decode()
