"""Camera files of every known convention: found out, read, written, and what was lost said.

Each format (see ``camera_table.py``) has a module with ``read_X(path, size=, camera=) -> CameraTrack`` and
``write_X(track, path)``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_json import CAMERAS_FORMAT
from dreamplate.scenes.camera_properties import PROPERTIES
from dreamplate.scenes.camera_table import CAMERA_FORMATS, CameraFormat
from dreamplate.scenes.camera_track import CameraTrack
from dreamplate.scenes.colmap_model import find_colmap
from dreamplate.scenes.scene_cameras import SCENE_FORMAT

__all__ = ["CAMERA_FORMATS", "CameraFormat", "fitted", "format_of", "losses", "read_cameras", "write_cameras"]


def known() -> str:
    """Return the names of all formats, for messages."""
    return ", ".join(CAMERA_FORMATS)


def format_of(path: str | Path, *, writing: bool = False) -> str:
    """Return the name of the format that a path is of: by what is there, or for writing by its name.

    Raises:
        SceneError: It is of none; the message names those that are known.
    """
    place = Path(path)
    if not writing and not place.exists():
        raise SceneError(f"{place}: is not there; check the path")
    found = _for_writing(place) if writing else _sniff(place)
    if found is None:
        option = "--to" if writing else "`dreamplate cameras convert --from`"
        raise SceneError(f"{place}: is in no known camera convention; name one with {option}: {known()}")
    return found


def _for_writing(place: Path) -> str | None:
    name = place.name.lower()
    if not place.suffix or place.is_dir():
        return "colmap"
    if place.suffix.lower() == ".json":
        return next((kind for kind in ("transforms", "cameras") if kind in name), None)
    return _by_ending(name)


def _by_ending(name: str) -> str | None:
    return next((kind for kind, about in CAMERA_FORMATS.items() if name.endswith(about.endings or "/")), None)


def _sniff(place: Path) -> str | None:
    if place.is_dir():
        listed = {"scene.json": "scene", "transforms.json": "transforms", "poses_bounds.npy": "llff"}
        found = next((kind for name, kind in listed.items() if (place / name).is_file()), None)
        return found or (None if find_colmap(place) is None else "colmap")
    if place.suffix.lower() == ".json":
        from dreamplate.scenes.transforms_json import load_json

        found = load_json(place)
        own = found.get("format") if isinstance(found, dict) else None
        if own in (CAMERAS_FORMAT, SCENE_FORMAT):
            return "cameras" if own == CAMERAS_FORMAT else "scene"
        frames = found.get("frames") if isinstance(found, dict) else None
        first = frames[0] if isinstance(frames, list) and frames else None
        posed = isinstance(first, dict) and {"transform_matrix", "transform_matrix_start"} & set(first)
        return "transforms" if posed else None
    if place.name in ("cameras.txt", "images.txt", "cameras.bin", "images.bin"):
        return "colmap"
    return _by_ending(place.name.lower())


def read_cameras(
    path: str | Path,
    *,
    kind: str | None = None,
    size: tuple[int, int] | None = None,
    camera: str | None = None,
) -> CameraTrack:
    """Read a camera file of any known convention.

    Args:
        path: File, or folder for COLMAP and LLFF.
        kind: Name of the format; found out when None.
        size: Width and height of the pictures. Formats that do not state it need it; where it is stated the
            cameras are made for this size instead.
        camera: Which camera, where the file has several.

    Raises:
        SceneError: It is of no known convention, or cannot be used.
        MissingExtraError: USD is asked for and usd-core is not installed.
    """
    name = _checked(kind) if kind else format_of(path)
    place = Path(path)
    if name.startswith("colmap") and place.is_file():
        place = place.parent
    with np.errstate(all="ignore"):  # what overflows is refused by the camera that it would make
        track: CameraTrack = _load(CAMERA_FORMATS[name].reader)(place, size=size, camera=camera)
    return track if size is None else track.map(lambda each: _resized(each, size, str(path)))


def _resized(camera: Camera, size: tuple[int, int], where: str) -> Camera:
    width, height = size
    if (camera.width, camera.height) == size:
        return camera
    if abs(width / height * camera.height / camera.width - 1) > 0.01:
        raise SceneError(
            f"{where}: its pictures are {camera.width} x {camera.height}; "
            f"{width} x {height} has another shape; choose a --size of the same"
        )
    return camera.resized(width, height)


def losses(track: CameraTrack, kind: str) -> list[str]:
    """Return what a format cannot hold of a track, in words; empty when it holds everything."""
    keeps = CAMERA_FORMATS[_checked(kind)].keeps
    return [words for name, (has, words) in PROPERTIES.items() if name not in keeps and has(track)]


def write_cameras(track: CameraTrack, path: str | Path, *, kind: str | None = None) -> list[str]:
    """Write a camera file of any known convention; returns what it could not hold (see ``losses``).

    Raises:
        SceneError: It cannot be written, or the format cannot hold the track even nearly.
        MissingExtraError: USD is asked for and usd-core is not installed.
    """
    name = _checked(kind) if kind else format_of(path, writing=True)
    if not CAMERA_FORMATS[name].writer:
        raise SceneError(f"{path}: {name} is only read here; choose another convention with --to")
    _load(CAMERA_FORMATS[name].writer)(fitted(track, name), Path(path))
    return losses(track, name)


def fitted(track: CameraTrack, kind: str) -> CameraTrack:
    """Return the track that a format holds in place of this one.

    Raises:
        SceneError: A lens is so far from a pinhole that none can stand in for it.
    """
    keeps = CAMERA_FORMATS[_checked(kind)].keeps
    first = next(iter(track.cameras.values()))

    def fit(camera: Camera) -> Camera:
        if "lens" not in keeps and not camera.lens.ideal:
            if camera.lens.kind != "perspective":
                raise SceneError(
                    f"{kind}: cannot hold a {camera.lens.kind} lens; undistort the pictures, or use one of "
                    + ", ".join(name for name, about in CAMERA_FORMATS.items() if "lens" in about.keeps)
                )
            camera = camera.with_(lens=type(camera.lens)())
        if "sizes" not in keeps and (camera.width, camera.height) != (first.width, first.height):
            camera = camera.resized(first.width, first.height)
        if "aspect" not in keeps:
            camera = camera.with_(fy=camera.fx)
        if "centre" not in keeps:
            camera = camera.with_(cx=camera.width / 2, cy=camera.height / 2)
        return camera

    return track.map(fit)


def _checked(kind: str) -> str:
    if kind not in CAMERA_FORMATS:
        raise SceneError(f"no camera convention {kind!r}; known: {known()}")
    return kind


def _load(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
