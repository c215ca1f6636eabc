"""Encoding into memory first, so that writing to disk is done by code that reports a full disk.

Of the libraries behind OpenImageIO, one ends the whole process when the disk is full and another
returns as if all were well. They are therefore given a file that lives in memory, and its bytes are
then written by Python, whose errors are honest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dreamplate.errors import ResourceError
from dreamplate.files import free_space

_BLOCK = 1 << 20


def _size_limit() -> int | None:
    """Return the largest file this process may write, or None."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if soft == resource.RLIM_INFINITY else soft


@contextmanager
def encoded_into(file: IO[bytes], bound: int, final: Path) -> Iterator[Path]:
    """Yield a path for an encoder to write to; afterwards what it wrote is copied into ``file``.

    Args:
        file: Open for binary writing.
        bound: Bytes that the encoder may write at the very most.
        final: The path to name in messages.

    Raises:
        ResourceError: There may not be room for the encoded picture.
        OSError: Writing to ``file`` failed.
    """
    limit = _size_limit()
    if limit is not None and limit < bound:
        # A file in memory obeys this limit too, and the encoder cannot be trusted to say so.
        raise ResourceError(
            f"{final}: may take {bound} bytes, above the file size limit {limit}; raise ulimit -f"
        )
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("dreamplate")
        with os.fdopen(descriptor, "w+b") as memory:
            yield Path(f"/proc/self/fd/{descriptor}")
            memory.seek(0)
            shutil.copyfileobj(memory, file, _BLOCK)
        return
    with tempfile.TemporaryDirectory(prefix="dreamplate-") as folder:
        if free_space(folder) < bound:
            raise ResourceError(
                f"{final}: encoding it may take {bound} bytes in {folder}; free some space there"
            )
        place = Path(folder) / "picture"
        yield place
        with place.open("rb") as source:
            shutil.copyfileobj(source, file, _BLOCK)
