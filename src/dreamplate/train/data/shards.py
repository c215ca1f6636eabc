"""Tar shards: read where they lie, never unpacked. Names and offsets are found once."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path, PurePosixPath

from dreamplate.errors import MediaError
from dreamplate.train.data.listing import PICTURES, Item, Ref

__all__ = ["expand_shards", "list_shards"]

_BRACES = re.compile(r"\{([^{}]*)\}")
MOST = 1_000_000


def expand_shards(data: Path) -> list[Path]:
    """Return the shards that a path names: a tar file, a folder of them, or ``shots-{000..009}.tar``.

    Raises:
        MediaError: One is missing, or there are none.
    """
    text = str(data)
    if "{" in text:
        names = [Path(name) for name in _expand(text)]
    elif data.is_dir():
        names = sorted(data.glob("*.tar"))
    else:
        names = [data]
    missing = next((name for name in names if not name.is_file()), None)
    if missing is not None or not names:
        raise MediaError(f"{missing or data}: there is no such tar file; check --data")
    return names


def list_shards(shards: list[Path], kinds: Collection[str] = PICTURES) -> list[Item]:
    """Return every picture in tar files, by name.

    Args:
        shards: The files.
        kinds: File name extensions that are wanted instead; then there may be none.

    Raises:
        MediaError: A shard is damaged or compressed, or none holds a picture.
    """
    found: list[Item] = []
    for shard in shards:
        try:
            with tarfile.open(shard, "r:") as archive:
                for member in archive:
                    suffix = PurePosixPath(member.name).suffix.lower()
                    if member.isreg() and suffix in kinds:
                        ref = Ref(shard, member.name, member.offset_data, member.size)
                        found.append(Item(member.name.removeprefix("./"), ref))
        except (tarfile.TarError, OSError, EOFError) as error:
            reason = " ".join(str(error).split())[:100]
            raise MediaError(
                f"{shard}: is no readable tar file ({reason}); compressed ones must be unpacked to .tar"
            ) from error
    if not found and kinds is PICTURES:
        raise MediaError(f"{shards[0]}: holds no pictures, nor do the {len(shards)} shards together")
    return sorted(found, key=lambda item: item.place)


def _expand(text: str) -> Iterator[str]:
    choices = [list(_choices(match)) for match in _BRACES.findall(text)]
    count = 1
    for options in choices:
        count *= len(options)
    if count > MOST:
        raise MediaError(f"{text}: names {count} shards; at most {MOST}")
    pieces = _BRACES.split(text)[::2]
    for chosen in product(*choices):
        yield "".join(piece + part for piece, part in zip(pieces, (*chosen, ""), strict=True))


def _choices(inside: str) -> Iterator[str]:
    span = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inside)
    if span is None:
        yield from inside.split(",")
        return
    first, last = int(span[1]), int(span[2])
    width = len(span[1]) if span[1].startswith("0") else 0
    if abs(last - first) >= MOST:
        raise MediaError(f"{{{inside}}}: names more than {MOST} shards")
    for number in range(first, last + 1) if first <= last else range(first, last - 1, -1):
        yield f"{number:0{width}d}"
