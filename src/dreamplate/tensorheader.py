"""The header of a safetensors file: how it is proved and how it is laid out. Knows nothing of torch.

A file is eight bytes of header length (little-endian), a JSON header that gives each tensor's dtype, shape
and byte range, then the bytes. A header is believed when its length is bounded, its dtypes are known, each
shape matches its range, and the ranges tile the file without gap, overlap or excess.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dreamplate.errors import CheckpointError, ModelError

DTYPES: dict[str, tuple[str, int]] = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "F32": ("float32", 4),
    "U64": ("uint64", 8),
    "I64": ("int64", 8),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}
"""Code in the file → (torch's name, bytes per element)."""

_ALIGNMENT = 8
_METADATA = "__metadata__"
_MAX_DIMENSIONS = 64


@dataclass(frozen=True)
class Limits:
    """What a file may claim before it is refused.

    Attributes:
        header_bytes: Longest JSON header.
        total_bytes: Most tensor bytes in one file.
        tensors: Most tensors in one file.
    """

    header_bytes: int = 16 << 20
    total_bytes: int = 64 << 30
    tensors: int = 200_000


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies: ``start`` and ``stop`` count from the first byte of data."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class HeaderInfo:
    """A proved header.

    Attributes:
        tensors: Name → place, in order of the bytes in the file.
        metadata: The file's own string → string notes.
        data_start: Offset of the first byte of data in the file.
        total_bytes: Bytes of data.
    """

    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    data_start: int
    total_bytes: int

    @property
    def parameters(self) -> int:
        """Number of elements of all tensors together."""
        return sum(info.elements for info in self.tensors.values())


def check_header(path: str | os.PathLike[str], limits: Limits | None = None) -> HeaderInfo:
    """Prove the header of a safetensors file without reading any tensor.

    Args:
        path: The file.
        limits: What the file may claim.

    Raises:
        ModelError: The file is absent or cannot be opened.
        CheckpointError: The file is not safetensors, or its header lies.
    """
    path = Path(path)
    with open_file(path) as file:
        return read_header(file, path, limits or Limits())


def encode_header(
    specs: Mapping[str, tuple[str, Sequence[int]]], metadata: Mapping[str, str]
) -> tuple[bytes, list[str]]:
    """Lay tensors out and encode the header.

    Wide elements come first and names break ties, so that every tensor starts aligned to its element.

    Args:
        specs: Name → (dtype code of `DTYPES`, shape).
        metadata: Notes, strings only.

    Returns:
        The file's first bytes (length and JSON, padded to eight), and the order of the raw tensors after it.

    Raises:
        ModelError: A name is empty or reserved, or a note is not a string.
    """
    order = sorted(specs, key=lambda name: (-DTYPES[specs[name][0]][1], name))
    entries: dict[str, Any] = {}
    if metadata:
        for key, note in metadata.items():
            if not _is_text(key) or not _is_text(note):
                raise ModelError(f"metadata {key!r} is not text; safetensors notes are strings")
        entries[_METADATA] = dict(sorted(metadata.items()))
    position = 0
    for name in order:
        if not name or name == _METADATA or not _is_text(name):
            raise ModelError(f"tensor name {name!r} cannot be written; give it another name")
        dtype, shape = specs[name]
        size = math.prod(shape) * DTYPES[dtype][1]
        entries[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, order


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file for reading, or raise ModelError."""
    try:
        # A pipe or device would block, or never end.
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: is a folder or device, not a file; name a weight file")
        # Unbuffered: large reads go straight into the tensor's memory.
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; check the name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"{path}: cannot be opened: {reason}") from error


def read_header(file: IO[bytes], path: Path, limits: Limits) -> HeaderInfo:
    """Prove the header of an open file; see `check_header`. ``path`` serves the messages."""
    try:
        size = os.fstat(file.fileno()).st_size
        head = file.read(8)
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > limits.header_bytes or length > size - 8 or length < 2:
            raise CheckpointError(f"{path}: {_not_safetensors(head, length, size, limits)}")
        text = bytearray(length)
        if read_into(file, memoryview(text)) != length:
            raise CheckpointError(f"{path}: ends inside its header; copy the file again")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    entries = _parse_json(bytes(text), path)
    metadata = entries.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(map(_is_text, metadata.values())):
        raise CheckpointError(f"{path}: header notes are not strings; the file is damaged")
    if len(entries) > limits.tensors:
        raise CheckpointError(f"{path}: claims {len(entries):,} tensors; the limit is {limits.tensors:,}")
    tensors = {name: _entry(name, entry, path) for name, entry in entries.items()}
    total = size - 8 - length
    if total > limits.total_bytes:
        raise CheckpointError(
            f"{path}: holds {total:,} bytes of tensors, above the limit of {limits.total_bytes:,}"
        )
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)))
    position = 0
    for name, info in ordered.items():
        if info.start != position:
            what = "overlaps the one before" if info.start < position else "leaves a gap before it"
            raise CheckpointError(f"{path}: tensor {name!r} starts at byte {info.start:,} and {what}")
        position = info.stop
        if position > total:
            raise CheckpointError(
                f"{path}: tensor {name!r} ends at byte {position:,} of {total:,}; the file is cut short"
            )
    if position != total:
        raise CheckpointError(
            f"{path}: {total - position:,} bytes follow the last tensor; the file is damaged"
        )
    return HeaderInfo(ordered, metadata, 8 + length, total)


def _not_safetensors(head: bytes, length: int, size: int, limits: Limits) -> str:
    """Say what the file is, when its first bytes are not a believable header length."""
    import_it = "import it with `dreamplate models import`"
    if head[:1] == b"\x80" and head[1:2] in b"\x00\x01\x02\x03\x04\x05":
        return f"is a Python pickle, not safetensors; {import_it}"
    if head[:4] == b"PK\x03\x04":
        return f"is a zip archive (perhaps a torch checkpoint), not safetensors; {import_it}"
    if head[:6] == b"\x93NUMPY":
        return f"is a numpy array, not safetensors; {import_it}"
    if size < 10:
        return f"is not safetensors: it has only {size} bytes"
    if limits.header_bytes < length <= size - 8:
        return f"its header takes {length:,} bytes; the limit is {limits.header_bytes:,}"
    return f"is not safetensors or is cut short: header length {length:,} in a file of {size:,} bytes"


def _parse_json(text: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a name occurs twice")
        "".join(made).encode()  # half a surrogate pair can be spelt in JSON, but never written again
        return made

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no number")

    try:
        entries = json.loads(text.decode(), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise CheckpointError(f"{path}: header is not valid JSON ({reason}); the file is damaged") from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: header is not a JSON object; the file is damaged")
    return entries


def _entry(name: str, entry: Any, path: Path) -> TensorInfo:
    where = f"{path}: tensor {name[:120]!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"} or not name:
        raise CheckpointError(f"{where}: entry is not {{dtype, shape, data_offsets}}; the file is damaged")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError(f"{where}: dtype {str(dtype)[:40]!r} is not one of {', '.join(DTYPES)}")
    if not _naturals(shape) or len(shape) > _MAX_DIMENSIONS:
        raise CheckpointError(f"{where}: shape {str(shape)[:80]} is not a list of sizes")
    if not _naturals(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{where}: data_offsets {str(offsets)[:80]} are not [start, stop]")
    info = TensorInfo(dtype, tuple(shape), offsets[0], offsets[1])
    needs = info.elements * DTYPES[dtype][1]
    if needs != info.stop - info.start:
        raise CheckpointError(
            f"{where}: {dtype} of shape {str(shape)[:80]} needs {str(needs)[:30]} bytes,"
            f" its range has {info.stop - info.start}"
        )
    return info


def _is_text(note: Any) -> bool:
    return isinstance(note, str) and note == note.encode(errors="ignore").decode()


def _naturals(numbers: Any) -> bool:
    """Say whether this is a list of plain integers in [0, 2**63)."""
    return isinstance(numbers, list) and all(type(n) is int and 0 <= n < 2**63 for n in numbers)


def read_into(file: IO[bytes], memory: memoryview) -> int:
    """Fill ``memory`` and return how many bytes came; the kernel hands out at most 2 GiB a call."""
    done = 0
    while done < len(memory):
        count = file.readinto(memory[done : done + (1 << 30)])  # type: ignore[attr-defined]
        if not count:
            break
        done += count
    return done
