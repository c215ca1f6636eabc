"""Scenes: captures from photographs, camera files in every convention, camera paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.scenes.camera_formats import CAMERA_FORMATS, read_cameras, write_cameras
    from dreamplate.scenes.camera_track import CameraTrack
    from dreamplate.scenes.paths import dolly, hold, orbit, spline, stereo
    from dreamplate.scenes.scene import Mask, Points, Scene, View

_HOME = {
    "CAMERA_FORMATS": "camera_formats",
    "CameraTrack": "camera_track",
    "Mask": "scene",
    "Points": "scene",
    "Scene": "scene",
    "View": "scene",
    "dolly": "paths",
    "hold": "paths",
    "orbit": "paths",
    "read_cameras": "camera_formats",
    "spline": "paths",
    "stereo": "paths",
    "write_cameras": "camera_formats",
}

__all__ = [
    "CAMERA_FORMATS",
    "CameraTrack",
    "Mask",
    "Points",
    "Scene",
    "View",
    "dolly",
    "hold",
    "orbit",
    "read_cameras",
    "spline",
    "stereo",
    "write_cameras",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
