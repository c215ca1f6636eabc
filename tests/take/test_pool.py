"""Tasks side by side: the same files with any number of workers, and one failure costs one task."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import ToyConfig, contents, run_toy

from dreamplate.errors import ConfigError, TakeError
from dreamplate.plate import read
from dreamplate.take import (
    Listener,
    PoolResult,
    RunInfo,
    RunResult,
    Step,
    Take,
    Task,
    plan,
    read_entries,
    run_pool,
)
from dreamplate.take.group import run_group

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def toys_in_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worker processes import the toy jobs."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))


class Watcher(Listener):
    def __init__(self, act: Callable[[Step], None] = lambda step: None) -> None:
        self.steps: list[int] = []
        self.notices: list[str] = []
        self.results: list[RunResult] = []
        self.info: RunInfo | None = None
        self.act = act

    def on_start(self, info: RunInfo) -> None:
        assert self.info is None
        self.info = info

    def on_step(self, step: Step) -> None:
        self.steps.append(step.index)
        self.act(step)

    def on_notice(self, text: str) -> None:
        self.notices.append(text)

    def on_end(self, result: RunResult) -> None:
        self.results.append(result)


def prepare(folder: Path, count: int, **fields: Any) -> tuple[Task, ...]:
    return plan("toy", ToyConfig(count=count, **fields), folder)


def pool(tasks: tuple[Task, ...], workers: int, *listeners: Listener) -> PoolResult:
    for task in tasks:
        Take.create(task.path, task.kind, task.config)
    return run_pool(
        [task.path for task in tasks], runner="toys:run_toy", workers=workers, threads=1, listeners=listeners
    )


def test_plans_are_pure(tmp_path: Path) -> None:
    tasks = prepare(tmp_path / "t", 3, seed=5)
    assert tasks == prepare(tmp_path / "t", 3, seed=5)
    assert [task.config for task in tasks] == [ToyConfig(seed=seed) for seed in (5, 6, 7)]
    assert [task.path for task in tasks] == [tmp_path / "t/tasks" / name for name in ("001", "002", "003")]
    assert tasks[0].command == ("dreamplate", "resume", str(tasks[0].path))
    assert len({task.id for task in tasks}) == 3
    assert list(tmp_path.iterdir()) == []
    (alone,) = prepare(tmp_path / "t", 1, seed=6)
    assert (alone.path, alone.id) == (tmp_path / "t", tasks[1].id)  # the same work, wherever it is done
    cut = plan("toy", ToyConfig(), tmp_path, lambda config: [ToyConfig(steps=steps) for steps in (1, 2)])
    assert [task.config for task in cut] == [ToyConfig(steps=1), ToyConfig(steps=2)]


def test_several_need_a_seed(tmp_path: Path) -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Seedless:
        count: int = 2

    with pytest.raises(ConfigError, match="count is 2, which needs a seed"):
        plan("toy", Seedless(), tmp_path)


def test_workers_do_not_change_the_files(tmp_path: Path) -> None:
    made = {}
    for workers in (1, 2):
        tasks = prepare(tmp_path / str(workers), 4, steps=5)
        result = pool(tasks, workers)
        assert [task.status for task in result.tasks] == ["finished"] * 4
        assert [task.path for task in result.tasks] == [task.path for task in tasks]
        made[workers] = [contents(task.path) for task in tasks]
    assert made[1] == made[2]
    for seed, task in enumerate(tasks):
        Take.create(tmp_path / f"alone{seed}", "toy", ToyConfig(steps=5, seed=seed))
        run_toy(tmp_path / f"alone{seed}")
        assert contents(tmp_path / f"alone{seed}") == contents(task.path)


def test_one_failure_costs_one_task(tmp_path: Path) -> None:
    """One task raises, one kills its worker, one has a damaged folder; the other three are finished."""
    configs = [ToyConfig(steps=4, seed=seed) for seed in range(6)]
    configs[1] = ToyConfig(steps=4, seed=1, fault="raise@2")
    configs[2] = ToyConfig(steps=4, seed=2, fault="exit@2")
    tasks = plan("toy", ToyConfig(), tmp_path, lambda config: configs)
    for task in tasks:
        Take.create(task.path, task.kind, task.config)
    (tasks[4].path / "take.yaml").write_text("[")
    watcher = Watcher()
    result = pool_of(tasks, watcher)
    assert [task.status for task in result.tasks] == [
        "finished", "failed", "failed", "finished", "failed", "finished",
    ]  # fmt: skip
    errors = [task.error or "" for task in result.tasks]
    assert errors[1] == "RuntimeError: a bug"
    assert "its worker process ended with exit code 9; resume to try again" in errors[2]
    assert "take.yaml" in errors[4]
    assert sorted(watcher.notices) == sorted(error for error in errors if error)


def pool_of(tasks: tuple[Task, ...], *listeners: Listener) -> PoolResult:
    return run_pool(
        [task.path for task in tasks], runner="toys:run_toy", workers=2, threads=1, listeners=listeners
    )


def test_progress_is_one(tmp_path: Path) -> None:
    watcher = Watcher()
    pool(prepare(tmp_path, 3, steps=10), 2, watcher)
    assert watcher.info is not None
    assert (watcher.info.kind, watcher.info.steps) == ("tasks", 30)
    assert watcher.steps == sorted(watcher.steps)
    assert watcher.steps[-1] == 30


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_pause_all(tmp_path: Path, number: int, code: int) -> None:
    take = Take.create(tmp_path / "t", "toy", ToyConfig(count=3, steps=40, pause=0.02))
    tasks = prepare(take.path, 3, steps=40, pause=0.02)
    sent: list[int] = []

    def interrupt(step: Step) -> None:
        if step.index >= 10 and not sent:
            sent.append(step.index)
            os.kill(os.getpid(), number)

    result = run_group(
        take, tasks, runner="toys:run_toy", workers=2, threads=1, listeners=[Watcher(interrupt)]
    )
    assert (result.status, result.exit_code, Take.open(take.path).status) == ("paused", code, "paused")
    states = [Take.open(task.path) for task in tasks]
    assert not any(state.is_running for state in states)
    assert {state.status for state in states} <= {"paused", "planned"}, [
        state.record.error for state in states
    ]
    assert any(state.load_state() for state in states)
    done = run_group(take, tasks, runner="toys:run_toy", workers=2, threads=1)
    assert done.status == "finished"
    fresh = prepare(tmp_path / "fresh", 3, steps=40, pause=0.02)
    pool(fresh, 2)
    assert [contents(task.path) for task in tasks] == [contents(task.path) for task in fresh]


def test_a_group_is_a_take(tmp_path: Path) -> None:
    config = ToyConfig(count=3, steps=4)
    take = Take.create(tmp_path / "t", "toy", config)
    tasks = plan("toy", config, take.path)
    watcher = Watcher()
    result = run_group(take, tasks, runner="toys:run_toy", workers=2, threads=1, listeners=[watcher])
    assert (result.status, result.step, result.steps) == ("finished", 3, 3)
    assert watcher.results == [result]
    sheet, first = read(take.path / "final.exr"), read(tasks[0].path / "final.exr")
    assert (sheet.width, sheet.height) == (2 * first.width, 2 * first.height)
    assert (sheet.pixels[: first.height, : first.width] == first.pixels).all()
    assert (take.path / "final.png").is_file()
    assert result.cpu_seconds > 0
    assert run_group(take, tasks, runner="toys:run_toy").scalars == result.scalars
    assert [entry["event"] for entry in read_entries(take.log_path)] == ["start", "finish"]


def test_a_group_with_a_failure(tmp_path: Path) -> None:
    config = ToyConfig(count=3, steps=4)
    take = Take.create(tmp_path / "t", "toy", config)
    tasks = plan("toy", config, take.path)
    Take.create(tasks[1].path, "toy", tasks[1].config)
    run_toy(tasks[1].path, stop_after=1)
    state = tasks[1].path / "state.safetensors"
    good = state.read_bytes()
    state.write_bytes(b"damaged")
    with pytest.raises(TakeError) as caught:
        run_group(take, tasks, runner="toys:run_toy", workers=2, threads=1)
    assert "1 of 3 tasks failed, the first with: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert Take.open(take.path).status == "failed"
    state.write_bytes(good)
    assert run_group(take, tasks, runner="toys:run_toy", workers=2, threads=1).status == "finished"


PARENT = """
import sys
from pathlib import Path
from dreamplate.take import run_pool
run_pool([Path(sys.argv[1])], runner="toys:run_toy", workers=1, threads=1)
"""


def test_orphans_pause(tmp_path: Path) -> None:
    """When the parent is killed its workers save their work and leave."""
    (task,) = prepare(tmp_path / "t", 1, steps=10_000, pause=0.02)
    Take.create(task.path, task.kind, task.config)
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(task.path)])
    while Take.open(task.path).status != "running":
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while Take.open(task.path).status == "running":
        assert time.monotonic() < deadline, "the worker goes on without its parent"
        time.sleep(0.02)
    assert Take.open(task.path).status == "paused"
    assert Take.open(task.path).load_state() is not None


def test_a_second_interrupt_kills(tmp_path: Path) -> None:
    tasks = prepare(tmp_path / "t", 2, steps=100, pause=30)
    for task in tasks:
        Take.create(task.path, task.kind, task.config)

    def interrupt() -> None:
        # A worker that is told before its first step pauses at once; one that is in it is busy for 30 s.
        logs = [Take.open(task.path).log_path for task in tasks]
        while not all(log.exists() and '"start"' in log.read_text() for log in logs):
            time.sleep(0.02)
        for _ in range(2):
            time.sleep(0.5)
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        pool_of(tasks)
    thread.join()
    assert not any(Take.open(task.path).is_running for task in tasks)


def test_an_orphan_begins_nothing(tmp_path: Path) -> None:
    """A task that was still waiting when the parent went is left for the next run."""
    (task,) = prepare(tmp_path / "t", 1)
    Take.create(task.path, task.kind, task.config)
    order = json.dumps({"take": str(task.path)})
    for _ in range(5):  # the parent is gone long before the worker has started
        worker = [
            sys.executable,
            "-m",
            "dreamplate.take.worker",
            "--runner",
            "toys:run_toy",
            "--threads",
            "1",
        ]
        subprocess.run(worker, input=f"{order}\n", text=True, capture_output=True, check=False)
        assert Take.open(task.path).status in ("planned", "paused", "running")
        assert not (task.path / "final.png").exists()
