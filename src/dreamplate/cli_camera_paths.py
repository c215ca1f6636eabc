"""``dreamplate cameras path orbit | dolly | spline | hold``: camera paths made for you."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from dreamplate.cli import dispatch
from dreamplate.cli_camera_files import save
from dreamplate.errors import ConfigError

if TYPE_CHECKING:
    from dreamplate.plate import Camera
    from dreamplate.scenes import CameraTrack

PATHS: dict[str, tuple[str, str]] = {
    "orbit": ("circle a point and look at it", "dreamplate.cli_camera_paths:OrbitCommand"),
    "dolly": ("move in a straight line", "dreamplate.cli_camera_paths:DollyCommand"),
    "spline": ("pass smoothly through chosen cameras", "dreamplate.cli_camera_paths:SplineCommand"),
    "hold": ("stand still", "dreamplate.cli_camera_paths:HoldCommand"),
}
"""Kind of path → what it does, and its dataclass."""


def path(arguments: list[str]) -> int:
    """``dreamplate cameras path orbit | dolly | spline | hold``."""
    return dispatch("dreamplate cameras path", PATHS, arguments)


@dataclass(frozen=True)
class OrbitCommand:
    """Circle a point and look at it."""

    out: str
    """Camera file to write; its ending says the convention."""
    radius: float
    """Distance from the centre, in world units."""
    frames: str = "1001-1100"
    """Frame numbers. Whole turns close: after the last frame comes the first."""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """What it looks at."""
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Axis of the circle."""
    elevation: float = 15.0
    """Degrees above the plane through the centre."""
    start: float = 0.0
    """Degrees about the axis at the first frame."""
    turns: float = 1.0
    """How many times around; negative the other way."""
    like: str | None = None
    """Camera file whose first camera gives picture size, focal length and lens; else --size and --fov."""
    size: tuple[int, int] = (1920, 1080)
    """Width and height of the pictures."""
    fov: float = 45.0
    """Horizontal field of view in degrees."""
    fps: float = 24.0
    """Frames per second to state."""

    def run(self) -> int:
        """Write the path; returns the exit code."""
        import numpy as np

        from dreamplate.plate import Camera
        from dreamplate.scenes import orbit

        if not 0 < self.fov < 180:
            raise ConfigError(f"fov is {self.fov}: choose degrees between 0 and 180")
        camera = (
            Camera.from_fov(*self.size, self.fov, np.eye(4))
            if self.like is None
            else _chosen(_track(self.like), None).with_(end=None, time=None, name="")
        )
        made = orbit(
            camera,
            _frames(self.frames),
            centre=self.centre,
            up=self.up,
            radius=self.radius,
            elevation=self.elevation,
            start=self.start,
            turns=self.turns,
        )
        save(made.with_(name="orbit", fps=self.fps), self.out)
        return 0


@dataclass(frozen=True)
class DollyCommand:
    """Move in a straight line without turning."""

    source: Positional[str]
    """Camera file with the camera that it starts from."""
    out: str
    """Camera file to write; its ending says the convention."""
    distance: float
    """How far it goes, in world units; negative backwards."""
    frame: int | None = None
    """Frame of the start camera; the first when not given."""
    frames: str = "1001-1100"
    """Frame numbers of the move."""
    target: tuple[float, float, float] | None = None
    """Point that it goes towards; along its viewing axis when not given."""
    keep: float | None = None
    """Dolly zoom: Z at the start of what keeps its size; the focal length changes to hold it."""

    def run(self) -> int:
        """Write the path; returns the exit code."""
        from dreamplate.scenes import dolly

        track = _track(self.source)
        camera = _chosen(track, self.frame).with_(name="", time=None)
        made = dolly(camera, _frames(self.frames), distance=self.distance, target=self.target, keep=self.keep)
        save(_about(made, track, "dolly"), self.out)
        return 0


@dataclass(frozen=True)
class SplineCommand:
    """Pass smoothly through chosen cameras."""

    source: Positional[str]
    """Camera file with the cameras to pass through."""
    out: str
    """Camera file to write; its ending says the convention."""
    keys: str | None = None
    """Frames of the source to pass through, in this order, such as 1,9,4; all of them when not given."""
    frames: str = "1001-1100"
    """Frame numbers of the move."""
    closed: bool = False
    """Return to the first camera in the end."""
    constant_speed: bool = False
    """Frames an equal way apart, instead of an equal number of frames between cameras."""

    def run(self) -> int:
        """Write the path; returns the exit code."""
        from dreamplate.scenes import spline

        track = _track(self.source)
        chosen = track.frames if self.keys is None else _frames(self.keys)
        keys = [_chosen(track, frame).with_(time=None) for frame in chosen]
        made = spline(keys, _frames(self.frames), closed=self.closed, constant_speed=self.constant_speed)
        save(_about(made, track, "spline"), self.out)
        return 0


@dataclass(frozen=True)
class HoldCommand:
    """Stand still."""

    source: Positional[str]
    """Camera file with the camera."""
    out: str
    """Camera file to write; its ending says the convention."""
    frame: int | None = None
    """Frame of the camera; the first when not given."""
    frames: str = "1001-1100"
    """Frame numbers."""

    def run(self) -> int:
        """Write the path; returns the exit code."""
        from dreamplate.scenes import hold

        track = _track(self.source)
        camera = _chosen(track, self.frame).with_(name="", time=None)
        save(_about(hold(camera, _frames(self.frames)), track, "hold"), self.out)
        return 0


def _track(source: str) -> CameraTrack:
    from dreamplate.scenes import read_cameras

    track = read_cameras(source)
    return track if track.name else track.with_(name=Path(source).name)


def _chosen(track: CameraTrack, frame: int | None) -> Camera:
    return track.at(track.frames[0] if frame is None else frame)


def _frames(text: str) -> tuple[int, ...]:
    from dreamplate.plate import parse_frames

    return parse_frames(text)


def _about(made: CameraTrack, source: CameraTrack, name: str) -> CameraTrack:
    """Return a path that states what its source stated of the world."""
    return made.with_(
        name=name,
        fps=source.fps or 24.0,
        metres_per_unit=source.metres_per_unit,
        up=source.up,
        near_far=source.near_far,
    )
