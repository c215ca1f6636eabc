"""What the commands of ``dreamplate cameras`` share: ranges, units, saving with a check, tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dreamplate.errors import ConfigError, SceneError

if TYPE_CHECKING:
    from dreamplate.scenes import CameraTrack

UNITS = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "km": 1000.0, "in": 0.0254, "ft": 0.3048, "yd": 0.9144}
"""Name of a unit → its length in metres."""


def only(track: CameraTrack, frames: str, source: str) -> CameraTrack:
    """Return some frames of a track.

    Raises:
        ConfigError: The text is no range.
        SceneError: Frames are outside the path; the message names the file.
    """
    from dreamplate.plate import parse_frames

    try:
        return track.slice(parse_frames(frames))
    except SceneError as error:
        raise SceneError(f"{source}: {error}") from error


def in_units(track: CameraTrack, units: str | None) -> tuple[CameraTrack, str | None]:
    """Return a track in another unit, and what was done where that is not plain.

    Raises:
        ConfigError: There is no such unit.
    """
    if units is None:
        return track, None
    try:
        metres = UNITS.get(units) or float(units)
    except ValueError:
        metres = 0.0
    if not 0 < metres < float("inf"):
        raise ConfigError(f"units is {units!r}; choose {', '.join(UNITS)} or a length in metres above 0")
    if track.metres_per_unit is None:
        note = "the source states no unit; its numbers are kept and said to be in this one"
        return track.with_(metres_per_unit=metres), f"unit {metres:g} m: {note}"
    return track.scaled(track.metres_per_unit / metres).with_(metres_per_unit=metres), None


def save(track: CameraTrack, target: str, kind: str | None = None) -> None:
    """Write a track, say what was lost, and how far reading it back moves eight corners.

    Raises:
        SceneError: It cannot be written.
    """
    from dreamplate.files import raise_os_error
    from dreamplate.plate.frames import format_frames
    from dreamplate.scenes import read_cameras, write_cameras
    from dreamplate.scenes.camera_formats import fitted, format_of
    from dreamplate.scenes.camera_properties import corner_error

    name = kind or format_of(target, writing=True)
    try:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, Path(target).parent, SceneError)
    lost = write_cameras(track, target, kind=name)
    for each in lost:
        print(f"{target}: {name} cannot hold {each}", file=sys.stderr)  # noqa: T201
    moved = corner_error(fitted(track, name), read_cameras(target, kind=name))
    aside = ", losses aside" if lost else ""
    many = "1 camera" if track.still else f"{len(track)} cameras"
    frames = format_frames(track.frames)
    frames = frames if len(frames) < 60 else f"{track.frames[0]} ... {track.frames[-1]}"
    print(f"{target}: {many}, frames {frames} ({name}); read back, corners move {moved:.2g} px{aside}")  # noqa: T201


def table(track: CameraTrack, every: bool) -> list[str]:
    """Return the lines of a small table of cameras."""
    rows = [("frame", "size", "fx", "fy", "centre", "fov", "position", "looks", "lens", "name")]
    for frame, camera in track.cameras.items():
        position, forward = (
            " ".join(f"{v:.4g}" for v in vector) for vector in (camera.position, camera.forward)
        )
        bent = " ".join(f"{name}={value:.3g}" for name, value in camera.lens.coefficients.items())
        kind = "pinhole" if camera.lens.ideal else f"{camera.lens.kind} {bent}".strip()
        rows.append(
            (
                str(frame),
                f"{camera.width}x{camera.height}",
                f"{camera.fx:.2f}",
                f"{camera.fy:.2f}",
                f"{camera.cx:.2f} {camera.cy:.2f}",
                f"{camera.horizontal_fov:.1f}",
                position,
                forward,
                kind,
                camera.name,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    if not every and len(lines) > 24:
        lines[11:-10] = [f"... {len(lines) - 21} more (--all shows them)"]
    return lines
