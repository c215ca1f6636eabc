"""Kernels for what torch has no good operator for: one scalar Python body each, compiled for every device.

Compiled kernels are kept on disk. numba looks at the age of the file that a kernel stands in, but not at
those it calls into, so the folder is named after the contents of all of them: a kernel never runs with
yesterday's helper.
``NUMBA_CACHE_DIR`` names another folder.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return where compiled kernels of these very sources are kept."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
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
