"""The folder of a take: making it, and removing what a take put there and nothing else."""

from __future__ import annotations

import json
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from dreamplate.errors import TakeError
from dreamplate.files import raise_os_error
from dreamplate.take.lock import hold

LOCK = ".lock"
_OURS = (
    *("take.yaml", "log.jsonl", "metrics.json", "preview.png", "progress.mp4", "film.mp4"),
    *("previews", "frames", "tasks"),
)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and prove that it can be written to.

    Raises:
        TakeError: It is a file or cannot be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{secrets.token_hex(4)}.tmp"
        probe.touch()
        probe.unlink()
    except FileExistsError:
        raise TakeError(f"{path}: is a file; choose a folder for the take") from None
    except OSError as error:
        raise_os_error(error, path, TakeError, "make a take in")
    except ValueError as error:
        raise TakeError(f"{str(path)!r}: cannot be a folder name ({error}); choose another") from error


def clear_folder(path: Path) -> None:
    """Remove what a take made, and nothing else that somebody may have put beside it.

    Raises:
        TakeError: A process works on the take, or something cannot be removed.
    """
    with hold(path / LOCK, str(path)):
        names = {*_OURS, *(item.name for item in path.glob("state*.safetensors"))}
        names |= set(_outputs(path))
        # The record goes last: should this be cut short, the folder still is a take.
        for name in sorted(names, key=lambda name: name == "take.yaml"):
            item = path / name
            try:
                if item.is_dir() and not item.is_symlink():
                    shutil.rmtree(item)
                else:
                    item.unlink(missing_ok=True)
            except OSError as error:
                raise_os_error(error, item, TakeError, "remove")


def remove_litter(path: Path) -> None:
    """Remove temporary files that a killed run left; call it only while holding the lock."""
    for folder in (path, path / "previews", path / "frames"):
        for item in folder.glob(".*.tmp*"):
            with suppress(OSError):
                item.unlink()


def _outputs(path: Path) -> list[str]:
    """Return the names of the outcome files that the take says it wrote."""
    try:
        names = list(json.loads((path / "metrics.json").read_bytes())["outputs"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    # The file may have been edited: only plain files right inside the take are ever removed.
    plain = [name for name in names if isinstance(name, str) and Path(name).name == name]
    return [name for name in plain if (path / name).is_file()]
