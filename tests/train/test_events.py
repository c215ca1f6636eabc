"""Event files are read back by a reader written from the specification here."""

from __future__ import annotations

import struct
from pathlib import Path

from dreamplate.take import Step
from dreamplate.take.listeners import RunInfo
from dreamplate.train.events import EventWriter, crc32c


def records(data: bytes) -> list[bytes]:
    def check(part: bytes, stored: bytes) -> None:
        value = (struct.unpack("<I", stored)[0] - 0xA282EAD8) & 0xFFFFFFFF
        assert (value >> 17 | value << 15) & 0xFFFFFFFF == crc32c(part)

    found = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        check(data[:8], data[8:12])
        found.append(data[12 : 12 + length])
        check(found[-1], data[12 + length : 16 + length])
        data = data[16 + length :]
    return found


def fields(data: bytes) -> list[tuple[int, bytes | int]]:
    def varint() -> int:
        nonlocal data
        value = shift = 0
        while True:
            byte, data = data[0], data[1:]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    found: list[tuple[int, bytes | int]] = []
    while data:
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            found.append((key >> 3, data[:size]))
            data = data[size:]
    return found


def test_checksum_of_the_standards_examples() -> None:
    # RFC 3720, appendix B.4, and the usual check value.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"123456789") == 0xE3069283


def test_figures_come_back_by_step(tmp_path: Path) -> None:
    writer = EventWriter()
    writer.on_start(RunInfo(tmp_path, "train", 0, 10, 0.0))
    writer.on_step(Step(1, {"loss_g": 0.25, "steps": 300.0}))
    writer.on_step(Step(2, {"loss_g": -1.5, "naïve": 3.0, "steps": 100_000.0}))
    writer.close()
    (path,) = tmp_path.glob("events.out.tfevents.*")
    first, *events = records(path.read_bytes())
    assert (3, b"brain.Event:2") in fields(first)
    read = {}
    for item in events:
        parts = dict(fields(item))
        values = [dict(fields(value)) for number, value in fields(parts[5]) if number == 1]
        read[parts[2]] = {value[1].decode(): struct.unpack("<f", value[2])[0] for value in values}
    assert read == {300: {"loss_g": 0.25}, 100_000: {"loss_g": -1.5, "naïve": 3.0}}
