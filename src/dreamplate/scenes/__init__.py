"""Scenes: captures from photographs, camera files in every convention, camera paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreamplate.lazy import lazy

if TYPE_CHECKING:
    from dreamplate.scenes.camera_formats import CAMERA_FORMATS, read_cameras, write_cameras
    from dreamplate.scenes.camera_track import CameraTrack
    from dreamplate.scenes.capture_config import CaptureConfig
    from dreamplate.scenes.paths import dolly, hold, orbit, spline, stereo
    from dreamplate.scenes.read import check_scene, read_scene
    from dreamplate.scenes.scene import Mask, Points, Scene, View
    from dreamplate.scenes.scene_file import write_scene

_HOME = {
    "CAMERA_FORMATS": "camera_formats",
    "CameraTrack": "camera_track",
    "CaptureConfig": "capture_config",
    "Mask": "scene",
    "Points": "scene",
    "Scene": "scene",
    "View": "scene",
    "check_scene": "read",
    "dolly": "paths",
    "hold": "paths",
    "orbit": "paths",
    "read_cameras": "camera_formats",
    "read_scene": "read",
    "spline": "paths",
    "stereo": "paths",
    "write_cameras": "camera_formats",
    "write_scene": "scene_file",
}

__all__ = [
    "CAMERA_FORMATS",
    "CameraTrack",
    "CaptureConfig",
    "Mask",
    "Points",
    "Scene",
    "View",
    "check_scene",
    "dolly",
    "hold",
    "orbit",
    "read_cameras",
    "read_scene",
    "spline",
    "stereo",
    "write_cameras",
    "write_scene",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
