"""Whatever stops a run, and wherever: it resumes, and ends bit-identical to one that was never stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import NumpyJob, TorchJob, ToyConfig, contents, make, run_toy

from dreamplate.errors import ConfigError, DreamplateError, ResourceError, StateError, TakeError
from dreamplate.plate import VideoReader, read
from dreamplate.take import (
    Listener,
    RunInfo,
    RunResult,
    Step,
    Take,
    read_entries,
    read_provenance,
    read_steps,
    run,
)

STEPS = 6


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[type[Any]], dict[str, bytes]]:
    """Contents of the take of a job that was never stopped."""
    made: dict[type[Any], dict[str, bytes]] = {}

    def get(kind: type[Any]) -> dict[str, bytes]:
        if kind not in made:
            path = tmp_path_factory.mktemp("unbroken") / "take"
            assert run(*make(path, kind, steps=STEPS)).status == "finished"
            made[kind] = contents(path)
        return made[kind]

    return get


class Watcher(Listener):
    """Writes down what it hears, and may act at a step."""

    def __init__(self, act: Callable[[Step], None] = lambda step: None) -> None:
        self.heard: list[str] = []
        self.notices: list[str] = []
        self.act = act

    def on_start(self, info: RunInfo) -> None:
        self.heard.append(f"start {info.position}/{info.steps}")

    def on_step(self, step: Step) -> None:
        self.heard.append(f"step {step.index}")
        self.act(step)

    def on_checkpoint(self, path: Path, position: int) -> None:
        assert path.is_file()
        self.heard.append(f"checkpoint {position}")

    def on_notice(self, text: str) -> None:
        self.notices.append(text)

    def on_end(self, result: RunResult) -> None:
        self.heard.append(f"end {result.status}")

    def close(self) -> None:
        self.heard.append("close")


@pytest.mark.parametrize("kind", [NumpyJob, TorchJob])
def test_resumes_exactly_from_every_step(tmp_path: Path, unbroken: Any, kind: type[Any]) -> None:
    for stop in range(STEPS + 1):
        path = tmp_path / str(stop)
        job, take = make(path, kind, steps=STEPS)
        if stop == STEPS:  # between the last step and the outcome
            job.outcome = lambda: 1 / 0
            with pytest.raises(ZeroDivisionError):
                run(job, take)
            assert Take.open(path).status == "failed"
        else:
            result = run(job, take, stop_after=stop)
            assert (result.status, result.step, Take.open(path).status) == ("paused", stop, "paused")
        assert run_toy(path, job=kind).status == "finished"
        assert contents(path) == unbroken(kind)


def test_resumes_exactly_step_by_step(tmp_path: Path, unbroken: Any) -> None:
    _, take = make(tmp_path / "t", TorchJob, steps=STEPS)
    positions = [run_toy(take.path, job=TorchJob, stop_after=1).step for _ in range(STEPS)]
    assert positions == [1, 2, 3, 4, 5, 6]
    assert Take.open(take.path).status == "finished"
    assert contents(take.path) == unbroken(TorchJob)


def test_what_a_take_holds(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=STEPS, seed=7)
    watcher = Watcher()
    result = run(job, take, listeners=[watcher], checkpoint_seconds=0, checkpoint_share=1)
    assert (result.status, result.exit_code, result.step, result.steps) == ("finished", 0, STEPS, STEPS)
    steps = [f"{what} {number}" for number in range(1, STEPS + 1) for what in ("step", "checkpoint")]
    assert watcher.heard == [f"start 0/{STEPS}", *steps, "end finished", "close"]

    names = {item.name for item in take.path.iterdir()}
    assert names == {
        ".lock", "take.yaml", "state.safetensors", "state.previous.safetensors", "log.jsonl", "metrics.json",
        "preview.png", "previews", "final.png", "final.exr", "progress.mp4",
    }  # fmt: skip
    metrics = json.loads(take.metrics_path.read_text())
    assert metrics["scalars"] == {
        "score": read_steps(take.log_path)[-1]["scalars"]["score"],
        "sum": metrics["scalars"]["sum"],
    }
    assert (metrics["steps"], metrics["outputs"]) == (STEPS, ["final.exr", "final.png", "progress.mp4"])
    assert metrics["wall_seconds"] > 0
    assert metrics["cpu_seconds"] > 0
    assert metrics["peak_rss_bytes"] > 10 << 20
    assert {"processor", "cores", "memory_bytes", "versions"} <= metrics["machine"].keys()
    assert [entry["step"] for entry in read_steps(take.log_path)] == list(range(1, STEPS + 1))
    assert read(take.path / "final.exr").pixels.dtype == "float32"
    for name in ("final.png", "final.exr", "preview.png", "progress.mp4"):
        made = read_provenance(take.path / name)
        assert (made["kind"], made["seed"], made["config"]["steps"]) == ("toy", 7, STEPS)
    with VideoReader(take.path / "progress.mp4") as video:
        assert len(video) == STEPS + 36


def test_a_finished_take_is_left_alone(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    first = run(job, take)
    before = {file: file.stat().st_mtime_ns for file in take.path.rglob("*") if file.name != ".lock"}
    again = run_toy(take.path)
    assert (again.status, again.scalars) == ("finished", first.scalars)
    assert before == {file: file.stat().st_mtime_ns for file in take.path.rglob("*") if file.name != ".lock"}


@pytest.mark.parametrize("name", ["final.png", "final.exr", "progress.mp4", "metrics.json"])
def test_a_lost_output_is_written_again(tmp_path: Path, unbroken: Any, name: str) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    run(job, take)
    (take.path / name).unlink()
    assert run_toy(take.path).status == "finished"
    assert contents(take.path) == unbroken(NumpyJob)
    assert take.metrics_path.is_file()


def test_time_adds_up_over_runs(tmp_path: Path) -> None:
    _, take = make(tmp_path / "t", steps=STEPS)
    one = run_toy(take.path, stop_after=3)
    two = run_toy(take.path)
    assert two.wall_seconds > one.wall_seconds > 0
    assert two.cpu_seconds > one.cpu_seconds > 0
    walls = [entry["wall"] for entry in read_entries(take.log_path)]
    assert walls == sorted(walls)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_pause(tmp_path: Path, unbroken: Any, number: int, code: int) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    before = signal.getsignal(number)
    watcher = Watcher(lambda step: os.kill(os.getpid(), number) if step.index == 3 else None)
    result = run(job, take, listeners=[watcher])
    assert (result.status, result.step, result.signal, result.exit_code) == ("paused", 3, number, code)
    assert watcher.notices[0].startswith("stopping after this step")
    assert signal.getsignal(number) is before
    assert run_toy(take.path).exit_code == 0
    assert contents(take.path) == unbroken(NumpyJob)


def test_second_interrupt_insists(tmp_path: Path, unbroken: Any) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)

    def interrupt(step: Step) -> None:
        for _ in range(2 if step.index == 3 else 0):
            os.kill(os.getpid(), signal.SIGINT)

    watcher = Watcher(interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(job, take, listeners=[watcher], checkpoint_seconds=0, checkpoint_share=1)
    assert watcher.heard[-1] == "close"
    assert Take.open(take.path).status == "paused"
    watcher = Watcher()
    assert run_toy(take.path, listeners=[watcher]).status == "finished"
    assert watcher.heard[0] == f"start 2/{STEPS}"
    assert contents(take.path) == unbroken(NumpyJob)


def test_runs_in_any_thread(tmp_path: Path, unbroken: Any) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    thread = threading.Thread(target=run, args=(job, take))
    thread.start()
    thread.join()
    assert contents(take.path) == unbroken(NumpyJob)


FAULTS: list[tuple[str, type[Exception], list[str]]] = [
    ("raise@4", RuntimeError, ["a bug"]),
    ("nan@4", TakeError, ["step 4: score is nan", "checkpoint before it is kept"]),
    ("memory@4", ResourceError, ["not enough memory", "cuts.memory (now 1GiB)"]),
]


@pytest.mark.parametrize(("fault", "error", "parts"), FAULTS)
def test_failures_keep_the_last_checkpoint(
    tmp_path: Path, fault: str, error: type[Exception], parts: list[str]
) -> None:
    job, take = make(tmp_path / "t", steps=STEPS, fault=fault)
    with pytest.raises(error) as caught:
        run(job, take, checkpoint_seconds=0, checkpoint_share=1)
    message = str(caught.value)
    assert all(part in message for part in parts)
    assert "\n" not in message
    again = Take.open(take.path)
    assert again.status == "failed"
    assert again.record.error is not None
    assert again.record.error.endswith(message)
    loaded = again.load_state()
    assert loaded is not None
    assert loaded[0] == 3
    assert read_entries(take.log_path)[-1]["event"] == "fail"
    assert not (take.path / "final.png").exists()


MEMORY = [
    "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: can't allocate memory: you tried 8 bytes",
    "DefaultCPUAllocator: not enough memory: you tried to allocate 1000000000000 bytes.",
    "CUDA out of memory. Tried to allocate 2.00 GiB",
    "std::bad_alloc",
]


@pytest.mark.parametrize("text", MEMORY)
def test_knows_what_libraries_call_no_memory(tmp_path: Path, text: str) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)

    def fail() -> Step:
        raise RuntimeError(text)

    job.step = fail
    with pytest.raises(ResourceError, match="not enough memory"):
        run(job, take)


def test_a_real_allocation_failure(tmp_path: Path) -> None:
    import torch

    job, take = make(tmp_path / "t", steps=STEPS)
    job.step = lambda: torch.empty(1 << 55)
    with pytest.raises(ResourceError, match="not enough memory"):
        run(job, take)


def test_a_failing_listener_loses_nothing(tmp_path: Path, unbroken: Any) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    with pytest.raises(ZeroDivisionError):
        run(job, take, listeners=[Watcher(lambda step: step.index == 3 and 1 / 0)])
    assert run_toy(take.path).status == "finished"
    assert contents(take.path) == unbroken(NumpyJob)


def test_a_damaged_state_falls_back(tmp_path: Path, unbroken: Any) -> None:
    for name, harm in {
        "flip": lambda file: file.write_bytes(file.read_bytes()[:-40] + b"\0" + file.read_bytes()[-39:]),
        "cut": lambda file: file.write_bytes(file.read_bytes()[:100]),
        "empty": lambda file: file.write_bytes(b""),
        "gone": lambda file: file.unlink(),
    }.items():
        job, take = make(tmp_path / name, steps=STEPS)
        run(job, take, stop_after=4, checkpoint_seconds=0, checkpoint_share=1)
        harm(take.state_path)
        watcher = Watcher()
        assert run_toy(take.path, listeners=[watcher]).status == "finished"
        assert watcher.heard[0] == f"start 3/{STEPS}"
        assert len(watcher.notices) == 1
        assert "continuing from state.previous.safetensors at step 3" in watcher.notices[0]
        assert str(take.state_path) in watcher.notices[0]
        assert contents(take.path) == unbroken(NumpyJob)


def test_two_damaged_states_are_an_error(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    run(job, take, stop_after=4, checkpoint_seconds=0, checkpoint_share=1)
    take.state_path.write_bytes(b"x" * 99)
    take.previous_path.write_bytes(b"x" * 99)
    with pytest.raises(StateError, match=r"state\.safetensors.*start again with --overwrite"):
        run_toy(take.path)


def test_the_state_of_another_take_is_refused(tmp_path: Path) -> None:
    for seed in (1, 2):
        run(*make(tmp_path / str(seed), steps=STEPS, seed=seed), stop_after=2)
    (tmp_path / "1/state.safetensors").replace(tmp_path / "2/state.safetensors")
    with pytest.raises(StateError, match="is the state of another toy take"):
        run_toy(tmp_path / "2")


def test_an_incomplete_job_is_caught(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    run(job, take, stop_after=2)
    fresh = NumpyJob(take.config(ToyConfig))
    fresh.load_state_dict = lambda state: None  # type: ignore[method-assign]
    with pytest.raises(TakeError, match="stands at step 0 after loading a state of step 2"):
        run(fresh, take)


def test_one_runner_at_a_time(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    messages: list[str] = []

    def intrude(step: Step) -> None:
        assert take.is_running
        with pytest.raises(TakeError) as caught:
            run_toy(take.path)
        messages.append(str(caught.value))

    assert run(job, take, listeners=[Watcher(intrude)]).status == "finished"
    assert len(messages) == STEPS
    assert f"process {os.getpid()} on " in messages[0]
    assert not take.is_running


def test_a_job_must_be_the_takes_own(tmp_path: Path) -> None:
    _, take = make(tmp_path / "t", steps=STEPS)
    with pytest.raises(TakeError, match="another config"):
        run(NumpyJob(ToyConfig(steps=STEPS, seed=99)), take)


def test_litter_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    (take.path / "previews").mkdir()
    litter = [
        take.path / ".state.safetensors.12ab34cd.tmp",
        take.path / "previews" / ".step_000001.png.0.tmp.png",
    ]
    for file in litter:
        file.write_bytes(b"x")
    run(job, take)
    assert not any(file.exists() for file in litter)


def test_a_job_of_no_steps(tmp_path: Path) -> None:
    result = run(*make(tmp_path / "t", steps=0))
    assert (result.status, result.step) == ("finished", 0)
    assert (tmp_path / "t/final.png").is_file()


def test_previews_are_evenly_spaced_and_bounded(tmp_path: Path) -> None:
    job, take = make(tmp_path / "t", steps=50)
    run(job, take, preview_frames=8, stop_after=20)
    run_toy(take.path, preview_frames=3)  # a resumed run keeps the spacing of the first
    found = sorted(int(file.stem[5:]) for file in (take.path / "previews").iterdir())
    assert found == [7, 14, 21, 28, 35, 42, 49, 50]
    job, take = make(tmp_path / "none", steps=5)
    run(job, take, preview_frames=0)
    assert not (take.path / "previews").exists()
    assert not (take.path / "progress.mp4").exists()


def test_checkpoints_stay_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of one second and checkpoints of two, by a clock of our own: at most 5 % in checkpoints."""
    from dreamplate.take import runner

    now = [0.0]
    monkeypatch.setattr(runner.time, "monotonic", lambda: now[0])
    pace = runner._Pace(seconds=10, share=0.05)
    times = []
    for _ in range(1000):
        now[0] += 1
        if pace.due():
            times.append(now[0])
            now[0] += 2
            pace.saved(2)
    assert times[0] == 10
    assert len(times) * 2 <= 0.05 * now[0] + 2
    assert len(times) >= 20  # and not much rarer than that


def test_outcome_names_cannot_leave_the_take(tmp_path: Path) -> None:
    for name in ("../evil", "a/b", "", ".", "state", "metrics"):
        job, take = make(tmp_path / "t", steps=1)
        outcome = job.outcome()
        job.outcome = lambda name=name, outcome=outcome: type(outcome)({name: outcome.plates["final"]})
        with pytest.raises(TakeError, match="cannot be a file name"):
            run(job, take)
    assert [item.name for item in tmp_path.iterdir()] == ["t"]


def test_bad_pixels_are_reported(tmp_path: Path, unbroken: Any) -> None:
    job, take = make(tmp_path / "t", steps=STEPS)
    right = job.outcome

    def wrong() -> Any:
        outcome = right()
        outcome.plates["final"].pixels[0, 0, 0] = float("nan")
        return outcome

    job.outcome = wrong
    with pytest.raises(DreamplateError, match=r"final\.png: 1 pixels are NaN"):
        run(job, take)
    assert run_toy(take.path).status == "finished"
    assert contents(take.path) == unbroken(NumpyJob)


def test_config_errors_come_before_any_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="steps: found -1, must be at least 0"):
        Take.create(tmp_path / "t", "toy", ToyConfig(steps=-1))
    assert list(tmp_path.iterdir()) == []
