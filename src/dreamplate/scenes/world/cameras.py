"""Cameras of a world as tracks: the viewpoint, a flight over the land, a drive along the road, a rig.

No camera is ever in the ground, under water or in a thing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera, look_at
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.world.build import World
from dreamplate.scenes.world.draw import stream
from dreamplate.scenes.world.placing import Eye, Floats, sees
from dreamplate.scenes.world.placing_road import along

__all__ = ["drive", "flight", "rig", "still"]

_UP = (0.0, 1.0, 0.0)
_COURSES = 24
_KEEP = 4.0
"""Metres between a flying camera and any thing."""


def still(world: World, frames: Sequence[int], width: int, height: int, *, fps: float = 24.0) -> CameraTrack:
    """Return the viewpoint for some frames: the camera rests, time goes on."""
    cameras = {frame: world.camera(width, height, number / fps) for number, frame in enumerate(frames)}
    return _track(cameras, fps, "still")


def flight(
    world: World,
    frames: Sequence[int],
    width: int,
    height: int,
    *,
    fps: float = 24.0,
    speed: float = 22.0,
    clearance: float = 9.0,
) -> CameraTrack:
    """Return a flight from the viewpoint into the country, smooth, following the land, looking ahead.

    Of many gently bent courses the lowest one is flown. Its height is the highest of ground, water and things
    around each place, spread ahead and behind and then evened out over the same way: that never takes it
    below what it was spread from.

    Args:
        world: The world.
        frames: Frame numbers.
        width: Pixels.
        height: Pixels.
        fps: Frames a second.
        speed: Metres a second.
        clearance: Metres above all that is near, at least `_KEEP`.

    Raises:
        SceneError: There are no frames, or a number is out of bounds.
    """
    _check(frames, fps, speed)
    if clearance < _KEEP:
        raise SceneError(f"clearance is {clearance}; need at least {_KEEP} metres")
    eye = world.eye
    step = 2.0
    ahead = 60.0
    length = speed * (len(frames) - 1) / fps + ahead
    reach = np.arange(0.0, length + 2 * step, step)
    rng = stream(world.spec.seed, "flight")
    bend = rng.uniform(-1, 1, _COURSES)[:, None] / 500.0
    swing, wave = rng.uniform(0, 0.35, (_COURSES, 1)), rng.uniform(140, 700, (_COURSES, 1))
    heading = -eye.yaw + bend * reach + swing * np.sin(reach / wave) * np.clip(reach / 80, 0, 1)
    x = eye.x + np.cumsum(np.sin(heading), 1) * step - np.sin(heading[:, :1]) * step
    z = eye.z - np.cumsum(np.cos(heading), 1) * step + np.cos(heading[:, :1]) * step
    floor = np.maximum(world.ground.height(x, z), world.ground.water)
    best = int(np.argmin(floor.mean(1) + 0.35 * floor.max(1)))
    path = np.stack([x[best], z[best]], axis=1)
    moments = reach / speed
    low = np.maximum(_tops(world, path, moments), _around(world, path)) + clearance
    y = _evened(low, 24)
    places = np.clip(speed * np.arange(len(frames)) / fps, 0, reach[-1])
    positions = np.stack([np.interp(places, reach, each) for each in (path[:, 0], y, path[:, 1])], axis=1)
    later = np.minimum(places + ahead, reach[-1])
    goals = np.stack([np.interp(later, reach, each) for each in (path[:, 0], y, path[:, 1])], axis=1)
    goals[:, 1] -= 0.16 * ahead  # a little down: the land is what it flies over
    return _aimed(world.camera(width, height), frames, positions, goals, fps, "flight")


def drive(
    world: World,
    frames: Sequence[int],
    width: int,
    height: int,
    *,
    fps: float = 24.0,
    speed: float = 7.5,
    eye_height: float = 1.5,
) -> CameraTrack:
    """Return a drive along the road, in the right lane, at the height of a driver's eyes.

    It is slower than every car, and starts behind those that go its way.

    Args:
        world: The world.
        frames: Frame numbers.
        width: Pixels.
        height: Pixels.
        fps: Frames a second.
        speed: Metres a second.
        eye_height: Metres above the road.

    Raises:
        SceneError: The world has no road, or it is too short for so many frames.
    """
    _check(frames, fps, speed)
    if world.road is None:
        raise SceneError("drive: the world has no road; set road to true")
    length = float(np.hypot(*np.diff(world.road, axis=0).T).sum())
    ahead = 18.0
    most = int((length - ahead) / speed * fps)
    if len(frames) > most:
        raise SceneError(
            f"drive: the road is {length:.0f} m long, enough for {most} frames at {speed:g} metres a second; "
            "ask for fewer frames or drive slower"
        )
    reach = np.arange(0.0, length, 1.0)
    points, ways = along(world.road, reach)
    lane = points + 1.6 * np.stack([-ways[:, 1], ways[:, 0]], axis=1)
    kernel = np.hanning(23)[1:-1] / np.hanning(23)[1:-1].sum()
    smooth = np.stack([np.convolve(np.pad(each, 10, "edge"), kernel, "valid") for each in lane.T], axis=1)
    ground = world.ground.height(smooth[:, 0], smooth[:, 1])
    y = np.maximum(np.convolve(np.pad(ground, 10, "edge"), kernel, "valid"), ground - 0.3) + eye_height
    places = np.asarray(speed * np.arange(len(frames)) / fps, np.float64)

    def at(distance: Floats) -> Floats:
        each = (smooth[:, 0], y, smooth[:, 1])
        return np.stack([np.interp(distance, reach, values) for values in each], axis=1)

    positions, goals = at(places), at(places + ahead)
    return _aimed(world.camera(width, height), frames, positions, goals, fps, "drive")


def rig(
    world: World,
    count: int,
    width: int,
    height: int,
    *,
    arc: float = 360.0,
    elevation: tuple[float, float] = (12.0, 38.0),
    fov: float = 50.0,
) -> tuple[Camera, ...]:
    """Return cameras on an arc or all around the main thing of a world, each of which sees it.

    They stand in turn low and high. Where ground, water or another thing would be in the way a camera is
    raised along its circle over the thing until it sees.

    Args:
        world: The world.
        count: How many.
        width: Pixels.
        height: Pixels.
        arc: Degrees around the thing that they are spread over, the viewpoint's side in the middle.
        elevation: Degrees above the thing of the low and of the high ones.
        fov: Horizontal field of view of each in degrees.

    Raises:
        SceneError: There is no such number of cameras, arc or elevation, or a camera sees nothing from any
            height.
    """
    if not 1 <= count <= 1000 or not 0 <= arc <= 360 or not -5 <= min(elevation) <= max(elevation) <= 85:
        raise SceneError(
            f"rig: {count} cameras over {arc} degrees at {elevation[0]} and {elevation[1]}; need 1 to 1000 "
            "cameras, an arc up to 360 and elevations from -5 to 85"
        )
    if not 5 <= fov <= 150:
        raise SceneError(f"rig: fov is {fov}; need 5 to 150 degrees")
    middle, radius = _subject(world)
    narrow = math.tan(math.radians(fov) / 2) * min(1.0, height / width)
    away = 1.25 * radius / math.sin(math.atan(narrow))
    first = math.atan2(world.eye.x - middle[0], world.eye.z - middle[2])
    spread = arc if arc < 360 else arc * (count - 1) / max(count, 1)
    cameras = []
    for number in range(count):
        share = number / (count - 1) - 0.5 if count > 1 else 0.0
        turn = first + math.radians(spread) * share
        low = elevation[number % 2]
        place = _clear_place(world, middle, radius, away, turn, low)
        pose = look_at(place, middle, _UP)
        cameras.append(Camera.from_fov(width, height, fov, pose, time=0.0, name=f"cam{number:03d}"))
    return tuple(cameras)


def _check(frames: Sequence[int], fps: float, speed: float) -> None:
    if not frames:
        raise SceneError("frames: none are asked for")
    if not (math.isfinite(fps) and fps > 0 and math.isfinite(speed) and speed > 0):
        raise SceneError(f"fps is {fps} and speed {speed}; need numbers above 0")


def _aimed(
    lens: Camera, frames: Sequence[int], positions: Floats, goals: Floats, fps: float, name: str
) -> CameraTrack:
    """Return a track of one lens that stands at ``positions`` and looks at ``goals``, both ``(n, 3)``."""
    cameras = {
        frame: lens.with_(camera_to_world=look_at(positions[k], goals[k], _UP), time=k / fps)
        for k, frame in enumerate(frames)
    }
    return _track(cameras, fps, name)


def _track(cameras: dict[int, Camera], fps: float, name: str) -> CameraTrack:
    return CameraTrack(cameras, fps=fps, name=name, metres_per_unit=1.0, up="y")


def _around(world: World, path: Floats) -> Floats:
    """Return the highest ground or water within a few metres of each place."""
    best = np.full(len(path), world.ground.water)
    for dx in (-4.0, 0.0, 4.0):
        for dz in (-4.0, 0.0, 4.0):
            best = np.maximum(best, world.ground.height(path[:, 0] + dx, path[:, 1] + dz))
    return best


def _tops(world: World, path: Floats, moments: Floats) -> Floats:
    """Return the highest top of a thing near each place, when it is passed; -1e9: there is none."""
    things = world.things
    best = np.full(len(path), -1e9)
    for place, reach, speed in zip(
        things.place.astype(float), things.reach.astype(float), things.speed.astype(float), strict=True
    ):
        dx = path[:, 0] - place[0] - moments * speed[0]
        dz = path[:, 1] - place[2] - moments * speed[2]
        near = np.hypot(dx, dz) < reach[0] + _KEEP
        best[near] = np.maximum(best[near], (place[1] + moments * speed[1] + reach[2])[near])
    return best


def _evened(values: Floats, half: int) -> Floats:
    """Return a smooth curve that is nowhere below ``values``."""
    padded = np.pad(values, 2 * half, "edge")
    window = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    weights = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(window.max(axis=1), weights / weights.sum(), "valid")


def _subject(world: World) -> tuple[Floats, float]:
    """Return the middle and the radius of the sphere around the main thing, or of a spot of land ahead."""
    main = [each for each in world.standings.values() if each.group == 0]
    if not main:
        x, z = (float(value) for value in world.eye.polar(0.0, 40.0))
        y = max(float(world.ground.height(x, z)), world.ground.water)
        return np.array([x, y + 2.0, z]), 9.0
    places = np.array([each.place for each in main])
    low, high = places.min(0), places.max(0)
    tall = max(each.height for each in main)
    middle = (low + high) / 2 + [0, tall / 2, 0]
    wide = float(np.hypot(*(high - low)[[0, 2]])) / 2 + max(each.radius for each in main)
    return middle, math.hypot(wide, tall / 2 + (high - low)[1] / 2)


def _clear_place(
    world: World, middle: Floats, radius: float, away: float, turn: float, elevation: float
) -> npt.NDArray[np.float64]:
    """Return the lowest place on a circle over the thing, from an elevation on, that sees it freely."""
    flat = np.array([math.sin(turn), 0.0, math.cos(turn)])
    things = world.things
    own = np.array([each.group == 0 for each in world.standings.values()])
    mine = np.array(list(world.standings), int)[own] - 1 if len(own) else np.zeros(0, int)
    others = np.setdiff1d(np.arange(len(things.kind)), mine)
    foot, reach = things.place[others].astype(float), things.reach[others].astype(float)
    for degrees in np.arange(elevation, 88.1, 3.0):
        angle = math.radians(float(degrees))
        place = middle + away * (math.cos(angle) * flat + [0, math.sin(angle), 0])
        floor = max(float(world.ground.height(place[0], place[2])), world.ground.water)
        if place[1] < floor + 1.5:
            continue
        inside = (np.hypot(foot[:, 0] - place[0], foot[:, 2] - place[2]) < reach[:, 0] + 1.0) & (
            place[1] < foot[:, 1] + reach[:, 2] + 1.0
        )
        if inside.any() or _hidden(foot, reach, place, middle, radius):
            continue
        eye = Eye(float(place[0]), float(place[1]), float(place[2]))
        target = middle[:, None] + np.array([[0.0, 0.0], [0.0, 0.5 * radius], [0.0, 0.0]])
        if sees(world.ground.height, eye, target[0], target[1], target[2], world.ground.water).all():
            return np.asarray(place)
    raise SceneError("rig: a camera does not see the main thing from any height; choose another arc or seed")


def _hidden(foot: Floats, reach: Floats, place: Floats, middle: Floats, radius: float) -> bool:
    """Return whether other things stand in the line to the middle, before the main thing."""
    way = middle - place
    length = float(np.linalg.norm(way))
    share = np.linspace(0.05, max(0.06, 1 - radius / length), 24)[:, None]
    x, y, z = (place + share * way).T[:, :, None]
    wide = 0.7 * reach[:, 0]
    blocked = (np.hypot(x - foot[:, 0], z - foot[:, 2]) < wide) & (y < foot[:, 1] + reach[:, 2])
    return bool(blocked.any())
