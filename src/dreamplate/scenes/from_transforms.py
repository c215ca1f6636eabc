"""Scenes of ``transforms.json``: nerfstudio, instant-ngp, and the split files of the Blender scenes.

What the dialects do not share, and would be wrong if guessed:

    masks    nerfstudio ``mask_path``: black means ignore. instant-ngp ``dynamic_mask_NAME.png`` beside the
             photograph: what is not black is ignored. Alpha 0 in a photograph means clear, never ignored.
    depth    nerfstudio ``depth_file_path``: whole numbers are millimetres. instant-ngp ``depth_path``: times
             ``integer_depth_scale``. Both along the viewing axis. Real numbers (EXR) are taken as they are.
    world    left as it is; instant-ngp's ``scale`` and ``offset`` only say where its box lies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError, SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.photographs import find_picture, picture_header
from dreamplate.scenes.scene import Mask, Scene, Split
from dreamplate.scenes.transforms_json import Transforms, TransformsFrame, read_transforms
from dreamplate.scenes.views import Listed, gather

__all__ = ["read_split_transforms", "read_transforms_scene"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")
SYNTHETIC_DISTANCE = 4.0311
"""How far the cameras of the Blender scenes published with NeRF stand from the origin."""
SYNTHETIC_BOUNDS = (2.0, 6.0)
SYNTHETIC_HALF = 1.5
NGP_SCALE, NGP_OFFSET = 0.33, 0.5


def read_transforms_scene(path: Path, holdout: int = 0, images: str = "") -> Scene:
    """Read a ``transforms.json``.

    Args:
        path: The file.
        holdout: Every n-th view is for testing; 0 for none. The file's own lists of names for splits win.
        images: Not used; the file says where the photographs are.

    Raises:
        SceneError: It is damaged, or nothing in it can be used.
        MediaError: A photograph is damaged.
    """
    transforms, listed = _listed(path, None)
    splits = _named_splits(transforms.raw)
    if splits:
        listed = [_with_split(entry, splits) for entry in listed]
    found = gather(path, listed, holdout)
    return Scene(
        path,
        "transforms",
        tuple(found.views),
        box=_ngp_box(transforms.raw),
        missing=tuple(found.missing),
        notes={**found.notes, **_notes(transforms.raw)},
    )


def read_split_transforms(path: Path, holdout: int = 0, images: str = "") -> Scene:
    """Read the ``transforms_train.json``, ``_val`` and ``_test`` of a folder, as Blender scenes have them.

    Clear pixels are meant to be seen over white. Cameras all at the distance of the published scenes mean the
    published bounds: content within 1.5 of the origin, 2 to 6 from the cameras.

    Args:
        path: The folder.
        holdout: Not used; the files are the splits.
        images: Not used; the files say where the photographs are.

    Raises:
        SceneError: A file is damaged, or nothing in them can be used.
        MediaError: A photograph is damaged.
    """
    listed: list[Listed] = []
    for split in SPLITS:
        place = path / f"transforms_{split}.json"
        if place.is_file():
            listed += _listed(place, split)[1]
    found = gather(path, listed)
    clear = any("A" in picture_header(view.image).channels for view in found.views)
    distances = np.array([np.linalg.norm(view.camera.position) for view in found.views])
    published = clear and bool(np.abs(distances - SYNTHETIC_DISTANCE).max() < 0.01)
    notes = {"bounds": "those of the Blender scenes published with NeRF"} if published else {}
    return Scene(
        path,
        "blender",
        tuple(found.views),
        box=np.array([[-SYNTHETIC_HALF] * 3, [SYNTHETIC_HALF] * 3]) if published else None,
        near_far=SYNTHETIC_BOUNDS if published else None,
        background=(1.0, 1.0, 1.0) if clear else None,
        missing=tuple(found.missing),
        notes={**found.notes, **notes},
    )


def _listed(path: Path, split: Split | None) -> tuple[Transforms, list[Listed]]:
    spoilt: list[Listed] = []

    def on_bad(name: str, reason: str) -> None:
        spoilt.append(Listed(_name(name, split), path.parent / name, _refusing(reason), split=split))

    transforms = read_transforms(path, on_bad=on_bad)
    return transforms, [*(_entry(frame, transforms, split) for frame in transforms.frames), *spoilt]


def _entry(frame: TransformsFrame, transforms: Transforms, split: Split | None) -> Listed:
    folder, raw = transforms.path.parent, frame.raw
    image = frame.picture or folder / frame.name
    mask: Mask | None = None
    if raw.get("mask_path"):
        mask = Mask(folder / str(raw["mask_path"]), "dark", "ignore")
    else:
        moving = image.with_name(f"dynamic_mask_{image.stem}.png")
        if moving.is_file():
            mask = Mask(moving, "nonzero", "ignore")
    depth, scale = _depth(raw, transforms.raw, folder)
    return Listed(
        _name(frame.name, split),
        image,
        _camera(frame.camera),
        split,
        mask=mask,
        depth=depth,
        depth_scale=scale,
    )


def _depth(frame: Mapping[str, Any], top: Mapping[str, Any], folder: Path) -> tuple[Path | None, float]:
    if frame.get("depth_file_path"):
        path, scale = folder / str(frame["depth_file_path"]), top.get("depth_unit_scale_factor", 1e-3)
    elif frame.get("depth_path"):
        path, scale = folder / str(frame["depth_path"]), top.get("integer_depth_scale", 1.0)
    else:
        return None, 1.0
    found = find_picture(path)
    if not isinstance(scale, int | float) or not scale > 0:
        raise SceneError(f"{path}: the scale of depth is {scale!r}; need a number above 0")
    whole = found is not None and picture_header(found).types[0].startswith("uint")
    return found or path, float(scale) if whole else 1.0


def _named_splits(raw: Mapping[str, Any]) -> dict[str, Split]:
    """Return file name → split, from nerfstudio's lists."""
    found: dict[str, Split] = {}
    for split in SPLITS:
        names = raw.get(f"{split}_filenames")
        if isinstance(names, list):
            found |= {str(name): split for name in names}
    return found


def _with_split(entry: Listed, splits: Mapping[str, Split]) -> Listed:
    # Views in none of the lists are left to be looked at, not to be learnt from.
    return replace(entry, split=splits.get(entry.name, "val"))


def _ngp_box(raw: Mapping[str, Any]) -> npt.NDArray[np.float64] | None:
    """Return the box that ``aabb_scale`` means, in the file's own world, or None without it."""
    side, scale = raw.get("aabb_scale"), raw.get("scale", NGP_SCALE)
    if (
        not isinstance(side, int | float)
        or not isinstance(scale, int | float)
        or not (side > 0 and scale > 0)
    ):
        return None
    offset = np.array(raw.get("offset", [NGP_OFFSET] * 3), np.float64).reshape(-1)
    if offset.shape != (3,) or not np.isfinite(offset).all():
        return None
    # It scales and moves the world before it renames the axes, so nothing has to be turned back.
    middle = (0.5 - offset) / scale
    return np.stack([middle - side / 2 / scale, middle + side / 2 / scale])


def _notes(raw: Mapping[str, Any]) -> dict[str, str]:
    notes = {}
    if "applied_transform" in raw:
        notes["world"] = f"the capture's program had turned its world by {raw['applied_transform']}"
    if "aabb_scale" in raw:
        notes["box"] = f"from aabb_scale {raw['aabb_scale']}"
    return notes


def _name(file_path: str, split: Split | None) -> str:
    name = file_path.removeprefix("./")
    return f"{split}/{name}" if split and not name.startswith(f"{split}/") else name


def _camera(camera: Camera) -> Callable[[int, int], Camera]:
    return lambda width, height: camera


def _refusing(reason: str) -> Callable[[int, int], Camera]:
    def refuse(width: int, height: int) -> Camera:
        raise MediaError(reason)

    return refuse
