"""Which camera for which frame: from a camera file, the capture's own cameras, or a move made from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.fields.render_config import RenderConfig
from dreamplate.fields.spaces import focus_point
from dreamplate.plate.camera import Camera
from dreamplate.plate.frames import parse_frames
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.paths import dolly, orbit, spline, stereo

__all__ = ["eye_paths", "frames_of", "make_path"]

_MOST_KEYS = 12


def make_path(
    config: RenderConfig, cameras: Sequence[Camera], up: Sequence[float] = (0.0, 0.0, 1.0)
) -> CameraTrack:
    """Return the camera path of a render.

    Args:
        config: Says which.
        cameras: Of the capture, in order.
        up: Which way is up in its world.

    Raises:
        SceneError: The camera file cannot be used, or the capture has too few cameras for a move.
    """
    if config.cameras is not None:
        from dreamplate.scenes.camera_formats import read_cameras

        return read_cameras(config.cameras, size=config.size, camera=config.camera or None)
    if not cameras:
        raise SceneError(f"{config.take}: the fit has no cameras; give a camera file with --cameras")
    frames = range(config.first_frame, config.first_frame + config.path_frames)
    if config.path == "views":
        return CameraTrack(dict(enumerate(cameras, config.first_frame)))
    if config.path == "orbit":
        return _orbit(cameras, frames, np.asarray(up, float))
    if config.path == "dolly":
        reach = float(np.linalg.norm(focus_point(cameras) - cameras[0].position))
        return dolly(cameras[0], frames, distance=reach / 2)
    return spline(_keys(cameras), frames)


def frames_of(config: RenderConfig, path: CameraTrack) -> tuple[int, ...]:
    """Return the frames to render.

    Raises:
        SceneError: Some are outside the path; the message names them.
        ConfigError: The text is no range.
    """
    if not config.frames:
        return path.frames
    frames = parse_frames(config.frames)
    path.slice(frames)
    return frames


def eye_paths(config: RenderConfig, path: CameraTrack) -> dict[str, CameraTrack]:
    """Return the path of each eye by name, ``left`` and ``right``; without stereo the path itself, as ``""``.

    Raises:
        SceneError: The lens cannot be shifted.
    """
    apart, meet = config.stereo.interaxial, config.stereo.convergence or math.inf
    if apart == 0:
        return {"": path}
    pairs = {frame: stereo(camera, apart, meet) for frame, camera in path.cameras.items()}
    return {
        name: path.with_(cameras={frame: pair[side] for frame, pair in pairs.items()})
        for side, name in enumerate(("left", "right"))
    }


def _orbit(cameras: Sequence[Camera], frames: range, up: np.ndarray) -> CameraTrack:
    """Circle what all cameras look at, as far and as high as they stand on the whole."""
    centre = focus_point(cameras)
    away = np.array([camera.position for camera in cameras]) - centre
    radius = float(np.median(np.linalg.norm(away, axis=1)))
    height = float(np.median(away @ up / np.linalg.norm(up)))
    elevation = math.degrees(math.asin(max(-1.0, min(1.0, height / max(radius, 1e-9)))))
    still = cameras[0].with_(end=None, rolling_shutter=None)
    return orbit(still, frames, centre=centre, up=up, radius=radius, elevation=elevation)


def _keys(cameras: Sequence[Camera]) -> list[Camera]:
    """Return cameras of one size and lens, evenly picked in their order."""
    first = cameras[0]
    alike = [
        camera
        for camera in cameras
        if (camera.width, camera.height, camera.lens) == (first.width, first.height, first.lens)
    ]
    count = min(_MOST_KEYS, len(alike))
    return [alike[round(at)] for at in np.linspace(0, len(alike) - 1, count)]
