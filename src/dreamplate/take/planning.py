"""Cutting work up: one config becomes pure tasks, each with its own seed, name and command line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreamplate.errors import ConfigError
from dreamplate.take.config import Config, canonical_json, replace_fields, to_dict

Planner = Callable[[Config], Sequence[Config]]
"""What a job class may offer as ``plan``: a config to the configs of independent tasks."""


@dataclass(frozen=True)
class Task:
    """One independent piece of a larger work.

    Attributes:
        id: 64 hex digits that follow from kind and config alone.
        kind: Registered name of the job.
        config: The complete description of this piece.
        path: Its take folder.
        command: The command line that runs it, on this machine or any other that sees the folder.
    """

    id: str
    kind: str
    config: Config
    path: Path
    command: tuple[str, ...]


def task_id(kind: str, config: Config) -> str:
    """Return the content hash of a piece of work."""
    return hashlib.sha256(canonical_json({"kind": kind, "config": to_dict(config)}).encode()).hexdigest()


def plan(kind: str, config: Config, folder: Path, planner: Planner | None = None) -> tuple[Task, ...]:
    """Return the tasks of a work; nothing is run and nothing is written.

    Args:
        kind: Registered name of the job.
        config: The whole work.
        folder: The take folder of the whole work; tasks lie in ``tasks/001`` and so on inside it. Work
            that is one task lies in ``folder`` itself.
        planner: How to cut it up; ``by_seed`` when absent.
    """
    configs = list((planner or by_seed)(config))
    if len(configs) == 1:
        return (_task(kind, configs[0], folder),)
    digits = max(3, len(str(len(configs))))
    return tuple(
        _task(kind, part, folder / "tasks" / f"{number:0{digits}}")
        for number, part in enumerate(configs, start=1)
    )


def by_seed(config: Config) -> list[Config]:
    """Cut a config with a ``count`` above 1 into one config per seed: ``seed``, ``seed + 1`` and so on."""
    data = to_dict(config)
    count, seed = data.get("count", 1), data.get("seed")
    if count == 1 or not isinstance(count, int):
        return [config]
    if not isinstance(seed, int):
        raise ConfigError(f"count is {count}, which needs a seed; give --seed")
    return [replace_fields(config, {"seed": seed + number, "count": 1}) for number in range(count)]


def _task(kind: str, config: Config, path: Path) -> Task:
    return Task(task_id(kind, config), kind, config, path, ("dreamplate", "resume", str(path)))
