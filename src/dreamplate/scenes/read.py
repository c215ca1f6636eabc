"""Scenes of every kind by one call, and what is checked of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from dreamplate.errors import SceneError
from dreamplate.scenes.photographs import picture_header
from dreamplate.scenes.scene import Scene, View

__all__ = ["KINDS", "check_scene", "guess_kind", "read_scene"]

KINDS: dict[str, tuple[str, str]] = {
    "dreamplate": ("our own scene.json", "scene.json"),
    "transforms": ("transforms.json of nerfstudio or instant-ngp", "transforms.json"),
    "blender": ("transforms_train.json, _val and _test, as the Blender scenes have", "transforms_train.json"),
    "llff": ("poses_bounds.npy of LLFF", "poses_bounds.npy"),
    "colmap": ("a COLMAP model, text or binary, with its photographs", "sparse/0"),
    "realestate10k": ("a RealEstate10K list beside a folder of its frames", "NAME.txt"),
}
"""Kind → what it is, and the file that such a scene has. Earlier ones win where a folder has several."""


def read_scene(
    path: str | os.PathLike[str], *, kind: str | None = None, holdout: int = 8, images: str = ""
) -> Scene:
    """Read a scene of any kind. Photographs are not decoded, only their headers are looked at.

    Views whose photograph or mask is missing are left out and named in ``Scene.missing``, those whose camera
    cannot be used (NaN in the pose) in ``Scene.notes["left out"]``; it is for the caller to warn.

    Args:
        path: The scene's folder, or the file that lists its views.
        kind: One of ``KINDS``; None finds out.
        holdout: Every n-th view, from the first on, is for testing, where the scene does not say itself; 0
            for none.
        images: Name of the folder of photographs where there are several (``images_4``), for LLFF and COLMAP.

    Raises:
        SceneError: The kind is unknown, the file is damaged, nothing can be used, or a mask or a camera does
            not fit its photograph.
        MediaError: A photograph is damaged.
    """
    place = Path(path)
    try:
        exists = place.exists()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise SceneError(f"{str(place)!r}: there is no such file or folder; check the path")
    if kind is not None and kind not in KINDS:
        raise SceneError(f"kind is {kind!r}: known are {', '.join(KINDS)}")
    kind = kind or guess_kind(place)
    scene = _reader(kind)(_place(place, kind), holdout, images)
    check_scene(scene)
    return scene


def guess_kind(path: Path) -> str:
    """Return the kind of scene that a file or a folder is.

    Raises:
        SceneError: It is none that is known; names them.
    """
    if path.is_file():
        by_name = {"scene.json": "dreamplate", "poses_bounds.npy": "llff"}
        by_ending = {".json": "transforms", ".npy": "llff", ".txt": "realestate10k", ".bin": "colmap"}
        colmap = path.name in ("cameras.txt", "images.txt", "points3D.txt")
        found = "colmap" if colmap else by_name.get(path.name) or by_ending.get(path.suffix.lower())
        if found:
            return found
    else:
        from dreamplate.scenes.colmap_model import find_colmap

        for kind in ("dreamplate", "transforms", "blender", "llff"):
            if (path / KINDS[kind][1]).is_file():
                return kind
        if find_colmap(path) is not None:
            return "colmap"
    wanted = ", ".join(name for _, name in KINDS.values())
    raise SceneError(
        f"{path}: is no scene that is known (looked for {wanted}); name the file that lists its views"
    )


def check_scene(scene: Scene) -> None:
    """Check that every file of a scene is there and of the size that its camera says; nothing is decoded.

    Raises:
        SceneError: It has no views to train on, or one of them does not fit.
        MediaError: A photograph is damaged.
    """
    if not scene.views:
        raise SceneError(f"{scene.path}: has no views; check that it is the right scene")
    if not scene.split("train"):
        raise SceneError(
            f"{scene.path}: none of its {len(scene.views)} views is for training; lower --holdout"
        )
    for view in scene.views:
        _check_view(view, scene.path)
    if scene.box is not None and not (
        scene.box.shape == (2, 3) and np.isfinite(scene.box).all() and (scene.box[0] < scene.box[1]).all()
    ):
        raise SceneError(
            f"{scene.path}: its box {scene.box.tolist()} is empty; need two corners, low and high"
        )
    if scene.near_far is not None and not 0 <= scene.near_far[0] < scene.near_far[1]:
        raise SceneError(f"{scene.path}: near and far are {scene.near_far}; need 0 <= near < far")


def _check_view(view: View, source: Path) -> None:
    wanted = (view.camera.width, view.camera.height)
    mask = None if view.mask is None else view.mask.path
    for what, path in (("photograph", view.image), ("mask", mask), ("depth picture", view.depth)):
        if path is None:
            continue
        if not path.is_file():
            raise SceneError(f"{source}: {what} {path} of view {view.name!r} is not there; check the folder")
        header = picture_header(path)
        if (header.width, header.height) != wanted:
            raise SceneError(
                f"{source}: view {view.name!r} has a camera for {wanted[0]} x {wanted[1]} and a {what} of "
                f"{header.width} x {header.height} ({path.name}); make them agree"
            )


def _place(path: Path, kind: str) -> Path:
    """Return the file or the folder that the reader of a kind wants."""
    if path.is_dir() and kind in ("dreamplate", "transforms"):
        return path / KINDS[kind][1]
    if path.is_file() and kind in ("blender", "colmap"):
        return path.parent
    return path


_READERS: dict[str, str] = {
    "dreamplate": "scene_file:read_scene_file",
    "transforms": "from_transforms:read_transforms_scene",
    "blender": "from_transforms:read_split_transforms",
    "llff": "from_llff:read_llff_scene",
    "colmap": "from_colmap:read_colmap_scene",
    "realestate10k": "from_realestate:read_realestate_scene",
}
"""Kind → module and function: ``(path, holdout, images) -> Scene``."""


def _reader(kind: str) -> Callable[[Path, int, str], Scene]:
    module, _, name = _READERS[kind].partition(":")
    found: Callable[[Path, int, str], Scene] = getattr(import_module(f"dreamplate.scenes.{module}"), name)
    return found
