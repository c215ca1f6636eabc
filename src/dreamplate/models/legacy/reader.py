"""From a legacy file to safetensors bytes: recognise the format, collect the tensors, copy their numbers.

Runs inside the capped child process (`child`), on the standard library alone.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from dreamplate.errors import CheckpointError
from dreamplate.models.legacy import npy
from dreamplate.models.legacy.archive import Archive, open_archive
from dreamplate.models.legacy.flatten import flatten
from dreamplate.models.legacy.leaves import Leaf, Storage, View, dense_strides, swap, take_strided
from dreamplate.models.legacy.machine import Persistent, read_pickle
from dreamplate.models.legacy.nested import MAGIC, PROTOCOL, refuse_names
from dreamplate.models.legacy.vocabulary import Reader, allow_states, allow_tensors, objects_of
from dreamplate.tensorheader import DTYPES, encode_header

__all__ = ["DAMAGE", "convert"]

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What damaged bytes can make the standard library raise; each means the file is no good."""

_NPY_HEADER = 65_536 + 12
_FREE_BYTES = 64 << 20
_RATIO = 100


@dataclass(frozen=True)
class _Checkpoint:
    """What a file holds: its tensors, its plain values, and how to get a storage's bytes."""

    format: str
    leaves: dict[str, Leaf]
    notes: dict[str, str]
    fetch: Callable[[Storage], bytes | bytearray]


def convert(source: IO[bytes], output: IO[bytes], *, modules: bool, total_bytes: int) -> dict[str, Any]:
    """Read a legacy weight file and write its tensors as safetensors.

    Args:
        source: The open legacy file.
        output: An empty open file.
        modules: Read whole pickled networks for their state.
        total_bytes: Most bytes of tensors.

    Returns:
        ``format`` (what the file is), ``tensors`` (how many) and ``notes`` (its plain values, as strings).

    Raises:
        CheckpointError: The file is damaged, hostile or of an unknown format.
        OSError: A file cannot be read or written.
        MemoryError: The file needs more memory than the process may have.
    """
    size = os.fstat(source.fileno()).st_size
    try:
        checkpoint = _open(source, size, modules, total_bytes)
        if not checkpoint.leaves:
            hint = "" if modules else "; if it is a whole pickled network, read it with modules on"
            raise CheckpointError(f"it is a {checkpoint.format} and holds no tensors{hint}")
        _write(checkpoint, output, min(total_bytes, max(_FREE_BYTES, _RATIO * size)))
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError(f"it is damaged ({reason})") from error
    return {"format": checkpoint.format, "tensors": len(checkpoint.leaves), "notes": checkpoint.notes}


def _open(file: IO[bytes], size: int, modules: bool, total_bytes: int) -> _Checkpoint:
    head = file.read(512)
    file.seek(0)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        archive = open_archive(file, size, total_bytes)
        if any(name.endswith(".npy") for name in archive.members):
            return _npz(archive)
        return _torch_zip(archive, modules)
    if head[:6] == npy.MAGIC:
        return _npy(file, size)
    for place, magic, what in _FOREIGN:
        if head[place : place + len(magic)] == magic:
            raise CheckpointError(f"it is {what}")
    # Pickles of protocol 2 and later say so; older ones begin with a mark, a name or an empty container.
    if head[:1] in (b"\x80", b"(", b"c", b"]", b"}", b"N"):
        return _pickle(file, size, modules)
    raise CheckpointError(
        "its format is unknown; torch (.pt, .pth, .bin, .ckpt), pickle, .npy and .npz files can be read"
    )


_FOREIGN = (
    (0, b"\x89HDF", "an HDF5 file (Keras); export it to .npz or safetensors"),
    (0, b"GGUF", "a GGUF file; export it to safetensors"),
    (0, b"\x1f\x8b", "packed by gzip; unpack it first"),
    (257, b"ustar", "a tar archive (torch before 2017); load and save it again in a newer torch"),
    (8, b'{"', "safetensors already; read it as it is"),
)
"""Offset, first bytes, and what to say of formats that people may try."""


def _npz(archive: Archive) -> _Checkpoint:
    leaves: dict[str, Leaf] = {}
    starts: dict[str, int] = {}
    for member in archive.members:
        if member.endswith("/"):
            continue
        if not member.endswith(".npy"):
            raise CheckpointError(
                f"its archive member {member[:120]!r} is no numpy array; it is no .npz file"
            )
        head = bytearray()
        for chunk in archive.chunks(member):
            head += chunk
            if len(head) >= _NPY_HEADER:
                break
        header = npy.parse_header(bytes(head[:_NPY_HEADER]), archive.size(member), member)
        leaves[member.removesuffix(".npy")] = _array(header, member)
        starts[member] = header.data_start
    return _Checkpoint(".npz archive", leaves, {}, lambda s: archive.read(s.key)[starts[s.key] :])


def _npy(file: IO[bytes], size: int) -> _Checkpoint:
    head = file.read(_NPY_HEADER)
    pickled = npy.objects_start(head, size, "array")
    if pickled is not None:
        return _weight_list(file, size, pickled)
    header = npy.parse_header(head, size, "array")

    def fetch(storage: Storage) -> bytes:
        file.seek(header.data_start)
        return file.read(storage.nbytes)

    return _Checkpoint(".npy array", {"array": _array(header, "array")}, {}, fetch)


def _weight_list(file: IO[bytes], size: int, start: int) -> _Checkpoint:
    """Read arrays of many shapes, which ``numpy.save`` pickles; their names are their places from 0."""
    file.seek(start)
    listed = objects_of(read_pickle(file, size, allow_tensors))
    leaves, notes = flatten(listed, Reader(), modules=False)
    return _Checkpoint(".npy list of arrays", leaves, notes, _no_storage)


def _array(header: npy.ArrayHeader, key: str) -> View:
    strides = dense_strides(header.shape, header.fortran)
    storage = Storage(key, header.dtype, math.prod(header.shape), header.big_endian)
    return View(storage, header.dtype, 0, header.shape, strides)


def _torch_zip(archive: Archive, modules: bool) -> _Checkpoint:
    roots = [name.removesuffix("data.pkl") for name in archive.members if name.split("/")[1:] == ["data.pkl"]]
    if len(roots) != 1:
        raise CheckpointError(
            "it is a zip archive without one data.pkl; it is no torch file or it is damaged"
        )
    root = roots[0]
    script = f"{root}constants.pkl" in archive.members
    order = bytes(archive.read(f"{root}byteorder")) if f"{root}byteorder" in archive.members else b"little"
    if order not in (b"little", b"big"):
        raise CheckpointError(f"its byte order is {order[:20]!r}; it is damaged")
    leaves: dict[str, Leaf] = {}
    notes: dict[str, str] = {}
    for pickled, folder, prefix in (("data.pkl", "data", ""), ("constants.pkl", "constants", "constants.")):
        if pickled == "constants.pkl" and not script:
            continue
        data = bytes(archive.read(root + pickled))
        reader = Reader(big_endian=order == b"big", folder=f"{root}{folder}/")
        value = read_pickle(io.BytesIO(data), len(data), allow_states if modules else allow_tensors)
        found, plain = flatten(value, reader, modules)
        leaves |= {prefix + name: leaf for name, leaf in found.items()}
        notes |= {prefix + name: note for name, note in plain.items()}

    def fetch(storage: Storage) -> bytearray:
        if archive.size(storage.key) != storage.nbytes:
            raise CheckpointError(
                f"its storage {storage.key[:120]!r} has {archive.size(storage.key):,} bytes"
                f" and should have {storage.nbytes:,}; it is damaged"
            )
        return archive.read(storage.key)

    return _Checkpoint("TorchScript archive" if script else "torch file", leaves, notes, fetch)


def _pickle(file: IO[bytes], size: int, modules: bool) -> _Checkpoint:
    allow = allow_states if modules else allow_tensors
    persistents: list[Persistent] = []
    value = read_pickle(file, size, allow, persistents=persistents)
    if value == MAGIC and type(value) is int:
        return _torch_stream(file, size, modules)
    if persistents:
        raise CheckpointError("its pickle refers to numbers that are not in the file; it is damaged")
    leaves, notes = flatten(value, Reader(), modules)
    return _Checkpoint("pickle", leaves, notes, _no_storage)


def _no_storage(storage: Storage) -> bytes:
    raise CheckpointError(f"its storage {storage.key[:120]!r} is not in the file; it is damaged")


def _torch_stream(file: IO[bytes], size: int, modules: bool) -> _Checkpoint:
    """Read torch's format before 1.6: pickles in a row, then each storage's length and bytes."""
    version = read_pickle(file, size, refuse_names)
    if version != PROTOCOL:
        raise CheckpointError(f"its torch protocol is {str(version)[:20]}; {PROTOCOL} can be read")
    system = read_pickle(file, size, refuse_names)
    little = isinstance(system, dict) and system.get("little_endian") is True
    reader = Reader(big_endian=not little)
    persistents: list[Persistent] = []
    value = read_pickle(file, size, allow_states if modules else allow_tensors, persistents=persistents)
    keys = read_pickle(file, size, refuse_names)
    storages: dict[str, Storage] = {}
    for reference in persistents:
        if isinstance(reference.id, tuple) and reference.id[:1] == ("module",):
            reference.id = reference.id[1:2]  # the class; its source code is dropped
            continue
        storage, _ = reader.storage(reference)
        if storages.setdefault(storage.key, storage) != storage:
            raise CheckpointError(f"its storage {storage.key[:60]!r} is described in two ways; it is damaged")
    known = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not known or sorted(keys) != sorted(storages):
        raise CheckpointError("its list of storages does not match its tensors; it is damaged")
    places: dict[str, int] = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little" if little else "big")
        storage = storages[key]
        places[key] = file.tell()
        if count != storage.elements or places[key] + storage.nbytes > size:
            raise CheckpointError(
                f"its storage {key[:60]!r} should have {storage.elements:,} numbers, claims {count:,}"
                f" and has {max(size - places[key], 0):,} bytes; it is cut short or damaged"
            )
        file.seek(storage.nbytes, os.SEEK_CUR)
    leaves, notes = flatten(value, reader, modules)

    def fetch(storage: Storage) -> bytes:
        file.seek(places[storage.key])
        return file.read(storage.nbytes)

    return _Checkpoint("torch file (before 1.6)", leaves, notes, fetch)


def _write(checkpoint: _Checkpoint, output: IO[bytes], most: int) -> None:
    """Write safetensors; each storage is fetched once, and its tensors written where the header says."""
    specs = {name: (leaf.dtype, leaf.shape) for name, leaf in checkpoint.leaves.items()}
    header, order = encode_header(specs, {})
    position = len(header)
    places: dict[str, int] = {}
    by_storage: dict[Storage | None, list[str]] = {}
    for name in order:
        leaf = checkpoint.leaves[name]
        places[name] = position
        position += DTYPES[leaf.dtype][1] * math.prod(leaf.shape)
        by_storage.setdefault(leaf.storage if isinstance(leaf, View) else None, []).append(name)
    if position > most:
        raise CheckpointError(f"its tensors would take {position:,} bytes; the limit is {most:,}")
    output.write(header)
    for storage, names in by_storage.items():
        data = checkpoint.fetch(storage) if storage else b""
        if storage and len(data) != storage.nbytes:
            raise CheckpointError(f"its storage {storage.key[:60]!r} is cut short; copy the file again")
        for name in names:
            leaf = checkpoint.leaves[name]
            width = DTYPES[leaf.dtype][1]
            if isinstance(leaf, View):
                numbers = take_strided(data, width, leaf.offset, leaf.shape, leaf.strides)
                if leaf.storage.big_endian:
                    numbers = swap(numbers, leaf.dtype)
            else:
                numbers = take_strided(leaf.data, width, 0, leaf.shape, leaf.strides)
            output.seek(places[name])
            output.write(numbers)
    output.flush()
