"""``run``: any job, start to finish or from where it stopped, without losing work."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dreamplate.errors import DreamplateError, TakeError
from dreamplate.take import machine
from dreamplate.take.config import config_id
from dreamplate.take.failures import check_scalars, translate
from dreamplate.take.job import Job, Tells, Watched
from dreamplate.take.listeners import Listener, RunInfo
from dreamplate.take.log import Log, Spent, read_spent
from dreamplate.take.outputs import finished_metrics, write_files, write_finished, write_outputs
from dreamplate.take.previews import PREVIEW_FRAMES, Previews, spacing
from dreamplate.take.signals import STOP_SIGNALS, Stop, stop_on_signals
from dreamplate.take.take import Take


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        status: ``finished``, or ``paused`` after a signal or at ``stop_after``.
        path: The take folder.
        step: Steps done.
        steps: Steps of the whole job.
        wall_seconds: Wall time spent on the take, earlier runs included.
        cpu_seconds: CPU time spent on the take, earlier runs included.
        scalars: Final figures; empty while the work is not finished.
        signal: The signal that paused the run, if one did.
    """

    status: Literal["finished", "paused"]
    path: Path
    step: int
    steps: int
    wall_seconds: float
    cpu_seconds: float
    scalars: dict[str, float] = field(default_factory=dict)
    signal: int | None = None

    @property
    def exit_code(self) -> int:
        """What a command that did this run should exit with: 0, or 128 + the signal."""
        return 0 if self.signal is None else 128 + self.signal


def run(
    job: Job,
    take: Take,
    *,
    listeners: Iterable[Listener] = (),
    checkpoint_seconds: float = 30.0,
    checkpoint_share: float = 0.05,
    preview_frames: int = PREVIEW_FRAMES,
    stop_after: int | None = None,
    signals: Iterable[int] = STOP_SIGNALS,
) -> RunResult:
    """Run a job in its take until it is finished, or until somebody stops it.

    Work that was done before is not done again: a take with a checkpoint continues from it and ends
    bit-identical to one that was never stopped; a finished take returns at once.

    SIGINT, SIGTERM and SIGHUP let the current step end, save a checkpoint and return with status
    ``paused``; a second SIGINT raises KeyboardInterrupt at once and leaves the last checkpoint.

    Args:
        job: Made from the take's config; this function restores its state.
        take: Where everything goes.
        listeners: Who else wants to know.
        checkpoint_seconds: How much work may be lost at worst.
        checkpoint_share: Checkpoints may take at most this share of the run's time; a larger state is
            therefore saved less often.
        preview_frames: About how many previews a run leaves (at most twice as many); 0 for none. Once a
            take has begun, its own spacing stays.
        stop_after: Pause after so many steps of this run.
        signals: Which signals pause the run; they are only received in the main thread.

    Raises:
        ResourceError: The disk is full or memory ran out; the last checkpoint is kept.
        TakeError: Another process holds the take, a source changed, or a figure is not a number.
        StateError: No checkpoint can be read.
        DreamplateError: Whatever the job itself raises.
        KeyboardInterrupt: A second Ctrl-C.
    """
    if config_id(job.config) != take.record.id:
        raise TakeError(f"{take.path}: belongs to another config; make the job from the take's own")
    with take.locked():
        take.check_version()
        take.remove_litter()
        done = finished_metrics(take)
        if done is not None:
            figures = done["wall_seconds"], done["cpu_seconds"]
            return RunResult("finished", take.path, len(job), len(job), *figures, scalars=done["scalars"])
        take.check_sources()
        with Log(take.log_path) as log:
            own = job.listeners() if isinstance(job, Watched) else ()
            runner = _Runner(job, take, log, [*listeners, *own], read_spent(take.log_path))
            with stop_on_signals(runner.notice, signals) as stop, runner.failures():
                runner.begin(preview_frames)
                runner.advance(stop, _Pace(checkpoint_seconds, checkpoint_share), stop_after)
                return runner.end(stop)


class _Pace:
    """When the next checkpoint is due: seldom enough to cost at most a given share of the time."""

    def __init__(self, seconds: float, share: float) -> None:
        self.seconds, self.share = seconds, share
        self.began = self.last = time.monotonic()
        self.spent = self.cost = 0.0

    def due(self) -> bool:
        now = time.monotonic()
        affordable = self.spent + self.cost <= self.share * (now - self.began)
        return now - self.last >= self.seconds and (affordable or self.share >= 1)

    def saved(self, cost: float) -> None:
        self.cost, self.spent, self.last = cost, self.spent + cost, time.monotonic()


class _Runner:
    """One call of ``run``: the job, its take, and everybody who listens."""

    def __init__(self, job: Job, take: Take, log: Log, listeners: list[Listener], spent: Spent) -> None:
        self.job, self.take, self.log, self.listeners = job, take, log, listeners
        self.before = spent
        self.wall_began, self.cpu_began = time.monotonic(), machine.cpu_seconds()
        self.saved_at: int | None = None

    def notice(self, text: str) -> None:
        for listener in self.listeners:
            listener.on_notice(text)

    def spent(self) -> Spent:
        """Return what the take has cost by now."""
        wall = self.before.wall + time.monotonic() - self.wall_began
        cpu = self.before.cpu + machine.cpu_seconds() - self.cpu_began
        return Spent(round(wall, 4), round(cpu, 4), max(self.before.peak_rss, machine.peak_rss()))

    def event(self, name: str, **details: Any) -> None:
        """Log an event and make the log so far safe."""
        spent = self.spent()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"event": name, "step": self.job.position, "time": now}
        cost = {"wall": spent.wall, "cpu": spent.cpu, "peak_rss": spent.peak_rss}
        self.log.write(entry | cost | details)
        self.log.sync()

    def begin(self, preview_frames: int) -> None:
        """Restore the newest checkpoint and tell everybody."""
        loaded = self.take.load_state()
        if loaded is not None:
            position, state, warning = loaded
            if warning:
                self.notice(warning)
            self.job.load_state_dict(state)
            if self.job.position != position:
                raise TakeError(
                    f"{self.take.path}: the job stands at step {self.job.position} after loading a state of"
                    f" step {position}; its load_state_dict is incomplete"
                )
            self.saved_at = position if warning is None else None
            if changed := self.take.changed_versions():
                self.notice(changed)
        every = self.take.record.preview_every
        if every is None and preview_frames > 0:
            every = spacing(len(self.job), preview_frames)
        self.take.update(status="running", error=None, preview_every=every)
        if every is not None:
            self.listeners.insert(0, Previews(self.take, every, len(self.job)))
        self.event("start")
        info = RunInfo(self.take.path, self.take.kind, self.job.position, len(self.job), self.before.wall)
        for listener in self.listeners:
            listener.on_start(info)
        self.tell()

    def tell(self) -> None:
        """Pass on what the job has to say, and keep it."""
        for text in self.job.take_notices() if isinstance(self.job, Tells) else ():
            self.log.write({"event": "notice", "step": self.job.position, "text": text})
            self.notice(text)

    def advance(self, stop: Stop, pace: _Pace, stop_after: int | None) -> None:
        """Take steps until the work is done or somebody stops it, and save the last state."""
        last = len(self.job) if stop_after is None else min(len(self.job), self.job.position + stop_after)
        while self.job.position < last and stop.signal is None:
            step = self.job.step()
            scalars = check_scalars(step.scalars, step.index, self.take.path)
            spent = self.spent()
            write_finished(step, self.take)
            self.log.write({"step": step.index, "wall": spent.wall, "cpu": spent.cpu, "scalars": scalars})
            for listener in self.listeners:
                listener.on_step(step)
            self.tell()
            if pace.due() and self.job.position < last:
                began = time.monotonic()
                self.save()
                pace.saved(time.monotonic() - began)
        if self.saved_at != self.job.position:
            self.save()

    def save(self) -> None:
        """Write a checkpoint."""
        # The log goes first: a checkpoint never is ahead of what the log says.
        self.log.sync()
        began = time.monotonic()
        size = self.take.save_state(self.job.position, self.job.state_dict())
        self.saved_at = self.job.position
        write_files(self.job, self.take)
        self.event("checkpoint", bytes=size, seconds=round(time.monotonic() - began, 4))
        for listener in self.listeners:
            listener.on_checkpoint(self.take.state_path, self.job.position)

    def end(self, stop: Stop) -> RunResult:
        """Write the outcome if the work is done, and close the books."""
        job, take = self.job, self.take
        finished = job.position >= len(job)
        scalars: dict[str, float] = {}
        if finished:
            scalars = write_outputs(job, take, self.spent)
        self.event("finish" if finished else "pause", signal=stop.signal)
        take.update(status="finished" if finished else "paused")
        spent = self.spent()
        result = RunResult(
            "finished" if finished else "paused",
            take.path,
            job.position,
            len(job),
            spent.wall,
            spent.cpu,
            scalars,
            None if finished else stop.signal,
        )
        for listener in self.listeners:
            listener.on_end(result)
        return result

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Record whatever ends the run early, and give it the project's own words."""
        try:
            yield
        except KeyboardInterrupt:
            self._record("paused", None)
            raise
        except Exception as error:
            known = translate(error, self.job.config, self.take.path)
            self._record("failed", str(known or f"{type(error).__name__}: {error}"))
            if known is None or known is error:
                raise
            raise known from error
        finally:
            for listener in self.listeners:
                listener.close()

    def _record(self, status: Literal["paused", "failed"], error: str | None) -> None:
        # The disk may be full: the record of the failure must not hide the failure.
        with suppress(DreamplateError, OSError, MemoryError):
            self.take.update(status=status, error=None if error is None else " ".join(error.split())[:500])
        with suppress(DreamplateError, OSError, MemoryError):
            self.event("fail" if status == "failed" else "pause", error=error)
