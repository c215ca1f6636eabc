"""The command ``dreamplate fit``: a field from posed photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dreamplate.cli_run import RunOptions, _job_arguments, _new_take, _prepare, _run
from dreamplate.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from dreamplate.take import RunResult


def fit(arguments: list[str]) -> int:
    """``dreamplate fit SCENE --recipe fast --take T``."""
    from dreamplate.fields.config import FitConfig

    config, options = _job_arguments("fit", FitConfig, arguments)
    if not config.scene.name:
        raise ConfigError("scene is empty: name a capture, e.g. dreamplate fit shot/ --recipe fast")
    take = options.take or _new_take(f"{config.scene.stem} {config.method}", config.seed)
    _prepare(options.threads)
    return _run(lambda listeners: _start(config, take, options, listeners), options.quiet)


def _start(config: Any, take: Path, options: RunOptions, listeners: list[Any]) -> RunResult:
    """Do the fit, counting the processor time of this process from its very start."""
    from dreamplate.fields.jobs import FitJob
    from dreamplate.jobs import source_files
    from dreamplate.take import Take, absolute_paths, run

    config = absolute_paths(config)
    job = FitJob(config, began=0.0)
    for text in job.notices:
        for listener in listeners:
            listener.on_notice(text)
    folder = Take.create(take, "fit", config, sources=source_files(config), overwrite=options.overwrite)
    return run(job, folder, listeners=listeners)
