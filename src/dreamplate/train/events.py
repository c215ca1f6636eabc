"""TensorBoard's event files, written without TensorBoard: the figures of each step.

The format is TFRecord (length, masked CRC-32C of it, data, masked CRC-32C of that) of Event messages in
protocol buffers' wire format, of which only what figures need is written. To look at them, where it is
installed: ``tensorboard --logdir TAKE``.
"""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dreamplate.errors import TakeError
from dreamplate.files import raise_os_error
from dreamplate.take.listeners import Listener, RunInfo

if TYPE_CHECKING:
    from dreamplate.take.job import Step
    from dreamplate.take.runner import RunResult

__all__ = ["EventWriter", "crc32c", "event", "record"]

_POLYNOMIAL = 0x82F63B78


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Return the Castagnoli checksum (RFC 3720, appendix B.4)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def record(data: bytes) -> bytes:
    """Return one TFRecord."""
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def event(step: int, figures: dict[str, float], when: float) -> bytes:
    """Return an Event message with figures of a step."""
    summary = b"".join(
        _bytes(1, _bytes(1, name.encode()) + b"\x15" + struct.pack("<f", value))
        for name, value in figures.items()
    )
    return b"\x09" + struct.pack("<d", when) + b"\x10" + _varint(step) + _bytes(5, summary)


class EventWriter(Listener):
    """Writes a file of events into the take, a new one each time the run goes on."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None

    def on_start(self, info: RunInfo) -> None:
        """Open the file."""
        now = time.time()
        path: Path = info.path / f"events.out.tfevents.{now:.6f}.{info.position}"
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise_os_error(error, path, TakeError)
        self._write(b"\x09" + struct.pack("<d", now) + _bytes(3, b"brain.Event:2"))

    def on_step(self, step: Step) -> None:
        """Write the figures, by the number of optimiser steps."""
        figures = dict(step.scalars)
        place = int(figures.pop("steps", step.index))
        self._write(event(place, figures, time.time()))

    def on_end(self, result: RunResult) -> None:
        """Write the final figures."""
        if result.status == "finished" and result.scalars:
            final = {f"final/{name}": value for name, value in result.scalars.items()}
            self._write(event(int(result.scalars.get("steps", result.step)), final, time.time()))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, data: bytes) -> None:
        if self._file is not None:
            try:
                self._file.write(record(data))
                self._file.flush()
            except OSError as error:
                raise_os_error(error, Path(self._file.name), TakeError)


def _masked(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _bytes(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(data)) + data
