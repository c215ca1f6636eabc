"""COLMAP's model folder as a camera track, and a track as a folder that COLMAP reads.

Pictures are frames: the last number in a picture's name is its frame where all have one, or else they are
counted from 1 in order of names. Points and features are not cameras: a folder written here has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_track import CameraTrack, track_of_names
from dreamplate.scenes.colmap_cameras import camera_from_colmap, colmap_intrinsics, colmap_pose
from dreamplate.scenes.colmap_model import MODELS, read_colmap_model

__all__ = ["picture_names", "read_colmap", "write_colmap", "write_colmap_text"]

_Key = tuple[str, int, int, tuple[float, ...]]


def read_colmap(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read the cameras of a COLMAP model folder, text or binary.

    Raises:
        SceneError: There is no model, it is damaged, or it has a lens that we do not know.
    """
    model = read_colmap_model(path, points=False, features=False)
    if not model.images:
        raise SceneError(f"{model.folder}: registers no picture; nothing to read")
    found = []
    for image in model.images.values():
        where = f"{model.folder}: {image.name}"
        try:
            found.append(camera_from_colmap(model.cameras[image.camera_id], image, where))
        except (DreamplateError, ValueError) as error:
            raise error if isinstance(error, SceneError) else SceneError(f"{where}: {error}") from error
    return track_of_names(found)


def picture_names(track: CameraTrack) -> tuple[str, ...]:
    """Return a picture name for each frame: the camera's own, or one made of the frame number."""
    return tuple(camera.name or f"frame.{frame:04d}.png" for frame, camera in track.cameras.items())


def write_colmap(track: CameraTrack, path: str | Path) -> None:
    """Write a binary model folder without points.

    Raises:
        SceneError: A camera cannot be held, two have one name, or the folder has another model in it.
    """
    models, shared = _cameras(track)
    cameras = [struct.pack("<Q", len(models))]
    for (model, width, height, params), number in models.items():
        cameras.append(struct.pack(f"<iiQQ{len(params)}d", number, MODELS[model][0], width, height, *params))
    images = [struct.pack("<Q", len(track))]
    for number, (name, camera) in enumerate(_named(track), 1):
        turn, move = colmap_pose(camera)
        images.append(struct.pack("<I7dI", number, *turn, *move, shared[number - 1]))
        images.append(name.encode() + b"\0" + struct.pack("<Q", 0))
    _write(Path(path), ".bin", b"".join(cameras), b"".join(images), struct.pack("<Q", 0))


def write_colmap_text(track: CameraTrack, path: str | Path) -> None:
    """Write a text model folder without points.

    Raises:
        SceneError: As ``write_colmap``.
    """
    models, shared = _cameras(track)
    cameras = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    for (model, width, height, params), number in models.items():
        cameras.append(f"{number} {model} {width} {height} {_words(params)}")
    images = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME", "# POINTS2D[] as (X, Y, POINT3D_ID)"]
    for number, (name, camera) in enumerate(_named(track), 1):
        turn, move = colmap_pose(camera)
        images += [f"{number} {_words(turn)} {_words(move)} {shared[number - 1]} {name}", ""]
    points = "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n"
    first, second = ("\n".join(lines) + "\n" for lines in (cameras, images))
    _write(Path(path), ".txt", first.encode(), second.encode(), points.encode())


def _words(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _cameras(track: CameraTrack) -> tuple[dict[_Key, int], list[int]]:
    """Return the different intrinsics, numbered from 1, and the number of each frame's."""
    models: dict[_Key, int] = {}
    shared = []
    for camera in track.cameras.values():
        model, params = colmap_intrinsics(camera)
        key = (model, camera.width, camera.height, params)
        shared.append(models.setdefault(key, len(models) + 1))
    return models, shared


def _named(track: CameraTrack) -> list[tuple[str, Camera]]:
    names = picture_names(track)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SceneError(f"COLMAP needs a name for each picture; {twice!r} occurs twice")
    return list(zip(names, track.cameras.values(), strict=True))


def _write(folder: Path, ending: str, cameras: bytes, images: bytes, points: bytes) -> None:
    other = [f"{part}{e}" for part in ("rigs", "frames") for e in (".bin", ".txt")]
    other += [f"{part}{'.txt' if ending == '.bin' else '.bin'}" for part in ("cameras", "images", "points3D")]
    for name in other:
        if (folder / name).exists():
            raise SceneError(f"{folder}: has another model's {name}; choose an empty folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise_os_error(error, folder, SceneError)
    for part, data in (("cameras", cameras), ("images", images), ("points3D", points)):
        write_bytes_atomic(folder / f"{part}{ending}", data, family=SceneError)
