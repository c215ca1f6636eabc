"""CLIP's tokenizer: text to ids by byte-pair encoding (Sennrich et al. 2016), as the reference does it.

Text is repaired, freed of HTML entities, squeezed and lower-cased, then cut into runs of letters, single
digits, runs of other signs and English contractions; each becomes bytes, which merges join. The merges are
not part of this package: the standard ones come with ``instant-clip-tokenizer``, others with a checkpoint's
folder (``tokenizer.json``, or ``vocab.json`` and ``merges.txt``) through ``tokenizers``.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor

from dreamplate.errors import CheckpointError, ConfigError, MissingExtraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTEXT = 77
"""Ids that a text tower takes, both markers included."""
MARKERS = ("<|startoftext|>", "<|endoftext|>")
PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
"""How text is cut before bytes are merged."""
MAX_CHARACTERS = 100_000
MAX_FILE = 64 << 20


class ClipTokenizer:
    """Text to ids and back; build it with :meth:`standard` or :meth:`from_folder`.

    Args:
        encode: Text without markers to ids.
        decode: Ids without markers to text, a space after each word.
        start: Id of the start marker.
        end: Id of the end marker, the largest.
    """

    def __init__(
        self,
        encode: Callable[[str], Sequence[int]],
        decode: Callable[[Sequence[int]], str],
        start: int,
        end: int,
    ) -> None:
        self._encode, self._decode = encode, decode
        self.start, self.end = start, end
        self.size = end + 1

    @classmethod
    def standard(cls) -> ClipTokenizer:
        """Return the tokenizer of OpenAI's models and most others: 49,408 ids.

        Raises:
            MissingExtraError: Its packages are not installed.
        """
        _need_ftfy()
        try:
            package = import_module("instant_clip_tokenizer")
        except ImportError:
            raise _missing("instant-clip-tokenizer") from None
        inner = package.Tokenizer()

        def encode(text: str) -> Sequence[int]:
            # These words mark start and end for the package, but are plain text for the reference. A space
            # behind the < is where the text is cut anyway.
            return list(inner.encode(re.sub(r"<(?=(?:start|end)_of_text>)", "< ", text)))

        return cls(encode, inner.decode, 49_406, 49_407)

    @classmethod
    def from_folder(cls, folder: Path) -> ClipTokenizer | None:
        """Return the tokenizer that lies in a checkpoint's folder, or ``None`` when there is none.

        Raises:
            CheckpointError: Its files are damaged, or of another kind of tokenizer.
            MissingExtraError: A package is not installed.
        """
        found = _read_folder(folder)
        if found is None:
            return None
        _need_ftfy()
        try:
            from tokenizers import Regex, Tokenizer
            from tokenizers.models import BPE
            from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
        except ImportError:
            raise _missing("tokenizers") from None
        where, vocabulary, merges = found
        for marker in MARKERS:
            if marker not in vocabulary:
                raise CheckpointError(f"{where}: has no {marker}; a CLIP tokenizer expected")
        start, end = (vocabulary[marker] for marker in MARKERS)
        if end != max(vocabulary.values()):
            raise CheckpointError(
                f"{where}: {MARKERS[1]} is id {end}, but ids go up to {max(vocabulary.values())}; CLIP reads"
                " a text at its largest id"
            )
        try:
            inner = Tokenizer(BPE(vocabulary, merges, end_of_word_suffix="</w>"))
        except Exception as error:  # the package raises plain exceptions
            raise CheckpointError(
                f"{where}: its merges do not fit its vocabulary ({_line(error)})"
            ) from error
        inner.pre_tokenizer = Sequence(
            [
                Split(Regex(PATTERN), "removed", invert=True),
                ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        names = {number: name for name, number in vocabulary.items()}
        return cls(_encoder(inner), lambda ids: _spell(names, ids), start, end)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text of any length, without start and end markers around it.

        Raises:
            ConfigError: The text has more than 100,000 characters.
        """
        return self._encode_clean(clean(text))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, lower case, a space after each word; broken characters become U+FFFD.

        Raises:
            ConfigError: An id is not in the vocabulary.
        """
        for number in ids:
            if not 0 <= number < self.size:
                raise ConfigError(f"token id is {number}; ids go from 0 to {self.size - 1}")
        text, plain = "", list[int]()
        for number in ids:
            if number in (self.start, self.end):
                text += self._decode(plain) + MARKERS[number == self.end]
                plain = []
            else:
                plain.append(number)
        return text + self._decode(plain)

    def chunks(self, text: str, context: int = CONTEXT) -> list[list[int]]:
        """Cut a text into rows of ids that fit, each with its markers, not padded.

        A text that fits is one row. A longer one is cut between words into as few rows as will do, of
        about equal length; only a word that is longer than a whole row is cut inside.

        Raises:
            ConfigError: The text has more than 100,000 characters.
        """
        text = clean(text)
        ids, room = self._encode_clean(text), context - 2
        if len(ids) <= room:
            return [[self.start, *ids, self.end]]
        ends, length = set[int](), 0
        for word in text.split():
            # Nothing is ever merged over a space, so the words' ids make up the text's.
            length += len(self._encode_clean(word))
            ends.add(length)
        return [[self.start, *ids[a:b], self.end] for a, b in split_evenly(len(ids), room, ends)]

    def tokenize(
        self, texts: Sequence[str], context: int = CONTEXT, *, truncate: bool = False
    ) -> Int[Tensor, "n context"]:
        """Return rows of ``context`` ids padded by zeros, as the reference makes them.

        Raises:
            ConfigError: A text is too long and may not be truncated.
        """
        rows = torch.zeros((len(texts), context), dtype=torch.long)
        for row, text in zip(rows, texts, strict=True):
            ids = [self.start, *self.encode(text), self.end]
            if len(ids) > context:
                if not truncate:
                    raise ConfigError(f"{text[:40]!r}… has {len(ids)} ids; {context} fit: make it shorter")
                ids = [*ids[: context - 1], self.end]
            row[: len(ids)] = torch.tensor(ids)
        return rows

    def _encode_clean(self, text: str) -> list[int]:
        ids: list[int] = []
        for piece in split_markers(text):
            if piece in MARKERS:
                ids.append(self.end if piece == MARKERS[1] else self.start)
            else:
                ids.extend(self._encode(piece))
        return ids


def clean(text: str) -> str:
    """Repair a text, unescape HTML twice, squeeze white space and lower-case it.

    Raises:
        ConfigError: The text has more than 100,000 characters.
        MissingExtraError: ftfy is not installed.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"text has {len(text):,} characters ({text[:40]!r}…); {MAX_CHARACTERS:,} are allowed"
        )
    import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    # What ftfy leaves of half characters cannot be coded in bytes.
    text = text.encode("utf-8", "replace").decode()
    return re.sub(r"\s+", " ", text).strip().lower()


def split_markers(text: str) -> list[str]:
    """Cut a text at the start and end markers it holds.

    A marker right behind other signs is not one: the run of signs, which began before it, takes its first
    two. So it is in the reference.
    """
    pieces, begin, at = list[str](), 0, 0
    while at < len(text):
        marker = next((marker for marker in MARKERS if text.startswith(marker, at)), None)
        if marker and (
            at == begin or text[at - 1].isspace() or unicodedata.category(text[at - 1])[0] in "LN"
        ):
            pieces += [text[begin:at], marker]
            begin = at = at + len(marker)
        else:
            following = text.find("<|", at + 1)
            at = len(text) if following < 0 else following
    return [piece for piece in [*pieces, text[begin:]] if piece]


def split_evenly(length: int, room: int, ends: set[int]) -> list[tuple[int, int]]:
    """Cut a row into parts of at most ``room``, as few as can be, about equal, at ``ends`` if possible.

    Args:
        length: Of the row.
        room: Of a part.
        ends: Where it may be cut.

    Returns:
        Begin and end of each part.
    """
    parts = []
    begin = 0
    while begin < length:
        left = length - begin
        share = -(-left // -(-left // room))
        longer = (at for at in range(begin + share, min(begin + room, length) + 1) if at in ends)
        shorter = (at for at in range(begin + share - 1, begin, -1) if at in ends)
        end = next(longer, 0) or next(shorter, 0) or begin + share
        parts.append((begin, end))
        begin = end
    return parts


def _encoder(inner: Tokenizer) -> Callable[[str], Sequence[int]]:
    return lambda text: inner.encode(text, add_special_tokens=False).ids


def _spell(names: Mapping[int, str], ids: Sequence[int]) -> str:
    """Turn ids into text through the bytes that their names stand for."""
    bytes_of = {sign: byte for byte, sign in enumerate(byte_signs())}
    text = "".join(names.get(number, "") for number in ids)
    coded = bytes(bytes_of[sign] for sign in text if sign in bytes_of)
    return coded.decode("utf-8", "replace").replace("</w>", " ")


def byte_signs() -> list[str]:
    """Return the printable sign that stands for each of the 256 bytes in a vocabulary.

    Printable Latin-1 signs stand for themselves; the other bytes, in order, are code points from 256 on.
    """
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def _read_folder(folder: Path) -> tuple[Path, dict[str, int], list[tuple[str, str]]] | None:
    whole, vocabulary, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if whole.is_file():
        entries = _json(whole)
        model = entries.get("model")
        if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
            raise CheckpointError(f"{whole}: not a byte-pair tokenizer; a CLIP tokenizer expected")
        if model.get("end_of_word_suffix") != "</w>":
            raise CheckpointError(f"{whole}: words do not end in </w>; a CLIP tokenizer expected")
        added = entries.get("added_tokens") or []
        table = dict(model.get("vocab") or {})
        if isinstance(added, list):
            table |= {item.get("content"): item.get("id") for item in added if isinstance(item, dict)}
        return whole, _table(whole, table), _pairs(whole, model.get("merges"))
    if vocabulary.is_file() and merges.is_file():
        lines = _text(merges).split("\n")
        rows = [line for line in lines if line.strip() and not line.startswith("#version")]
        return vocabulary, _table(vocabulary, _json(vocabulary)), _pairs(merges, rows)
    return None


def _table(path: Path, entries: Mapping[Any, Any]) -> dict[str, int]:
    sound = all(isinstance(key, str) and type(value) is int and value >= 0 for key, value in entries.items())
    if not sound or not entries:
        raise CheckpointError(f"{path}: its vocabulary is not a table from words to ids; use a complete file")
    return dict(entries)


def _pairs(path: Path, rows: object) -> list[tuple[str, str]]:
    pairs = []
    for row in rows if isinstance(rows, list) else [None]:
        parts = row.split() if isinstance(row, str) else row
        if not (isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) for part in parts)):
            raise CheckpointError(
                f"{path}: {str(row)[:40]!r} is not a merge of two parts; use a complete file"
            )
        pairs.append((parts[0], parts[1]))
    return pairs


def _json(path: Path) -> dict[str, Any]:
    try:
        entries = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({_line(error)}); use a complete file") from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: holds no table; use a complete file")
    return entries


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE:
        raise CheckpointError(f"{path}: has more than {MAX_FILE >> 20} MiB; this is no tokenizer")
    return data.decode("utf-8", "replace")


def _need_ftfy() -> None:
    try:
        import ftfy  # noqa: F401
    except ImportError:
        raise _missing("ftfy") from None


def _missing(package: str) -> MissingExtraError:
    return MissingExtraError(f'CLIP needs the package {package}: pip install "dreamplate[clip]"')


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
