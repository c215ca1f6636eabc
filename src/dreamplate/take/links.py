"""One file under two names."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path


def give_second_name(path: Path, name: Path) -> None:
    """Make ``name``, in the same file system, the same file as ``path``; whatever it was before is replaced.

    At no moment is either name without a whole file. Since files are replaced and never written in place,
    the two part ways as soon as either is written again.

    Raises:
        OSError: The file system refuses.
    """
    link = name.with_name(f".{name.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            os.link(path, link)
        except OSError:  # a file system without hard links
            shutil.copyfile(path, link)
        link.replace(name)
    finally:
        # Renaming one name of a file over another of the same file leaves both.
        link.unlink(missing_ok=True)
