"""The commands that run jobs: ``dream``, ``resume``, ``redo`` and ``recipes``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from tyro.conf import OmitArgPrefixes, Positional, UseAppendAction, arg

from dreamplate.errors import ConfigError

if TYPE_CHECKING:
    from dreamplate.take import RunResult


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what: none of this changes the result."""

    take: Path | None = None
    """Folder for everything the run leaves; by default out/ and a name made from the prompt and seed."""
    overwrite: bool = False
    """Replace a take of another config in that folder."""
    workers: int | None = None
    """How many pictures are made side by side with --count; by default half the cores."""
    threads: int | None = None
    """Processor threads for each picture; by default the cores shared among the workers."""
    quiet: bool = False
    """Print nothing but errors."""


@dataclass(frozen=True)
class ResumeOptions:
    """How to continue a take."""

    workers: int | None = None
    """How many tasks run side by side."""
    threads: int | None = None
    """Processor threads for each."""
    quiet: bool = False
    """Print nothing but errors."""


@dataclass(frozen=True)
class Resume:
    """Continue a take from its last checkpoint."""

    take: Positional[Path]
    """Folder of the take."""
    options: OmitArgPrefixes[ResumeOptions] = field(default_factory=ResumeOptions)


@dataclass(frozen=True)
class Redo:
    """Make a picture again from the recipe inside it, or a changed one with --set."""

    picture: Positional[Path]
    """A picture that Dreamplate wrote, or a take folder."""
    set: UseAppendAction[tuple[str, ...]] = ()
    """Change a field: --set seed=8 --set cuts.number=16."""
    options: OmitArgPrefixes[RunOptions] = field(default_factory=RunOptions)


@dataclass(frozen=True)
class Recipes:
    """List the named recipes, or print one in full."""

    name: Positional[str] = ""
    """A recipe's name, or a YAML file."""
    kind: str = "dream"
    """Which kind of job it is for."""


def dream(arguments: list[str]) -> int:
    """``dreamplate dream PROMPT``."""
    from dreamplate.dream.config import DreamConfig

    config, options = _job_arguments("dream", DreamConfig, arguments)
    pictures = " ".join(path.stem for path in config.image_prompts)
    words = config.prompt or (config.prompts.stem if config.prompts else pictures)
    if not words:
        raise ConfigError(
            'prompt is empty: say what to dream, e.g. dreamplate dream "a lighthouse in a storm"'
        )
    take = options.take or _new_take(words, config.seed)
    return _run(lambda listeners: _start("dream", config, take, options, listeners), options.quiet)


def resume(arguments: list[str]) -> int:
    """``dreamplate resume TAKE``."""
    asked = tyro.cli(Resume, prog="dreamplate resume", args=arguments)
    options = asked.options

    def go(listeners: list[Any]) -> RunResult:
        from dreamplate import jobs

        return jobs.resume(asked.take, workers=options.workers, threads=options.threads, listeners=listeners)

    _prepare(options.threads)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # torchrun's
        from dreamplate.cli_train import resume_together

        return resume_together(asked.take, options.quiet)
    return _run(go, options.quiet)


def redo(arguments: list[str]) -> int:
    """``dreamplate redo PICTURE --take FOLDER``."""
    asked = tyro.cli(Redo, prog="dreamplate redo", args=arguments)
    options, changes = asked.options, _changes(asked.set)
    take = options.take or _new_take(f"{asked.picture.stem} again", 0)

    def go(listeners: list[Any]) -> RunResult:
        from dreamplate import jobs

        return jobs.redo(
            asked.picture,
            take,
            changes=changes,
            overwrite=options.overwrite,
            workers=options.workers,
            threads=options.threads,
            listeners=listeners,
        )

    _prepare(options.threads)
    return _run(go, options.quiet)


def recipes(arguments: list[str]) -> int:
    """``dreamplate recipes [NAME]``."""
    from importlib import import_module

    from dreamplate.jobs import RECIPES
    from dreamplate.take import load_recipe, recipe_names, to_yaml
    from dreamplate.take.fields import nearest

    asked = tyro.cli(Recipes, prog="dreamplate recipes", args=arguments)
    if asked.name:
        if asked.kind not in RECIPES:
            raise ConfigError(f"--kind is {asked.kind!r}: {nearest(asked.kind, list(RECIPES))}")
        module, _, name = RECIPES[asked.kind].partition(":")
        cls = getattr(import_module(module), name)
        _print(to_yaml(load_recipe(cls, asked.name, kind=asked.kind)).rstrip())
        return 0
    _print("\n".join(f"{kind}: {', '.join(recipe_names(kind)) or 'none'}" for kind in RECIPES))
    return 0


# -- shared by the commands -------------------------------------------------------------------------


def _job_arguments(kind: str, cls: type[Any], arguments: list[str]) -> tuple[Any, RunOptions]:
    """Read a job's flags on top of the recipe that ``--recipe`` names."""
    from dreamplate.take import check, load_recipe

    recipe, rest = _take_flag(arguments, "--recipe")
    path, rest = _take_flag(rest, "--config")
    if recipe and path:
        raise ConfigError(f"--recipe and --config are both given: write 'base: {recipe}' into {path}")
    if path and not path.endswith((".yaml", ".yml")):
        raise ConfigError(f"--config is {path!r}: name a YAML file (named recipes are for --recipe)")
    recipe = recipe or path
    default = load_recipe(cls, recipe, kind=kind) if recipe else cls()

    command = make_dataclass(
        "Command",
        [
            ("config", Annotated[cls, arg(name="")], field(default=default)),
            ("options", OmitArgPrefixes[RunOptions], field(default=RunOptions())),
        ],
        frozen=True,
    )
    command.__doc__ = (
        f"{cls.__doc__}\n\n--recipe NAME starts from a named recipe, --config FILE from a YAML file."
    )
    asked: Any = tyro.cli(command, prog=f"dreamplate {kind}", args=rest)
    return check(asked.config, source="command line"), asked.options


def _take_flag(arguments: list[str], flag: str) -> tuple[str | None, list[str]]:
    """Take ``flag VALUE`` or ``flag=VALUE`` out of the arguments."""
    rest, value = [], None
    items = iter(arguments)
    for item in items:
        if item == flag:
            value = next(items, None)
            if value is None:
                raise ConfigError(f"{flag} needs a value")
        elif item.startswith(f"{flag}="):
            value = item.partition("=")[2]
        else:
            rest.append(item)
    return value, rest


def _start(kind: str, config: Any, take: Path, options: RunOptions, listeners: list[Any]) -> RunResult:
    _prepare(options.threads)
    from dreamplate import jobs

    return jobs.start(
        kind,
        config,
        take,
        overwrite=options.overwrite,
        workers=options.workers,
        threads=options.threads,
        listeners=listeners,
    )


def _run(go: Callable[[list[Any]], RunResult], quiet: bool) -> int:
    from dreamplate.take import console_listener

    result = go([console_listener(quiet=quiet)])
    if not quiet:
        if result.status == "finished":
            _print(f"{result.path} is finished: {_outputs(result.path)}")
        else:
            _print(f"paused at step {result.step} of {result.steps}: dreamplate resume {result.path}")
    return result.exit_code


def _outputs(take: Path) -> str:
    wanted = (
        "final.png",
        "final.exr",
        "comparison.png",
        "front.png",
        "film.mp4",
        "sheet.png",
        "progress.mp4",
    )
    return ", ".join(name for name in wanted if (take / name).exists()) or "see the folder"


def _prepare(threads: int | None) -> None:
    from dreamplate.take import prepare_process

    prepare_process(threads)


def _new_take(words: str, seed: int) -> Path:
    """Return a take folder that does not exist yet, named after the words."""
    name = "-".join("".join(c if c.isalnum() else " " for c in words.lower()).split())[:48].strip("-")
    base = Path("out") / f"{name or 'dream'}-{seed}"
    number, path = 1, base
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def _changes(items: Sequence[str]) -> dict[str, Any]:
    from dreamplate.take.yamltext import load_yaml

    changes: dict[str, Any] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise ConfigError(f"--set {item!r}: write FIELD=VALUE, such as seed=8")
        changes[name] = load_yaml(value, source=f"--set {name}")
    return changes


def _print(text: str) -> None:
    print(text)  # noqa: T201
