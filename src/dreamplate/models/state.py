"""State dictionaries on disk: safetensors in and out, and anything older through the restricted reader."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import CheckpointError
from dreamplate.models.legacy.load import LegacyLimits, load_legacy
from dreamplate.models.pict import is_pict, read_pict
from dreamplate.tensorfile import Limits, read_tensors, write_tensors
from dreamplate.tensorheader import check_header, open_file

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["is_safetensors", "load_any", "load_state", "save_state"]


def save_state(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a state dictionary as safetensors, atomically; equal contents give equal bytes.

    Raises:
        ModelError: A tensor cannot be held by safetensors, or the file cannot be written.
        ResourceError: The disk is full.
    """
    write_tensors(path, tensors, metadata)


def load_state(
    path: str | os.PathLike[str], names: Iterable[str] | None = None, limits: Limits | None = None
) -> dict[str, Tensor]:
    """Read a safetensors state dictionary, its header proved first.

    Args:
        path: The file.
        names: Read only these tensors.
        limits: What the file may claim.

    Raises:
        ModelError: The file is absent or cannot be opened.
        CheckpointError: It is not safetensors, is damaged, or lacks a named tensor.
        ResourceError: There is no memory for a tensor.
    """
    return read_tensors(path, names, limits)[0]


def load_any(
    path: str | os.PathLike[str],
    *,
    modules: bool = False,
    limits: Limits | None = None,
    legacy_limits: LegacyLimits | None = None,
) -> dict[str, Tensor]:
    """Read a weight file of any known format, recognised by its contents.

    A file that is named ``.safetensors`` has to be that: a pickle under that name is refused, not read.

    Args:
        path: The file.
        modules: Read whole pickled networks for their state; see `load_legacy`.
        limits: What a safetensors file may claim.
        legacy_limits: What reading a legacy file may cost.

    Raises:
        ModelError: The file is absent or cannot be opened.
        CheckpointError: It is damaged, hostile or of an unknown format.
        ResourceError: There is no memory or room for it.
    """
    if Path(path).suffix.lower() == ".safetensors" or is_safetensors(path):
        return load_state(path, limits=limits)
    if Path(path).suffix.lower() == ".pict" or is_pict(path):
        return read_pict(path)
    return load_legacy(path, modules=modules, limits=legacy_limits)


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Say whether a file begins like safetensors and its header is sound.

    Raises:
        ModelError: The file is absent or cannot be opened.
    """
    with open_file(Path(path)) as file:
        begins = file.read(9)[8:] == b"{"
    if not begins:
        return False
    try:
        check_header(path)
    except CheckpointError:
        return False
    return True
