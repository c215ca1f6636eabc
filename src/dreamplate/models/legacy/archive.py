"""Zip archives that hold tensors, proved before anything in them is read."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from dreamplate.errors import CheckpointError

__all__ = ["Archive", "open_archive"]

_CHUNK = 1 << 20
_FREE_BYTES = 64 << 20
_RATIO = 100
"""An archive may unpack to this many times its size, or to ``_FREE_BYTES`` if that is more."""
_LOCAL_HEADER = 30


@dataclass(frozen=True)
class Archive:
    """A proved archive. Member names are only ever looked up, never used as paths."""

    zip: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    def size(self, name: str) -> int:
        """Unpacked size of a member; refuses a name that is not there."""
        info = self.members.get(name)
        if info is None:
            raise CheckpointError(f"its archive has no {name[:120]!r}; it is damaged or cut short")
        return info.file_size

    def chunks(self, name: str) -> Iterator[bytes]:
        """Unpack a member in pieces; the last one is given only after its checksum was right."""
        left = self.size(name)
        with self.zip.open(self.members[name]) as file:
            while left:
                data = file.read(min(left, _CHUNK))
                if not data:
                    raise CheckpointError(f"its archive member {name[:120]!r} is cut short")
                left -= len(data)
                yield data

    def read(self, name: str) -> bytearray:
        """Unpack a whole member."""
        data = bytearray()
        for chunk in self.chunks(name):
            data += chunk
        return data


def open_archive(file: IO[bytes], size: int, total_bytes: int) -> Archive:
    """Open an archive and prove its directory.

    Args:
        file: Open zip file.
        size: Its bytes.
        total_bytes: Most bytes that it may unpack to.

    Raises:
        CheckpointError: A member is encrypted, a link, compressed in an unknown way, named outside the
            archive, named twice, overlaps another, or all together unpack to too much.
        zipfile.BadZipFile: The directory is damaged.
    """
    archive = zipfile.ZipFile(file)
    members: dict[str, zipfile.ZipInfo] = {}
    unpacked = 0
    end = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        name = info.filename
        where = f"its archive member {name[:120]!r}"
        if name in members:
            raise CheckpointError(f"{where} occurs twice; it is hostile")
        if _leaves(name):
            raise CheckpointError(f"{where} is named outside the archive; it is hostile")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise CheckpointError(f"{where} is a symbolic link; it is hostile")
        if info.flag_bits & 1:
            raise CheckpointError(f"{where} is encrypted; resave it without a password")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise CheckpointError(
                f"{where} is packed by method {info.compress_type}; only deflate can be read"
            )
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            raise CheckpointError(f"{where} lies about its size")
        if info.header_offset < end:
            raise CheckpointError(f"{where} overlaps another; it is a bomb")
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
        unpacked += info.file_size
        members[name] = info
    if end > size:
        raise CheckpointError("its archive claims more bytes than the file has; it is cut short or lies")
    if unpacked > min(total_bytes, max(_FREE_BYTES, _RATIO * size)):
        raise CheckpointError(f"its archive of {size:,} bytes unpacks to {unpacked:,}; it is a bomb")
    return Archive(archive, members)


def _leaves(name: str) -> bool:
    """Say whether a member name would lead outside the archive if somebody used it as a path."""
    drive = len(name) > 1 and name[1] == ":"
    return drive or name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/")
