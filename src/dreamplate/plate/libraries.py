"""The C++ libraries behind file formats: loaded once, on first use, with their surprises contained."""

from __future__ import annotations

import os
import re
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from dreamplate.errors import DreamplateError, MediaError, ResourceError
from dreamplate.files import raise_os_error

# All that the bindings have been seen to raise on damaged files.
_LEAKS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
    struct.error,
)


@cache
def openimageio() -> Any:
    """Return the OpenImageIO module, set up for this program."""
    import OpenImageIO as oiio  # noqa: N813 (its own documentation calls it so)

    # A second line of defence behind our own limits: these hold inside the decoders as well.
    oiio.attribute("limits:channels", 4096)
    oiio.attribute("limits:imagesize_MB", 1 << 16)
    oiio.attribute("tiff:half", 1)  # otherwise half TIFFs are written as float
    return oiio


def one_line(text: str) -> str:
    """Return a library's message as one short printable line."""
    return re.sub(r"[^ -~]+", " ", " ".join(text.split()))[:300].strip() or "no reason given"


@contextmanager
def guarded(path: Path, doing: str = "read") -> Iterator[None]:
    """Turn whatever a decoder or an encoder raises into one line about ``path``.

    Raises:
        MediaError: The library failed.
        ResourceError: Memory or disk ran out.
    """
    try:
        yield
    except DreamplateError:
        raise
    except MemoryError as error:
        raise ResourceError(
            f"{path}: not enough memory to {doing} it; read fewer rows or channels"
        ) from error
    except OSError as error:
        if error.errno:
            raise_os_error(error, path, MediaError, doing)
        raise MediaError(_failed(path, doing, error)) from error
    except _LEAKS as error:
        raise MediaError(_failed(path, doing, error)) from error


def _failed(path: Path, doing: str, error: Exception) -> str:
    remedy = "it is damaged or cut short; copy or render it again" if doing == "read" else "check the plate"
    return f"{path}: cannot {doing} it ({one_line(str(error) or type(error).__name__)}); {remedy}"


_hush_lock = threading.Lock()
_hush_depth = 0
_hush_saved = -1


@contextmanager
def hushed() -> Iterator[None]:
    """Send what C code prints to standard error nowhere; nests, and works from several threads.

    The PNG library prints its complaints there and offers no way to be told not to. Python's own
    buffered text is flushed first, so that it is not lost.
    """
    global _hush_depth, _hush_saved  # noqa: PLW0603 (standard error itself is global)
    with _hush_lock:
        if _hush_depth == 0:
            with suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()
            _hush_saved = _replace_stderr(None)
        _hush_depth += 1
    try:
        yield
    finally:
        with _hush_lock:
            _hush_depth -= 1
            if _hush_depth == 0 and _hush_saved >= 0:
                _replace_stderr(_hush_saved)
                os.close(_hush_saved)


def _replace_stderr(descriptor: int | None) -> int:
    """Point descriptor 2 at another, or at nothing; return a copy of what it was, or -1."""
    try:
        if descriptor is not None:
            os.dup2(descriptor, 2)
            return -1
        saved = os.dup(2)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
        return saved
    except OSError:  # a program without standard error has nothing to hush
        return -1
