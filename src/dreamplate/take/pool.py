"""A pool of worker processes on this machine that runs takes side by side.

The same tasks give the same files with any number of workers: each task runs alone in a process, from
its own take folder, with its own seeds and a fixed number of threads.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dreamplate.take.job import Step
from dreamplate.take.listeners import Listener, RunInfo
from dreamplate.take.signals import STOP_SIGNALS, Stop, stop_on_signals

_POLL_SECONDS = 0.2


@dataclass
class TaskResult:
    """How one task ended.

    Attributes:
        path: Its take folder.
        status: ``paused`` also means that it was never begun.
        scalars: Its final figures.
        error: One line, when it failed.
        exit_code: What the error asks a command to exit with.
    """

    path: Path
    status: Literal["finished", "paused", "failed"] = "paused"
    scalars: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    exit_code: int = 0


@dataclass(frozen=True)
class PoolResult:
    """How a pool ended: a result per task, in the order of the tasks, and the signal that ended it early."""

    tasks: tuple[TaskResult, ...]
    signal: int | None = None


def run_pool(
    paths: Sequence[Path],
    *,
    runner: str,
    workers: int | None = None,
    threads: int | None = None,
    listeners: Iterable[Listener] = (),
    title: Path = Path(),
    kind: str = "tasks",
    signals: Iterable[int] = STOP_SIGNALS,
) -> PoolResult:
    """Run take folders in worker processes until all are done, or a signal asks to stop.

    A failing task, or a worker that dies, costs that task only. On SIGINT or SIGTERM every worker pauses its
    take; a second SIGINT kills the workers, and their takes keep their last checkpoints.

    Args:
        paths: Take folders to run.
        runner: ``module:function`` called in the worker as ``function(path, listeners=…, signals=…)``.
        workers: How many processes; by default one per usable core, at most one per task.
        threads: Threads of each; by default the cores divided among the workers.
        listeners: Hear about all tasks together, as if they were one job.
        title: What to tell the listeners the take is.
        kind: What to tell the listeners the job is.
        signals: Which signals stop the pool.
    """
    cores = usable_cores()
    workers = max(1, min(workers or cores, len(paths)))
    threads = threads or max(1, cores // workers)
    crowd = _Crowd(paths, list(listeners), title, kind)
    with stop_on_signals(crowd.notice, signals) as stop:
        pool = _Pool(crowd, deque(range(len(paths))), lambda: _start(runner, threads))
        try:
            pool.serve(workers, stop)
        finally:
            pool.kill()
    return PoolResult(tuple(crowd.results), stop.signal)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Crowd:
    """The tasks together: their results, and their progress as one."""

    def __init__(self, paths: Sequence[Path], listeners: list[Listener], title: Path, kind: str) -> None:
        self.results = [TaskResult(path) for path in paths]
        self.done = [0.0] * len(paths)
        self.figures: dict[int, dict[str, float]] = {}
        self.listeners, self.title, self.kind = listeners, title, kind
        self.unit = 0

    def notice(self, text: str) -> None:
        for listener in self.listeners:
            listener.on_notice(text)

    def hear(self, index: int, event: dict[str, Any]) -> bool:
        """Take in an event of a task; return whether the task is over."""
        result = self.results[index]
        if event["event"] == "notice":
            self.notice(event["text"])
            return False
        if event["event"] == "failed":
            result.status, result.error, result.exit_code = "failed", event["error"], event["code"]
            self.notice(event["error"])
            return True
        if event["event"] == "done":
            result.status, result.scalars = event["status"], event["scalars"]
            self.progress(index, 1.0 if result.status == "finished" else self.done[index], result.scalars)
            return True
        self.begin(event["steps"])
        self.progress(index, event["step"] / max(1, event["steps"]), event["scalars"])
        return False

    def begin(self, steps: int) -> None:
        if self.unit:
            return
        self.unit = max(1, steps)
        info = RunInfo(self.title, self.kind, 0, self.unit * len(self.results), 0.0)
        for listener in self.listeners:
            listener.on_start(info)

    def progress(self, index: int, fraction: float, scalars: dict[str, float]) -> None:
        """Report the mean figures of all tasks that have some, and the steps they have done together."""
        self.begin(1)
        self.done[index] = fraction
        if scalars:
            self.figures[index] = scalars
        known = list(self.figures.values())
        names = [name for name in (known[0] if known else ()) if all(name in each for each in known)]
        means = {name: sum(each[name] for each in known) / len(known) for name in names}
        step = Step(round(sum(self.done) * self.unit), means)
        for listener in self.listeners:
            listener.on_step(step)


class _Worker:
    """One process and the task it is at."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.task: int | None = None
        self.buffer = b""

    def give(self, task: int, path: Path) -> None:
        self.task = task
        stdin = self.process.stdin
        assert stdin is not None
        # If it has died, its output ends too, and that is where the loss is noticed.
        with suppress(OSError):
            stdin.write(json.dumps({"take": str(path)}).encode() + b"\n")
            stdin.flush()

    def dismiss(self) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        with suppress(OSError):
            stdin.close()


class _Pool:
    """Hands tasks to workers and listens to them."""

    def __init__(
        self, crowd: _Crowd, waiting: deque[int], start: Callable[[], subprocess.Popen[bytes]]
    ) -> None:
        self.crowd, self.waiting, self.start = crowd, waiting, start
        self.selector = selectors.DefaultSelector()
        self.workers: list[_Worker] = []

    def serve(self, count: int, stop: Stop) -> None:
        told = False
        for _ in range(count):
            self.hire()
        while self.workers:
            if stop.signal is not None and not told:
                told = True
                self.waiting.clear()
                for worker in self.workers:
                    worker.process.send_signal(signal.SIGTERM)
            for key, _ in self.selector.select(_POLL_SECONDS):
                self.listen(key.data, stopping=told)

    def hire(self) -> None:
        worker = _Worker(self.start())
        assert worker.process.stdout is not None
        self.selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
        self.workers.append(worker)
        self.next(worker)

    def next(self, worker: _Worker) -> None:
        """Give an idle worker its next task, or let it go."""
        worker.task = None
        if self.waiting:
            task = self.waiting.popleft()
            worker.give(task, self.crowd.results[task].path)
        else:
            worker.dismiss()

    def listen(self, worker: _Worker, *, stopping: bool) -> None:
        assert worker.process.stdout is not None
        block = os.read(worker.process.stdout.fileno(), 1 << 16)
        if not block:
            self.lose(worker, stopping=stopping)
            return
        *lines, worker.buffer = (worker.buffer + block).split(b"\n")
        for line in lines:
            if worker.task is not None and self.crowd.hear(worker.task, json.loads(line)):
                self.next(worker)

    def lose(self, worker: _Worker, *, stopping: bool) -> None:
        """A worker's output has ended: it was dismissed, or it died at its task."""
        assert worker.process.stdout is not None
        self.selector.unregister(worker.process.stdout)
        worker.process.stdout.close()
        worker.dismiss()
        code = worker.process.wait()
        self.workers.remove(worker)
        if worker.task is None or stopping:
            return
        result = self.crowd.results[worker.task]
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        reason = "; memory may have run out, use fewer workers" if code == -signal.SIGKILL else ""
        failure = {
            "event": "failed",
            "error": f"{result.path}: its worker process ended {how}{reason}; resume to try again",
            "code": 1,
        }
        self.crowd.hear(worker.task, failure)
        if self.waiting:
            self.hire()

    def kill(self) -> None:
        for worker in self.workers:
            worker.process.kill()
            worker.process.wait()
            worker.dismiss()
            assert worker.process.stdout is not None
            worker.process.stdout.close()
        self.workers.clear()
        self.selector.close()


def _start(runner: str, threads: int) -> subprocess.Popen[bytes]:
    # A session of its own keeps the terminal's Ctrl-C away: the parent tells workers to pause, once.
    return subprocess.Popen(
        [sys.executable, "-m", "dreamplate.take.worker", "--runner", runner, "--threads", str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
