"""``dreamplate complete``: the rest of a picture of which a part is kept."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from dreamplate.cli_run import _job_arguments, _new_take, _run, _start
from dreamplate.errors import ConfigError

__all__ = ["complete"]

_FILES = ("model", "codec")
"""Options that may name a file or folder, which a take must find again from elsewhere."""


def complete(arguments: list[str]) -> int:
    """``dreamplate complete IMAGE --keep top:0.5``."""
    from dreamplate.dream.complete_config import CompleteConfig

    config, options = _job_arguments("complete", CompleteConfig, arguments)
    if config.image == Path():
        raise ConfigError("image is empty: name a picture, e.g. dreamplate complete plate.exr --keep top:0.5")
    changes = {name: _place(getattr(config, name)) for name in _FILES}
    config = replace(config, **changes)
    take = options.take or _new_take(f"{config.image.stem} completed", config.seed)
    return _run(lambda listeners: _start("complete", config, take, options, listeners), options.quiet)


def _place(text: str) -> str:
    known = text and Path(text).expanduser().exists()
    return os.path.normpath(Path.cwd() / Path(text).expanduser()) if known else text
