"""Scenes of LLFF: ``poses_bounds.npy`` beside folders of photographs, ``images`` and smaller ``images_8``.

Each row holds a 3 x 5 matrix, row by row, and the nearest and farthest depth. Its columns are down, right and
back of the camera, its place, and height, width and focal length of the full photographs. Rows are in the order of
the sorted photographs. The array is read as plain numbers: a file that holds anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError, SceneError
from dreamplate.files import raise_os_error
from dreamplate.plate.camera import Camera
from dreamplate.scenes.photographs import pictures_in
from dreamplate.scenes.scene import Scene
from dreamplate.scenes.views import Listed, gather, looks_one_way, mean_up

__all__ = ["read_llff_scene"]

USUAL_HOLDOUT = 8


def read_llff_scene(path: Path, holdout: int = USUAL_HOLDOUT, images: str = "") -> Scene:
    """Read an LLFF scene.

    Args:
        path: The folder, or ``poses_bounds.npy`` itself.
        holdout: Every n-th view is for testing, from the first on; 0 for none.
        images: Name of the folder of photographs, such as ``images_8``; when empty the largest that has as
            many photographs as there are poses.

    Raises:
        SceneError: The array is damaged or its number of rows fits no folder.
        MediaError: A photograph is damaged.
    """
    place = path if path.suffix == ".npy" else path / "poses_bounds.npy"
    rows = _rows(place)
    pictures = _pictures(place, images, len(rows))
    listed = [
        Listed(picture.name, picture, _camera(row, f"{place}: row {number} ({picture.name})"))
        for number, (picture, row) in enumerate(zip(pictures, rows, strict=True))
    ]
    found = gather(place, listed, holdout)
    cameras = [view.camera for view in found.views]
    bounds = rows[:, 15:]
    bounds = bounds[np.isfinite(bounds).all(axis=1) & (bounds > 0).all(axis=1)]
    return Scene(
        path,
        "llff",
        tuple(found.views),
        up=mean_up(cameras),
        near_far=(float(bounds.min()), float(bounds.max())) if len(bounds) else None,
        forward_facing=looks_one_way(cameras),
        missing=tuple(found.missing),
        notes={**found.notes, "photographs": f"from {pictures[0].parent.name}"},
    )


def _rows(place: Path) -> npt.NDArray[np.float64]:
    try:
        rows = np.load(place, allow_pickle=False)
    except OSError as error:
        raise_os_error(error, place, SceneError, "read")
    except (ValueError, EOFError, TypeError, SyntaxError) as error:
        raise SceneError(f"{place}: is no plain numpy array ({str(error)[:80]}); export it again") from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu" or rows.ndim != 2 or rows.shape[1] != 17:
        found = f"{rows.dtype} of shape {rows.shape}" if isinstance(rows, np.ndarray) else "an archive"
        raise SceneError(f"{place}: holds {found}; LLFF has numbers, 17 in a row")
    if not len(rows):
        raise SceneError(f"{place}: holds no poses; export it again")
    return rows.astype(np.float64)


def _pictures(place: Path, asked: str, count: int) -> tuple[Path, ...]:
    root = place.parent
    folders = [root / asked] if asked else sorted(root.glob("images*"), key=_factor)
    sizes = {folder.name: pictures_in(folder) for folder in folders if folder.is_dir()}
    for pictures in sizes.values():
        if len(pictures) == count:
            return pictures
    known = ", ".join(f"{name} has {len(pictures)}" for name, pictures in sizes.items())
    known = known or f"there is no folder {asked or 'images'}"
    raise SceneError(
        f"{place}: has {count} poses, and no folder has as many photographs ({known}); "
        f"remove those that were not placed"
    )


def _factor(folder: Path) -> tuple[int, str]:
    ending = folder.name.rpartition("_")[2]
    return (int(ending), folder.name) if ending.isdecimal() else (0 if folder.name == "images" else 1, folder.name)


def _camera(row: npt.NDArray[np.float64], who: str) -> Callable[[int, int], Camera]:
    def make(width: int, height: int) -> Camera:
        matrix = row[:15].reshape(3, 5)
        down, right, back, position, (full_height, full_width, focal) = matrix.T
        if not (np.isfinite(row).all() and full_height >= 1 and full_width >= 1):
            raise MediaError(f"{who}: holds NaN, infinity or a size of 0")
        pose = np.stack([right, -down, back, position], axis=1)
        w, h = round(full_width), round(full_height)
        return Camera(w, h, focal, focal, w / 2, h / 2, pose)

    return make
