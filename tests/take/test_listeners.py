"""What a person sees: a bar on a terminal, a few lines elsewhere, next to nothing when quiet."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from toys import make

from dreamplate.take import Step, console_listener, run
from dreamplate.take.listeners import Notices, ProgressBar, ProgressLines, RunInfo, clock, figures


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_chooses_by_stream() -> None:
    assert type(console_listener(stream=Terminal())) is ProgressBar
    assert type(console_listener(stream=io.StringIO())) is ProgressLines
    assert type(console_listener(stream=Terminal(), quiet=True)) is Notices


def test_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    run(*make(tmp_path / "t", steps=100), listeners=[console_listener(stream=stream)], preview_frames=0)
    first, *steps, last = stream.getvalue().splitlines()
    assert first.endswith("starting 100 steps")
    assert len(steps) == 10
    assert all("score" in line and "steps/s" in line and "left" in line for line in steps)
    assert "finished at step 100 after 0:0" in last


def test_tasks_that_have_done_nothing_yet_have_no_time_left() -> None:
    stream = io.StringIO()
    lines = ProgressLines(stream)
    lines.on_start(RunInfo(Path("t"), "render", 0, 3, 0.0))
    lines.on_step(Step(0, {}))
    assert "step 0/3" in stream.getvalue() and "left" not in stream.getvalue()


def test_lines_of_a_resumed_run(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=10)
    run(job, take, stop_after=5, preview_frames=0)
    stream = io.StringIO()
    run(*make(tmp_path / "t", steps=10), listeners=[console_listener(stream=stream)])
    assert "continuing at step 5 of 10 steps" in stream.getvalue()


def test_bar(tmp_path: Path) -> None:
    stream = Terminal()
    run(*make(tmp_path / "t", steps=20), listeners=[console_listener(stream=stream)], preview_frames=0)
    assert "20/20" in stream.getvalue()
    assert "score" in stream.getvalue()
    assert "finished" in stream.getvalue()
    assert stream.getvalue().rstrip().endswith("0:00") or "after 0:0" in stream.getvalue()


def test_bar_is_put_away_after_a_failure(tmp_path: Path) -> None:
    stream = Terminal()
    listener = console_listener(stream=stream)
    with pytest.raises(RuntimeError):
        run(*make(tmp_path / "t", steps=5, fault="raise@3"), listeners=[listener])
    assert isinstance(listener, ProgressBar)
    assert not listener._progress.live.is_started


def test_quiet_says_only_what_matters(tmp_path: Path) -> None:
    stream = io.StringIO()
    job, take = make(tmp_path / "t", steps=4)
    run(
        job, take, listeners=[console_listener(quiet=True, stream=stream)], checkpoint_seconds=0, stop_after=3
    )
    assert stream.getvalue() == ""
    take.state_path.write_bytes(b"damaged")
    run(*make(tmp_path / "t", steps=4), listeners=[console_listener(quiet=True, stream=stream)])
    assert stream.getvalue().count("\n") == 1
    assert "continuing from" in stream.getvalue()


def test_a_terminal_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    for number, listener in enumerate([Notices(Gone()), ProgressLines(Gone())]):
        listener.on_notice("hello")
        assert run(*make(tmp_path / str(number), steps=3), listeners=[listener]).status == "finished"


class Interrupting(io.RawIOBase):
    """A terminal at which SIGTERM comes in the middle of a write."""

    def __init__(self) -> None:
        self.text = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if b"step 3/" in bytes(data) and b"step 3/" not in self.text:
            os.kill(os.getpid(), signal.SIGTERM)
        self.text += bytes(data)
        return len(data)


def test_a_signal_in_the_middle_of_a_line(tmp_path: Path) -> None:
    terminal = Interrupting()
    stream = io.TextIOWrapper(io.BufferedWriter(terminal))
    result = run(*make(tmp_path / "t", steps=10), listeners=[ProgressLines(stream)], preview_frames=0)
    assert (result.status, result.step) == ("paused", 3)
    assert b"stopping after this step\n" in terminal.text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_figures() -> None:
    assert figures(Step(1, {"loss": 1.0, "score": 0.123456})) == "score 0.1235"
    assert figures(Step(1, {"loss": 1.0, "rate": 2.0})) == "loss 1  rate 2"
    assert figures(Step(1)) == ""
