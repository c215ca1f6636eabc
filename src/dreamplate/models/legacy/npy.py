"""numpy's array files, read without numpy: a short header of literals, then the numbers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dreamplate.errors import CheckpointError
from dreamplate.models.legacy.leaves import numpy_code
from dreamplate.tensorheader import DTYPES

__all__ = ["MAGIC", "ArrayHeader", "objects_start", "parse_header"]

MAGIC = b"\x93NUMPY"
_MAX_HEADER = 65_536
_MAX_DIMENSIONS = 64

# The header is a Python literal, but always of this one form; nothing is evaluated.
_FIELDS = re.compile(
    r"\{\s*'descr':\s*'(?P<descr>[^']{1,40})',"
    r"\s*'fortran_order':\s*(?P<fortran>True|False),"
    r"\s*'shape':\s*\((?P<shape>[0-9L,\s]*)\),?\s*\}\s*"
)


@dataclass(frozen=True)
class ArrayHeader:
    """What a ``.npy`` header says.

    Attributes:
        dtype: Code of `DTYPES`.
        big_endian: Bytes need swapping.
        fortran: Column-major order.
        shape: Sizes.
        data_start: Offset of the first number.
    """

    dtype: str
    big_endian: bool
    fortran: bool
    shape: tuple[int, ...]
    data_start: int


def parse_header(head: bytes, size: int, name: str) -> ArrayHeader:
    """Parse the start of a ``.npy`` file of ``size`` bytes.

    Args:
        head: Its first bytes, at least the whole header (64 KiB are always enough).
        size: Bytes in the whole array file.
        name: For messages.

    Raises:
        CheckpointError: The header is damaged, or does not match the size.
    """
    where = f"numpy array {name[:120]!r}"
    fields, begin = _fields(head, size, where)
    dtype, big_endian = numpy_code(fields["descr"])
    sizes = [part.strip().rstrip("L") for part in fields["shape"].split(",") if part.strip()]
    if len(sizes) > _MAX_DIMENSIONS or not all(part.isdigit() and len(part) < 20 for part in sizes):
        raise CheckpointError(f"{where} has shape ({fields['shape'][:80]}); it is damaged")
    shape = tuple(int(part) for part in sizes)
    if math.prod(shape) * DTYPES[dtype][1] != size - begin:
        raise CheckpointError(
            f"{where} of shape {str(shape)[:80]} does not match its {size - begin:,} bytes; it lies"
        )
    return ArrayHeader(dtype, big_endian, fields["fortran"] == "True", shape, begin)


def objects_start(head: bytes, size: int, name: str) -> int | None:
    """Return where the pickle of an array of objects begins, or None for an array of numbers.

    Args:
        head: As in `parse_header`.
        size: Bytes in the whole array file.
        name: For messages.

    Raises:
        CheckpointError: The header is damaged.
    """
    fields, begin = _fields(head, size, f"numpy array {name[:120]!r}")
    return begin if fields["descr"] in ("|O", "O") else None


def _fields(head: bytes, size: int, where: str) -> tuple[re.Match[str], int]:
    """Return the header's fields, and where the array's own bytes begin."""
    if head[:6] != MAGIC or len(head) < 12:
        raise CheckpointError(f"{where} does not begin as one; it is damaged")
    wide = head[6] >= 2
    start = 12 if wide else 10
    length = int.from_bytes(head[8:start], "little")
    if head[6] not in (1, 2, 3) or length > _MAX_HEADER or start + length > min(size, len(head)):
        raise CheckpointError(f"{where} has a header of {length:,} bytes; it is damaged")
    text = head[start : start + length].decode("latin-1")
    fields = _FIELDS.fullmatch(text)
    if fields is None:
        what = (
            "has named fields, which are not plain numbers"
            if "'descr': [" in text
            else "has a damaged header"
        )
        raise CheckpointError(f"{where} {what}")
    return fields, start + length
