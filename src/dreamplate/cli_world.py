"""``dreamplate world``: pictures of drawn worlds with every pass, a caption and a camera, from a seed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction

from dreamplate.cli import dispatch
from dreamplate.errors import ConfigError, MissingExtraError
from dreamplate.take import check, prepare_process
from dreamplate.take.fields import Bounds

if TYPE_CHECKING:
    from dreamplate.scenes.world.spec import WorldSpec

COMMANDS: dict[str, tuple[str, str]] = {
    "render": ("render pictures of many drawn worlds", "dreamplate.cli_world:RenderCommand"),
    "flight": (
        "render a flight over one world, or a drive along its road",
        "dreamplate.cli_world_views:FlightCommand",
    ),
    "rig": ("render one world through many cameras at once", "dreamplate.cli_world_views:RigCommand"),
    "spec": ("show what a seed draws, as YAML", "dreamplate.cli_world:SpecCommand"),
}
"""Sub-command of ``world`` → what it does, and its dataclass."""
Layers = Literal["auto", "one", "separate", "none"]
Seed = Annotated[int, Bounds(ge=0, lt=2**62)]
MOST_ON_SHEET = 1 << 26
"""Pixels of a sheet of pictures."""


def world(arguments: list[str]) -> int:
    """``dreamplate world render | flight | rig | spec``."""
    return dispatch("dreamplate world", COMMANDS, arguments)


@dataclass(frozen=True)
class RenderCommand:
    """Render pictures of drawn worlds: a folder for each pass, captions, facts, cameras and specs."""

    out: Path
    """Folder to write; one that was begun with the same options is continued."""
    seed: Seed = 0
    """Number that all worlds follow from."""
    count: Annotated[int, Bounds(ge=1, le=10_000_000)] = 1
    """How many."""
    size: str = "256"
    """Side of the pictures in pixels, or width and height: 256x144."""
    passes: str = "rgb"
    """Names with commas: rgb depth range position normal albedo label instance line; PNG or OpenEXR as each
    needs."""
    layers: Layers = "auto"
    """OpenEXR files: auto, one with all passes where one needs it; one, always; separate, a file a pass."""
    shards: Annotated[int, Bounds(ge=0, le=1_000_000)] = 0
    """Write tar shards of so many pictures each, for training; 0: a folder."""
    spec: Path | None = None
    """Render the world of this YAML file instead of drawn ones; with --count other seeds of it."""
    set: UseAppendAction[tuple[str, ...]] = ()
    """Fix a field of all specs: --set biome=coast --set "things=castle, 2 boat far left" --set hour=18."""
    samples: Annotated[int, Bounds(ge=1, le=64)] = 5
    """Rays through a pixel on an edge."""
    workers: Annotated[int, Bounds(ge=1, le=4096)] | None = None
    """Processes; as many as cores when not given."""
    sheet: Path | None = None
    """Also write all pictures side by side into this file, for looking."""
    overwrite: bool = False
    """Write into the folder whatever is in it."""
    quiet: bool = False
    """Print nothing but errors."""

    def run(self) -> int:
        """Render; returns the exit code."""
        asked = check(self, source="world render")
        size, passes = size_of(asked.size), passes_of(asked.passes)
        begin = ready()
        from dreamplate.scenes.world.files import FLAT, pass_files, write_sheet
        from dreamplate.scenes.world.making import claim, make_set, make_shards
        from dreamplate.scenes.world.passes import checked_passes
        from dreamplate.scenes.world.source import check_size

        check_size(size)
        names = checked_passes(passes)
        if {"forward", "backward"} & {*names}:
            raise ConfigError("passes: stills have no motion; use world flight for forward and backward")
        if asked.shards and not {*names} <= {*FLAT}:
            raise ConfigError(f"passes: shards hold {' '.join(FLAT)}; leave the others out, or --shards")
        if asked.sheet is not None and (asked.shards or asked.count * size[0] * size[1] > MOST_ON_SHEET):
            raise ConfigError(
                f"sheet: holds at most {MOST_ON_SHEET:,} pixels, and no shards; ask for fewer pictures"
            )
        pass_files(names, asked.layers)
        fixed = fixed_of(asked.set)
        specs = _specs(asked.spec, fixed, asked.seed, asked.count) if asked.spec else ()
        about = {
            "seed": asked.seed,
            "count": asked.count,
            "size": size,
            "passes": tuple(name for name in names if name != "rgb"),
            "samples": asked.samples,
            "fixed": _json({} if specs else fixed),
            "specs": specs,
            "recipe": recipe_of("world render", replace(asked, sheet=None), asked.spec),
            "key": key_of(),
            "fresh": asked.overwrite,
        }
        if not specs:
            _draw(asked.seed, fixed)
        claim(asked.out, str(about["recipe"]), overwrite=asked.overwrite)
        workers = asked.workers or cores()
        tell = ticker(asked.quiet)
        if asked.shards:
            made = make_shards(about, asked.out, shard=asked.shards, workers=workers, tell=tell)
        else:
            made = make_set(about, asked.out, layers=asked.layers, workers=workers, tell=tell)
        if asked.sheet is not None:
            write_sheet(asked.out / "rgb", asked.count, asked.sheet, {key_of(): str(about["recipe"])})
        report(asked.out, made, asked.count, begin, asked.quiet)
        return 0


@dataclass(frozen=True)
class SpecCommand:
    """Show what a seed draws, as YAML that ``--spec`` reads."""

    out: Positional[Path | None] = None
    """File to write; the terminal when not given."""
    seed: Seed = 0
    """Of the world."""
    set: UseAppendAction[tuple[str, ...]] = ()
    """Fix a field: --set biome=coast."""

    def run(self) -> int:
        """Print or write the spec; returns the exit code."""
        asked = check(self, source="world spec")
        from dreamplate.files import write_bytes_atomic
        from dreamplate.take.config import to_yaml

        text = to_yaml(_draw(asked.seed, fixed_of(asked.set)))
        if asked.out is None:
            print(text, end="")  # noqa: T201
        else:
            write_bytes_atomic(asked.out, text.encode(), family=ConfigError)
        return 0


def ready() -> float:
    """Set the process up, and return the moment.

    Raises:
        MissingExtraError: numba is not installed.
    """
    from importlib.util import find_spec

    prepare_process()
    if find_spec("numba") is None:
        raise MissingExtraError('rendering a world needs numba: pip install "dreamplate[world]"')
    return time.monotonic()


def size_of(text: str) -> tuple[int, int]:
    """Return width and height that a text says.

    Raises:
        ConfigError: It says none.
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
        raise ConfigError(f"size is {text!r}; write a side in pixels such as 256, or 256x144")
    return int(parts[0]), int(parts[-1])


def passes_of(text: str) -> tuple[str, ...]:
    """Return the names in a text."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def fixed_of(changes: tuple[str, ...]) -> dict[str, Any]:
    """Return what ``--set`` fixes, as plain data by name."""
    from dreamplate.take.yamltext import load_yaml

    fixed: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise ConfigError(f"--set {change}: write field=value, such as --set biome=coast")
        found = load_yaml(value, source=f"--set {name}")
        if name == "things" and isinstance(found, str):
            found = [part.strip() for part in found.split(",") if part.strip()]
        fixed[name.strip()] = found
    return fixed


def _draw(seed: int, fixed: Mapping[str, Any]) -> WorldSpec:
    from dreamplate.scenes.world.draw import draw_spec

    return draw_spec(seed, **fixed)


def one_spec(file: Path | None, fixed: Mapping[str, Any], seed: int) -> WorldSpec:
    """Return the spec of a file, or the one that a seed draws."""
    return _draw(seed, fixed) if file is None else _specs(file, fixed, None, 1)[0]


def _specs(file: Path, fixed: Mapping[str, Any], seed: int | None, count: int) -> tuple[WorldSpec, ...]:
    """Return the spec of a file, its fields replaced; others of it with seeds that follow from ``seed``."""
    from dreamplate.scenes.world.source import seed_of
    from dreamplate.scenes.world.spec import WorldSpec
    from dreamplate.take.config import from_yaml, replace_fields

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read ({error}); check --spec") from error
    first = replace_fields(from_yaml(WorldSpec, text, source=str(file)), fixed, source="--set")
    more = [replace(first, seed=seed_of(first.seed + (seed or 0), place)) for place in range(1, count)]
    return (first, *more)


def _json(data: Any) -> str:
    from dreamplate.take.config import canonical_json

    return canonical_json(data)


def key_of() -> str:
    """Return the name of the metadata entry that says how a picture was made."""
    from dreamplate.take.provenance import KEY

    return KEY


def recipe_of(kind: str, asked: Any, spec: Path | None) -> str:
    """Return what pictures say of how they were made: how many processes did it is none of that."""
    from dreamplate.take.provenance import command_provenance

    plain = replace(asked, workers=None, overwrite=False, quiet=False)
    return command_provenance(kind, plain, [] if spec is None else [spec])


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ticker(quiet: bool) -> Callable[[int, int], None]:
    """Return what tells, on a terminal, how many are done; at most ten times a second."""
    last = [0.0]

    def tell(done: int, total: int) -> None:
        now = time.monotonic()
        if quiet or not sys.stderr.isatty() or (now - last[0] < 0.1 and done < total):
            return
        last[0] = now
        print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)  # noqa: T201

    return tell


def report(out: Path, made: int, count: int, begin: float, quiet: bool) -> None:
    """Say what was made, and how long it took."""
    if quiet:
        return
    kept = f", {count - made} were there" if made < count else ""
    spent = time.monotonic() - begin
    print(f"{out}: {made} pictures in {spent:.1f} s{kept}")  # noqa: T201
