"""What may watch a run. A listener sees every step and may look at previews; it never changes the work."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dreamplate.take.job import Step

if TYPE_CHECKING:
    from dreamplate.take.runner import RunResult


@dataclass(frozen=True)
class RunInfo:
    """What a run is about to do.

    Attributes:
        path: The take folder.
        kind: Registered name of the job.
        position: Steps done already.
        steps: Steps of the whole job.
        wall: Seconds spent on the take by earlier runs.
    """

    path: Path
    kind: str
    position: int
    steps: int
    wall: float


class Listener:
    """Base of listeners: override what you want to hear. A listener that raises ends the run."""

    def on_start(self, info: RunInfo) -> None:
        """The run begins or continues."""

    def on_step(self, step: Step) -> None:
        """A step is done; its previews may be rendered now."""

    def on_checkpoint(self, path: Path, position: int) -> None:
        """A checkpoint with ``position`` steps done is safe on disk."""

    def on_notice(self, text: str) -> None:
        """Something that the user should read; may come within a step and from another thread."""

    def on_end(self, result: RunResult) -> None:
        """The run is over, finished or paused; not called when it failed."""

    def close(self) -> None:
        """Let go of terminals and files; always called last, even when the run failed."""


def console_listener(*, quiet: bool = False, stream: IO[str] | None = None) -> Listener:
    """Return the listener for a person at a terminal: a progress bar, or now and then a line elsewhere.

    Args:
        quiet: Show only what needs attention.
        stream: Where to write; standard error by default.
    """
    stream = stream or sys.stderr
    if quiet:
        return Notices(stream)
    return ProgressBar(stream) if stream.isatty() else ProgressLines(stream)


class Notices(Listener):
    """Prints notices only."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def on_notice(self, text: str) -> None:
        """Print the notice; a terminal that is gone is no reason to stop working."""
        with suppress(OSError, ValueError):
            print(text, file=self.stream, flush=True)


class ProgressLines(Notices):
    """A line now and then, for logs and pipes: at the start, at each tenth of the work, at the end."""

    def on_start(self, info: RunInfo) -> None:
        """Remember the size of the work."""
        self._info, self._began, self._next = info, time.monotonic(), info.position
        verb = f"continuing at step {info.position} of" if info.position else "starting"
        self.on_notice(f"{info.path}: {verb} {info.steps} steps")

    def on_step(self, step: Step) -> None:
        """Print a line when another tenth is done."""
        if step.index >= self._next:
            self._next = step.index + max(1, self._info.steps // 10)
            done = step.index - self._info.position
            rate = done / max(1e-9, time.monotonic() - self._began)
            # Tasks side by side may report before any has done a step.
            left = f"  {clock((self._info.steps - step.index) / rate)} left" if rate > 0 else ""
            self.on_notice(f"step {step.index}/{self._info.steps}  {figures(step)}  {rate:.2f} steps/s{left}")

    def on_end(self, result: RunResult) -> None:
        """Print how it ended."""
        self.on_notice(
            f"{result.path}: {result.status} at step {result.step} after {clock(result.wall_seconds)}"
        )


class ProgressBar(Notices):
    """A bar with the score, the speed and the time left."""

    def on_start(self, info: RunInfo) -> None:
        """Draw the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._info, self._began = info, time.monotonic()
        # Numbers of steps in a minute, so that the estimate follows a job whose steps grow slower.
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=self.stream),
            speed_estimate_period=60,
        )
        self._task: Any = self._progress.add_task(
            info.kind, total=info.steps, completed=info.position, figures="", rate=""
        )
        self._progress.start()

    def on_step(self, step: Step) -> None:
        """Move the bar."""
        rate = (step.index - self._info.position) / max(1e-9, time.monotonic() - self._began)
        self._progress.update(
            self._task, completed=step.index, figures=figures(step), rate=f"{rate:.2f} steps/s"
        )

    def on_notice(self, text: str) -> None:
        """Print above the bar."""
        progress = getattr(self, "_progress", None)
        if progress is None:
            super().on_notice(text)
        else:
            progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def on_end(self, result: RunResult) -> None:
        """Leave the bar as it stands and print where the outcome is."""
        self.close()
        super().on_notice(f"{result.path}: {result.status} after {clock(result.wall_seconds)}")

    def close(self) -> None:
        """Give the terminal back."""
        progress = getattr(self, "_progress", None)
        if progress is not None:
            progress.stop()


def figures(step: Step) -> str:
    """Return the figures of a step for a person: the score alone where there is one."""
    names = ["score"] if "score" in step.scalars else list(step.scalars)[:3]
    return "  ".join(f"{name} {_number(step.scalars[name])}" for name in names)


def clock(seconds: float) -> str:
    """Return a duration as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _number(value: float) -> str:
    """Return four digits; whole numbers, such as those of frames, in full."""
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"
