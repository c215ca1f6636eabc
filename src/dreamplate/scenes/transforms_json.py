"""``transforms.json``: the cameras of its frames, in the dialects of nerfstudio, instant-ngp and Blender.

Camera-to-world in OpenGL axes; pixels as ours (the centre of the first one is 0.5). Intrinsics stand at the
top, or in a frame, where they take precedence. Blender's dialect gives only ``camera_angle_x`` and needs the
pictures for their size. ``transform_matrix_start`` / ``_end`` and ``rolling_shutter`` are instant-ngp's.
Beside nerfstudio's names, ``camera_model`` may be any COLMAP name whose lens we know.

What a frame's masks and depth pictures mean is for the reader of scenes; it finds them in ``raw``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import DreamplateError, MediaError, SceneError
from dreamplate.files import raise_os_error
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import LENS_COEFFICIENTS, Lens, LensKind

__all__ = ["Transforms", "TransformsFrame", "find_picture", "load_json", "read_transforms"]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".exr", ".tif", ".tiff")
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


@dataclass(frozen=True, eq=False)
class TransformsFrame:
    """One frame.

    Attributes:
        name: ``file_path`` as it stands in the file.
        picture: Where the picture is, or None when it is missing.
        camera: Pose and lens; ``camera.name`` is ``name``.
        raw: The frame as it stands in the file.
    """

    name: str
    picture: Path | None
    camera: Camera
    raw: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Transforms:
    """A whole file: its frames in order, and everything that stands at the top."""

    path: Path
    frames: tuple[TransformsFrame, ...]
    raw: Mapping[str, Any]


def read_transforms(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    on_bad: Callable[[str, str], None] | None = None,
) -> Transforms:
    """Read a ``transforms.json``.

    Args:
        path: The file.
        size: Width and height of pictures where neither the file nor a picture says.
        on_bad: Called with a frame's name and the reason when its camera cannot be used (NaN in the pose, no
            size to be found); the frame is left out. Without it such a frame is an error.

    Raises:
        SceneError: The file cannot be used.
    """
    place = Path(path)
    raw = load_json(place)
    frames = raw.get("frames") if isinstance(raw, dict) else None
    if not isinstance(frames, list) or not frames:
        raise SceneError(f"{place}: holds no list of frames; need a transforms.json")
    found = []
    sizes: dict[Path, tuple[int, int]] = {}
    for number, frame in enumerate(frames):
        name = (
            str(frame.get("file_path", f"frame {number}")) if isinstance(frame, dict) else f"frame {number}"
        )
        where = f"{place}: {name}"
        try:
            if not isinstance(frame, dict):
                raise SceneError(f"{where}: is no object with a transform_matrix")
            picture = find_picture(place.parent, frame["file_path"]) if "file_path" in frame else None
            found.append(
                TransformsFrame(name, picture, _camera(raw, frame, picture, size, sizes, where), frame)
            )
        except DreamplateError as error:
            if on_bad is None:
                raise (
                    error if str(error).startswith(str(place)) else SceneError(f"{where}: {error}")
                ) from error
            on_bad(name, str(error))
    return Transforms(place, tuple(found), raw)


def load_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        SceneError: It cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise_os_error(error, path, SceneError, "read")
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{path}: is no JSON ({str(error)[:100]}); export it again") from error


def find_picture(folder: Path, name: str) -> Path | None:
    """Return the picture that ``file_path`` means, which may lack its extension; None when it is missing."""
    place = folder / name
    if place.is_file():
        return place
    for ending in PICTURE_ENDINGS:
        for spelling in (ending, ending.upper()):
            found = place.with_name(place.name + spelling)
            if found.is_file():
                return found
    return None


def _camera(
    top: Mapping[str, Any],
    frame: Mapping[str, Any],
    picture: Path | None,
    size: tuple[int, int] | None,
    sizes: dict[Path, tuple[int, int]],
    where: str,
) -> Camera:
    given = {**top, **frame}
    width, height = _size(given, picture, size, sizes, where)
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
    sizes: dict[Path, tuple[int, int]],
    where: str,
) -> tuple[int, int]:
    width, height = _number(given, "w", where), _number(given, "h", where)
    if width is not None and height is not None:
        if width != int(width) or height != int(height):
            raise SceneError(f"{where}: w and h are {width} and {height}; need whole numbers")
        return int(width), int(height)
    if picture is not None:
        if picture not in sizes:
            from dreamplate.plate import info

            about = info(picture)
            sizes[picture] = (about.width, about.height)
        return sizes[picture]
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
