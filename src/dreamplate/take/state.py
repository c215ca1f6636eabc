"""Saved state: nested dicts, lists and tuples of tensors, arrays and plain values in one safetensors file.

The file is ordinary safetensors. Its tensors are named by their path in the tree (``state/optimiser/0``);
the tree itself is JSON in the metadata, in which everything but plain values is a list that starts with
its kind. The last 32 bytes are the SHA-256 of all bytes before them, so that any damage is noticed.
Tensors come back bit for bit, with their strides (a channels-last tensor stays one) and, where two names
held the same tensor, as one tensor again. Torch is imported only when there are torch tensors.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from dreamplate.errors import CheckpointError, ModelError, ResourceError, StateError, TakeError
from dreamplate.files import atomic_write, raise_os_error
from dreamplate.take.links import give_second_name
from dreamplate.tensorheader import DTYPES, HeaderInfo, check_header, encode_header

_CODES = {name: code for code, (name, _) in DTYPES.items()}
_STRUCTURE = "structure"
_FORMAT = {"format": "dreamplate-state-1"}
_DIGEST = "~sha256"  # sorts after every "state/…", and bytes are laid out last
_BLOCK = 1 << 24

_Key = tuple[object, ...]


@dataclass
class Packed:
    """A state ready to be written: the structure, and the leaves that are stored as tensors."""

    structure: Any = None
    specs: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    leaves: dict[str, Any] = field(default_factory=dict)
    known: dict[_Key, list[Any]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes that the file will take."""
        header, _ = self.layout()
        return len(header) + sum(_size(code, shape) for code, shape in self.specs.values()) + 32

    def layout(self) -> tuple[bytes, list[str]]:
        """Return the first bytes of the file and the order of the leaves after them."""
        text = json.dumps(self.structure, separators=(",", ":"), ensure_ascii=True)
        header, order = encode_header(self.specs | {_DIGEST: ("U8", (32,))}, _FORMAT | {_STRUCTURE: text})
        if order[-1] != _DIGEST:
            raise StateError(f"state: the name {order[-1]!r} cannot be stored; choose plain key names")
        return header, order[:-1]


def pack(state: Any) -> Packed:
    """Lay a state out for writing; tensors are referred to, not copied.

    Args:
        state: Dicts (keys: str, int, float, bool, None), lists and tuples of torch tensors, numpy arrays
            and scalars, ints, floats, bools, None, strings and bytes.

    Raises:
        StateError: Something in it is of another type, or of a dtype that cannot be stored.
    """
    packed = Packed()
    packed.structure = _pack(state, "state", packed)
    return packed


def write_state(path: str | os.PathLike[str], state: Any | Packed, *, keep: Path | None = None) -> int:
    """Write a state atomically; equal states give equal bytes.

    Args:
        path: The file to make or replace.
        state: As for ``pack``, or packed already.
        keep: Where the file that is replaced goes.

    Returns:
        The number of bytes written.

    Raises:
        StateError: As for ``pack``.
        TakeError: The file cannot be written.
        ResourceError: The disk is full.
    """
    packed = state if isinstance(state, Packed) else pack(state)
    header, order = packed.layout()
    digest = hashlib.sha256(header)
    written = len(header)
    with atomic_write(path, family=TakeError) as file:
        file.write(header)
        for name in order:
            block = _bytes_of(packed.leaves[name])
            digest.update(block)
            file.write(block)
            written += len(block)
        file.write(digest.digest())
        if keep is not None and Path(path).exists():
            give_second_name(Path(path), keep)
    return written + 32


def read_state(path: str | os.PathLike[str]) -> Any:
    """Read what ``write_state`` wrote; torch tensors come back on the CPU.

    Raises:
        StateError: The file is absent, unreadable or damaged.
        ResourceError: There is not enough memory for it.
    """
    path = Path(path)
    try:
        header = check_header(path)
        with path.open("rb", buffering=0) as file:
            blocks = _read_blocks(file, header, path)
    except (CheckpointError, ModelError) as error:
        raise StateError(str(error)) from error
    except MemoryError:
        size = path.stat().st_size
        raise ResourceError(
            f"{path}: no memory for a state of {size:,} bytes; close other programs"
        ) from None
    except OSError as error:
        raise_os_error(error, path, StateError, "read")
    try:
        structure = json.loads(header.metadata[_STRUCTURE])
        return _unpack(structure, header, blocks, {})
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise StateError(f"{path}: its structure cannot be read; the file is not a saved state") from error


def _size(code: str, shape: Sequence[int]) -> int:
    return math.prod(shape) * DTYPES[code][1]


def _pack(value: Any, name: str, packed: Packed) -> Any:
    if value is None or isinstance(value, bool | str | int):
        if isinstance(value, bool | None):
            return value
        return str(value) if isinstance(value, str) else int(value)
    if isinstance(value, float) and not isinstance(value, np.generic):
        return float(value) if math.isfinite(value) else ["float", struct.pack(">d", value).hex()]
    if isinstance(value, Mapping):
        return [
            "dict",
            [[_key(key, name), _pack(item, f"{name}/{key}", packed)] for key, item in value.items()],
        ]
    if type(value) in (list, tuple):
        items = [_pack(item, f"{name}/{index}", packed) for index, item in enumerate(value)]
        return [type(value).__name__, items]
    if isinstance(value, bytes | bytearray):
        return ["bytes", _add(np.frombuffer(value, np.uint8), name, "uint8", (len(value),), packed)]
    if isinstance(value, np.generic):
        return ["scalar", *_leaf(np.asarray(value), name, packed)]
    if isinstance(value, np.ndarray):
        return _shared("array", value, value.__array_interface__["data"][0], name, packed)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        if value.layout is not torch.strided or value.is_quantized or value.is_meta:
            raise StateError(f"{name}: a {value.layout} tensor cannot be saved; make it dense first")
        return _shared("tensor", value.detach(), value.data_ptr(), name, packed)
    raise StateError(
        f"{name}: a {type(value).__name__} cannot be saved; use tensors, arrays and plain values"
    )


def _key(key: Any, name: str) -> Any:
    if key is None or type(key) in (str, int, bool, float):
        return key
    raise StateError(f"{name}: key {key!r} cannot be saved; use text or whole numbers as keys")


def _shared(kind: str, value: Any, address: int, name: str, packed: Packed) -> Any:
    """Pack an array or tensor, once for all the places that hold the very same memory in the same way."""
    device = str(getattr(value, "device", ""))
    strides = value.strides if kind == "array" else value.stride()
    same: _Key = (kind, device, address, str(value.dtype), tuple(value.shape), tuple(strides))
    if 0 in value.shape:
        return [kind, *_leaf(value, name, packed)]
    if same not in packed.known:
        packed.known[same] = [kind, *_leaf(value, name, packed)]
    return packed.known[same]


def _leaf(value: Any, name: str, packed: Packed) -> list[Any]:
    """Return ``[name, dtype, strides]`` of a stored leaf; strides, in elements, are null when ordinary."""
    is_array = isinstance(value, np.ndarray)
    dtype = value.dtype.name if is_array else str(value.dtype).removeprefix("torch.")
    if dtype not in _CODES and dtype != "complex128":
        raise StateError(f"{name}: dtype {dtype} cannot be saved; convert it first")
    if is_array and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    unit = value.itemsize if is_array else 1
    strides = [step // unit for step in (value.strides if is_array else value.stride())]
    shape = tuple(value.shape)
    order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    dense = _is_dense(shape, strides)
    if dense:
        value = value.transpose(order) if is_array else value.permute(order)
    stored = tuple(value.shape)
    if dtype == "complex128":
        stored = (*stored, 2)
    label = _add(value, name, "float64" if dtype == "complex128" else dtype, stored, packed)
    return [label, dtype, list(shape), strides if dense and strides != _ordinary(shape) else None]


def _add(value: Any, name: str, dtype: str, shape: tuple[int, ...], packed: Packed) -> str:
    label, count = name, 1
    while label in packed.specs:  # 1 and "1" may both be keys
        count += 1
        label = f"{name}#{count}"
    packed.specs[label] = (_CODES[dtype], shape)
    packed.leaves[label] = value
    return label


def _ordinary(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Say whether the strides visit every element of a gapless block exactly once."""
    expected = 1
    for size, stride in sorted(zip(shape, strides, strict=True), key=lambda pair: (pair[1], pair[0])):
        if size == 0 or stride < 0:
            return False
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True


def _bytes_of(value: Any) -> memoryview:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    torch = sys.modules["torch"]
    flat = value.to("cpu").resolve_conj().resolve_neg().contiguous().reshape(-1)
    block: memoryview = flat.view(torch.uint8).numpy().data
    return block


def _read_blocks(file: IO[bytes], header: HeaderInfo, path: Path) -> dict[str, np.ndarray]:
    """Read every tensor's bytes and hold the whole file against its checksum."""
    names = list(header.tensors)
    if header.metadata.get("format") != _FORMAT["format"] or not names or names[-1] != _DIGEST:
        raise StateError(f"{path}: is safetensors, but not a state that Dreamplate saved")
    first = file.read(header.data_start)
    digest = hashlib.sha256(first)
    blocks: dict[str, np.ndarray] = {}
    for name, info in header.tensors.items():
        block = np.empty(info.stop - info.start, np.uint8)
        for part in _parts(block):
            if file.readinto(part) != len(part):  # type: ignore[attr-defined]
                raise StateError(f"{path}: ends inside {name!r}; the file changed while it was read")
            if name != _DIGEST:
                digest.update(part)
        blocks[name] = block
    if blocks.pop(_DIGEST).tobytes() != digest.digest():
        raise StateError(f"{path}: its checksum does not match; the file is damaged")
    return blocks


def _parts(block: np.ndarray) -> Iterator[memoryview]:
    for start in range(0, len(block), _BLOCK):
        yield block[start : start + _BLOCK].data


def _unpack(node: Any, header: HeaderInfo, blocks: Mapping[str, np.ndarray], made: dict[str, Any]) -> Any:
    if not isinstance(node, list):
        return node
    kind, *rest = node
    if kind == "dict":
        return {key: _unpack(item, header, blocks, made) for key, item in rest[0]}
    if kind in ("list", "tuple"):
        items = (_unpack(item, header, blocks, made) for item in rest[0])
        return list(items) if kind == "list" else tuple(items)
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(rest[0]))[0]
    label = rest[0]
    if kind == "bytes":
        return blocks[label].tobytes()
    if label not in made:
        made[label] = _restore(kind, blocks[label], *rest[1:])
    return made[label]


def _restore(kind: str, block: np.ndarray, dtype: str, shape: list[int], strides: list[int] | None) -> Any:
    if strides is not None and not (len(strides) == len(shape) and _is_dense(shape, strides)):
        raise ValueError(f"strides {strides} do not fit shape {shape}")
    if kind == "tensor":
        import torch

        if not block.size:
            return torch.empty(shape, dtype=getattr(torch, dtype))
        flat = torch.from_numpy(block).view(getattr(torch, dtype))
        return flat.reshape(shape) if strides is None else flat.as_strided(shape, strides)
    array = block.view(np.dtype(dtype))
    if strides is not None:
        order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
        array = array.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))
    else:
        array = array.reshape(shape)
    return array[()] if kind == "scalar" else array
