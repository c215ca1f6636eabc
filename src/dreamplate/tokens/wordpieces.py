"""Words as numbers without a vocabulary: each word, and each piece of it, falls on a row of a table.

The row follows from a hash (FNV-1a), so any word of any language has its rows at once. Words that were never
learnt still share pieces with those that were, "lighthouses" with "lighthouse" (Bojanowski and others,
"Enriching Word Vectors with Subword Information", 2017). Rows are shared by chance as well, and a word is the
mean of several, so that two words are hardly ever the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

__all__ = ["PIECES", "WINDOW", "pieces_of", "rows_of_word", "split_words", "windows"]

PIECES = (3, 4, 5)
"""Lengths in letters of the pieces of a word, its ends marked."""
MOST = 14
"""Rows of one word at most: the word's own, and its first pieces."""
WINDOW = 40
"""Words that are read at once."""
_WORD = re.compile(r"\d|[^\W\d_]+(?:'[^\W\d_]+)?")


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, accents off; digits stand alone, other signs go."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))


def pieces_of(word: str) -> list[str]:
    """Return the pieces of a word with its ends marked by ``<`` and ``>``; none for a short one."""
    marked = f"<{word}>"
    found = [
        marked[at : at + length]
        for length in PIECES
        for at in range(len(marked) - length + 1)
        if length < len(marked)
    ]
    return list(dict.fromkeys(found))


@lru_cache(maxsize=65_536)
def rows_of_word(word: str, rows: int) -> tuple[int, ...]:
    """Return the rows of a word: its own, 1 to ``rows``, and those of its pieces, ``rows + 1`` to twice that.

    Row 0 is padding.
    """
    own = 1 + _hash(word) % rows
    parts = [1 + rows + _hash(piece) % rows for piece in pieces_of(word)[: MOST - 1]]
    return own, *parts


def windows(
    texts: Sequence[str], rows: int, window: int = WINDOW
) -> tuple[Int64[Tensor, "n words most"], Int64[Tensor, " n"]]:
    """Cut texts into windows of words, as even as can be, and return the rows of each.

    Args:
        texts: Of any length; one without words is one window of padding.
        rows: Of each of the two tables.
        window: Words of a window at most.

    Returns:
        Rows ``(windows, words, most)``, 0 where there is nothing, and the text that each window is of.
    """
    parts: list[list[tuple[int, ...]]] = []
    owner: list[int] = []
    for index, text in enumerate(texts):
        words = [rows_of_word(word, rows) for word in split_words(text)]
        count = max(1, -(-len(words) // window))
        share = -(-len(words) // count)
        for part in range(count):
            parts.append(words[part * share : (part + 1) * share])
            owner.append(index)
    longest = max((len(part) for part in parts), default=0) or 1
    most = max((len(word) for part in parts for word in part), default=1)
    empty = [0] * most
    table = [
        [[*word, *[0] * (most - len(word))] for word in part] + [empty] * (longest - len(part))
        for part in parts
    ]
    found = torch.tensor(table, dtype=torch.int64).view(len(parts), longest, most)
    return found, torch.tensor(owner, dtype=torch.int64)


def _hash(text: str) -> int:
    """Return the 64-bit FNV-1a hash of a text, its upper half mixed into the lower."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value ^ (value >> 32)
