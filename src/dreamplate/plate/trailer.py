"""The note at the end of a file, for formats whose own corners for text are too small.

TIFF, JPEG and Radiance readers stop at the end of the picture, so what follows is ours: the note, its
length in eight bytes, and a mark.
"""

from __future__ import annotations

import struct
from pathlib import Path

from dreamplate.errors import MediaError

_MARK = b"\0dreamplate-note\n"
_FOOT = struct.calcsize(">Q") + len(_MARK)
_TAIL = 1 << 16


def add_trailer(path: Path, note: str) -> None:
    """Append a note to a finished file."""
    text = note.encode("ascii")
    with path.open("ab") as file:
        file.write(text + struct.pack(">Q", len(text)) + _MARK)


def _find(path: Path, limit: int) -> tuple[int, int, bytes]:
    """Return the size of the picture data, the size of the note, and the note (empty if none or too long)."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _FOOT))
        foot = file.read()
        if len(foot) < _FOOT or not foot.endswith(_MARK):
            return size, 0, b""
        (length,) = struct.unpack_from(">Q", foot)
        if length > size - _FOOT:
            return size, 0, b""
        begin = size - _FOOT - length
        file.seek(begin)
        return begin, length, file.read(length) if length <= limit else b""


def read_trailer(path: Path, limit: int) -> str | None:
    """Return the note at the end of a file; None when there is none, or one of more than ``limit`` bytes."""
    _, length, text = _find(path, limit)
    return text.decode("ascii", "replace") if length and text else None


def check_jpeg_size(path: Path, width: int, height: int) -> None:
    """Refuse a JPEG with less than one bit for each block of 8x8 pixels: the rest would be made up.

    Raises:
        MediaError: The file is too small for what it claims.
    """
    end, _, _ = _find(path, 0)
    if width * height // 64 > 8 * end:
        raise MediaError(f"{path}: claims {width}x{height} in {end} bytes; it is cut short, copy it again")


def check_jpeg_end(path: Path) -> None:
    """Refuse a JPEG without its end marker: the decoder would fill the missing rows with grey.

    Raises:
        MediaError: The file is cut short.
    """
    end, _, _ = _find(path, 0)
    with path.open("rb") as file:
        file.seek(max(0, end - _TAIL))
        if b"\xff\xd9" not in file.read(min(end, _TAIL)):
            raise MediaError(f"{path}: is cut short (it has no end marker); copy it again")
