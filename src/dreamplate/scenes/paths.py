"""Camera paths made for you: each a pure function that returns a ``CameraTrack``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera, look_at
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.curves import catmull_rom, even_times, squad, steps_between

__all__ = ["dolly", "hold", "orbit", "spline", "stereo"]


def hold(camera: Camera, frames: Sequence[int]) -> CameraTrack:
    """Return a camera that stands still for some frames."""
    return CameraTrack(dict.fromkeys(frames, camera))


def orbit(
    camera: Camera,
    frames: Sequence[int],
    *,
    centre: npt.ArrayLike = (0.0, 0.0, 0.0),
    up: npt.ArrayLike = (0.0, 0.0, 1.0),
    radius: float,
    elevation: float = 0.0,
    start: float = 0.0,
    turns: float = 1.0,
) -> CameraTrack:
    """Return a camera that circles a centre and looks at it.

    Args:
        camera: Its size and lens; its pose is replaced.
        frames: Frame numbers. Whole turns close: the frame after the last would be the first again.
        centre: What it looks at.
        up: Axis of the circle.
        radius: Distance from the centre, in world units.
        elevation: Degrees above the plane through the centre.
        start: Degrees about the axis at the first frame.
        turns: How many times around, anticlockwise seen from above; negative the other way.

    Raises:
        SceneError: Radius, elevation or axis are out of bounds.
    """
    axis, middle = np.asarray(up, float), np.asarray(centre, float)
    if not radius > 0 or not -90 <= elevation <= 90 or not np.linalg.norm(axis) > 0:
        raise SceneError(
            f"orbit: radius {radius}, elevation {elevation}, up {axis.tolist()}; need a radius above 0, "
            "degrees from -90 to 90 and an axis"
        )
    axis = axis / np.linalg.norm(axis)
    side = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
    first = np.cross(side / np.linalg.norm(side), axis)
    second = np.cross(axis, first)
    flat, high = math.cos(math.radians(elevation)), math.sin(math.radians(elevation))
    cameras = {}
    for number, frame in enumerate(frames):
        angle = math.radians(start) + math.tau * turns * number / len(frames)
        ray = flat * (math.cos(angle) * first + math.sin(angle) * second) + high * axis
        # Straight above, "up" is no help: what is ahead at the horizon takes its place.
        above = axis if flat > 1e-6 else -high * (math.cos(angle) * first + math.sin(angle) * second)
        cameras[frame] = camera.placed(look_at(middle + radius * ray, middle, above))
    return CameraTrack(cameras)


def dolly(
    camera: Camera,
    frames: Sequence[int],
    *,
    distance: float,
    target: npt.ArrayLike | None = None,
    keep: float | None = None,
) -> CameraTrack:
    """Return a camera that moves in a straight line without turning.

    Args:
        camera: Where it starts.
        frames: Frame numbers; the whole distance lies between the first and the last.
        distance: How far it goes, in world units; negative backwards.
        target: Point that it goes towards; along its viewing axis when None.
        keep: Dolly zoom: Z of what keeps its size in the picture, measured at the start; the focal length
            changes in proportion to what is left of it.

    Raises:
        SceneError: It would reach or pass what it should keep in size, or stands on the target.
    """
    way = camera.forward
    if target is not None:
        way = np.asarray(target, float) - camera.position
        if not np.linalg.norm(way) > 0:
            raise SceneError("dolly: the camera stands on its target; choose another target")
        way = way / np.linalg.norm(way)
    closer = float(way @ camera.forward) * distance
    if keep is not None and not (keep > 0 and keep - closer > 1e-6 * keep):
        raise SceneError(
            f"dolly: Z {keep} cannot keep its size over a move of {closer} towards it; move less"
        )
    cameras = {}
    for number, frame in enumerate(frames):
        share = number / max(1, len(frames) - 1)
        pose = camera.camera_to_world.copy()
        pose[:3, 3] += way * distance * share
        zoom = 1.0 if keep is None else (keep - closer * share) / keep
        cameras[frame] = camera.with_(
            camera_to_world=pose, end=None, fx=camera.fx * zoom, fy=camera.fy * zoom
        )
    return CameraTrack(cameras)


def spline(
    keys: Sequence[Camera], frames: Sequence[int], *, closed: bool = False, constant_speed: bool = False
) -> CameraTrack:
    """Return a smooth path through chosen cameras.

    Positions follow a centripetal Catmull-Rom spline (Yuksel et al. 2011), which makes no loops or cusps
    within a segment; rotations Shoemake's squad (1987); focal lengths and principal points the same kind of
    spline through their logarithms and values.

    Args:
        keys: Two cameras or more, of one size and lens.
        frames: Frame numbers; the first is the first key, the last the last one (or, closed, the one before
            the first again).
        closed: Whether the path returns to its first key.
        constant_speed: Whether frames are an equal way apart along the path; otherwise an equal number of
            frames lies between keys, however far apart they are, and the speed changes smoothly.

    Raises:
        SceneError: There are too few keys, or they differ in size or lens.
    """
    if len(keys) < 2:
        raise SceneError(f"spline: needs 2 cameras or more to pass through, found {len(keys)}")
    first = keys[0]
    for number, key in enumerate(keys):
        if (key.width, key.height, key.lens) != (first.width, first.height, first.lens):
            raise SceneError(f"spline: camera {number + 1} has another size or lens than the first")
    count = len(keys) if closed else len(keys) - 1
    where = np.array([key.position for key in keys])
    zoom = np.array([[math.log(key.fx), math.log(key.fy), key.cx, key.cy] for key in keys])
    position = catmull_rom(where, steps_between(where, closed), closed)
    inner = catmull_rom(zoom, np.ones(count), closed)
    turn = squad([key.camera_to_world[:3, :3] for key in keys], closed)
    times = np.linspace(0.0, count, max(1, len(frames)), endpoint=not closed)
    if constant_speed:
        times = even_times(position, count, len(frames), closed)
    cameras = {}
    for frame, time in zip(frames, times, strict=True):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn(time), position(time)
        fx, fy, cx, cy = inner(time)
        cameras[frame] = first.with_(
            camera_to_world=pose, end=None, fx=math.exp(fx), fy=math.exp(fy), cx=cx, cy=cy, name=""
        )
    return CameraTrack(cameras)


def stereo(camera: Camera, interaxial: float, convergence: float) -> tuple[Camera, Camera]:
    """Return the left and right eye of a camera: parallel, with shifted principal points, never toed in.

    Toeing in would bend the plane of no parallax and make vertical differences at the sides.

    Args:
        camera: What lies between the eyes.
        interaxial: Distance between the eyes in world units.
        convergence: Z of the plane without parallax.

    Raises:
        SceneError: The convergence is not above 0.
    """
    if not convergence > 0 or not math.isfinite(interaxial):
        raise SceneError(
            f"stereo: interaxial {interaxial}, convergence {convergence}; need a distance above 0"
        )
    if camera.lens.kind != "perspective":
        raise SceneError(f"stereo: a {camera.lens.kind} lens has no plane to shift; use a perspective camera")
    eyes = []
    for side in (-0.5, 0.5):
        step = side * interaxial
        poses = []
        for pose in (camera.camera_to_world, camera.end):
            moved = None if pose is None else pose.copy()
            if moved is not None:
                moved[:3, 3] += moved[:3, 0] * step
            poses.append(moved)
        shift = camera.fx * step / convergence
        eyes.append(camera.with_(camera_to_world=poses[0], end=poses[1], cx=camera.cx + shift))
    return eyes[0], eyes[1]
