"""RealEstate10K's camera lists: a video's address, then one line a frame.

    timestamp fx fy cx cy 0 0 r11 r12 r13 t1 r21 ... t3

Timestamps are microseconds; intrinsics are shares of width and height, measured from the corner, so that 0.5
is the middle; the 3 x 4 is world-to-camera in OpenCV's axes. The format knows no picture size and no frame
rate. Lists written here say both in the first line, which other readers skip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import track_from_json, track_to_json
from dreamplate.scenes.camera_track import CameraTrack

__all__ = ["read_realestate", "write_realestate"]

_OPENCV = np.array([1.0, -1.0, -1.0])
_HEAD = "dreamplate "


def read_realestate(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read a RealEstate10K (or ACID) list.

    In a list of ours frames have their numbers; in others they are counted from 1, and ``time`` is the
    timestamp in seconds.

    Args:
        path: The file.
        size: Width and height of the pictures, needed where the list does not say.
        camera: Not needed; the file holds one.

    Raises:
        SceneError: It cannot be used, or the size is not known.
    """
    place = Path(path)
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise_os_error(error, place, SceneError, "read")
    except UnicodeDecodeError as error:
        raise SceneError(f"{place}: is no text; need a RealEstate10K list") from error
    first = lines[0] if lines else ""
    head = _head(first, place)
    size = head.get("size", size)
    if size is None:
        raise SceneError(f"{place}: RealEstate10K lists state no picture size; give --size WIDTH HEIGHT")
    cameras: dict[int, Camera] = {}
    # The first line is an address; a list without one begins with numbers.
    start = 0 if len(first.split()) == 19 else 1
    for number, line in enumerate(lines[start:], start + 1):
        if not line.strip():
            continue
        where = f"{place}: line {number}"
        stamp, seen = _camera(line, size, where)
        frame = round(stamp * head["rate"] / 1e6) if "rate" in head else len(cameras) + 1
        if frame in cameras:
            raise SceneError(f"{where}: frame {frame} occurs twice")
        cameras[frame] = seen if "rate" in head else seen.with_(time=stamp / 1e6)
    if not cameras:
        raise SceneError(f"{place}: holds no camera; need a RealEstate10K list")
    return track_from_json(head, cameras, str(place))


def _head(first: str, place: Path) -> dict[str, Any]:
    if not first.startswith(_HEAD):
        return {}
    try:
        found = json.loads(first[len(_HEAD) :])
        width, height = found["size"]
        return {**found, "size": (int(width), int(height)), "rate": float(found["rate"])}
    except (ValueError, TypeError, KeyError) as error:
        raise SceneError(f"{place}: its first line is damaged ({error}); write the list again") from error


def _camera(line: str, size: tuple[int, int], where: str) -> tuple[float, Camera]:
    words = line.split()
    if len(words) != 19:
        raise SceneError(f"{where}: has {len(words)} numbers; a RealEstate10K line has 19")
    try:
        stamp, fx, fy, cx, cy, _, _, *pose = map(float, words)
        table = np.array(pose).reshape(3, 4)
        turn = table[:, :3].T
        placed = np.eye(4)
        placed[:3, :3], placed[:3, 3] = turn * _OPENCV, -turn @ table[:, 3]
        width, height = size
        return stamp, Camera(width, height, fx * width, fy * height, cx * width, cy * height, placed)
    except ValueError as error:
        raise SceneError(f"{where}: {error}; need 19 numbers") from error
    except DreamplateError as error:
        raise SceneError(f"{where}: {error}") from error


def write_realestate(track: CameraTrack, path: str | Path) -> None:
    """Write a RealEstate10K list; lenses are not in it.

    Raises:
        SceneError: The file cannot be written, or a frame is below 0, for which there is no timestamp.
    """
    rate = track.fps or 24.0
    first = next(iter(track.cameras.values()))
    if track.frames[0] < 0:
        raise SceneError(
            f"{path}: frame {track.frames[0]}: RealEstate10K has no timestamps below 0; shift frames"
        )
    head = {"size": [first.width, first.height], "rate": rate, **track_to_json(track)}
    lines = [_HEAD + json.dumps(head)]
    for frame, camera in track.cameras.items():
        turn = (camera.camera_to_world[:3, :3] * _OPENCV).T
        table = np.concatenate([turn, (-turn @ camera.position)[:, None]], axis=1)
        width, height = camera.width, camera.height
        inner = [camera.fx / width, camera.fy / height, camera.cx / width, camera.cy / height, 0.0, 0.0]
        values = " ".join(repr(float(value)) for value in [*inner, *table.ravel()])
        lines.append(f"{round(frame / rate * 1e6)} {values}")
    write_bytes_atomic(path, ("\n".join(lines) + "\n").encode(), family=SceneError)
