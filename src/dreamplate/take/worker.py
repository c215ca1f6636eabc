"""A worker process of the pool: runs one take after another, as told on its standard input.

Each input line is a JSON object with the ``take`` to run. Each output line is an event: ``step`` with the
position, ``done``, or ``failed`` with the error's one line. When the input ends in the middle of a task
the parent is gone; the worker then pauses its take and leaves.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from dreamplate.errors import DreamplateError
from dreamplate.take.job import Step
from dreamplate.take.listeners import Listener, RunInfo
from dreamplate.take.machine import prepare_process
from dreamplate.take.runner import RunResult

_EVERY_SECONDS = 0.1

Runner = Callable[..., RunResult]


class _Reporter(Listener):
    """Tells the parent how far a take is, not more often than a person can read."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self.send, self.last = send, 0.0

    def on_start(self, info: RunInfo) -> None:
        self.steps = info.steps
        self.send({"event": "step", "step": info.position, "steps": info.steps, "scalars": {}})

    def on_step(self, step: Step) -> None:
        now = time.monotonic()
        if now - self.last >= _EVERY_SECONDS:
            self.last = now
            scalars = {name: float(value) for name, value in step.scalars.items()}
            self.send({"event": "step", "step": step.index, "steps": self.steps, "scalars": scalars})

    def on_notice(self, text: str) -> None:
        self.send({"event": "notice", "text": text})


def main(arguments: list[str] | None = None) -> int:
    """Serve tasks until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m dreamplate.take.worker")
    parser.add_argument("--runner", required=True, help="module:function that runs a take folder")
    parser.add_argument("--threads", type=int, default=None, help="threads of numerical libraries")
    options = parser.parse_args(arguments)
    output = _take_over_stdout()
    lock = threading.Lock()
    prepare_process(options.threads)

    def send(event: dict[str, Any]) -> None:
        # A parent that is gone cannot listen; that its take is to be paused comes by another way.
        with lock, suppress(OSError):
            output.write(json.dumps(event) + "\n")
            output.flush()

    module, _, name = options.runner.partition(":")
    runner: Runner = getattr(import_module(module), name)
    tasks: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    busy, gone = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(tasks, busy, gone), daemon=True).start()
    while (line := tasks.get()) is not None:
        # Either this thread sees that the parent is gone, or the listening one sees that this one is busy.
        busy.set()
        if gone.is_set():
            return 0
        code = _serve(runner, json.loads(line), send)
        busy.clear()
        if code:
            return code
    return 0


def _serve(runner: Runner, order: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> int:
    """Run one take; return the exit code when a signal ended it."""
    try:
        result = runner(Path(order["take"]), listeners=[_Reporter(send)], signals=[signal.SIGTERM])
    except DreamplateError as error:
        send({"event": "failed", "error": str(error), "code": error.exit_code})
        return 0
    except Exception as error:  # noqa: BLE001 (a bug in one task must not end the others)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        send({"event": "failed", "error": text[:500], "code": 1})
        return 0
    send({"event": "done", "status": result.status, "scalars": result.scalars, "step": result.step})
    return result.exit_code


def _listen(tasks: queue.SimpleQueue[str | None], busy: threading.Event, gone: threading.Event) -> None:
    for line in sys.stdin:
        tasks.put(line)
    gone.set()
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
    tasks.put(None)


def _take_over_stdout() -> IO[str]:
    """Keep standard output for events; whatever a library prints goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(own, "w", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
