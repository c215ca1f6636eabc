"""``transforms.json`` as a camera track, and a track as a ``transforms.json`` in nerfstudio's dialect.

What all frames share stands at the top, the rest in each frame. nerfstudio and instant-ngp read the names
that they know and skip ``frame``, ``film_width`` and the block ``dreamplate``, which are ours. A lens that
nerfstudio has no name for is written with COLMAP's name for it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from dreamplate.errors import SceneError
from dreamplate.files import write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import track_from_json, track_to_json
from dreamplate.scenes.camera_track import CameraTrack, track_of_names
from dreamplate.scenes.transforms_json import read_transforms

__all__ = ["read_transforms_track", "write_transforms_track"]


def read_transforms_track(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read the cameras of a ``transforms.json``.

    Frames are numbered by ``frame`` where the file has it, or else as ``track_of_names`` does.

    Raises:
        SceneError: The file cannot be used.
    """
    path = Path(path)
    path = path / "transforms.json" if path.is_dir() else path
    found = read_transforms(path, size=size)
    own = found.raw.get("dreamplate", {})
    if not isinstance(own, dict):
        raise SceneError(f"{path}: dreamplate is {str(own)[:40]!r}; need an object")
    numbers = [frame.raw.get("frame") for frame in found.frames]
    names = [frame.name for frame in found.frames]
    if any(not isinstance(number, int) for number in numbers) or len(set(numbers)) < len(numbers):
        by_name = "" not in names and len(set(names)) == len(names)
        cameras = [frame.camera for frame in found.frames]
        track = track_of_names(cameras) if by_name else CameraTrack.of(cameras)
        return track_from_json(own, track.cameras, str(path))
    numbered = {
        int(frame.raw["frame"]): frame.camera.with_(name=str(frame.raw.get("name", frame.camera.name)))
        for frame in found.frames
    }
    return track_from_json(own, numbered, str(path))


def write_transforms_track(track: CameraTrack, path: str | Path) -> None:
    """Write a ``transforms.json``.

    Raises:
        SceneError: The file cannot be written.
    """
    own = {frame: _intrinsics(camera) for frame, camera in track.cameras.items()}
    first = next(iter(own.values()))
    shared = {
        key: value for key, value in first.items() if all(key in o and o[key] == value for o in own.values())
    }
    frames = []
    for frame, camera in track.cameras.items():
        entry: dict[str, Any] = {"file_path": camera.name or f"images/frame.{frame:04d}.png", "frame": frame}
        if not camera.name:
            entry["name"] = ""
        entry |= {key: value for key, value in own[frame].items() if key not in shared}
        entry["transform_matrix"] = camera.camera_to_world.tolist()
        if camera.end is not None:
            entry["transform_matrix_start"] = entry["transform_matrix"]
            entry["transform_matrix_end"] = camera.end.tolist()
        if camera.time is not None:
            entry["time"] = camera.time
        frames.append(entry)
    head = dict(shared)
    if "fl_x" in shared and "w" in shared:
        head["camera_angle_x"] = 2 * math.atan(shared["w"] / 2 / shared["fl_x"])
    if track_to_json(track):
        head["dreamplate"] = track_to_json(track)
    text = json.dumps({**head, "frames": frames}, indent=1)
    write_bytes_atomic(path, (text + "\n").encode(), family=SceneError)


def _intrinsics(camera: Camera) -> dict[str, Any]:
    found: dict[str, Any] = {"camera_model": _model(camera), "w": camera.width, "h": camera.height}
    found |= {"fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy}
    found |= dict(camera.lens.coefficients)
    if camera.rolling_shutter is not None:
        found["rolling_shutter"] = list(camera.rolling_shutter)
    if camera.film_width != 36.0:
        found["film_width"] = camera.film_width
    return found


def _model(camera: Camera) -> str:
    """Return nerfstudio's name for the lens where it has one, otherwise COLMAP's."""
    lens = camera.lens
    if lens.ideal:
        return "PINHOLE"
    if lens.kind == "perspective":
        return "FULL_OPENCV" if {"k4", "k5", "k6"} & set(lens.coefficients) else "OPENCV"
    if lens.kind == "fisheye":
        return (
            "OPENCV_FISHEYE" if set(lens.coefficients) <= {"k1", "k2", "k3", "k4"} else "THIN_PRISM_FISHEYE"
        )
    return lens.kind.upper() if lens.kind == "fov" else "EQUIRECTANGULAR"
