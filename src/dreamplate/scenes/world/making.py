"""Making sets of pictures: folders, shards, sequences, rigs; on several processes, continued if they stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dreamplate.errors import MediaError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.box import MetaValue
from dreamplate.plate.camera import Camera
from dreamplate.scenes.world.build import World, build
from dreamplate.scenes.world.files import write_palette, write_seen, write_shard
from dreamplate.scenes.world.source import Seen, WorldPictures, see
from dreamplate.scenes.world.spec import WorldSpec
from dreamplate.take.config import canonical_json, to_dict
from dreamplate.take.machine import prepare_process

__all__ = ["ABOUT", "View", "claim", "make_set", "make_shards", "make_views"]

ABOUT = "world.json"
"""File in a folder that says what it was made with."""
SPEC_KEY = "dreamplate:world"
"""Metadata of a picture: the spec of its world."""
Tell = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class View:
    """One picture of a world that is seen by several cameras or at several moments.

    Attributes:
        name: Of its files; may hold ``/``.
        camera: Who sees it, with its time.
        others: ``next_camera`` and so on, as `render.render` takes them.
    """

    name: str
    camera: Camera
    others: Mapping[str, Any] = field(default_factory=dict)


def claim(folder: Path, recipe: str, *, overwrite: bool) -> None:
    """Take a folder for the pictures of a recipe: a new one, an empty one, or one that they were begun in.

    Args:
        folder: Where they go.
        recipe: JSON text that says all about them.
        overwrite: Use the folder whatever is in it; files of other names stay.

    Raises:
        MediaError: It holds something else, or cannot be written.
    """
    about = folder / ABOUT
    if not overwrite:
        if folder.exists() and not folder.is_dir():
            raise MediaError(f"{folder}: is a file; choose another folder")
        begun = ""
        with suppress(OSError):
            begun = about.read_text(encoding="utf-8").strip()
        if begun != recipe and folder.is_dir() and any(folder.iterdir()):
            what = "pictures that were made otherwise" if begun else "other files"
            raise MediaError(
                f"{folder}: holds {what}; choose another folder, or replace them with --overwrite"
            )
    elif folder.is_dir():
        with suppress(OSError):
            about.unlink()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, folder, MediaError)
    write_bytes_atomic(about, (recipe + "\n").encode())


@dataclass(frozen=True)
class _Set:
    """A set, as a worker is told of it."""

    seed: int
    count: int
    size: tuple[int, int]
    passes: tuple[str, ...]
    samples: int
    fixed: str
    specs: tuple[WorldSpec, ...]
    folder: Path
    layers: str
    recipe: str
    key: str
    shard: int = 0
    fresh: bool = False

    def pictures(self) -> WorldPictures:
        return WorldPictures(
            self.seed, self.count, self.size, self.passes, samples=self.samples, fixed=json.loads(self.fixed)
        )

    def header(self, spec: WorldSpec) -> dict[str, MetaValue]:
        return {self.key: self.recipe, SPEC_KEY: canonical_json(to_dict(spec))}


def make_set(about: Mapping[str, Any], folder: Path, *, layers: str, workers: int, tell: Tell) -> int:
    """Write a folder of pictures; those that are there already are left alone. Returns how many were made.

    Args:
        about: ``seed count size passes samples fixed specs recipe key fresh``; see `WorldPictures`. Where
            there are ``specs``, those are rendered and nothing is drawn.
        folder: Of the set; `claim` it before.
        layers: As `files.pass_files` has it.
        workers: Processes.
        tell: Called with how many are done, and of how many.

    Raises:
        DreamplateError: A picture cannot be made; the others stay.
    """
    made = _Set(**about, folder=folder, layers=layers)
    if "label" in made.passes:
        write_palette(folder)
    done = sum(_spread(_make_one, made, range(made.count), workers, tell))
    return int(done)


def make_shards(about: Mapping[str, Any], folder: Path, *, shard: int, workers: int, tell: Tell) -> int:
    """Write tar shards of ``shard`` pictures each; see `make_set`. Returns how many pictures were made."""
    made = _Set(**about, folder=folder, layers="none", shard=shard)
    if "label" in made.passes:
        write_palette(folder)
    return int(sum(_spread(_make_shard, made, range(-(-made.count // shard)), workers, tell)))


def make_views(
    spec: WorldSpec,
    views: Sequence[View],
    folder: Path,
    *,
    passes: Sequence[str],
    samples: int,
    layers: str,
    header: Mapping[str, MetaValue],
    workers: int,
    tell: Tell,
) -> int:
    """Write pictures of one world; those that are there already are left alone. Returns how many were made.

    Args:
        spec: The world.
        views: The pictures.
        folder: Where they go.
        passes: Asked for.
        samples: Rays through a pixel on an edge.
        layers: As `files.pass_files` has it.
        header: Metadata of every picture file.
        workers: Processes.
        tell: Called with how many are done, and of how many.

    Raises:
        DreamplateError: A picture cannot be made; the others stay.
    """
    if "label" in passes:
        write_palette(folder)
    job = _Views(
        spec, tuple(passes), samples, folder, layers, {**header, SPEC_KEY: canonical_json(to_dict(spec))}
    )
    return int(sum(_spread(_make_view, job, views, workers, tell)))


@dataclass(frozen=True)
class _Views:
    spec: WorldSpec
    passes: tuple[str, ...]
    samples: int
    folder: Path
    layers: str
    header: Mapping[str, MetaValue]


def _make_one(job: _Set, index: int) -> int:
    pictures = job.pictures()
    name = pictures.name(index)
    if not job.fresh and (job.folder / "rgb" / f"{name}.png").is_file():
        return 0
    spec = job.specs[index] if job.specs else pictures.spec(index)
    seen = see(spec, *job.size, job.passes, samples=job.samples)
    write_seen(seen, job.folder, name, ("rgb", *job.passes), job.layers, job.header(spec))
    return 1


def _make_shard(job: _Set, number: int) -> int:
    path = job.folder / f"world-{number:06d}.tar"
    if path.is_file() and not job.fresh:
        return 0
    pictures = job.pictures()
    numbers = range(number * job.shard, min((number + 1) * job.shard, job.count))

    def members() -> Iterator[tuple[str, Seen]]:  # one world at a time: a shard's together would fill memory
        for index in numbers:
            spec = job.specs[index] if job.specs else pictures.spec(index)
            yield pictures.name(index), see(spec, *job.size, job.passes, samples=job.samples)

    write_shard(members(), path, ("rgb", *job.passes), {job.key: job.recipe})
    return len(numbers)


def _make_view(job: _Views, view: View) -> int:
    if (job.folder / "rgb" / f"{view.name}.png").is_file():
        return 0
    world = _world_of(job.spec)
    size = view.camera.width, view.camera.height
    time = view.camera.time or 0.0
    where: dict[str, Any] = {"world": world, "camera": view.camera, "time": time, **view.others}
    seen = see(job.spec, *size, job.passes, samples=job.samples, **where)
    write_seen(seen, job.folder, view.name, ("rgb", *job.passes), job.layers, job.header)
    return 1


@lru_cache(maxsize=1)
def _world_of(spec: WorldSpec) -> World:
    return build(spec)


def _spread(
    make: Callable[[Any, Any], int], job: Any, items: Sequence[Any], workers: int, tell: Tell
) -> Iterator[int]:
    """Yield what ``make`` returns for each item, in any order, on so many processes."""
    if workers <= 1 or len(items) <= 1:
        for number, item in enumerate(items, 1):
            yield make(job, item)
            tell(number, len(items))
        return
    # A fresh process for each worker: threads and compiled code of this one are not copied.
    pool = ProcessPoolExecutor(min(workers, len(items)), get_context("spawn"), _begin)
    try:
        waiting = [pool.submit(make, job, item) for item in items]
        for number, done in enumerate(as_completed(waiting), 1):
            yield done.result()
            tell(number, len(items))
    except RuntimeError as error:  # BrokenProcessPool is one
        raise SceneError(f"a worker ended without an answer ({error}); ask for fewer --workers") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Make a worker take one core."""
    prepare_process(1)
