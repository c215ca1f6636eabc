"""``cameras.json``: our own camera file, every field exact; and a camera as plain JSON values.

    {"format": "dreamplate-cameras", "version": 1, "fps": 24, "name": "shot", ..., "cameras": [
       {"frame": 1001, "width": 1920, "height": 1080, "fx": ..., "fy": ..., "cx": ..., "cy": ...,
        "camera_to_world": [[...], ...], "lens": {"kind": "perspective", "k1": ...}, ...}]}

Numbers are written with the digits that give the same float64 back. What is not stated is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import Lens
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.transforms_json import load_json

__all__ = ["CAMERAS_FORMAT", "camera_from_json", "camera_to_json", "read_cameras_json", "write_cameras_json"]

CAMERAS_FORMAT = "dreamplate-cameras"
_VERSION = 1


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """Return a camera as JSON values; ``camera_from_json`` gives the same camera back, bit for bit."""
    found: dict[str, Any] = {"name": camera.name} if camera.name else {}
    found |= {key: getattr(camera, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
    found["camera_to_world"] = camera.camera_to_world.tolist()
    if not camera.lens.ideal:
        found["lens"] = {"kind": camera.lens.kind, **camera.lens.coefficients}
    if camera.end is not None:
        found["end"] = camera.end.tolist()
    if camera.rolling_shutter is not None:
        found["rolling_shutter"] = list(camera.rolling_shutter)
    if camera.time is not None:
        found["time"] = camera.time
    if camera.film_width != 36.0:
        found["film_width"] = camera.film_width
    return found


def camera_from_json(found: Mapping[str, Any], where: str) -> Camera:
    """Return the camera that ``camera_to_json`` wrote.

    Args:
        found: Its values.
        where: File and entry, for messages.

    Raises:
        SceneError: A value is missing, of another type or out of bounds.
    """
    try:
        lens = dict(found.get("lens", {"kind": "perspective"}))
        end, rolling = found.get("end"), found.get("rolling_shutter")
        shutter = None
        if rolling is not None:
            a, b, c, d = map(float, rolling)
            shutter = (a, b, c, d)
        return Camera(
            int(found["width"]),
            int(found["height"]),
            float(found["fx"]),
            float(found["fy"]),
            float(found["cx"]),
            float(found["cy"]),
            np.array(found["camera_to_world"], np.float64),
            lens=Lens(lens.pop("kind"), {name: float(value) for name, value in lens.items()}),
            end=None if end is None else np.array(end, np.float64),
            rolling_shutter=shutter,
            time=None if found.get("time") is None else float(found["time"]),
            film_width=float(found.get("film_width", 36.0)),
            name=str(found.get("name", "")),
        )
    except KeyError as error:
        raise SceneError(f"{where}: has no {error.args[0]}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise SceneError(f"{where}: an entry is of another type ({error})") from error
    except DreamplateError as error:
        raise SceneError(f"{where}: {error}") from error


def track_to_json(track: CameraTrack) -> dict[str, Any]:
    """Return what a track says of itself, its cameras aside; nothing that it does not state."""
    found = {key: getattr(track, key) for key in ("name", "fps", "metres_per_unit", "up", "near_far")}
    return {key: value for key, value in found.items() if value not in (None, "")}


def track_from_json(found: Mapping[str, Any], cameras: Mapping[int, Camera], where: str) -> CameraTrack:
    """Return the track of what ``track_to_json`` wrote and its cameras.

    Raises:
        SceneError: A value is of another type or out of bounds.
    """
    try:
        reach = found.get("near_far")
        return CameraTrack(
            cameras,
            fps=None if found.get("fps") is None else float(found["fps"]),
            name=str(found.get("name", "")),
            metres_per_unit=None if found.get("metres_per_unit") is None else float(found["metres_per_unit"]),
            up=found.get("up"),
            near_far=None if reach is None else (float(reach[0]), float(reach[1])),
        )
    except (TypeError, ValueError, LookupError) as error:
        raise SceneError(f"{where}: an entry is of another type ({error})") from error
    except SceneError as error:
        raise SceneError(f"{where}: {error}") from error


def read_cameras_json(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read our own camera file; it says its sizes, and holds one camera.

    Raises:
        SceneError: It cannot be used.
    """
    place = Path(path)
    found = load_json(place)
    if not isinstance(found, dict) or found.get("format") != CAMERAS_FORMAT:
        raise SceneError(f"{place}: is no {CAMERAS_FORMAT} file; convert it with dreamplate cameras convert")
    if found.get("version") != _VERSION:
        raise SceneError(f"{place}: is of version {found.get('version')}; this program reads {_VERSION}")
    cameras: dict[int, Camera] = {}
    entries = found.get("cameras")
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        where = f"{place}: camera {number}"
        if not isinstance(entry, dict) or not isinstance(entry.get("frame"), int):
            raise SceneError(f"{where}: has no frame number")
        if entry["frame"] in cameras:
            raise SceneError(f"{where}: frame {entry['frame']} occurs twice")
        cameras[entry["frame"]] = camera_from_json(entry, where)
    return track_from_json(found, cameras, str(place))


def write_cameras_json(track: CameraTrack, path: str | Path) -> None:
    """Write our own camera file.

    Raises:
        SceneError: The file cannot be written.
    """
    entries = ({"frame": frame, **camera_to_json(camera)} for frame, camera in track.cameras.items())
    head = {"format": CAMERAS_FORMAT, "version": _VERSION, **track_to_json(track)}
    lines = ",\n  ".join(json.dumps(entry) for entry in entries)
    text = f'{json.dumps(head)[:-1]}, "cameras": [\n  {lines}\n]}}\n'
    write_bytes_atomic(path, text.encode(), family=SceneError)
