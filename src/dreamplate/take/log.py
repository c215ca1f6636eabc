"""The log of a take: one JSON object per line, only ever appended to.

A line is either a step, ``{"step": 12, "wall": 3.1, "cpu": 5.9, "scalars": {"score": 0.31}}``, or an
event, ``{"event": "checkpoint", "step": 12, …}``. ``wall`` and ``cpu`` are seconds spent on the take so
far, over all runs. A ``start`` event at step k takes back the steps after k that an interrupted run had
logged beyond its last checkpoint. A power cut may tear a line; torn lines are skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from dreamplate.errors import TakeError
from dreamplate.files import raise_os_error


class Log:
    """An open log; every line reaches the operating system before ``write`` returns."""

    def __init__(self, path: Path) -> None:
        """Open or make the log at ``path``, and end a torn last line.

        Raises:
            TakeError: It cannot be opened.
            ResourceError: The disk is full.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise_os_error(error, path, TakeError)
        self._torn = self._is_torn()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append one entry.

        Raises:
            ResourceError: The disk is full.
            TakeError: The log cannot be written.
        """
        text = json.dumps(entry, separators=(",", ":"), allow_nan=False) + "\n"
        line = ("\n" + text if self._torn else text).encode()
        try:
            written = os.write(self._descriptor, line)
            while written < len(line):
                self._torn = True  # until the rest is there; a full disk writes part and then fails
                written += os.write(self._descriptor, line[written:])
            self._torn = False
        except OSError as error:
            raise_os_error(error, self.path, TakeError)

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise_os_error(error, self.path, TakeError)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _is_torn(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        if size == 0:
            return False
        os.lseek(self._descriptor, -1, os.SEEK_END)
        return os.read(self._descriptor, 1) != b"\n"


def read_entries(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return every whole line of a log in order, events included; an absent log is an empty one."""
    entries = []
    try:
        with Path(path).open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(entry, dict):
                    entries.append(entry)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise_os_error(error, Path(path), TakeError, "read")
    return entries


def read_steps(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the step entries that count, in order of their steps, each step once.

    Raises:
        TakeError: The log cannot be read.
    """
    steps: dict[int, dict[str, Any]] = {}
    for entry in read_entries(path):
        number = entry.get("step")
        if not isinstance(number, int):
            continue
        if entry.get("event") == "start":
            steps = {step: kept for step, kept in steps.items() if step <= number}
        elif "event" not in entry:
            steps[number] = entry
    return [steps[step] for step in sorted(steps)]


@dataclass(frozen=True)
class Spent:
    """What a take has cost so far, lost work included: seconds, and bytes of memory at the most."""

    wall: float = 0.0
    cpu: float = 0.0
    peak_rss: int = 0


def read_spent(path: str | os.PathLike[str]) -> Spent:
    """Return what a take has cost so far.

    Raises:
        TakeError: The log cannot be read.
    """
    most = {"wall": 0.0, "cpu": 0.0, "peak_rss": 0.0}
    for entry in read_entries(path):
        for name, value in most.items():
            found = entry.get(name)
            if isinstance(found, int | float):
                most[name] = max(value, found)
    return Spent(most["wall"], most["cpu"], int(most["peak_rss"]))
