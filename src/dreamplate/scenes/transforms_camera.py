"""The camera of one frame of a ``transforms.json``: its pose, and intrinsics of the frame or the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError, SceneError
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import LENS_COEFFICIENTS, Lens, LensKind
from dreamplate.scenes.photographs import picture_header

__all__ = ["LENSES", "frame_camera"]

LENSES: dict[str, LensKind] = {
    "": "perspective",
    "PERSPECTIVE": "perspective",
    "PINHOLE": "perspective",
    "SIMPLE_PINHOLE": "perspective",
    "SIMPLE_RADIAL": "perspective",
    "RADIAL": "perspective",
    "OPENCV": "perspective",
    "FULL_OPENCV": "perspective",
    "OPENCV_FISHEYE": "fisheye",
    "FISHEYE": "fisheye",
    "SIMPLE_FISHEYE": "fisheye",
    "SIMPLE_RADIAL_FISHEYE": "fisheye",
    "RADIAL_FISHEYE": "fisheye",
    "THIN_PRISM_FISHEYE": "fisheye",
    "FOV": "fov",
    "EQUIRECTANGULAR": "equirectangular",
}
"""``camera_model`` → our lens."""


def frame_camera(
    top: Mapping[str, Any],
    frame: Mapping[str, Any],
    picture: Path | None,
    size: tuple[int, int] | None,
    where: str,
) -> Camera:
    """Return the camera of one frame.

    Args:
        top: The whole file.
        frame: The frame; what it says itself takes precedence.
        picture: Its picture, for the size, or None.
        size: Width and height where neither the file nor the picture says.
        where: File and frame, for messages.

    Raises:
        SceneError: Something is missing, is no number, or is a lens that is not known.
        MediaError: A number is out of bounds, or the pose is no rigid motion.
    """
    given = {**top, **frame}
    width, height = _size(given, picture, size, where)
    lens = _lens(given, where)
    cx, cy = (_number(given, key, where) for key in ("cx", "cy"))
    fx, fy = _focal(given, lens, width, height, where)
    first = "transform_matrix_start" if "transform_matrix_start" in frame else "transform_matrix"
    if first not in frame:
        raise SceneError(f"{where}: has no transform_matrix")
    rolling = given.get("rolling_shutter")
    if rolling is not None:
        rolling = tuple(_numbers(rolling, (4,), f"{where}: rolling_shutter").tolist())
    end = frame.get("transform_matrix_end")
    return Camera(
        width,
        height,
        fx,
        fy,
        width / 2 if cx is None else cx,
        height / 2 if cy is None else cy,
        _pose(frame[first], f"{where}: {first}"),
        lens=lens,
        end=None if end is None else _pose(end, f"{where}: transform_matrix_end"),
        rolling_shutter=rolling,
        time=_number(frame, "time", where),
        film_width=_number(given, "film_width", where) or 36.0,
        name=str(frame.get("file_path", "")),
    )


def _size(
    given: Mapping[str, Any],
    picture: Path | None,
    size: tuple[int, int] | None,
    where: str,
) -> tuple[int, int]:
    width, height = _number(given, "w", where), _number(given, "h", where)
    if width is not None and height is not None:
        if width != int(width) or height != int(height):
            raise SceneError(f"{where}: w and h are {width} and {height}; need whole numbers")
        return int(width), int(height)
    if picture is not None:
        header = picture_header(picture)
        return header.width, header.height
    if size is not None:
        return size
    raise SceneError(f"{where}: the picture is missing and the file gives no w and h; give the size")


def _focal(given: Mapping[str, Any], lens: Lens, width: int, height: int, where: str) -> tuple[float, float]:
    if lens.kind == "equirectangular":
        return width / math.tau, height / math.pi
    lengths: dict[str, float | None] = {}
    for axis, side in (("x", width), ("y", height)):
        length = _number(given, f"fl_{axis}", where)
        angle = _number(given, f"camera_angle_{axis}", where)
        if length is None and angle is not None:
            if not 0 < angle < math.pi:
                raise SceneError(f"{where}: camera_angle_{axis} is {angle}; need radians between 0 and pi")
            length = side / 2 / math.tan(angle / 2)
        lengths[axis] = length
    fx = lengths["y"] if lengths["x"] is None else lengths["x"]
    fy = lengths["x"] if lengths["y"] is None else lengths["y"]
    if fx is None or fy is None:
        raise SceneError(f"{where}: no focal length (fl_x or camera_angle_x)")
    return fx, fy


def _lens(given: Mapping[str, Any], where: str) -> Lens:
    model = str(given.get("camera_model", "")).upper()
    if given.get("is_fisheye"):
        model = "OPENCV_FISHEYE"
    elif any(key.startswith("ftheta_p") for key in given):
        model = "FTHETA"
    elif given.get("equirectangular") or given.get("latlong"):
        model = "EQUIRECTANGULAR"
    if model not in LENSES:
        names = ", ".join(filter(None, LENSES))
        raise SceneError(f"{where}: camera_model is {model}, which is not known here; known: {names}")
    kind = LENSES[model]
    known = LENS_COEFFICIENTS[kind]
    values = {name: value for name in known if (value := _number(given, name, where))}
    if kind == "perspective" and model != "FULL_OPENCV" and (odd := {"k4", "k5", "k6"} & set(values)):
        # nerfstudio's k4 is the coefficient of r^8, OpenCV's that of r^2 below the line.
        raise SceneError(
            f"{where}: {min(odd)} means different things in different programs; undistort the pictures, or "
            'set camera_model to "FULL_OPENCV" where it is OpenCV\'s'
        )
    if kind != "equirectangular":
        every = {name for names in LENS_COEFFICIENTS.values() for name in names}
        other = sorted(name for name in every - set(known) if _number(given, name, where))
        if other:
            raise SceneError(
                f"{where}: {model or 'the lens'} has no coefficient {other[0]}; repair camera_model"
            )
    return Lens(kind, values)


def _number(given: Mapping[str, Any], key: str, where: str) -> float | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SceneError(f"{where}: {key} is {str(value)[:40]!r}; need a number")
    return float(value)


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> npt.NDArray[np.float64]:
    try:
        found = np.array(value, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise SceneError(f"{what}: need numbers, {' x '.join(map(str, shape))}") from error
    if found.shape != shape:
        raise SceneError(f"{what}: need {' x '.join(map(str, shape))} numbers, found shape {found.shape}")
    return found


def _pose(value: Any, what: str) -> npt.NDArray[np.float64]:
    rows = len(value) if isinstance(value, list) else 0
    try:
        return _numbers(value, (3 if rows == 3 else 4, 4), what)
    except MediaError as error:
        raise SceneError(f"{what}: {error}") from error
