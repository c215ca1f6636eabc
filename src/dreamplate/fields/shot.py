"""One frame to render: which camera, which windows, where it moves from and to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.fields.camera_sampling import Sampling, Track
from dreamplate.fields.render_config import RenderConfig
from dreamplate.plate.box import Box
from dreamplate.plate.camera import Camera, interpolate_poses
from dreamplate.scenes.camera_track import CameraTrack

__all__ = ["Shot", "neighbours", "shot_of"]


@dataclass(frozen=True, eq=False)
class Shot:
    """Everything about one frame that does not depend on the field.

    Attributes:
        frame: Its number.
        camera: At the size of the display window; pixels outside it are overscan.
        before: The camera one frame earlier, at the same scale.
        after: One frame later.
        track: Where the camera is during the frame.
        sampling: How rays are spread.
        display: The frame the artist sees, at the origin.
        data: The pixels to render.
    """

    frame: int
    camera: Camera
    before: Camera
    after: Camera
    track: Track
    sampling: Sampling
    display: Box
    data: Box


def shot_of(path: CameraTrack, frame: int, config: RenderConfig) -> Shot:
    """Return what to render for a frame of a camera path.

    Raises:
        SceneError: The frame is outside the path.
        ConfigError: The crop is outside the frame.
    """
    cameras = (path.at(frame), *neighbours(path, frame))
    here, before, after = (_scaled(camera, config.scale) for camera in cameras)
    display = Box(0, 0, here.width, here.height)
    track, shutter = _track(here, before, after, config)
    sampling = Sampling(
        config.samples,
        config.filter,
        config.seed,
        _radius(here, config),
        config.lens.focus or 1.0,
        shutter,
        config.shutter.readout,
    )
    return Shot(frame, here, before, after, track, sampling, display, _window(cameras[0], display, config))


def neighbours(path: CameraTrack, frame: int) -> tuple[Camera, Camera]:
    """Return the cameras one frame earlier and one frame later.

    Between the frames of a path they are interpolated; past its ends the camera goes on as it moved last.
    """
    here = path.at(frame)
    if path.still:
        return here, here
    before, after = _between(path, frame - 1), _between(path, frame + 1)
    if before is None:
        before = _onward(after, here) if after is not None else here
    if after is None:
        after = _onward(before, here)
    return before, after


def _between(path: CameraTrack, frame: int) -> Camera | None:
    if frame in path.cameras:
        return path.cameras[frame]
    earlier = [number for number in path.frames if number < frame]
    later = [number for number in path.frames if number > frame]
    if not earlier or not later:
        return None
    first, last = path.cameras[earlier[-1]], path.cameras[later[0]]
    share = (frame - earlier[-1]) / (later[0] - earlier[-1])
    return first.placed(interpolate_poses(first.camera_to_world, last.camera_to_world, share))


def _onward(first: Camera, second: Camera) -> Camera:
    if np.array_equal(first.camera_to_world, second.camera_to_world):
        return second
    step = np.linalg.inv(first.camera_to_world) @ second.camera_to_world
    return second.placed(second.camera_to_world @ step)


def _scaled(camera: Camera, scale: float) -> Camera:
    if scale == 1:
        return camera
    return camera.resized(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))


def _track(
    here: Camera, before: Camera, after: Camera, config: RenderConfig
) -> tuple[Track, tuple[float, float]]:
    """Return where the camera is, and when its shutter opens and closes.

    A camera file that says where a shutter ends is followed to the letter, if there is blur at all.
    """
    shutter = (config.shutter.open, config.shutter.close)
    still = shutter[0] == shutter[1] == config.shutter.readout == 0
    if here.end is not None and (config.blurred or here.rolling_shutter is not None):
        poses = np.stack([here.camera_to_world, here.end])
        times = None if here.time is None else np.full(2, here.time)
        return Track(np.array([0.0, 1.0]), poses, times), (0.0, 1.0) if config.blurred else (0.0, 0.0)
    if still:
        return Track.resting(here), shutter
    trio = (before, here, after)
    times = None
    if all(camera.time is not None for camera in trio):
        times = np.array([camera.time for camera in trio], float)
    poses = np.stack([camera.camera_to_world for camera in trio])
    moves = bool(np.ptp(poses, axis=0).max() > 0)
    if not moves and times is None:
        return Track.resting(here), shutter
    return Track(np.array([-1.0, 0.0, 1.0]), poses, times), shutter


def _radius(camera: Camera, config: RenderConfig) -> float:
    """Return the radius of the aperture in world units: focal length over twice the f-number."""
    lens = config.lens
    if not lens.f_stop:
        return lens.radius
    return camera.focal_mm / 1000 * lens.units_per_metre / (2 * lens.f_stop)


def _window(full: Camera, display: Box, config: RenderConfig) -> Box:
    sx, sy = display.width / full.width, display.height / full.height
    window = display
    if config.crop is not None:
        x, y, width, height = config.crop
        if Box(x, y, width, height).intersect(Box(0, 0, full.width, full.height)) != (x, y, width, height):
            raise ConfigError(
                f"crop is {Box(*config.crop)}, outside the frame of {full.width}x{full.height}; stay inside"
                " (--overscan goes beyond)"
            )
        left, top = math.floor(x * sx), math.floor(y * sy)
        right, bottom = math.ceil((x + width) * sx - 1e-9), math.ceil((y + height) * sy - 1e-9)
        window = Box(left, top, right - left, bottom - top)
    dx, dy = round(config.overscan * sx), round(config.overscan * sy)
    return Box(window.x - dx, window.y - dy, window.width + 2 * dx, window.height + 2 * dy)
