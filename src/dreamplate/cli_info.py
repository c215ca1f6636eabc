"""``dreamplate info``: what a file or a take is, and how it was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from tyro.conf import Positional

from dreamplate.errors import DreamplateError, MediaError

WEIGHTS = (".safetensors",)


@dataclass(frozen=True)
class InfoCommand:
    """Say what a picture, video, sequence, weight file or take is, and how it was made."""

    path: Positional[str]
    """A file, a frame pattern such as shot.####.exr, or a take folder."""


def info(arguments: list[str]) -> int:
    """``dreamplate info FILE_OR_TAKE``."""
    asked = tyro.cli(InfoCommand, prog="dreamplate info", args=arguments)
    print(describe(asked.path))  # noqa: T201
    return 0


def describe(path: str) -> str:
    """Return a readable description of a file, frame pattern or take.

    Raises:
        DreamplateError: There is nothing there, or it cannot be read.
    """
    place = Path(path)
    if (place / "take.yaml").is_file():
        return _table(take_rows(place))
    if place.is_dir():
        raise MediaError(f"{place}: a folder without take.yaml is not a take; name a file in it")
    if place.suffix.lower() in WEIGHTS:
        return _table(weight_rows(place))
    if not place.exists() and ("#" in place.name or "%" in place.name or "@" in place.name):
        return _table(sequence_rows(path))
    return _table(media_rows(place))


def take_rows(path: Path) -> list[tuple[str, str]]:
    """Return what a take is and how far it got."""
    from dreamplate.take import Take

    take = Take.open(path)
    record = take.record
    rows = [
        ("take", str(path)),
        ("job", take.kind),
        ("status", take.status),
        ("made by", f"Dreamplate {record.versions.get('dreamplate', '?')}"),
        ("created", str(record.created)),
    ]
    rows += [(f"source {Path(s.path).name}", f"{s.sha256[:12]}… {s.bytes:,} bytes") for s in record.sources]
    metrics = path / "metrics.json"
    if metrics.is_file():
        figures = json.loads(metrics.read_text())
        rows += [(name, _show(value)) for name, value in figures.items() if name != "machine"]
    return rows + _config_rows(record.config)


def weight_rows(path: Path) -> list[tuple[str, str]]:
    """Return what a safetensors file holds, from its header alone."""
    from dreamplate.tensorfile import check_header

    header = check_header(path)
    rows = [("weights", str(path)), ("tensors", str(len(header.tensors)))]
    total = 0
    for entry in header.tensors.values():
        count = 1
        for side in entry.shape:
            count *= side
        total += count
    rows.append(("numbers", f"{total:,}"))
    return rows + [(name, _show(value)) for name, value in header.metadata.items()]


def sequence_rows(pattern: str) -> list[tuple[str, str]]:
    """Return what frames a pattern finds."""
    from dreamplate.plate import info as media_info
    from dreamplate.plate import open_sequence

    sequence = open_sequence(pattern)
    frames = list(sequence.frames)
    first = media_info(sequence.path(frames[0]))
    return [
        ("sequence", pattern),
        ("frames", f"{frames[0]}-{frames[-1]} ({len(frames)})"),
        *summary_rows(first)[1:],
    ]


def media_rows(path: Path) -> list[tuple[str, str]]:
    """Return what a picture or video is, and how Dreamplate made it if it did."""
    from dreamplate.plate import info as media_info
    from dreamplate.take import read_provenance

    rows = [("file", str(path)), *summary_rows(media_info(path))]
    try:
        made = read_provenance(path)
    except DreamplateError:
        return [*rows, ("recipe", "none")]
    rows += [
        ("made by", f"Dreamplate {made['versions'].get('dreamplate', '?')}"),
        ("job", made["kind"]),
        ("redo", f"dreamplate redo {path}"),
    ]
    return rows + _config_rows(made["config"])


def summary_rows(summary: Any) -> list[tuple[str, str]]:
    """Return the rows of a media summary."""
    return [(name, _show(value)) for name, value in summary.rows()]


def _config_rows(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, dict):
            rows += _config_rows(value, f"{prefix}{name}.")
        else:
            rows.append((f"  {prefix}{name}", _show(value)))
    return rows


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_show(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_show(item) for item in value) or "-"
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _table(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
