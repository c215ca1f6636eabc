"""``transforms.json``: the cameras of its frames, in the dialects of nerfstudio, instant-ngp and Blender.

Camera-to-world in OpenGL axes; pixels as ours (the centre of the first one is 0.5). Intrinsics stand at the
top, or in a frame, where they take precedence. Blender's dialect gives only ``camera_angle_x`` and needs the
pictures for their size. ``transform_matrix_start`` / ``_end`` and ``rolling_shutter`` are instant-ngp's.
Beside nerfstudio's names, ``camera_model`` may be any COLMAP name whose lens we know.

What a frame's masks and depth pictures mean is for the reader of scenes; it finds them in ``raw``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamplate.errors import DreamplateError, SceneError
from dreamplate.files import raise_os_error
from dreamplate.plate.camera import Camera
from dreamplate.scenes.photographs import find_picture
from dreamplate.scenes.transforms_camera import frame_camera

__all__ = ["Transforms", "TransformsFrame", "load_json", "read_transforms"]


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
    for number, frame in enumerate(frames):
        name = str(frame.get("file_path", "")) if isinstance(frame, dict) else ""
        where = f"{place}: {name or f'frame {number}'}"
        try:
            if not isinstance(frame, dict):
                raise SceneError(f"{where}: is no object with a transform_matrix")
            picture = find_picture(place.parent / name) if name else None
            found.append(
                TransformsFrame(name, picture, frame_camera(raw, frame, picture, size, where), frame)
            )
        except DreamplateError as error:
            if on_bad is not None:
                on_bad(name, str(error))
                continue
            whole = error if str(error).startswith(str(place)) else SceneError(f"{where}: {error}")
            raise whole from error
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
