"""Scenes of LLFF: ``poses_bounds.npy`` beside folders of photographs, ``images`` and smaller ``images_8``.

Rows are in the order of the sorted photographs, and are for the full ones; cameras are made for those there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.llff_format import llff_camera, llff_rows
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
    rows = llff_rows(place)
    if not len(rows):
        raise SceneError(f"{place}: holds no poses; export it again")
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
    return (
        (int(ending), folder.name)
        if ending.isdecimal()
        else (0 if folder.name == "images" else 1, folder.name)
    )


def _camera(row: npt.NDArray[np.float64], who: str) -> Callable[[int, int], Camera]:
    return lambda width, height: llff_camera(row, who)
