"""``dreamplate info``: what a file or a take is, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from tyro.conf import Positional

from dreamplate.errors import MediaError

if TYPE_CHECKING:
    from dreamplate.plate import Info
    from dreamplate.take import Take

Rows = list[tuple[str, str]]

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
        MediaError: There is nothing there, or it cannot be read.
        TakeError: The take is damaged.
        CheckpointError: The weight file is damaged.
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


def take_rows(path: Path) -> Rows:
    """Return what a take is and how far it got."""
    from dreamplate.jobs import load_config_class
    from dreamplate.take import Take, to_dict

    take = Take.open(path)
    record = take.record
    rows = [
        ("take", str(path)),
        ("job", take.kind),
        ("status", _status(take)),
        ("made by", _versions(record.versions)),
        ("created", str(record.created)),
    ]
    rows += [("source", f"{s.path} ({s.size:,} bytes, sha256 {s.sha256[:12]}…)") for s in record.sources]
    if take.metrics_path.is_file():
        figures = json.loads(take.metrics_path.read_text())
        rows += [(name, _show(value)) for name, value in figures.items() if name != "machine"]
    return rows + _config_rows(to_dict(take.config(load_config_class(take.kind))))


def _status(take: Take) -> str:
    if take.is_running:
        return "running now"
    if take.status == "running":  # nobody holds its lock: the process is gone
        return f"broken off: dreamplate resume {take.path}"
    return take.status


def weight_rows(path: Path) -> Rows:
    """Return what a safetensors file holds, from its header alone."""
    from dreamplate.tensorfile import check_header

    header = check_header(path)
    rows = [
        ("weights", str(path)),
        ("tensors", str(len(header.tensors))),
        ("numbers", f"{header.parameters:,}"),
        ("bytes", f"{header.total_bytes:,}"),
    ]
    return rows + [(name, _show(value)) for name, value in header.metadata.items()]


def sequence_rows(pattern: str) -> Rows:
    """Return what frames a pattern finds, and what the first of them is."""
    from dreamplate.plate import Sequence, open_sequence
    from dreamplate.plate import info as media_info

    sequence = open_sequence(pattern)
    assert isinstance(sequence, Sequence)
    return [("sequence", str(sequence)), *summary_rows(media_info(sequence.path(sequence.frames[0])))]


def media_rows(path: Path) -> Rows:
    """Return what a picture or video is, and how Dreamplate made it if it did."""
    from dreamplate.jobs import JOBS
    from dreamplate.plate import info as media_info
    from dreamplate.take import read_provenance

    summary = media_info(path)
    rows = [("file", str(path)), *summary_rows(summary)]
    if summary.provenance is None:
        return [*rows, ("recipe", "none: not made by Dreamplate, or a film")]
    made = read_provenance(path)
    rows += [("made by", _versions(made["versions"]))]
    if made["kind"] in JOBS:
        rows += [("job", made["kind"]), ("redo", f"dreamplate redo {path}")]
    else:
        rows += [("command", f"dreamplate {made['kind']}, with these options (no job, so not for redo)")]
    return rows + _config_rows(made["config"])


def summary_rows(summary: Info) -> Rows:
    """Return the rows of a media summary."""
    rows = [
        ("format", summary.format),
        ("bytes", f"{summary.size:,}"),
        ("size", f"{summary.width} x {summary.height}"),
    ]
    if summary.video is not None:
        video = summary.video
        rows += [
            ("codec", f"{video.codec}, {video.pixel_format}"),
            ("frames", f"{video.frames} at {video.fps:g} a second, {video.duration:.2f} s"),
        ]
    for part in summary.parts:
        mark = f" of part {part.name!r}" if len(summary.parts) > 1 else ""
        rows += [
            (f"channels{mark}", " ".join(f"{n}:{t}" for n, t in zip(part.channels, part.types, strict=True))),
            (f"colour space{mark}", part.colourspace),
            (f"windows{mark}", f"data {part.data_window}, display {part.display_window}"),
        ]
    ours = {"dreamplate"}
    return rows + [
        (f"  {name}", _show(value)) for name, value in summary.metadata.items() if name not in ours
    ]


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _config_rows(config: dict[str, Any], prefix: str = "") -> Rows:
    rows: Rows = []
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


def _table(rows: Rows) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
