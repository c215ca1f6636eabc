"""A camera over frames: what camera files hold, what paths are, what a sequence is rendered through."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.plate.frames import format_frames

__all__ = ["CameraTrack", "numbers_of", "track_of_names"]


@dataclass(frozen=True, eq=False)
class CameraTrack:
    """Cameras by frame number.

    A track of one camera is a **still** one: it holds for every frame. Nothing is made up between frames.

    Attributes:
        cameras: Frame number → camera, kept in order of frames.
        fps: Frames per second, where the file says.
        name: What the camera is called.
        metres_per_unit: Length of one world unit in metres, or None where nobody knows (photographs alone
            do not tell).
        up: Which axis of the world points up, where the file says. Coordinates are never turned by it.
        near_far: Nearest and farthest distance of content from the cameras, where known.

    Raises:
        SceneError: There is no camera, or a number is out of bounds.
    """

    cameras: Mapping[int, Camera]
    fps: float | None = None
    name: str = ""
    metres_per_unit: float | None = None
    up: Literal["y", "z"] | None = None
    near_far: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        who = f"track {self.name!r}" if self.name else "track"
        if not self.cameras:
            raise SceneError(f"{who}: holds no camera; need at least one frame")
        for name in ("fps", "metres_per_unit"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise SceneError(f"{who}: {name} is {value}; need a finite number above 0")
        if self.up not in (None, "y", "z"):
            raise SceneError(f"{who}: up is {self.up!r}; choose y or z")
        if self.near_far is not None and not 0 < self.near_far[0] < self.near_far[1] < math.inf:
            raise SceneError(f"{who}: near and far are {self.near_far}; need 0 < near < far")
        ordered = MappingProxyType({int(frame): self.cameras[frame] for frame in sorted(self.cameras)})
        object.__setattr__(self, "cameras", ordered)

    @classmethod
    def of(cls, cameras: Iterable[Camera], first: int = 1, **about: Any) -> CameraTrack:
        """Return a track of cameras in order, numbered from ``first``."""
        return cls(dict(enumerate(cameras, first)), **about)

    def __reduce__(self) -> tuple[type[CameraTrack], tuple[Any, ...]]:
        others = (getattr(self, each.name) for each in fields(self)[1:])
        return CameraTrack, (dict(self.cameras), *others)

    def __len__(self) -> int:
        return len(self.cameras)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frame numbers, in order."""
        return tuple(self.cameras)

    @property
    def still(self) -> bool:
        """Whether it is one camera, which holds for every frame."""
        return len(self.cameras) == 1

    def at(self, frame: int) -> Camera:
        """Return the camera of one frame.

        Raises:
            SceneError: The frame is outside the path.
        """
        if self.still:
            return next(iter(self.cameras.values()))
        if frame not in self.cameras:
            raise self._outside([frame])
        return self.cameras[frame]

    def slice(self, frames: Sequence[int]) -> CameraTrack:
        """Return the track of some frames only; a still camera is repeated for each.

        Raises:
            SceneError: Some frames are outside the path; the message names them.
        """
        outside = [] if self.still else [frame for frame in frames if frame not in self.cameras]
        if outside:
            raise self._outside(outside)
        return replace(self, cameras={frame: self.at(frame) for frame in frames})

    def map(self, change: Callable[[Camera], Camera]) -> CameraTrack:
        """Return the track with every camera changed."""
        return replace(self, cameras={frame: change(camera) for frame, camera in self.cameras.items()})

    def with_(self, **changes: Any) -> CameraTrack:
        """Return a copy with some attributes replaced."""
        return replace(self, **changes)

    def scaled(self, factor: float) -> CameraTrack:
        """Return the track in a world ``factor`` times as large: positions, near and far; unit kept apart."""

        def grow(camera: Camera) -> Camera:
            poses = []
            for pose in (camera.camera_to_world, camera.end):
                grown = None if pose is None else pose.copy()
                if grown is not None:
                    grown[:3, 3] *= factor
                poses.append(grown)
            return camera.with_(camera_to_world=poses[0], end=poses[1])

        reach = self.near_far and (self.near_far[0] * factor, self.near_far[1] * factor)
        return self.map(grow).with_(near_far=reach)

    def _outside(self, frames: Sequence[int]) -> SceneError:
        who = f"camera {self.name!r}" if self.name else "the camera path"
        many = "frame" if len(frames) == 1 else "frames"
        return SceneError(
            f"{many} {_short(frames)} outside {who}, which has {_short(self.frames)}; choose among these"
        )


def _short(frames: Sequence[int]) -> str:
    text = format_frames(tuple(frames))
    return (
        text if len(text) <= 60 else f"{text[:40].rsplit(',', 1)[0]} ... {frames[-1]} ({len(frames)} of them)"
    )


def numbers_of(names: Sequence[str]) -> tuple[int, ...] | None:
    """Return the last number in each name, folders and ending aside; None unless all have one, all different.

    ``images/shot.1001.png`` is 1001.
    """
    found = []
    for name in names:
        digits = re.findall(r"\d+", PurePosixPath(name.replace("\\", "/")).stem)
        if not digits or len(digits[-1]) > 15:
            return None
        found.append(int(digits[-1]))
    return tuple(found) if len(set(found)) == len(found) else None


def track_of_names(cameras: Sequence[Camera], **about: Any) -> CameraTrack:
    """Return the track of named cameras: by the last number of each name, or else by name from 1."""
    numbers = numbers_of([camera.name for camera in cameras])
    if numbers is not None:
        return CameraTrack(dict(zip(numbers, cameras, strict=True)), **about)
    return CameraTrack.of(sorted(cameras, key=lambda camera: camera.name), **about)
