"""``dreamplate translate`` and ``dreamplate export``: using a model, and taking it elsewhere."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional

from dreamplate.cli_run import _job_arguments, _prepare, _run, _start
from dreamplate.take.fields import Bounds

if TYPE_CHECKING:
    from dreamplate.cli_run import RunOptions

__all__ = ["export", "translate"]

_FILES = ("model", "target", "instances", "matte", "reference", "style_from", "style_to")


@dataclass(frozen=True)
class ExportCommand:
    """Save a model for other programs: ONNX (.onnx), or TorchScript (.pt) for Nuke and old torch."""

    model: Positional[str]
    """A training take, a model file, or the name of an imported checkpoint in the store."""
    target: Positional[Path]
    """A file .onnx or .pt."""
    with_encoding: bool = False
    """Scene-linear light in and out (label ids in, for label maps); otherwise what the network sees: -1 to 1,
    or one-hot classes."""
    encoding: Literal["auto", "display", "log", "linear"] = "auto"
    """What the network sees of colour, where a checkpoint does not say."""
    statistics: Literal["auto", "batch", "picture", "running", "frozen"] = "auto"
    """Which mean and spread the norms use, as in translate."""
    reference: Path | None = None
    """A picture whose statistics are frozen into the file."""
    opset: Annotated[int, Bounds(ge=18, le=30)] = 18
    """Version of ONNX's operators."""
    threads: int | None = None
    """Processor threads; all cores when not given."""
    quiet: bool = False
    """Print nothing but errors."""


def export(arguments: list[str]) -> int:
    """``dreamplate export MODEL OUT.onnx``."""
    import tyro

    from dreamplate.take import check

    asked = check(tyro.cli(ExportCommand, prog="dreamplate export", args=arguments), source="export")
    _prepare(asked.threads)
    from dreamplate.translate.conditions import read_given
    from dreamplate.translate.export import TOLERANCE, export_model, exportable
    from dreamplate.translate.frames import Source
    from dreamplate.translate.translate_config import TranslateConfig
    from dreamplate.translate.translate_job import prepare_model

    config = TranslateConfig(asked.model, encoding=asked.encoding)
    model, reference = prepare_model(config), None
    if asked.reference is not None and model.given is not None:
        source = Source(replace(config, source=asked.reference))
        reference = read_given(source, source.frames[0], model.given)
    statistics = None if asked.statistics == "auto" else asked.statistics
    graph = exportable(model, encoding=asked.with_encoding, statistics=statistics, reference=reference)
    worst = export_model(model, graph, asked.target, opset=asked.opset)
    if not asked.quiet:
        proof = (
            "not proved: pip install onnxruntime"
            if math.isnan(worst)
            else f"within {worst:.1g} of the network"
        )
        print(f"{asked.target}: {proof} (at most {TOLERANCE:g} is let pass)")  # noqa: T201
    return 0


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
