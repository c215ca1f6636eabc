"""Tensors in files: safetensors, with the header proved before a byte of data is believed.

`check_header` proves a header, `read_tensors` and `TensorFile` read tensors through it, and `write_tensors`
writes atomically: the same tensors always give the same bytes. torch is imported inside the functions that
make or take tensors, so that looking at a header stays cheap.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dreamplate.errors import CheckpointError, ModelError, ResourceError
from dreamplate.tensorheader import (
    DTYPES,
    HeaderInfo,
    Limits,
    TensorInfo,
    check_header,
    encode_header,
    open_file,
    read_header,
    read_into,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = [
    "DTYPES",
    "HeaderInfo",
    "Limits",
    "TensorFile",
    "TensorInfo",
    "check_header",
    "encode_header",
    "read_tensors",
    "write_tensors",
]


class TensorFile:
    """An open safetensors file: the header is proved at once, tensors are read when asked for.

    Bytes are read into fresh memory through one file handle, so that a file which shrinks or is replaced
    meanwhile gives an error and never a crash.

    Example:
        with TensorFile(path) as file:
            weight = file["blocks.0.weight"]
    """

    def __init__(self, path: str | os.PathLike[str], limits: Limits | None = None) -> None:
        """Open ``path`` and prove its header.

        Raises:
            ModelError: The file is absent or cannot be opened.
            CheckpointError: The file is not safetensors, or its header lies.
        """
        self.path = Path(path)
        self._file = open_file(self.path)
        try:
            self.header = read_header(self._file, self.path, limits or Limits())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[str]:
        return iter(self.header.tensors)

    def __len__(self) -> int:
        return len(self.header.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self.header.tensors

    def __getitem__(self, name: str) -> Tensor:
        """Read one tensor on the CPU, writable and owning its memory."""
        import torch

        info = self.header.tensors.get(name)
        if info is None:
            raise CheckpointError(f"{self.path}: no tensor {name!r}; it holds {_some(self.header.tensors)}")
        size = info.stop - info.start
        try:
            raw = torch.empty(size, dtype=torch.uint8)
        except (RuntimeError, MemoryError) as error:
            raise ResourceError(
                f"{self.path}: no memory for tensor {name!r} ({size:,} bytes); close other programs"
            ) from error
        try:
            self._file.seek(self.header.data_start + info.start)
            got = read_into(self._file, raw.numpy().data)
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot read tensor {name!r}: {error.strerror}") from error
        if got != size:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} ends after {got:,} of {size:,} bytes; the file changed"
            )
        dtype = getattr(torch, DTYPES[info.dtype][0])
        # Every byte but 0 and 1 is an invalid bool, on which torch operators disagree.
        if info.dtype == "BOOL" and size and int(raw.max()) > 1:
            raise CheckpointError(f"{self.path}: tensor {name!r} claims BOOL but holds bytes above 1")
        return raw.view(dtype).reshape(info.shape)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's own string → string notes."""
        return self.header.metadata

    def close(self) -> None:
        """Close the file; tensors already read stay valid."""
        self._file.close()


def read_tensors(
    path: str | os.PathLike[str], names: Iterable[str] | None = None, limits: Limits | None = None
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and the file's notes.

    Args:
        path: A safetensors file.
        names: Which tensors to read; all of them when ``None``.
        limits: What the file may claim.

    Returns:
        Tensors by name (CPU, writable, each owning its memory), and the metadata.

    Raises:
        ModelError: The file is absent or cannot be opened.
        CheckpointError: The file is not safetensors, its header lies, or a named tensor is not in it.
        ResourceError: There is no memory for a tensor.
    """
    with TensorFile(path, limits) as file:
        wanted = list(file) if names is None else list(names)
        return {name: file[name] for name in wanted}, dict(file.metadata)


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors atomically; the same tensors and metadata give the same bytes, in any order.

    Tensors may lie on any device, be views or share memory; each is written whole. At most one tensor
    is copied to the CPU at a time.

    Args:
        path: The file to make or replace.
        tensors: Dense tensors by name.
        metadata: Notes, strings only.

    Raises:
        ModelError: A tensor has a dtype or layout that safetensors cannot hold, or a name is empty.
        ResourceError: The disk is full.
    """
    from dreamplate.files import atomic_write

    specs = {name: (_code(name, tensor), tuple(tensor.shape)) for name, tensor in tensors.items()}
    header, order = encode_header(specs, metadata or {})
    with atomic_write(path, family=ModelError) as file:
        file.write(header)
        for name in order:
            file.write(_bytes_of(tensors[name]))


def _code(name: str, tensor: Tensor) -> str:
    import torch

    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
        kind = "meta" if tensor.is_meta else "quantised" if tensor.is_quantized else str(tensor.layout)
        raise ModelError(f"tensor {name!r} is {kind}; only dense tensors can be saved")
    code = _codes(torch).get(tensor.dtype)
    if code is None:
        raise ModelError(
            f"tensor {name!r} is {tensor.dtype}, which safetensors cannot hold; convert it first"
        )
    return code


def _codes(torch: Any) -> dict[torch.dtype, str]:
    return {getattr(torch, known): code for code, (known, _) in DTYPES.items()}


def _bytes_of(tensor: Tensor) -> memoryview:
    import torch

    flat = tensor.detach().to("cpu").resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _some(names: Iterable[str], count: int = 4) -> str:
    names = list(names)
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
