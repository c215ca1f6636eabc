"""The cameras of our own ``scene.json``, whether its photographs are still there or not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dreamplate.errors import SceneError
from dreamplate.scenes.camera_json import camera_from_json
from dreamplate.scenes.camera_track import CameraTrack, track_of_names
from dreamplate.scenes.transforms_json import load_json

__all__ = ["SCENE_FORMAT", "read_scene_cameras"]

SCENE_FORMAT = "dreamplate scene"


def read_scene_cameras(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read the cameras of a scene's views, of every split; frames are numbered by their names.

    Raises:
        SceneError: The file is no scene of ours, or one of its cameras cannot be used.
    """
    place = Path(path)
    place = place / "scene.json" if place.is_dir() else place
    found = load_json(place)
    views = found.get("views") if isinstance(found, dict) and found.get("format") == SCENE_FORMAT else None
    if not isinstance(views, list) or not views:
        raise SceneError(f"{place}: is no {SCENE_FORMAT} with views; name its scene.json")
    cameras = []
    for number, view in enumerate(views, 1):
        name = str(view.get("name", number)) if isinstance(view, dict) else str(number)
        where = f"{place}: view {name!r}"
        if not isinstance(view, dict) or not isinstance(view.get("camera"), dict):
            raise SceneError(f"{where}: has no camera; copy the scene again")
        cameras.append(camera_from_json({**view["camera"], "name": name}, where))
    reach = found.get("near_far")
    known = isinstance(reach, list) and len(reach) == 2 and 0 < reach[0] < reach[1]
    up = found.get("up")
    axis: Literal["y", "z"] | None = "y" if up == [0, 1, 0] else "z" if up == [0, 0, 1] else None
    return track_of_names(cameras, up=axis, near_far=(float(reach[0]), float(reach[1])) if known else None)
