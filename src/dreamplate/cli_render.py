"""``dreamplate render``: passes of a fitted space, frame by frame, as multi-layer EXR."""

from __future__ import annotations

from pathlib import Path

from dreamplate.cli_run import _job_arguments, _run, _start
from dreamplate.errors import ConfigError

__all__ = ["render"]


def render(arguments: list[str]) -> int:
    """``dreamplate render TAKE --cameras FILE --frames 1001-1100 --out r.####.exr``."""
    from dreamplate.fields.render_config import RenderConfig

    config, options = _job_arguments("render", RenderConfig, arguments)
    if config.take == Path():
        raise ConfigError("take is empty: give the folder of a fit, e.g. dreamplate render out/lego")
    take = options.take or _take_beside(config.out)
    return _run(lambda listeners: _start("render", config, take, options, listeners), options.quiet)


def _take_beside(out: Path) -> Path:
    """Return the folder for the record of a render: ``shots/r.####.exr`` → ``shots/r.take``.

    Raises:
        ConfigError: The pattern has no place for the frame number.
    """
    from dreamplate.plate.sequence import Sequence

    pattern = Sequence.parse(out, ())
    return pattern.folder / f"{pattern.prefix.rstrip('._-') or 'render'}.take"
