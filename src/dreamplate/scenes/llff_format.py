"""LLFF's ``poses_bounds.npy``: one row a picture, 3 x 5 row by row, then near and far.

The 3 x 5 holds camera-to-world with the columns down, right, back, then position, then (height, width, focal
length). The principal point is the middle, the focal length one for both axes, and there is no lens. Rows
follow the pictures in order of their names; the file names none of them.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError, SceneError
from dreamplate.files import raise_os_error, write_bytes_atomic
from dreamplate.plate.camera import Camera
from dreamplate.scenes.camera_track import CameraTrack

__all__ = ["llff_camera", "llff_rows", "read_llff", "write_llff"]


def llff_rows(path: str | Path) -> npt.NDArray[np.float64]:
    """Return the rows of a ``poses_bounds.npy``, ``(n, 17)``.

    Raises:
        SceneError: It cannot be read or has another shape.
    """
    place = Path(path)
    try:
        rows = np.load(io.BytesIO(place.read_bytes()), allow_pickle=False)
    except OSError as error:
        raise_os_error(error, place, SceneError, "read")
    except (ValueError, EOFError) as error:
        raise SceneError(f"{place}: is no numpy array ({str(error)[:80]}); need poses_bounds.npy") from error
    if (
        not isinstance(rows, np.ndarray)
        or rows.ndim != 2
        or rows.shape[1] != 17
        or rows.dtype.kind not in "fiu"
    ):
        raise SceneError(
            f"{place}: has shape {getattr(rows, 'shape', '?')}; a poses_bounds.npy has 17 columns"
        )
    return rows.astype(np.float64)


def llff_camera(row: npt.NDArray[np.float64], where: str, name: str = "") -> Camera:
    """Return the camera of one row, for the size that the row states.

    Raises:
        SceneError: A number is out of bounds.
    """
    table = row[:15].reshape(3, 5)
    down, right, back, position = table[:, 0], table[:, 1], table[:, 2], table[:, 3]
    height, width, focal = table[:, 4]
    if not np.isfinite(row[:15]).all():
        raise SceneError(f"{where}: holds NaN or infinity; leave this picture out or repair its pose")
    if width != round(width) or height != round(height):
        raise SceneError(f"{where}: the size is {width} x {height}; need whole numbers of pixels")
    pose = np.stack([right, -down, back, position], axis=1)
    try:
        return Camera(int(width), int(height), focal, focal, width / 2, height / 2, pose, name=name)
    except MediaError as error:
        raise SceneError(f"{where}: {error}") from error


def read_llff(
    path: str | Path, *, size: tuple[int, int] | None = None, camera: str | None = None
) -> CameraTrack:
    """Read a ``poses_bounds.npy``, or the one in a folder; frames are numbered from 1.

    Args:
        path: The file.
        size: Not needed; each row states its own. (``images_8`` and the like are smaller: resize.)
        camera: Not needed; the file holds one.

    Raises:
        SceneError: It cannot be used.
    """
    place = Path(path)
    place = place / "poses_bounds.npy" if place.is_dir() else place
    rows = llff_rows(place)
    cameras = [llff_camera(row, f"{place}: row {number}") for number, row in enumerate(rows, 1)]
    near, far = rows[:, 15].min(), rows[:, 16].max()
    return CameraTrack.of(cameras, near_far=(near, far) if 0 < near < far < np.inf else None)


def write_llff(track: CameraTrack, path: str | Path) -> None:
    """Write a ``poses_bounds.npy``; off-centre principal points, lenses and ``fy`` are not in it.

    Raises:
        SceneError: The track knows no near and far, which every reader of this format needs.
    """
    if track.near_far is None:
        raise SceneError(
            f"{path}: LLFF needs the nearest and farthest distance of the content; give --near-far"
        )
    rows = []
    for camera in track.cameras.values():
        right, up, back, position = camera.camera_to_world[:3].T
        about = np.array([camera.height, camera.width, camera.fx])
        table = np.stack([-up, right, back, position, about], axis=1)
        rows.append([*table.ravel(), *track.near_far])
    buffer = io.BytesIO()
    np.save(buffer, np.array(rows))
    write_bytes_atomic(path, buffer.getvalue(), family=SceneError)
