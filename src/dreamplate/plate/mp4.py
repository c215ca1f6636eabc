"""Checking the tables of an MP4 or QuickTime header before a demuxer sets aside memory for them.

The demuxer believes the number of entries that a table claims. Here every table must hold what it says.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from dreamplate.errors import MediaError, MediaLimitError

_FOLDERS = {
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"meta", b"moof", b"traf",
    b"mvex",
}  # fmt: skip
# Box → where its number of entries stands in its body, and the fewest bytes of an entry.
_TABLES = {
    b"stts": (4, 8),
    b"stss": (4, 4),
    b"ctts": (4, 8),
    b"stsc": (4, 12),
    b"stsz": (8, 4),
    b"stco": (4, 4),
    b"co64": (4, 8),
    b"elst": (4, 12),
    b"keys": (4, 8),
    b"stsd": (4, 8),
    b"dref": (4, 8),
}
_DEPTH = 12
_BOXES = 1_000_000


def check_mp4(file: IO[bytes], path: Path, frames: int) -> bool:
    """Refuse a header whose boxes or tables are larger than what they lie in.

    Args:
        file: Open for binary reading; its position is moved.
        path: To name in messages.
        frames: Most samples that one track may claim.

    Returns:
        Whether a track says that it is to be turned or mirrored.

    Raises:
        MediaError: A table claims more entries than it holds.
        MediaLimitError: A track claims too many samples.
    """
    size = file.seek(0, 2)
    budget = _BOXES
    turned = False
    todo = [(0, size, 0)]
    while todo:
        at, end, depth = todo.pop()
        while at + 8 <= end and budget > 0:
            budget -= 1
            kind, body, after = _box(file, at, end)
            if after <= at:
                break
            if after > end and depth:
                name = kind.decode("ascii", "replace")
                raise MediaError(f"{path}: its box {name!r} is larger than what it lies in; copy it again")
            if kind in _FOLDERS and depth < _DEPTH:
                todo.append((_inside(file, kind, body), min(after, end), depth + 1))
            elif kind in _TABLES:
                _check_table(file, path, kind, (body, after), frames)
            elif kind == b"tkhd":
                turned = turned or _is_turned(file, body)
            at = after
    file.seek(0)
    return turned


def _is_turned(file: IO[bytes], body: int) -> bool:
    """Return whether the matrix of a track header is more than a shift (ISO 14496-12, 8.3.2)."""
    file.seek(body)
    header = file.read(88)
    place = 52 if header[:1] == b"\x01" else 40
    values = [int.from_bytes(header[at : at + 4], "big", signed=True) for at in range(place, place + 20, 4)]
    a, b, _, c, d = values
    return len(header) >= place + 36 and (b != 0 or c != 0 or a < 0 or d < 0)


def _box(file: IO[bytes], at: int, end: int) -> tuple[bytes, int, int]:
    """Return the kind of the box at ``at``, where its body begins, and where the next box does."""
    file.seek(at)
    head = file.read(16)
    length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], at + 8
    if length == 1:
        length, body = int.from_bytes(head[8:16], "big"), at + 16
    elif length == 0:  # to the end of the file
        length = end - at
    return kind, body, at + length


def _inside(file: IO[bytes], kind: bytes, body: int) -> int:
    """Return where the boxes inside a box begin: ``meta`` has four bytes before them, except in QuickTime."""
    if kind != b"meta":
        return body
    file.seek(body)
    return body if file.read(8)[4:] == b"hdlr" else body + 4


def _check_table(file: IO[bytes], path: Path, kind: bytes, span: tuple[int, int], frames: int) -> None:
    place, least = _TABLES[kind]
    body, after = span
    file.seek(body)
    head = file.read(12)
    count = int.from_bytes(head[place : place + 4], "big")
    if kind == b"stsz":
        if count > frames:
            raise MediaLimitError(f"{path}: claims {count} frames, more than {frames}; use Limits(frames=…)")
        if int.from_bytes(head[4:8], "big"):  # all samples of one size: there are no entries
            return
    if count * least > after - body - place - 4:
        name = kind.decode("ascii")
        raise MediaError(f"{path}: its table {name!r} claims {count} entries it does not hold; copy it again")
