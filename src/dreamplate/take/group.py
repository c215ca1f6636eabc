"""A take that is several tasks: run them in a pool, then put their pictures side by side."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dreamplate.errors import DreamplateError, TakeError
from dreamplate.take.listeners import Listener
from dreamplate.take.log import Log, Spent, read_spent
from dreamplate.take.outputs import finished_metrics, write_metrics, write_plate
from dreamplate.take.planning import Task
from dreamplate.take.pool import PoolResult, run_pool
from dreamplate.take.runner import RunResult
from dreamplate.take.sheet import contact_sheet
from dreamplate.take.signals import STOP_SIGNALS
from dreamplate.take.take import Take

if TYPE_CHECKING:
    from dreamplate.plate import Plate


def run_group(
    take: Take,
    tasks: Sequence[Task],
    *,
    runner: str,
    workers: int | None = None,
    threads: int | None = None,
    listeners: Iterable[Listener] = (),
    signals: Iterable[int] = STOP_SIGNALS,
) -> RunResult:
    """Run the tasks of a take in worker processes, each in its own folder under ``tasks``.

    When all are finished, ``final.exr`` and ``final.png`` show their final pictures side by side, and
    ``metrics.json`` has the means of their figures and each task's own.

    Args:
        take: The take of the whole.
        tasks: What it consists of.
        runner: As for ``run_pool``.
        workers: As for ``run_pool``.
        threads: As for ``run_pool``.
        listeners: Who wants to know; tasks are reported together as one job.
        signals: Which signals pause the work.

    Raises:
        TakeError: Tasks failed; the others are finished, and resuming tries the failed ones again.
        DreamplateError: The folder cannot be used.
    """
    listeners = list(listeners)
    with take.locked():
        take.check_version()
        take.remove_litter()
        done = finished_metrics(take)
        if done is not None:
            figures = done["wall_seconds"], done["cpu_seconds"]
            return RunResult(
                "finished", take.path, done["steps"], done["steps"], *figures, scalars=done["scalars"]
            )
        take.check_sources()
        began, before = time.monotonic(), read_spent(take.log_path).wall
        with Log(take.log_path) as log:
            takes = [_prepare(take, task) for task in tasks]
            take.update(status="running", error=None)
            _event(log, "start", Spent(before))
            try:
                pool = run_pool(
                    [each.path for each in takes],
                    runner=runner,
                    workers=workers,
                    threads=threads,
                    listeners=listeners,
                    title=take.path,
                    kind=take.kind,
                    signals=signals,
                )
                result = _conclude(take, pool, _spent(takes, before + time.monotonic() - began), len(tasks))
                _event(
                    log,
                    "finish" if result.status == "finished" else "pause",
                    _spent(takes, result.wall_seconds),
                )
            except (DreamplateError, KeyboardInterrupt) as error:
                failed = isinstance(error, DreamplateError)
                # The disk may be full: the record of the failure must not hide the failure.
                with suppress(DreamplateError):
                    take.update(
                        status="failed" if failed else "paused", error=str(error)[:500] if failed else None
                    )
                    _event(
                        log, "fail" if failed else "pause", _spent(takes, before + time.monotonic() - began)
                    )
                raise
            finally:
                for listener in listeners:
                    listener.close()
        for listener in listeners:
            listener.on_end(result)
        return result


def _prepare(take: Take, task: Task) -> Take:
    sources = [source.path for source in take.record.sources]
    return Take.create(task.path, task.kind, task.config, sources=sources)


def _conclude(take: Take, pool: PoolResult, spent: Spent, count: int) -> RunResult:
    """Write the outcome of the whole if every task is finished."""
    failed = [task for task in pool.tasks if task.status == "failed"]
    if failed and pool.signal is None:
        raise TakeError(
            f"{take.path}: {len(failed)} of {count} tasks failed, the first with: {failed[0].error};"
            f" `dreamplate resume {take.path}` tries again"
        )
    finished = [task for task in pool.tasks if task.status == "finished"]
    if len(finished) < count:
        take.update(status="paused")
        return RunResult("paused", take.path, len(finished), count, spent.wall, spent.cpu, signal=pool.signal)
    names = [name for name in finished[0].scalars if all(name in task.scalars for task in finished)]
    means = {name: sum(task.scalars[name] for task in finished) / count for name in names}
    outputs = _write_sheet(take, [Take.open(task.path) for task in finished])
    each = {task.path.name: task.scalars for task in finished}
    write_metrics(take, steps=count, scalars=means, spent=spent, outputs=outputs, more={"tasks": each})
    take.update(status="finished")
    return RunResult("finished", take.path, count, count, spent.wall, spent.cpu, means)


def _write_sheet(take: Take, takes: Sequence[Take]) -> list[str]:
    """Write the contact sheet; work without final pictures, or with pictures of different sizes, has none."""
    from dreamplate.plate import read

    files = [each.path / "final.exr" for each in takes]
    if not all(file.is_file() for file in files):
        return []
    plates: list[Plate] = [read(file) for file in files]
    sheet = contact_sheet(plates)
    if sheet is None:
        return []
    write_plate(sheet, take, "final")
    return ["final.exr", "final.png"]


def _spent(takes: Sequence[Take], wall: float) -> Spent:
    """Return the wall time of the whole with the CPU time of all tasks and the memory of the largest."""
    each = [read_spent(take.log_path) for take in takes]
    cpu = sum(spent.cpu for spent in each)
    return Spent(round(wall, 4), round(cpu, 4), max((spent.peak_rss for spent in each), default=0))


def _event(log: Log, name: str, spent: Spent) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry: dict[str, Any] = {"event": name, "time": now}
    log.write(entry | {"wall": spent.wall, "cpu": spent.cpu, "peak_rss": spent.peak_rss})
    log.sync()
