"""Nuke's ``.chan``: one line a frame, ``frame tx ty tz rx ry rz vfov``.

Camera-to-world in OpenGL axes; angles in degrees, turned about Z first, then X, then Y (``ZXY``, the order
that Nuke's cameras start with; choose it in the import dialogue). ``vfov`` is the vertical field of view in
degrees, so pixels are square and the principal point is the middle. The format knows no picture size; files
written here say it in a comment, which programs that read numbers skip.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import track_from_json, track_to_json
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.rotations import angles_zxy, matrix_of_angles

__all__ = ["read_chan", "write_chan"]

_HEAD = "# dreamplate "


def read_chan(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read a ``.chan`` file.

    Args:
        path: The file.
        size: Width and height of the pictures, needed where the file does not say.
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
        raise SceneError(f"{place}: is no text; need a .chan file") from error
    head: dict[str, Any] = {}
    for line in lines:
        if line.startswith(_HEAD):
            try:
                head = json.loads(line[len(_HEAD) :])
                width, height = head["size"]
                size = (int(width), int(height))
            except (ValueError, TypeError, KeyError) as error:
                raise SceneError(
                    f"{place}: its comment is damaged ({error}); write the file again"
                ) from error
    if size is None:
        raise SceneError(f"{place}: .chan files state no picture size; give --size WIDTH HEIGHT")
    if head.get("rotation_order", "ZXY") != "ZXY":
        raise SceneError(f"{place}: rotation order {head['rotation_order']}; only ZXY is known here")
    cameras: dict[int, Camera] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{place}: line {number}"
        frame, seen = _camera(line, size, where, float(head.get("film_width", 36.0)))
        if frame in cameras:
            raise SceneError(f"{where}: frame {frame} occurs twice")
        cameras[frame] = seen
    if not cameras:
        raise SceneError(f"{place}: holds no camera; need lines of frame tx ty tz rx ry rz vfov")
    return track_from_json(head, cameras, str(place))


def _camera(line: str, size: tuple[int, int], where: str, film: float) -> tuple[int, Camera]:
    words = line.split()
    if len(words) != 8:
        found = "no vfov" if len(words) == 7 else f"{len(words)} numbers"
        raise SceneError(f"{where}: has {found}; a camera's line is frame tx ty tz rx ry rz vfov")
    try:
        frame, *values = map(float, words)
        if frame != int(frame):
            raise SceneError(f"{where}: frame is {frame}; need a whole number")
        pose = np.eye(4)
        pose[:3, 3], pose[:3, :3] = values[:3], matrix_of_angles(values[3:6])
        if not 0 < values[6] < 180:
            raise SceneError(f"{where}: vfov is {values[6]}; need degrees between 0 and 180")
        focal = size[1] / 2 / math.tan(math.radians(values[6]) / 2)
        return int(frame), Camera(*size, focal, focal, size[0] / 2, size[1] / 2, pose, film_width=film)
    except (ValueError, OverflowError) as error:
        raise SceneError(f"{where}: {error}; need 8 numbers") from error
    except DreamplateError as error:
        raise error if isinstance(error, SceneError) else SceneError(f"{where}: {error}") from error


def write_chan(track: CameraTrack, path: str | Path) -> None:
    """Write a ``.chan`` file; off-centre principal points, lenses and ``fx`` are not in it.

    Raises:
        SceneError: The file cannot be written.
    """
    first = next(iter(track.cameras.values()))
    head = {"size": [first.width, first.height], "rotation_order": "ZXY", **track_to_json(track)}
    if first.film_width != 36.0:
        head["film_width"] = first.film_width
    lines = [_HEAD + json.dumps(head), "# frame tx ty tz rx ry rz vfov"]
    angles = None
    for frame, camera in track.cameras.items():
        angles = angles_zxy(camera.camera_to_world[:3, :3], angles)
        fov = math.degrees(2 * math.atan(camera.height / 2 / camera.fy))
        values = " ".join(repr(float(value)) for value in [*camera.position, *angles, fov])
        lines.append(f"{frame} {values}")
    write_bytes_atomic(path, ("\n".join(lines) + "\n").encode(), family=SceneError)
