"""``.pict``: weights of pix2pix's browser demo (affinelayer), one byte each.

Three records follow each other, each a length (big-endian, unsigned, 32 bits) and so many bytes: a JSON
list of ``{name, shape}``, 256 values (little-endian float32), and one byte for every weight of every tensor
in the order of the list, which is the number of its value.
"""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dreamplate.errors import CheckpointError
from dreamplate.tensorheader import open_file

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["is_pict", "read_pict"]

LIST_BYTES = 1 << 20
"""Most bytes of the JSON list; real ones have 4,000."""
VALUES = 256
TENSORS = 10_000
"""Most tensors."""


def is_pict(path: str | os.PathLike[str]) -> bool:
    """Say whether a file begins as a ``.pict`` does: a short record that is a JSON list, and one of 1 KiB.

    Raises:
        ModelError: The file is absent or cannot be opened.
    """
    with open_file(Path(path)) as file:
        first = file.read(5)
        if len(first) < 5 or first[4:] != b"[":
            return False
        (length,) = struct.unpack(">I", first[:4])
        if length > LIST_BYTES:
            return False
        file.seek(4 + length)
        return file.read(4) == struct.pack(">I", 4 * VALUES)


def read_pict(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the tensors of a ``.pict`` file, float32, by the file's own names.

    Raises:
        ModelError: The file is absent or cannot be opened.
        CheckpointError: It is cut short, has more than its three records, or they contradict each other.
    """
    import numpy as np
    import torch

    place = Path(path)
    with open_file(place) as file:
        left = os.fstat(file.fileno()).st_size
        listed, left = _record(file, place, "list of tensors", left, LIST_BYTES)
        table, left = _record(file, place, "table of values", left, 4 * VALUES)
        codes, left = _record(file, place, "weights", left, left)
    if left:
        raise CheckpointError(f"{place}: {left} bytes follow its third record; copy the file again")
    if len(table) != 4 * VALUES:
        raise CheckpointError(
            f"{place}: its table has {len(table)} bytes, not {4 * VALUES}; copy the file again"
        )
    values = np.frombuffer(table, "<f4")
    if not np.isfinite(values).all():
        raise CheckpointError(f"{place}: its table of values has numbers that are not finite; it is damaged")
    shapes = _shapes(listed, place)
    needed = sum(math.prod(shape) for shape in shapes.values())
    if needed != len(codes):
        raise CheckpointError(
            f"{place}: its list needs {needed} weights, and there are {len(codes)}; copy the file again"
        )
    numbers, made, start = np.frombuffer(codes, np.uint8), {}, 0
    for name, shape in shapes.items():
        count = math.prod(shape)
        made[name] = torch.from_numpy(
            values[numbers[start : start + count]].reshape(shape).astype(np.float32)
        )
        start += count
    return made


def _record(file: IO[bytes], place: Path, what: str, left: int, most: int) -> tuple[bytes, int]:
    """Read one record; returns it, and how many bytes of the file are left."""
    head = file.read(4)
    if len(head) < 4:
        raise CheckpointError(f"{place}: ends before its {what}; copy the file again")
    (length,) = struct.unpack(">I", head)
    left -= 4
    if length > left:
        raise CheckpointError(f"{place}: its {what} should have {length} bytes, of which {left} are there")
    if length > most:
        raise CheckpointError(
            f"{place}: its {what} has {length} bytes, more than the {most} that it may have"
        )
    return file.read(length), left - length


def _shapes(listed: bytes, place: Path) -> dict[str, tuple[int, ...]]:
    try:
        entries: Any = json.loads(listed.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{place}: its list of tensors is no JSON; it is damaged") from error
    if not isinstance(entries, list) or not 0 < len(entries) <= TENSORS:
        raise CheckpointError(f"{place}: its list of tensors is none, or has not 1 to {TENSORS} entries")
    shapes: dict[str, tuple[int, ...]] = {}
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        shape = entry.get("shape") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= 500 or name in shapes:
            raise CheckpointError(f"{place}: an entry of its list has no name, or one that is there already")
        if (
            not isinstance(shape, list)
            or len(shape) > 8
            or not all(type(size) is int and 0 < size < 1 << 24 for size in shape)
        ):
            raise CheckpointError(f"{place}: tensor {name[:60]!r} has shape {str(shape)[:60]}, which is none")
        shapes[name] = tuple(shape)
    return shapes
