"""``dreamplate cameras``: camera files of every convention, converted, listed, drawn and made."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from dreamplate.cli import dispatch
from dreamplate.cli_camera_files import in_units, only, save, table
from dreamplate.errors import ConfigError, SceneError

COMMANDS: dict[str, tuple[str, str]] = {
    "convert": ("write a camera file in another convention", "dreamplate.cli_cameras:ConvertCommand"),
    "list": ("show the cameras of a file", "dreamplate.cli_cameras:ListCommand"),
    "path": ("make a camera path", "dreamplate.cli_camera_paths:path"),
    "stereo": ("make the two eyes of a camera", "dreamplate.cli_cameras:StereoCommand"),
    "draw": ("draw where cameras stand and look", "dreamplate.cli_cameras:DrawCommand"),
    "formats": ("list the conventions that are known", "dreamplate.cli_cameras:FormatsCommand"),
}
"""Sub-command of ``cameras`` → what it does, and its dataclass or function."""


def cameras(arguments: list[str]) -> int:
    """``dreamplate cameras convert | list | path | stereo | draw | formats``."""
    return dispatch("dreamplate cameras", COMMANDS, arguments)


@dataclass(frozen=True)
class ConvertCommand:
    """Write a camera file in another convention. What it cannot hold is said, a line each."""

    source: Positional[str]
    """A camera file, or a folder of COLMAP's or LLFF's."""
    target: Positional[str]
    """Where it goes; its ending says the convention (no ending: a COLMAP folder)."""
    source_format: Annotated[str | None, arg(name="from")] = None
    """Convention of the source, where it is not found out (see "cameras formats")."""
    target_format: Annotated[str | None, arg(name="to")] = None
    """Convention of the target, where its ending does not say."""
    size: tuple[int, int] | None = None
    """Width and height of the pictures: needed where the source does not state it (chan, RealEstate10K, most
    Nuke and glTF files); where it does, the cameras are made for this size instead."""
    frames: str | None = None
    """Only these frames, such as 1001-1100 or 1001-1100x2."""
    units: str | None = None
    """Unit of the target: m, cm, mm, in, ft ... or its length in metres. Positions are scaled where the
    source states its own unit; where it states none, it is declared to be this one."""
    fps: float | None = None
    """Frames per second to state in the target, where the source does not say."""
    near_far: tuple[float, float] | None = None
    """Nearest and farthest distance of the content; LLFF cannot do without."""
    camera: str | None = None
    """Which camera, where the source has several."""
    strict: bool = False
    """Write nothing when anything would be lost."""

    def run(self) -> int:
        """Convert; returns the exit code."""
        from dreamplate.scenes import read_cameras
        from dreamplate.scenes.camera_formats import format_of, losses

        track = read_cameras(self.source, kind=self.source_format, size=self.size, camera=self.camera)
        if self.frames is not None:
            track = only(track, self.frames, self.source)
        track, note = in_units(track, self.units)
        if self.fps is not None:
            track = track.with_(fps=self.fps)
        if self.near_far is not None:
            track = track.with_(near_far=self.near_far)
        kind = self.target_format or format_of(self.target, writing=True)
        lost = losses(track, kind)
        if self.strict and lost:
            raise SceneError(f"{self.target}: {kind} cannot hold {'; '.join(lost)} (nothing was written)")
        if note:
            print(f"{self.target}: {note}", file=sys.stderr)  # noqa: T201
        save(track, self.target, kind)
        return 0


@dataclass(frozen=True)
class ListCommand:
    """Show the cameras of a file."""

    source: Positional[str]
    """A camera file, or a folder of COLMAP's or LLFF's."""
    source_format: Annotated[str | None, arg(name="from")] = None
    """Its convention, where it is not found out."""
    size: tuple[int, int] | None = None
    """Width and height of the pictures, where the file does not state it."""
    frames: str | None = None
    """Only these frames."""
    camera: str | None = None
    """Which camera, where the file has several."""
    all: bool = False
    """Every frame, not only the first and the last ten."""

    def run(self) -> int:
        """Print the table; returns the exit code."""
        from dreamplate.scenes import read_cameras
        from dreamplate.scenes.camera_formats import format_of

        track = read_cameras(self.source, kind=self.source_format, size=self.size, camera=self.camera)
        if self.frames is not None:
            track = only(track, self.frames, self.source)
        kind = self.source_format or format_of(self.source)
        stated = [f"{track.fps:g} frames a second"] if track.fps else []
        stated += [f"unit {track.metres_per_unit:g} m"] if track.metres_per_unit else ["unit not stated"]
        stated += [f"{track.up} up"] if track.up else []
        stated += ["near {:g}, far {:g}".format(*track.near_far)] if track.near_far else []
        name = f"{track.name}, " if track.name else ""
        many = "1 camera" if track.still else f"{len(track)} cameras"
        print(f"{self.source} ({kind}): {name}{many}, {', '.join(stated)}")  # noqa: T201
        for line in table(track, self.all):
            print(line)  # noqa: T201
        return 0


@dataclass(frozen=True)
class StereoCommand:
    """Make the two eyes of a camera: parallel, with shifted principal points, never toed in."""

    source: Positional[str]
    """A camera file."""
    left: Positional[str]
    """Where the left eye goes."""
    right: Positional[str]
    """Where the right eye goes."""
    interaxial: float
    """Distance between the eyes, in world units."""
    convergence: float
    """Z of the plane without parallax, in world units."""
    size: tuple[int, int] | None = None
    """Width and height of the pictures, where the source does not state it."""
    frames: str | None = None
    """Only these frames."""

    def run(self) -> int:
        """Write both; returns the exit code."""
        from dreamplate.scenes import read_cameras, stereo

        track = read_cameras(self.source, size=self.size)
        if self.frames is not None:
            track = only(track, self.frames, self.source)
        eyes = {
            frame: stereo(camera, self.interaxial, self.convergence)
            for frame, camera in track.cameras.items()
        }
        save(track.with_(cameras={frame: pair[0] for frame, pair in eyes.items()}), self.left)
        save(track.with_(cameras={frame: pair[1] for frame, pair in eyes.items()}), self.right)
        return 0


@dataclass(frozen=True)
class DrawCommand:
    """Draw where cameras stand and look, from above and from the side."""

    sources: Positional[tuple[str, ...]]
    """Camera files, each in its own colour."""
    out: str
    """Picture to write."""
    size: tuple[int, int] | None = None
    """Width and height of the pictures, where a file does not state it; they say how wide a camera sees."""

    def run(self) -> int:
        """Write the picture; returns the exit code."""
        from dreamplate.plate import write
        from dreamplate.scenes import read_cameras
        from dreamplate.scenes.camera_drawing import draw_tracks
        from dreamplate.take.config import canonical_json, to_dict
        from dreamplate.take.provenance import KEY
        from dreamplate.take.record import new_record

        if not self.sources:
            raise ConfigError("sources: name a camera file or more")
        tracks = [read_cameras(source, size=self.size) for source in self.sources]
        picture = draw_tracks(tracks, [Path(source).name for source in self.sources])
        record = to_dict(new_record("cameras draw", self, map(Path, filter(_is_file, self.sources))))
        made = {name: record[name] for name in ("schema", "kind", "id", "seed", "versions", "sources")}
        for source, name in zip(made["sources"], filter(_is_file, self.sources), strict=True):
            source["path"] = name  # as it was asked for: a picture should not tell of its maker's folders
        write(picture.with_metadata(**{KEY: canonical_json(made | {"config": to_dict(self)})}), self.out)
        print(f"{self.out}: {sum(map(len, tracks))} cameras of {len(tracks)} files")  # noqa: T201
        return 0


@dataclass(frozen=True)
class FormatsCommand:
    """List the camera conventions that are known."""

    def run(self) -> int:
        """Print them; returns the exit code."""
        from dreamplate.scenes import CAMERA_FORMATS

        width = max(map(len, CAMERA_FORMATS))
        for name, about in CAMERA_FORMATS.items():
            print(f"{name:<{width}}  {about.title} ({' '.join(about.endings) or 'a folder'})")  # noqa: T201
        return 0


def _is_file(name: str) -> bool:
    return Path(name).is_file()
