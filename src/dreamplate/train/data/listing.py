"""Which files make up each example: names are compared, nothing is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate.formats import BY_EXTENSION
from dreamplate.plate.frames import parse_frames

__all__ = [
    "SPLITS",
    "USUAL",
    "WORDS",
    "Entry",
    "Item",
    "Key",
    "Ref",
    "find_role",
    "halves",
    "list_folder",
    "pair_up",
    "plain_role",
]

SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing", "dev")
"""Folder names that say which split their files belong to."""
USUAL: dict[str, tuple[str, ...]] = {
    "condition": (
        "label", "labels", "condition", "conditions", "input", "inputs", "source", "seg", "segmentation",
        "semantic", "semantics", "sketch", "sketches", "edges", "lines", "depth", "a",
    ),
    "image": (
        "photo", "photos", "image", "images", "img", "imgs", "target", "targets", "output", "outputs",
        "real", "rgb", "beauty", "b",
    ),
    "instances": ("inst", "instance", "instances", "instance_map"),
    "weight": ("weight", "weights"),
    "texts": ("text", "texts", "caption", "captions"),
    "facts": ("facts",),
}  # fmt: skip
"""Names that each part of an example usually has, as a folder or as a suffix of file names."""
PICTURES = frozenset(BY_EXTENSION) | {".webp"}
WORDS = frozenset({".txt", ".json"})


@dataclass(frozen=True)
class Ref:
    """Where one part of an example is.

    Attributes:
        path: The file, or the tar shard that holds it.
        member: Its name in the shard; empty: the file itself.
        start: Its first byte in the shard.
        size: Its bytes in the shard.
        half: 0 the whole picture, 1 its left half, 2 its right half.
        layers: Layers or channels of it; none: all.
    """

    path: Path
    member: str = ""
    start: int = 0
    size: int = 0
    half: int = 0
    layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    @property
    def suffix(self) -> str:
        """Extension of the picture, lower case."""
        return PurePosixPath(self.member or self.path.name).suffix.lower()


@dataclass(frozen=True)
class Entry:
    """The files of one example, by part: ``condition image instances weight texts facts``."""

    name: str
    split: str
    refs: Mapping[str, tuple[Ref, ...]]


@dataclass(frozen=True)
class Item:
    """A picture file found: its path inside the data, with ``/``, and where it is."""

    place: str
    ref: Ref


Key = tuple[str, str]
"""Split and name of an example."""


def list_folder(data: Path, kinds: Collection[str] = PICTURES) -> list[Item]:
    """Return every picture below a folder, sorted by path; hidden files are left out.

    Args:
        data: The folder.
        kinds: File name extensions that are wanted instead; then there may be none.

    Raises:
        MediaError: There is none, or the folder cannot be read.
    """
    if not data.is_dir():
        raise MediaError(f"{data}: {'is no folder' if data.exists() else 'does not exist'}; check --data")
    found = []
    for path in data.rglob("*"):
        place = path.relative_to(data).as_posix()
        hidden = place.startswith(".") or "/." in place
        if path.suffix.lower() in kinds and not hidden and path.is_file():
            found.append(Item(place, Ref(path)))
    if not found and kinds is PICTURES:
        known = " ".join(sorted(PICTURES))
        raise MediaError(f"{data}: holds no pictures ({known}); check --data")
    return sorted(found, key=lambda item: item.place)


def find_role(
    role: str, wanted: str, items: Sequence[Item], splits: Iterable[str]
) -> tuple[str, dict[Key, Ref]]:
    """Return the files of one part of the examples, by split and name.

    Args:
        role: A key of `USUAL`.
        wanted: What the user calls it: a folder, a suffix of names (``label`` or ``label.png``), a pattern
            (``label/####.png``, ``*_label.png``); empty: its usual names are tried.
        items: All files.
        splits: Names of splits, besides the usual ones.

    Returns:
        The name under which they were found (empty: none were), and the files.

    Raises:
        ConfigError: What the user named matches nothing.
        MediaError: Two files would be the same part of the same example.
    """
    known = frozenset(name.lower() for name in (*SPLITS, *splits))
    if any(mark in wanted for mark in "#*%"):
        found = _gather(items, _pattern(wanted, known))
        if not found:
            raise ConfigError(f"source.{role}: nothing matches {wanted!r}; {_examples(items)}")
        return wanted, found
    for name in (wanted,) if wanted else USUAL[role]:
        for rule in (_folder, _suffix):
            found = _gather(items, rule(name, known))
            if found:
                return name, found
    if wanted:
        raise ConfigError(
            f"source.{role}: there is neither a folder {wanted!r} nor a file name ending in it; "
            f"{_examples(items)}"
        )
    return "", {}


def plain_role(items: Sequence[Item], splits: Iterable[str]) -> dict[Key, Ref]:
    """Return all files, each by its split and its path without extension."""
    known = frozenset(name.lower() for name in (*SPLITS, *splits))
    return _gather(items, lambda place: _key(place.with_suffix("").parts, known))


def pair_up(parts: Mapping[str, dict[Key, Ref]], *, lenient: bool) -> tuple[list[Entry], list[str]]:
    """Return the examples that the parts make up, and those left out because a part is missing.

    Several right answers to one condition are found by name: ``name_1.png name_2.png``, or a folder
    ``name/``.

    Args:
        parts: Files of each part; ``image`` among them. ``weight`` may be there for some only.
        lenient: Leave incomplete examples out instead of stopping.

    Raises:
        MediaError: A file has no partner; names the first, and how many there are of each.
    """
    images: dict[Key, tuple[Ref, ...]] = {key: (ref,) for key, ref in parts["image"].items()}
    needed = {name: files for name, files in parts.items() if name not in ("image", "weight")}
    if "condition" in parts:
        images = _several(images, parts["condition"])
    lone: list[str] = []
    for name, files in needed.items():
        lone += [f"{ref}: has no image of its name" for key, ref in files.items() if key not in images]
        lone += [f"{refs[0]}: has no {name} of its name" for key, refs in images.items() if key not in files]
    if lone and not lenient:
        numbers = {"image": len(images)} | {name: len(files) for name, files in needed.items()}
        counts = ", ".join(f"{number} of {name}" for name, number in numbers.items())
        raise MediaError(
            f"{lone[0]} ({len(lone)} such files; {counts}); add its partner, or leave such files out with "
            "--source.skip-bad"
        )
    complete = [key for key in images if all(key in files for files in needed.values())]
    if not complete:
        raise MediaError(f"no example is complete: {lone[0] if lone else 'there are no images'}")
    twice = len({name for _, name in complete}) < len(complete)
    entries = []
    for split, name in sorted(complete):
        refs = {part: (files[split, name],) for part, files in needed.items()}
        if (split, name) in parts.get("weight", {}):
            refs["weight"] = (parts["weight"][split, name],)
        whole = f"{split}/{name}" if twice and split else name
        entries.append(Entry(whole, split, {"image": images[split, name], **refs}))
    return entries, lone


def halves(files: Mapping[Key, Ref], *, swap: bool) -> dict[str, dict[Key, Ref]]:
    """Return condition and image of pictures that hold both side by side, the condition left."""
    left, right = (2, 1) if swap else (1, 2)
    return {
        "condition": {key: replace(ref, half=left) for key, ref in files.items()},
        "image": {key: replace(ref, half=right) for key, ref in files.items()},
    }


def _several(
    images: Mapping[Key, tuple[Ref, ...]], partners: Mapping[Key, Ref]
) -> dict[Key, tuple[Ref, ...]]:
    made: dict[Key, tuple[Ref, ...]] = {}
    for (split, name), refs in sorted(images.items()):
        owner = name
        if (split, name) not in partners:
            shorter = (re.sub(r"[_-]\d+$", "", name), name.rpartition("/")[0])
            owner = next((s for s in shorter if (split, s) in partners), name)
        made[split, owner] = made.get((split, owner), ()) + refs
    return made


Rule = Callable[[PurePosixPath], Key | None]


def _gather(items: Sequence[Item], rule: Rule) -> dict[Key, Ref]:
    found: dict[Key, Ref] = {}
    for item in items:
        key = rule(PurePosixPath(item.place))
        if key is not None and found.setdefault(key, item.ref) is not item.ref:
            raise MediaError(f"{item.ref}: is called like {found[key]}; rename or remove one of them")
    return found


def _key(parts: Sequence[str], splits: frozenset[str], split: str = "") -> Key:
    """Take the first part that is a split out of the name."""
    rest = list(parts)
    for place, part in enumerate(rest[:-1]):
        if not split and part.lower() in splits:
            split = rest.pop(place).lower()
            break
    return split, "/".join(rest)


def _folder(name: str, splits: frozenset[str]) -> Rule:
    wanted = [part.lower() for part in PurePosixPath(name).parts]
    joined = re.compile(rf"({'|'.join(sorted(map(re.escape, splits)))})[_-]?{re.escape(name.lower())}")

    def rule(place: PurePosixPath) -> Key | None:
        parts = place.with_suffix("").parts
        folders = [part.lower() for part in parts[:-1]]
        for start in range(len(folders) - len(wanted) + 1):
            if folders[start : start + len(wanted)] == wanted:
                return _key((*parts[:start], *parts[start + len(wanted) :]), splits)
        for start, part in enumerate(folders):
            if match := joined.fullmatch(part):
                return _key((*parts[:start], *parts[start + 1 :]), splits, match[1])
        return None

    return rule


def _suffix(name: str, splits: frozenset[str]) -> Rule:
    bare = PurePosixPath(name.lower())
    extension = bare.suffix if bare.suffix in PICTURES else ""
    ending = re.escape(bare.stem if extension else bare.name)
    shape = re.compile(rf"(.+)[._-]{ending}", re.IGNORECASE)

    def rule(place: PurePosixPath) -> Key | None:
        match = shape.fullmatch(place.stem)
        if match is None or extension not in ("", place.suffix.lower()):
            return None
        return _key((*place.parts[:-1], match[1]), splits)

    return rule


_MARKS = re.compile(r"(#+|%0?\d*d|\*)")


def _pattern(pattern: str, splits: frozenset[str]) -> Rule:
    text, _, span = pattern.partition(" ")
    frames = frozenset(parse_frames(span)) if span else None
    pieces = _MARKS.split(text)
    shape = re.compile(
        "".join(
            re.escape(piece) if place % 2 == 0 else ("(.+?)" if piece == "*" else r"(\d+)")
            for place, piece in enumerate(pieces)
        )
    )
    digits = [mark != "*" for mark in pieces[1::2]]

    def rule(place: PurePosixPath) -> Key | None:
        match = shape.fullmatch(str(place))
        if match is None:
            return None
        # The same frame may be written 7 in one folder and 0007 in another.
        groups = [str(int(g)) if d else g for g, d in zip(match.groups(), digits, strict=True)]
        numbers = [int(g) for g, d in zip(groups, digits, strict=True) if d]
        if frames is not None and not frames.issuperset(numbers):
            return None
        return _key([part for group in groups for part in group.split("/")], splits)

    return rule


def _examples(items: Sequence[Item]) -> str:
    return f"files are such as {', '.join(item.place for item in items[:: max(1, len(items) // 3)][:3])}"
