"""The log survives torn lines, and a resumed run's steps replace those it takes back."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from dreamplate.errors import TakeError
from dreamplate.take import read_entries, read_steps
from dreamplate.take.log import Log, read_spent


def step(number: int, score: float = 0.0) -> dict[str, object]:
    return {"step": number, "wall": float(number), "cpu": 2.0 * number, "scalars": {"score": score}}


def test_keeps_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert read_entries(path) == []
    for number in (1, 2):
        with Log(path) as log:
            log.write(step(number))
            log.sync()
    assert read_entries(path) == [step(1), step(2)]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_resumed_steps_replace_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        log.write({"event": "start", "step": 0})
        for number in range(1, 8):
            log.write(step(number, 1.0))
        log.write({"event": "start", "step": 4})
        log.write(step(5, 2.0))
    assert [(entry["step"], entry["scalars"]["score"]) for entry in read_steps(path)] == [
        (1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (5, 2.0),
    ]  # fmt: skip
    spent = read_spent(path)
    assert (spent.wall, spent.cpu) == (7.0, 14.0)  # lost work has been paid for too


def test_any_tear_costs_one_line_at_most(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        for number in range(1, 6):
            log.write(step(number))
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        lines = whole[:cut].count(b"\n")
        with Log(path) as log:
            log.write(step(9))
        found = [entry["step"] for entry in read_steps(path)]
        # A line that lacks only its line end is whole; any other torn line is lost.
        assert found in ([*range(1, lines + 1), 9], [*range(1, lines + 2), 9])


def test_rubbish_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    chance = random.Random(0)
    rubbish = [
        b"\xff\0",
        b"3",
        b"null",
        b'{"step": "x"}',
        b"[" * 100_000,
        b'{"a":',
        bytes(chance.randbytes(50)),
    ]
    path.write_bytes(b"\n".join([json.dumps(step(1)).encode(), *rubbish, json.dumps(step(2)).encode()]))
    assert [entry["step"] for entry in read_steps(path)] == [1, 2]


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match="name a file"):
        Log(tmp_path)
