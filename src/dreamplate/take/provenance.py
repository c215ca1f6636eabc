"""How a picture was made, written into the picture: PNG text or EXR attribute ``dreamplate``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamplate.errors import TakeError
from dreamplate.take.config import Config, canonical_json, to_dict
from dreamplate.take.record import SCHEMA, new_record
from dreamplate.take.take import Take

if TYPE_CHECKING:
    from dreamplate.plate import Plate

KEY = "dreamplate"
"""Name of the metadata entry."""


def with_provenance(plate: Plate, take: Take) -> Plate:
    """Return the plate with the take's recipe in its metadata."""
    return plate.with_(metadata={**plate.metadata, KEY: provenance_text(take)})


def provenance_text(take: Take) -> str:
    """Return the take's recipe as it is written into files."""
    return canonical_json(take.provenance())


def command_provenance(kind: str, config: Config, sources: Iterable[Path]) -> str:
    """Return the recipe of a picture that a command leaves which is no job, as it is written into files.

    Args:
        kind: The command, one of ``jobs.PICTURES``.
        config: All it was asked.
        sources: Files that the picture was made from.
    """
    record = to_dict(new_record(kind, config, list(sources)))
    keep = ("schema", "kind", "id", "seed", "versions", "sources")
    return canonical_json({name: record[name] for name in keep} | {"config": to_dict(config)})


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return how a picture or a take was made.

    Args:
        path: A picture that a run wrote, or a take folder.

    Returns:
        ``schema``, ``kind``, ``config``, ``id``, ``seed``, ``versions`` and ``sources``.

    Raises:
        TakeError: The picture does not say how it was made, or a newer version made it.
        MediaError: The picture cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        return Take.open(path).provenance()
    from dreamplate.plate import info

    text = info(path).metadata.get(KEY)
    if not isinstance(text, str):
        raise TakeError(f"{path}: does not say how it was made; only pictures that Dreamplate wrote do")
    return _parse(text, path)


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TakeError(f"{path}: its recipe is damaged ({' '.join(str(error).split())[:80]})") from error
    if not isinstance(data, dict):
        raise TakeError(f"{path}: its recipe is damaged (not a JSON object)")
    if data.get("schema") != SCHEMA:
        raise TakeError(
            f"{path}: its recipe has schema {str(data.get('schema'))[:20]}, this version reads {SCHEMA};"
            " use the version that made it"
        )
    wrong = [name for name, kind in _FIELDS.items() if not isinstance(data.get(name), kind)]
    if wrong:
        raise TakeError(f"{path}: its recipe is damaged (no {' or '.join(wrong)})")
    return data


_FIELDS: Mapping[str, type] = {"kind": str, "config": dict, "id": str, "versions": dict, "sources": list}
