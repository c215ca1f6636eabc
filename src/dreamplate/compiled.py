"""How Python functions are compiled by numba, and where compiled ones are kept.

numba keeps a compiled function on disk and looks at the age of the file that it stands in, but not at those
it calls into. So the folder is named after the contents of all kernels of this package: a kernel never runs
with yesterday's helper. ``NUMBA_CACHE_DIR`` names another folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["FAST", "cache_folder", "parallel", "scalar"]

FAST = {"contract", "nsz", "arcp"}
"""Liberties in floating point that keep NaN, infinity and the order of sums."""
KERNELS = ("fields/kernels", "scenes/world/kernels")
"""Folders of the package whose files hold compiled functions."""


def cache_folder() -> Path:
    """Return where compiled functions of these very sources are kept."""
    digest = hashlib.sha256()
    for folder in KERNELS:
        for source in sorted((Path(__file__).parent / folder).glob("*.py")):
            digest.update(source.name.encode() + source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "dreamplate" / f"kernels-{digest.hexdigest()[:16]}"


def _settle() -> None:
    """Tell numba where to keep kernels, unless the user did or the place cannot be written."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # numba then looks for a place itself
    os.environ["NUMBA_CACHE_DIR"] = str(folder)  # read when numba is first imported, also by child processes
    numba = sys.modules.get("numba")
    if numba is not None:
        numba.config.CACHE_DIR = str(folder)


_settle()

import numba  # noqa: E402  # after the folder is known

scalar: Callable[..., Any] = numba.njit(fastmath=FAST, error_model="numpy", nogil=True, cache=True)
"""Compile a function of numbers, or a helper of one, for the CPU."""
parallel: Callable[..., Any] = numba.njit(
    parallel=True, fastmath=FAST, error_model="numpy", nogil=True, cache=True
)
"""Compile a loop over items (``numba.prange``) for the CPU."""
