"""A storage of numbers that lies inside a pickle as a whole torch file of its own.

Plain ``pickle.dump`` of a module writes each storage so, NVIDIA's StyleGAN2 files among them: the bytes are a
file in torch's format before 1.6 that holds one storage and nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from dreamplate.errors import CheckpointError
from dreamplate.models.legacy.leaves import Storage
from dreamplate.models.legacy.machine import Global, PickleLimits, read_pickle

__all__ = ["MAGIC", "PROTOCOL", "read_storage", "refuse_names"]

MAGIC = 0x1950A86A20F9469CFC6C
"""First value of torch's format before 1.6."""
PROTOCOL = 1001
"""Its second."""
_LIMITS = PickleLimits(opcodes=1000, stack=100, line=1000)


def read_storage(
    data: bytes, allow: Callable[[Global], None], describe: Callable[[Any], tuple[Storage, int]]
) -> tuple[Storage, memoryview]:
    """Read a torch file that holds one storage.

    Args:
        data: The file.
        allow: Refuses names, by `CheckpointError`.
        describe: Turns a reference to a storage into a `Storage` and the view's first element.

    Returns:
        What the storage is, and its bytes, not copied.

    Raises:
        CheckpointError: The bytes are no such file, are cut short, or are big-endian.
    """
    file, size = io.BytesIO(data), len(data)
    start = [read_pickle(file, size, refuse_names, limits=_LIMITS) for _ in range(3)]
    if start[:2] != [MAGIC, PROTOCOL] or not isinstance(start[2], dict):
        raise CheckpointError("its pickle has a storage of an unknown format; it is damaged")
    if start[2].get("little_endian") is not True:
        raise CheckpointError("its pickle has a big-endian storage; resave it on a little-endian machine")
    storage, offset = describe(read_pickle(file, size, allow, limits=_LIMITS))
    keys = read_pickle(file, size, refuse_names, limits=_LIMITS)
    count = int.from_bytes(file.read(8), "little")
    begin = file.tell()
    if keys != [storage.key] or count != storage.elements or begin + storage.nbytes != size or offset:
        raise CheckpointError(
            f"its pickle has a storage that should have {storage.elements:,} numbers, claims {count:,} and"
            f" has {max(size - begin, 0):,} bytes; it is cut short or damaged"
        )
    return storage, memoryview(data)[begin:]


def refuse_names(name: Global) -> None:
    """Refuse every name.

    Raises:
        CheckpointError: Always.
    """
    raise CheckpointError(f"its preamble names {str(name)[:100]!r}; it is hostile")
