"""From what a scene file lists to views that can be used: absent files, bad poses, sizes, masks, hold-out.

Every reader makes ``Listed`` entries; ``gather`` looks at the files' headers and makes the views. What cannot
be used is left out and reported, never repaired in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError, SceneError
from dreamplate.plate.camera import Camera
from dreamplate.scenes.photographs import Header, find_picture, picture_header
from dreamplate.scenes.scene import Mask, Split, View

__all__ = ["Gathered", "Listed", "fit_camera", "gather", "hold_out", "looks_one_way", "mean_up"]

FACING = 0.8
"""Cosine of the widest angle between one camera and the mean of all in a forward-facing scene."""


@dataclass(frozen=True)
class Listed:
    """One view as a scene file lists it; nothing is checked yet.

    Attributes:
        name: What to call it.
        image: The photograph, maybe without its extension.
        camera: Makes the camera from the photograph's width and height, for files that state no size.
        split: What it is for; None where the format does not say.
        mask: Its mask, or None. A view whose mask is not there is left out.
        depth: Depth picture, or None.
        depth_scale: World units for one unit of its values.
        depth_kind: Planar ``z`` or ``range``.
        exposure: In stops, ``"header"`` for what the photograph's header says, or None.
    """

    name: str
    image: Path
    camera: Callable[[int, int], Camera]
    split: Split | None = None
    mask: Mask | None = None
    depth: Path | None = None
    depth_scale: float = 1.0
    depth_kind: Literal["z", "range"] = "z"
    exposure: float | Literal["header"] | None = "header"


@dataclass
class Gathered:
    """What became of the entries of a scene file.

    Attributes:
        views: Those that can be used.
        missing: Files that are listed and absent, as written.
        notes: What was left out, by topic.
    """

    views: list[View] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def gather(source: Path, listed: Sequence[Listed], holdout: int = 0) -> Gathered:
    """Make views of all entries whose photographs are there and whose poses are sound.

    Args:
        source: The scene file, for messages.
        listed: Its entries.
        holdout: Every n-th view without a split becomes ``test``, from the first on; 0 for none.

    Raises:
        SceneError: Nothing is left, or a mask or a camera is of another shape than its photograph.
        MediaError: A photograph is damaged.
    """
    if not listed:
        raise SceneError(f"{source}: lists no views; check that it is the right file")
    found = Gathered()
    spoilt: list[str] = []
    odd: list[str] = []
    for entry in listed:
        image = find_picture(entry.image)
        if image is None:
            found.missing.append(_shown(entry.image, source))
            continue
        header = picture_header(image)
        mask = _mask(entry, header)
        if entry.mask is not None and mask is None:
            found.missing.append(_shown(entry.mask.path, source))
            continue
        try:
            camera = entry.camera(header.width, header.height)
        except (MediaError, SceneError) as error:
            spoilt.append(str(error))
            continue
        camera = fit_camera(camera, header, f"{source}: view {entry.name!r} ({image.name})")
        depth = _depth(entry, header, odd)
        view = View(
            entry.name,
            replace(camera, name=entry.name),
            image,
            entry.split or "train",
            mask=mask,
            depth=depth,
            depth_scale=entry.depth_scale,
            depth_kind=entry.depth_kind,
            exposure=header.exposure if entry.exposure == "header" else entry.exposure,
        )
        found.views.append(view)
    if not found.views:
        raise SceneError(f"{source}: none of its {len(listed)} views can be used; {_why(found, spoilt)}")
    if spoilt:
        found.notes["left out"] = f"{_views(len(spoilt))} with bad cameras, the first: {spoilt[0]}"
    if odd:
        found.notes["depth"] = (
            f"{len(odd)} depth pictures are missing or of another size and are not used, the first: {odd[0]}"
        )
    if all(entry.split is None for entry in listed):
        found.views = list(hold_out(found.views, holdout))
    return found


def hold_out(views: Sequence[View], every: int) -> tuple[View, ...]:
    """Return views of which every n-th, from the first on, is for testing; 0 holds none out.

    Raises:
        SceneError: ``every`` is 1 or negative, which would leave nothing to train on.
    """
    if every < 0 or every == 1:
        raise SceneError(f"holdout is {every}: choose 0 for none, or 2 or more")
    if every == 0 or len(views) < 2:
        return tuple(views)
    return tuple(
        replace(view, split="test" if place % every == 0 else "train") for place, view in enumerate(views)
    )


def fit_camera(camera: Camera, header: Header, who: str) -> Camera:
    """Return the camera for the photograph's own size.

    A camera of another size and the same shape (to a pixel of rounding) is rescaled.

    Raises:
        SceneError: The shapes differ; names both sizes.
    """
    width, height = header.width, header.height
    if (camera.width, camera.height) == (width, height):
        return camera
    if abs(camera.width * height / camera.height - width) <= 1 or (
        abs(camera.height * width / camera.width - height) <= 1
    ):
        return camera.resized(width, height)
    turned = ""
    if abs(camera.height * height / camera.width - width) <= 1 and header.orientation >= 5:
        turned = (
            f" (Exif orientation {header.orientation}: the camera was found for pixels not turned upright)"
        )
    raise SceneError(
        f"{who}: the camera is for {camera.width} x {camera.height}, the photograph is {width} x {height}"
        f"{turned}; find the cameras again, or take the photographs they were found for"
    )


def mean_up(cameras: Sequence[Camera]) -> tuple[float, float, float]:
    """Return the unit mean of the cameras' own up vectors; +Z where they cancel out."""
    total = np.sum([camera.camera_to_world[:3, 1] for camera in cameras], axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6 * max(len(cameras), 1):
        return (0.0, 0.0, 1.0)
    x, y, z = (total / length).tolist()
    return (x, y, z)


def looks_one_way(cameras: Sequence[Camera]) -> bool:
    """Return whether no camera looks more than 37 degrees away from their mean direction."""
    forwards: npt.NDArray[np.float64] = np.stack([camera.forward for camera in cameras])
    mean = forwards.mean(axis=0)
    length = np.linalg.norm(mean)
    return bool(length > 0 and (forwards @ mean / length).min() >= FACING)


def _mask(entry: Listed, header: Header) -> Mask | None:
    path = find_picture(entry.mask.path) if entry.mask is not None else None
    if entry.mask is None or path is None:
        return None
    own = picture_header(path)
    if (own.width, own.height) != (header.width, header.height):
        raise SceneError(
            f"{path}: this mask is {own.width} x {own.height}, its photograph {entry.image.name} is "
            f"{header.width} x {header.height}; make the mask at the photograph's size"
        )
    return replace(entry.mask, path=path)


def _depth(entry: Listed, header: Header, odd: list[str]) -> Path | None:
    if entry.depth is None:
        return None
    path = find_picture(entry.depth)
    if path is None:
        odd.append(f"{entry.depth} is missing")
        return None
    own = picture_header(path)
    if (own.width, own.height) != (header.width, header.height):
        odd.append(f"{path} is {own.width} x {own.height}, not {header.width} x {header.height}")
        return None
    return path


def _shown(path: Path, source: Path) -> str:
    root = source if source.is_dir() else source.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _why(found: Gathered, spoilt: list[str]) -> str:
    if found.missing:
        return f"{len(found.missing)} photographs are missing, such as {found.missing[0]}; check the folder"
    return f"the first: {spoilt[0]}"


def _views(count: int) -> str:
    return "1 view" if count == 1 else f"{count} views"
