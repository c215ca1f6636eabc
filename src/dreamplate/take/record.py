"""What a take says about itself: ``take.yaml``, and the files that its work reads."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from dreamplate.errors import ConfigError, TakeError
from dreamplate.files import sha256, write_bytes_atomic
from dreamplate.take import machine
from dreamplate.take.config import Config, config_id, from_dict, to_dict
from dreamplate.take.fields import Bounds
from dreamplate.take.recipes import read_text
from dreamplate.take.yamltext import dump_yaml, load_yaml

SCHEMA = 1
"""Version of the layout of ``take.yaml`` and of the folder."""

Status = Literal["planned", "running", "paused", "finished", "failed"]


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that the work reads: changed contents would make a resumed run end elsewhere."""

    path: Path
    size: Annotated[int, Bounds(ge=0)]
    sha256: str


@dataclasses.dataclass(frozen=True)
class Record:
    """What ``take.yaml`` says, besides the config."""

    schema: int
    kind: str
    id: str
    created: str
    platform: str
    seed: int | None = None
    status: Status = "planned"
    error: str | None = None
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    preview_every: Annotated[int, Bounds(ge=1)] | None = None


def new_record(kind: str, config: Config, sources: Iterable[Path]) -> Record:
    """Return the record of work that has not begun.

    Raises:
        ConfigError: The config is wrong.
        TakeError: A source is missing or cannot be read.
    """
    seed = to_dict(config).get("seed")
    return Record(
        schema=SCHEMA,
        kind=kind,
        id=config_id(config),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        platform=f"{platform.system()}-{platform.machine()}",
        seed=seed if isinstance(seed, int) else None,
        versions=machine.versions(),
        sources=tuple(_source(path.absolute()) for path in sources),
    )


def read_record(file: Path) -> tuple[Record, dict[str, Any]]:
    """Read ``take.yaml``: the record, and the config as plain data.

    Raises:
        TakeError: It is damaged, or a newer version made it.
    """
    try:
        data = load_yaml(read_text(file, what="take"), source=str(file))
        if not isinstance(data, dict) or not isinstance(data.get("config"), dict):
            raise TakeError(f"{file}: has no config; the file is damaged, start a new take")
        if data.get("schema") != SCHEMA:
            raise TakeError(
                f"{file}: has schema {data.get('schema')!r}, this version of Dreamplate reads {SCHEMA};"
                " use the version that made it, or start a new take"
            )
        config = data.pop("config")
        return from_dict(Record, data, source=str(file)), config
    except ConfigError as error:
        raise TakeError(f"{error}; repair the file or start a new take") from error


def write_record(file: Path, record: Record, config: Mapping[str, Any]) -> None:
    """Write ``take.yaml`` atomically.

    Raises:
        TakeError: It cannot be written.
        ResourceError: The disk is full.
    """
    text = (
        "# A Dreamplate take. Continue it with: dreamplate resume FOLDER\n"
        f"{dump_yaml(to_dict(record))}\n"
        "# The complete description of the work. Do not edit it here: copy it into a recipe.\n"
        f"{dump_yaml({'config': dict(config)})}"
    )
    write_bytes_atomic(file, text.encode(), family=TakeError)


def check_source(source: Source, take: Path) -> None:
    """Hold a file against what it was when the take was made.

    Raises:
        TakeError: It is gone or has changed.
    """
    if not source.path.is_file():
        raise TakeError(f"{source.path}: source of {take} is gone; put it back or start a new take")
    if source.path.stat().st_size != source.size or sha256(source.path, family=TakeError) != source.sha256:
        raise TakeError(
            f"{source.path}: source of {take} has changed since the take began; put the old file back or"
            " start a new take"
        )


def _source(path: Path) -> Source:
    if not path.is_file():
        raise TakeError(f"{path}: no such source file; check the path")
    return Source(path, path.stat().st_size, sha256(path, family=TakeError))
