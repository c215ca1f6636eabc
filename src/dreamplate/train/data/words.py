"""What is said and known of examples: captions and facts in files beside the pictures.

``NAME.txt`` holds captions, one a line; ``NAME.json`` facts, names with words; both beside the picture or in
a folder of their own (``captions/``, ``facts/``), in shards as well. ``captions.json`` lists the captions of
all: ``{"NAME": ["…", "…"]}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from dreamplate.errors import MediaError
from dreamplate.train.data.listing import Entry, Item, Key, Ref, find_role, plain_role

__all__ = ["mirrored", "read_facts", "read_texts", "with_words"]

ALL = "captions.json"
"""File of the captions of all examples."""
_SIDES = re.compile(r"\b(left|right)(?=\b|most\b|ward|hand)", re.IGNORECASE)
MOST = 64 << 10
"""Bytes of one example's words at most."""


def with_words(entries: Sequence[Entry], words: Sequence[Item], splits: Iterable[str]) -> tuple[Entry, ...]:
    """Return examples together with the files that say something of them.

    Args:
        entries: The examples.
        words: All text and JSON files.
        splits: Names of splits, besides the usual ones.

    Raises:
        MediaError: Two files would say the same of one example.
    """
    if not words:
        return tuple(entries)
    splits = tuple(splits)
    texts = _by_key("texts", [item for item in words if item.ref.suffix == ".txt"], splits)
    facts = _by_key("facts", [item for item in words if item.ref.suffix == ".json"], splits)
    whole = next((item.ref for item in words if item.place == ALL), None)
    made = []
    for entry in entries:
        name = entry.name.removeprefix(f"{entry.split}/") if entry.split else entry.name
        key, refs = (entry.split, name), dict(entry.refs)
        if key in texts:
            refs["texts"] = (texts[key],)
        elif whole is not None:
            refs["texts"] = (whole,)
        if key in facts:
            refs["facts"] = (facts[key],)
        made.append(replace(entry, refs=refs))
    return tuple(made)


def mirrored(text: str) -> str:
    """Return what is said of a picture once it is mirrored left to right: left is right, and right left.

    "Right" is taken for the side wherever it stands; captions that mean something else by it, or hold written
    words to be read in the picture, want ``augment.flip`` off.
    """

    def other(found: re.Match[str]) -> str:
        word = "right" if found[1].lower() == "left" else "left"
        return word.upper() if found[1].isupper() else word.title() if found[1][0].isupper() else word

    return _SIDES.sub(other, text)


def read_texts(ref: Ref, *, name: str) -> tuple[str, ...]:
    """Return the captions of an example; empty lines are none.

    Args:
        ref: Its own file, or the one of all.
        name: Of the example.

    Raises:
        MediaError: The file cannot be read.
    """
    if ref.path.name != ALL or ref.member:
        lines = (line.strip() for line in _read(ref, MOST).splitlines())
        return tuple(line for line in lines if line)
    listed = _all_captions(ref)
    found = listed.get(name, listed.get(PurePosixPath(name).name, ()))
    texts = (found,) if isinstance(found, str) else found
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise MediaError(f'{ref}: the captions of {name!r} are no list of texts; write {{"NAME": ["…"]}}')
    return tuple(text.strip() for text in texts if text.strip())


def read_facts(ref: Ref) -> dict[str, str]:
    """Return the facts in a file; a JSON file of another kind holds none.

    Raises:
        MediaError: The file cannot be read.
    """
    try:
        found = json.loads(_read(ref, MOST))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(fact, str) for fact in found.values()):
        return {}
    return found


def _by_key(role: str, items: Sequence[Item], splits: Iterable[str]) -> Mapping[Key, Ref]:
    own = find_role(role, "", items, splits)[1]
    beside = [item for item in items if item.ref not in set(own.values())]
    return {**plain_role(beside, splits), **own}


@lru_cache(maxsize=4)
def _all_captions(ref: Ref) -> Mapping[str, Any]:
    try:
        found = json.loads(_read(ref, None))
    except (ValueError, RecursionError) as error:
        raise MediaError(f"{ref}: is not JSON ({str(error)[:80]})") from error
    if not isinstance(found, dict):
        raise MediaError(f'{ref}: is a {type(found).__name__}; write {{"NAME": ["…", "…"]}}')
    return found


def _read(ref: Ref, most: int | None) -> str:
    try:
        with ref.path.open("rb") as file:
            file.seek(ref.start)
            size = ref.size if ref.member else -1
            data = file.read(size if most is None else min(size, most) if size >= 0 else most)
    except OSError as error:
        raise MediaError(f"{ref}: cannot be read ({error.strerror}); check the file") from error
    try:
        return data.decode("utf-8")
    except ValueError as error:
        raise MediaError(f"{ref}: is no UTF-8 text; save it as UTF-8, or remove it") from error
