"""Every kind of job by name, and the three things one does with them: start, resume, redo."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dreamplate.errors import ConfigError, TakeError
from dreamplate.files import sha256
from dreamplate.take.config import Config, absolute_paths, data_id, from_dict, replace_fields
from dreamplate.take.fields import nearest
from dreamplate.take.group import run_group
from dreamplate.take.job import Job
from dreamplate.take.listeners import Listener
from dreamplate.take.machine import versions
from dreamplate.take.planning import Task, plan
from dreamplate.take.provenance import read_provenance
from dreamplate.take.runner import RunResult, run
from dreamplate.take.take import Take

JOBS: dict[str, tuple[str, str]] = {
    "complete": (
        "dreamplate.dream.complete_config:CompleteConfig",
        "dreamplate.dream.complete_job:CompleteJob",
    ),
    "dream": ("dreamplate.dream.config:DreamConfig", "dreamplate.dream.jobs:DreamJob"),
    "fit": ("dreamplate.fields.config:FitConfig", "dreamplate.fields.jobs:FitJob"),
    "render": ("dreamplate.fields.render_config:RenderConfig", "dreamplate.fields.render_job:RenderJob"),
    "train": ("dreamplate.translate.config:TrainConfig", "dreamplate.translate.jobs:TrainJob"),
    "translate": (
        "dreamplate.translate.translate_config:TranslateConfig",
        "dreamplate.translate.translate_job:TranslateJob",
    ),
}
"""Kind → config class and job class, as ``module:name``, so that nothing is imported before it is wanted."""

RECIPES = {kind: place for kind, (place, _) in JOBS.items()} | {
    "caption": "dreamplate.dream.caption_config:CaptionConfig",
}
"""Kind of recipe → config class: every job, and commands that are done at once."""

PICTURES = ("brittleness", "cameras draw", "mesh", "sketch", "world flight", "world render", "world rig")
"""Commands that leave pictures and are no jobs: what they made cannot be redone from the picture alone."""

_RUNNER = "dreamplate.jobs:run_take"


def load_config_class(kind: str) -> type[Any]:
    """Return the config class of a kind of job.

    Raises:
        ConfigError: There is no such kind.
    """
    return _load(_entry(kind)[0])


def load_job(kind: str) -> type[Any]:
    """Return the class of a kind of job.

    Raises:
        ConfigError: There is no such kind.
    """
    return _load(_entry(kind)[1])


def start(
    kind: str,
    config: Config,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    workers: int | None = None,
    threads: int | None = None,
    listeners: Iterable[Listener] = (),
    **options: Any,
) -> RunResult:
    """Do a piece of work in a take folder, or continue it where that folder already holds it.

    Args:
        kind: Registered name of the job.
        config: The complete description; relative paths in it are made absolute.
        path: The take folder.
        overwrite: Replace whatever take is there.
        workers: How many tasks run side by side, when the config is several.
        threads: Threads of each worker.
        listeners: Who wants to know.
        **options: More keywords for ``take.run``, when the config is one task.

    Raises:
        DreamplateError: One line that says what is wrong and what to do.
    """
    config = absolute_paths(config)
    # A config that no job can be made of leaves no folder behind.
    job = load_job(kind)(config) if len(tasks_of(kind, config, path)) == 1 else None
    take = Take.create(path, kind, config, sources=source_files(config), overwrite=overwrite)
    return _go(take, config, job, workers=workers, threads=threads, listeners=listeners, **options)


def resume(
    path: str | os.PathLike[str],
    *,
    workers: int | None = None,
    threads: int | None = None,
    listeners: Iterable[Listener] = (),
    **options: Any,
) -> RunResult:
    """Continue a take from its last checkpoint; a finished take is returned as it is.

    Raises:
        DreamplateError: One line that says what is wrong and what to do.
    """
    take = Take.open(path)
    config = take.config(load_config_class(take.kind))
    return _go(take, config, None, workers=workers, threads=threads, listeners=listeners, **options)


def redo(
    picture: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    changes: Mapping[str, Any] | None = None,
    listeners: Iterable[Listener] = (),
    **options: Any,
) -> RunResult:
    """Make a picture again from the recipe inside it.

    Args:
        picture: A picture that Dreamplate wrote, or a take folder.
        path: The take folder to make.
        changes: Fields to change, e.g. ``{"seed": 8}``; without any, the same picture comes out.
        listeners: Who wants to know.
        **options: As for ``start``.

    Raises:
        TakeError: The picture has no recipe, or a file that it was made from has changed.
        DreamplateError: As for ``start``.
    """
    listeners = list(listeners)
    made = read_provenance(picture)
    if made["kind"] in PICTURES:
        raise TakeError(
            f"{picture}: was made by `dreamplate {made['kind']}`, which redo cannot repeat; run that command"
            f" again with the options that `dreamplate info {picture}` shows"
        )
    config = from_dict(load_config_class(made["kind"]), made["config"], source=str(picture))
    if changes:
        config = replace_fields(config, changes, source="redo")
    elif data_id(made["config"]) != made["id"]:
        raise TakeError(
            f"{picture}: its recipe does not match its id, so it was edited; use --set to change it"
        )
    _check_sources(made["sources"], Path(picture))
    ours = versions()["dreamplate"]
    if made["versions"].get("dreamplate") != ours:
        for listener in listeners:
            was = made["versions"].get("dreamplate", "an unknown version")
            listener.on_notice(f"{picture}: made by Dreamplate {was}, this is {ours}; the result may differ")
    return start(made["kind"], config, path, listeners=listeners, **options)


def run_take(path: str | os.PathLike[str], **options: Any) -> RunResult:
    """Run the one task that a take folder describes; workers of the pool and farms call this."""
    take = Take.open(path)
    config = take.config(load_config_class(take.kind))
    return run(load_job(take.kind)(config), take, **options)


def tasks_of(kind: str, config: Config, path: str | os.PathLike[str]) -> tuple[Task, ...]:
    """Return the independent tasks that a piece of work consists of."""
    return plan(kind, config, Path(path), getattr(load_job(kind), "plan", None))


def source_files(config: Config) -> list[Path]:
    """Return the existing files that the ``Path`` fields of a config name."""

    def walk(value: Any) -> Iterator[Path]:
        if isinstance(value, Path):
            with suppress(OSError):
                if value.is_file():
                    yield value
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            for field in dataclasses.fields(value):
                yield from walk(getattr(value, field.name))
        elif isinstance(value, tuple | dict):
            for item in value.values() if isinstance(value, dict) else value:
                yield from walk(item)

    return sorted(set(walk(config)))


def _go(
    take: Take,
    config: Config,
    job: Job | None,
    *,
    workers: int | None,
    threads: int | None,
    listeners: Iterable[Listener],
    **options: Any,
) -> RunResult:
    tasks = tasks_of(take.kind, config, take.path)
    if len(tasks) == 1:
        return run(job or load_job(take.kind)(config), take, listeners=listeners, **options)
    return run_group(take, tasks, runner=_RUNNER, workers=workers, threads=threads, listeners=listeners)


def _entry(kind: str) -> tuple[str, str]:
    if kind not in JOBS:
        raise ConfigError(f"job {kind!r} is unknown; {nearest(kind, list(JOBS))}")
    return JOBS[kind]


def _load(place: str) -> type[Any]:
    module, _, name = place.partition(":")
    found: type[Any] = getattr(import_module(module), name)
    return found


def _check_sources(sources: Sequence[Any], picture: Path) -> None:
    for source in sources:
        path = Path(str(source.get("path"))) if isinstance(source, dict) else Path()
        if not path.is_file():
            raise TakeError(f"{path}: {picture} was made from this file, which is gone; put it back")
        if sha256(path, family=TakeError) != source.get("sha256"):
            raise TakeError(
                f"{path}: {picture} was made from this file, which has changed; put the old one back"
            )
