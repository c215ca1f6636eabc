"""The scene: posed photographs as they come from a capture, in the capture's own world and units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import SceneError
from dreamplate.plate.camera import Camera

__all__ = ["Mask", "Points", "Scene", "Split", "View"]

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Mask:
    """A mask beside a photograph.

    Attributes:
        path: Grey picture of the photograph's size.
        marks: Which of its values mark the pixels meant: ``dark`` (below half), ``light`` (half and more), or
            ``nonzero`` (anything but 0, so that whole numbers 0 and 1 do).
        meaning: ``ignore``: nothing is known there, no loss is taken. ``transparent``: nothing is there, the
            photograph's alpha is 0. (Alpha inside the photograph itself is a third thing, and always holds.)
    """

    path: Path
    marks: Literal["dark", "light", "nonzero"] = "dark"
    meaning: Literal["ignore", "transparent"] = "ignore"


@dataclass(frozen=True, eq=False)
class View:
    """One photograph and where it was taken.

    Attributes:
        name: Unique within the scene.
        camera: Pose and lens, for the photograph's own size.
        image: The photograph; EXR and other linear originals are kept as they are.
        split: What it is for.
        mask: What to leave out, or None.
        depth: Depth picture of the photograph's size, or None; 0 and NaN mean unknown.
        depth_scale: World units for one unit of the depth picture's values (integers as stored).
        depth_kind: Whether depth is planar ``z`` or ``range`` along the ray.
        exposure: Exposure value from the photograph's metadata, in stops, or None.
    """

    name: str
    camera: Camera
    image: Path
    split: Split = "train"
    mask: Mask | None = None
    depth: Path | None = None
    depth_scale: float = 1.0
    depth_kind: Literal["z", "range"] = "z"
    exposure: float | None = None


@dataclass(frozen=True, eq=False)
class Points:
    """Points that structure from motion found.

    Attributes:
        positions: ``(n, 3)`` float64 in the world.
        colours: ``(n, 3)`` uint8, display-encoded.
        errors: ``(n,)`` mean reprojection error in pixels.
        tracks: ``(n,)`` how many views saw each.
    """

    positions: npt.NDArray[np.float64]
    colours: npt.NDArray[np.uint8]
    errors: npt.NDArray[np.float64]
    tracks: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scene:
    """Posed views of one place.

    Attributes:
        path: The file or folder it was read from.
        kind: The convention it was read by, such as ``transforms`` or ``colmap``.
        views: All views; names are unique.
        points: Sparse points, or None.
        up: Unit vector of the world that points up, as far as the format says.
        box: ``(2, 3)`` corners of a box known to hold everything of interest, or None for open scenes.
        near_far: Nearest and farthest distance of content from the cameras, where the format says, or None.
        forward_facing: Whether all cameras look the same way at content in front of them (LLFF).
        background: ``(r, g, b)`` display-encoded colour that clear pixels were made for, or None.
        missing: Files that the scene lists and that are not there; their views are left out.
        notes: What else the reader wants said, by topic.

    Raises:
        SceneError: Two views have one name.
    """

    path: Path
    kind: str
    views: tuple[View, ...]
    points: Points | None = None
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    box: npt.NDArray[np.float64] | None = None
    near_far: tuple[float, float] | None = None
    forward_facing: bool = False
    background: tuple[float, float, float] | None = None
    missing: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [view.name for view in self.views]
        twice = (
            sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        )
        if twice:
            raise SceneError(
                f"{self.path}: {len(twice)} views have names that occur twice, such as {twice[0]!r}"
            )

    def split(self, name: Split) -> tuple[View, ...]:
        """Return the views of one split, in order."""
        return tuple(view for view in self.views if view.split == name)
