"""Takes: running any job, stopping and resuming it, and keeping what it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.take.config import (
        absolute_paths,
        check,
        config_id,
        from_dict,
        from_yaml,
        replace_fields,
        to_dict,
        to_yaml,
    )
    from dreamplate.take.fields import Bounds
    from dreamplate.take.job import Job, Outcome, Step
    from dreamplate.take.listeners import Listener, RunInfo, console_listener
    from dreamplate.take.log import read_entries, read_steps
    from dreamplate.take.machine import describe_machine, parse_memory, prepare_process
    from dreamplate.take.planning import Task, plan
    from dreamplate.take.pool import PoolResult, TaskResult, run_pool
    from dreamplate.take.provenance import read_provenance
    from dreamplate.take.recipes import load_recipe, recipe_names
    from dreamplate.take.runner import RunResult, run
    from dreamplate.take.state import read_state, write_state
    from dreamplate.take.take import Take

_HOME = {
    "Bounds": "fields",
    "Job": "job",
    "Listener": "listeners",
    "Outcome": "job",
    "PoolResult": "pool",
    "RunInfo": "listeners",
    "RunResult": "runner",
    "Step": "job",
    "Take": "take",
    "Task": "planning",
    "TaskResult": "pool",
    "absolute_paths": "config",
    "check": "config",
    "config_id": "config",
    "console_listener": "listeners",
    "describe_machine": "machine",
    "from_dict": "config",
    "from_yaml": "config",
    "load_recipe": "recipes",
    "parse_memory": "machine",
    "plan": "planning",
    "prepare_process": "machine",
    "read_entries": "log",
    "read_provenance": "provenance",
    "read_state": "state",
    "read_steps": "log",
    "recipe_names": "recipes",
    "replace_fields": "config",
    "run": "runner",
    "run_pool": "pool",
    "to_dict": "config",
    "to_yaml": "config",
    "write_state": "state",
}

__all__ = [
    "Bounds",
    "Job",
    "Listener",
    "Outcome",
    "PoolResult",
    "RunInfo",
    "RunResult",
    "Step",
    "Take",
    "Task",
    "TaskResult",
    "absolute_paths",
    "check",
    "config_id",
    "console_listener",
    "describe_machine",
    "from_dict",
    "from_yaml",
    "load_recipe",
    "parse_memory",
    "plan",
    "prepare_process",
    "read_entries",
    "read_provenance",
    "read_state",
    "read_steps",
    "recipe_names",
    "replace_fields",
    "run",
    "run_pool",
    "to_dict",
    "to_yaml",
    "write_state",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
