"""``dreamplate translate`` and ``dreamplate export``: using a model, and taking it elsewhere."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamplate.cli_run import _job_arguments, _prepare, _run, _start

if TYPE_CHECKING:
    from dreamplate.cli_run import RunOptions

__all__ = ["translate"]

_FILES = ("model", "target", "instances", "matte", "reference", "style_from", "style_to")


def translate(arguments: list[str]) -> int:
    """``dreamplate translate MODEL SOURCE TARGET``."""
    from dreamplate.translate.frames import beside
    from dreamplate.translate.translate_config import TranslateConfig, is_pattern

    config, options = _job_arguments("translate", TranslateConfig, arguments)
    one = not is_pattern(str(config.source)) and not is_pattern(config.target) and not _is_video(config)
    config = _absolute(config)
    if one and options.take is None:
        return _picture(config, options)
    take = options.take or beside(config.target)
    # The record of a translation holds none of its frames: another translation to the same place replaces it.
    again = options.overwrite or _is_record_of(take, config.target)
    return _run(
        lambda listeners: _start("translate", config, take, replace(options, overwrite=again), listeners),
        options.quiet,
    )


def _picture(config: Any, options: RunOptions) -> int:
    """Make one picture; it carries its own recipe, and needs no folder beside it."""
    _prepare(options.threads)
    from dreamplate.take import absolute_paths
    from dreamplate.translate.translate_job import TranslateJob

    job = TranslateJob(absolute_paths(config))
    for _ in range(len(job)):
        job.step()
    if not options.quiet:
        for text in job.take_notices():
            print(text)  # noqa: T201
        made = job.plate(job.source.frames[0])
        print(f"{made.width} x {made.height}: {config.target}")  # noqa: T201
    return 0


def _absolute(config: Any) -> Any:
    """Return the config with texts that name files made absolute: a take may be resumed from elsewhere."""
    changes = {name: _place(name, getattr(config, name)) for name in _FILES}
    return replace(config, **changes)


def _place(name: str, text: str) -> str:
    from dreamplate.translate.translate_config import is_pattern

    if not text:
        return text
    known = Path(text).exists() if name == "model" else Path(text).is_file()
    if name == "target" or known or is_pattern(text):
        return os.path.normpath(Path.cwd() / Path(text).expanduser())
    return text


def _is_video(config: Any) -> bool:
    from dreamplate.plate.formats import is_video

    return is_video(str(config.source)) or is_video(config.target)


def _is_record_of(take: Path, target: str) -> bool:
    """Say whether a folder is the record of an earlier, other translation to the same place."""
    from dreamplate.errors import TakeError
    from dreamplate.take import Take

    try:
        found = Take.open(take)
    except TakeError:
        return False
    return found.kind == "translate" and found.config_data.get("target") == target and not found.is_running
