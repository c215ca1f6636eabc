"""Tensors as a legacy file describes them: places, shapes and strides, before any number is read."""

from __future__ import annotations

import array
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dreamplate.errors import CheckpointError
from dreamplate.tensorheader import DTYPES

__all__ = [
    "Inline",
    "Leaf",
    "Storage",
    "View",
    "check_view",
    "dense_strides",
    "numpy_code",
    "swap",
    "take_strided",
]

_FORMATS: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
_MAX_DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers kept outside the pickle.

    Attributes:
        key: Its name in the archive.
        dtype: Code of `DTYPES`.
        elements: How many numbers it has.
        big_endian: Its bytes need swapping.
    """

    key: str
    dtype: str
    elements: int
    big_endian: bool = False

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.elements * DTYPES[self.dtype][1]


@dataclass(frozen=True, slots=True)
class View:
    """A strided view into a storage; offset and strides count elements of ``dtype``."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Inline:
    """An array whose bytes are in the pickle itself, little-endian."""

    data: bytes | memoryview
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]


Leaf = View | Inline


def dense_strides(shape: Sequence[int], fortran: bool = False) -> tuple[int, ...]:
    """Return strides, in elements, of an array without gaps."""
    strides = []
    step = 1
    for size in shape if fortran else reversed(shape):
        strides.append(step)
        step *= size
    return tuple(strides if fortran else reversed(strides))


def check_view(elements: int, offset: Any, shape: Any, strides: Any) -> None:
    """Prove that a strided view stays inside ``elements`` numbers and does not repeat them.

    Raises:
        CheckpointError: It does not.
    """
    if not (_naturals(shape) and _naturals(strides) and _naturals((offset,)) and len(shape) == len(strides)):
        raise CheckpointError(
            "its pickle has a tensor whose shape, strides or offset are no sizes; it is damaged"
        )
    if len(shape) > _MAX_DIMENSIONS:
        raise CheckpointError(f"its pickle has a tensor of {len(shape)} dimensions; it is hostile")
    count = math.prod(shape)
    if not count:
        return
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    # Numbers repeated by zero strides would let a small file ask for endless memory.
    if last >= elements or count > elements:
        raise CheckpointError(
            f"its pickle has a tensor of shape {str(tuple(shape))[:80]} on {elements:,} numbers;"
            " the file is cut short or lies"
        )


def take_strided(
    data: bytes | bytearray | memoryview,
    width: int,
    offset: int,
    shape: Sequence[int],
    strides: Sequence[int],
) -> bytes | memoryview:
    """Gather a view that `check_view` has proved into contiguous bytes.

    Args:
        data: Numbers of ``width`` bytes each.
        width: 1, 2, 4 or 8.
        offset: First element.
        shape: Size by dimension.
        strides: Elements from one to the next, by dimension.

    Returns:
        ``prod(shape) * width`` bytes in row-major order; a slice of ``data`` where no copy is needed.
    """
    if 0 in shape:
        return b""
    axes = [
        (size, step, gap)
        for size, step, gap in zip(shape, strides, dense_strides(shape), strict=True)
        if size > 1
    ]
    if all(step == gap for _, step, gap in axes):
        return memoryview(data)[offset * width : (offset + math.prod(shape)) * width]
    source = memoryview(data)[: len(data) // width * width].cast(_FORMATS[width])
    made = bytearray(math.prod(shape) * width)
    target = memoryview(made).cast(_FORMATS[width])
    # The longest axis is copied in one go, the others are walked.
    axes.sort()
    count, step, gap = axes.pop()
    starts: Iterable[tuple[int, int]] = [(offset, 0)]
    for axis in axes:
        starts = _walk(starts, *axis)
    for start, place in starts:
        target[place : place + (count - 1) * gap + 1 : gap] = source[
            start : start + (count - 1) * step + 1 : step
        ]
    return memoryview(made)


def _walk(starts: Iterable[tuple[int, int]], size: int, step: int, gap: int) -> Iterator[tuple[int, int]]:
    for start, place in starts:
        for index in range(size):
            yield start + index * step, place + index * gap


def swap(data: bytes | bytearray | memoryview, code: str) -> bytes:
    """Turn big-endian numbers of dtype ``code`` into little-endian ones, or back."""
    # A complex number is two numbers, each with its own byte order.
    width = 4 if code == "C64" else DTYPES[code][1]
    numbers = array.array(_FORMATS[width], bytes(data))
    if width > 1:
        numbers.byteswap()
    return numbers.tobytes()


def numpy_code(descr: str) -> tuple[str, bool]:
    """Translate a numpy type such as ``<f4``.

    Returns:
        The code of `DTYPES`, and whether the bytes are big-endian.

    Raises:
        CheckpointError: The type holds Python objects, text, or numbers that safetensors cannot hold.
    """
    order, kind = (descr[:1], descr[1:]) if descr[:1] in "<>|=" else ("=", descr)
    code = _NUMPY.get(kind)
    if code is None:
        what = "Python objects" if kind.startswith("O") else f"numpy type {descr[:20]!r}"
        raise CheckpointError(f"it has an array of {what}; only plain numbers can be read")
    return code, order == ">" or (order == "=" and sys.byteorder == "big")


_NUMPY = {
    "b1": "BOOL",
    "u1": "U8",
    "i1": "I8",
    "u2": "U16",
    "i2": "I16",
    "f2": "F16",
    "u4": "U32",
    "i4": "I32",
    "f4": "F32",
    "u8": "U64",
    "i8": "I64",
    "f8": "F64",
    "c8": "C64",
}


def _naturals(numbers: Any) -> bool:
    return isinstance(numbers, (tuple, list)) and all(type(n) is int and 0 <= n < 2**63 for n in numbers)
