"""The command ``dreamplate train``: a model from pairs of pictures, label maps, or pictures alone."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dreamplate.cli_run import _job_arguments, _new_take, _prepare, _run
from dreamplate.errors import ConfigError, DreamplateError

if TYPE_CHECKING:
    from pathlib import Path

    from dreamplate.take import RunResult, Take
    from dreamplate.translate.jobs import TrainJob


def train(arguments: list[str]) -> int:
    """``dreamplate train [RECIPE] --data FOLDER``; under ``torchrun``, in several processes."""
    from dreamplate.translate.config import TrainConfig

    if arguments and not arguments[0].startswith("-"):
        if any(item.partition("=")[0] in ("--recipe", "--config") for item in arguments):
            raise ConfigError(
                f"recipe {arguments[0]!r} and --recipe or --config are both given; leave one out"
            )
        flag = "--config" if arguments[0].endswith((".yaml", ".yml")) else "--recipe"
        arguments = [flag, *arguments]
    config, options = _job_arguments("train", TrainConfig, arguments)
    if not config.data.name:
        raise ConfigError(
            "data is empty: name a folder of examples, e.g. dreamplate train pix2pix --data pairs/"
        )
    take = options.take or _new_take(f"{config.data.stem} {config.system}", config.seed)
    _prepare(options.threads)
    from dreamplate.take import absolute_paths

    config = absolute_paths(config)

    def open_take() -> Take:
        from dreamplate.jobs import source_files
        from dreamplate.take import Take

        return Take.create(take, "train", config, sources=source_files(config), overwrite=options.overwrite)

    return _together(config, open_take, options.quiet)


def resume_together(path: Path, quiet: bool) -> int:
    """``dreamplate resume TAKE`` under ``torchrun``.

    Raises:
        ConfigError: The take is of no training run.
    """
    from dreamplate.take import Take
    from dreamplate.translate.config import TrainConfig

    take = Take.open(path)
    if take.kind != "train":
        raise ConfigError(f"{path}: a {take.kind} take runs in one process; start it without torchrun")
    return _together(take.config(TrainConfig), lambda: take, quiet)


def _together(config: Any, open_take: Callable[[], Take], quiet: bool) -> int:
    """Run in as many processes as there are: rank 0 has the take, the others follow."""
    from dreamplate.train import processes

    processes.join()
    if processes.world() == 1:
        job = _agreed(config)
        return _run(lambda listeners: _start(job, open_take(), listeners), quiet)
    try:
        code = _lead_or_follow(config, open_take, quiet)
    except DreamplateError as error:
        code = error.exit_code
        if not processes.rank():
            print(f"dreamplate: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
    return processes.leave(code)


def _lead_or_follow(config: Any, open_take: Callable[[], Take], quiet: bool) -> int:
    from dreamplate.train import processes

    job = _agreed(config)
    if processes.rank():
        job.follow()
        return 0
    try:
        return _run(lambda listeners: _start(job, open_take(), listeners), quiet)
    finally:
        # Those who are in the middle of a step would not hear it; they notice that this process is gone.
        if not job.loop.inside:
            processes.end()


def _agreed(config: Any) -> TrainJob:
    """Make the job, in every process or in none; its budget counts from the start of the process."""
    from dreamplate.train.processes import agree
    from dreamplate.translate.jobs import TrainJob

    job, failed = None, None
    try:
        job = TrainJob(config, began=0.0)
    except DreamplateError as error:
        failed = error
    agree(failed)
    assert job is not None
    return job


def _start(job: TrainJob, take: Take, listeners: list[Any]) -> RunResult:
    from dreamplate.take import run

    return run(job, take, listeners=listeners)
