"""One process at a time: a lock file that the kernel lets go of when its holder dies."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dreamplate.errors import TakeError
from dreamplate.files import raise_os_error


@contextmanager
def hold(path: Path, what: str) -> Iterator[None]:
    """Hold the lock at ``path`` while the block runs.

    The file stays behind, unlocked; deleting it would let two processes lock two files of one name.

    Args:
        path: The lock file, made when absent.
        what: What the lock protects, for the error.

    Raises:
        TakeError: Another process holds it (the message says which), or it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise_os_error(error, path, TakeError)
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise TakeError(f"{what}: {_holder(path)} is working on it; stop that one or wait") from error
            raise_os_error(error, path, TakeError, "lock")
        note = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
        # The note only serves the error message above: on a full disk the lock must still work.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, note)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Say whether some process holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(descriptor)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_bytes())
        return f"process {int(note['pid'])} on {note['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _lock(descriptor: int) -> None:
    """Take an exclusive lock without waiting; the kernel drops it with the last copy of the descriptor."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
