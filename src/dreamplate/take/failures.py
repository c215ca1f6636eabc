"""What went wrong, in the project's own words: full disks, exhausted memory, figures that are not numbers."""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dreamplate.errors import DreamplateError, ResourceError, TakeError
from dreamplate.take.config import Config, to_dict

_NO_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "bad_alloc",
    "failed to map segment",
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SETTINGS = ("memory", "chunk", "tile")


def translate(error: Exception, config: Config, folder: Path) -> DreamplateError | None:
    """Return the one-line error that an exception inside a job stands for, or ``None`` for a plain bug."""
    if isinstance(error, DreamplateError):
        return error
    if is_out_of_memory(error):
        return ResourceError(f"{folder}: not enough memory for the next step; {_advice(config)}")
    if isinstance(error, OSError) and error.errno in _FULL:
        place = error.filename or folder
        return ResourceError(
            f"{place}: no space left on the disk ({error.strerror}); free some space,"
            f" then `dreamplate resume {folder}`"
        )
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on the CPU or on a device."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError | ImportError) and any(
        text in str(error).lower() for text in _NO_MEMORY
    )


def check_scalars(scalars: Mapping[str, float], step: int, folder: Path) -> dict[str, float]:
    """Return the figures of a step as plain numbers.

    Raises:
        TakeError: One is not a finite number.
    """
    plain = {name: float(value) for name, value in scalars.items()}
    for name, value in plain.items():
        if not math.isfinite(value):
            raise TakeError(
                f"{folder}: step {step}: {name} is {value}; the checkpoint before it is kept,"
                " start again with a smaller learning rate or other settings"
            )
    return plain


def _advice(config: Config) -> str:
    settings = _settings(config)
    if settings:
        names = " or ".join(f"{name} (now {value})" for name, value in settings[:3])
        return f"close other programs and resume, or start again with a lower {names}"
    return "close other programs and resume, or start again at a smaller size"


def _settings(config: Config) -> list[tuple[str, Any]]:
    """Return the options that say how much memory a step may take, with their values."""

    def walk(data: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in data.items():
            if isinstance(value, Mapping):
                yield from walk(value, f"{prefix}{name}.")
            elif any(word in name for word in _SETTINGS):
                yield prefix + name, value

    return list(walk(to_dict(config), ""))
