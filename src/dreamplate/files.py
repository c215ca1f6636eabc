"""Writing files so that nobody ever sees half of one.

Everything Dreamplate leaves on disk is first written beside its final place under a temporary name
(``.NAME.XXXXXXXX.tmp``), flushed to the medium, and only then renamed over the old file. Whoever
stops the program, or whatever fills the disk, the old file stays as it was or the new one is whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

from dreamplate.errors import DreamplateError, MediaError, ResourceError

__all__ = ["atomic_path", "atomic_write", "free_space", "raise_os_error", "sha256", "write_bytes_atomic"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CHUNK = 1 << 20


def raise_os_error(
    error: OSError, path: Path, family: type[DreamplateError] = MediaError, doing: str = "write"
) -> NoReturn:
    """Raise the Dreamplate error that an ``OSError`` on ``path`` means.

    Args:
        error: What the system said.
        path: The file the user asked for (not the temporary one).
        family: The caller's error class for everything but a full disk or exhausted memory.
        doing: Verb for the message: ``write`` or ``read``.

    Raises:
        ResourceError: The disk is full, a quota or a file size limit was reached.
        DreamplateError: ``family``, for any other reason.
    """
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        raise ResourceError(
            f"{path}: no space left to {doing} it ({reason}); free some space and try again"
        ) from error
    remedy = {
        errno.ENOENT: "check that the path and its folder exist",
        errno.EACCES: "check its permissions",
        errno.EPERM: "check its permissions",
        errno.EROFS: "choose another folder",
        errno.EISDIR: "name a file, not a folder",
        errno.ENOTDIR: "check the path: part of it is a file",
        errno.ENAMETOOLONG: "use a shorter name",
        errno.EMFILE: "raise the limit of open files (ulimit -n)",
    }.get(error.errno or 0, "check the path and the disk")
    raise family(f"{path}: cannot {doing} it ({reason}); {remedy}") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` durable; silently skipped where folders cannot be opened (Windows)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems cannot sync a folder; the rename itself has happened.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path, suffix: str) -> Path:
    # 255 bytes is the usual limit of a name; the temporary one must fit even when the final one just does.
    stem = path.name.encode()[:200].decode(errors="ignore")
    return path.with_name(f".{stem}.{secrets.token_hex(4)}.tmp{suffix}")


@contextmanager
def atomic_path(
    path: str | os.PathLike[str], *, family: type[DreamplateError] = MediaError, suffix: str = ""
) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it replaces ``path``, on error it is removed.

    The body must write and close the temporary file. Its permissions become those of the file it
    replaces. A symbolic link is followed, so that the link stays a link.

    Args:
        path: Final place.
        family: Error class for operating-system errors other than a full disk.
        suffix: Extension of the temporary file, for libraries that choose a format by it (``".exr"``).

    Raises:
        ResourceError: The disk is full; an existing file at ``path`` is untouched.
        DreamplateError: ``family``, when the folder or the file cannot be written.
    """
    asked = Path(path)
    if "\0" in str(asked):
        raise family(f"{str(asked)!r}: is no file name; check the path")
    final = Path(os.path.realpath(asked))  # through links, so that a link stays a link
    temporary = _temporary(final, suffix)
    try:
        if final.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Created here, exclusively, so that an unwritable folder is reported before any work is done.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        if final.exists():
            shutil.copymode(final, temporary)
        _sync_file(temporary)
        temporary.replace(final)
        _sync_folder(final.parent)
    except OSError as error:
        raise_os_error(error, asked, family)
    finally:
        with suppress(OSError):  # whatever went wrong before is what the caller should hear of
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], *, family: type[DreamplateError] = MediaError
) -> Iterator[IO[bytes]]:
    """Open ``path`` for binary writing; the new contents appear all at once when the block ends well.

    Raises:
        ResourceError: The disk is full; an existing file at ``path`` is untouched.
        DreamplateError: ``family``, when the folder or the file cannot be written.
    """
    # The file is closed before the rename and inside the error mapping: a file closed by the garbage
    # collector would swallow the error of its last flush.
    with atomic_path(path, family=family) as temporary, temporary.open("r+b") as file:
        yield file


def write_bytes_atomic(
    path: str | os.PathLike[str],
    data: bytes | bytearray | memoryview,
    *,
    family: type[DreamplateError] = MediaError,
) -> None:
    """Write ``data`` to ``path`` so that the old contents or all the new ones are there, never a part.

    Raises:
        ResourceError: The disk is full; an existing file at ``path`` is untouched.
        DreamplateError: ``family``, when the folder or the file cannot be written.
    """
    with atomic_write(path, family=family) as file:
        file.write(data)


def sha256(path: str | os.PathLike[str], *, family: type[DreamplateError] = MediaError) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits, reading it in pieces.

    Raises:
        DreamplateError: ``family``, when the file cannot be read.
    """
    place = Path(path)
    digest = hashlib.sha256()
    try:
        with place.open("rb") as file:
            while block := file.read(_CHUNK):
                digest.update(block)
    except OSError as error:
        raise_os_error(error, place, family, "read")
    return digest.hexdigest()


def free_space(path: str | os.PathLike[str], *, family: type[DreamplateError] = MediaError) -> int:
    """Return how many bytes can still be written where ``path`` is or would be.

    Raises:
        DreamplateError: ``family``, when no part of the path exists.
    """
    place = Path(path).absolute()
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        return shutil.disk_usage(place).free
    except OSError as error:
        raise_os_error(error, Path(path), family, "read")
