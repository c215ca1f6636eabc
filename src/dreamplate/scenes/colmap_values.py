"""What a COLMAP model is made of: camera models, cameras, pictures, points, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["MODELS", "ColmapCamera", "ColmapImage", "ColmapPoints"]

Doubles = npt.NDArray[np.float64]

MODELS: dict[str, tuple[int, tuple[str, ...]]] = {
    "SIMPLE_PINHOLE": (0, ("f", "cx", "cy")),
    "PINHOLE": (1, ("fx", "fy", "cx", "cy")),
    "SIMPLE_RADIAL": (2, ("f", "cx", "cy", "k1")),
    "RADIAL": (3, ("f", "cx", "cy", "k1", "k2")),
    "OPENCV": (4, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2")),
    "OPENCV_FISHEYE": (5, ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4")),
    "FULL_OPENCV": (6, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    "FOV": (7, ("fx", "fy", "cx", "cy", "omega")),
    "SIMPLE_RADIAL_FISHEYE": (8, ("f", "cx", "cy", "k1")),
    "RADIAL_FISHEYE": (9, ("f", "cx", "cy", "k1", "k2")),
    "THIN_PRISM_FISHEYE": (10, ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "sx1", "sy1")),
    "RAD_TAN_THIN_PRISM_FISHEYE": (11, tuple(f"p{i}" for i in range(16))),
    "SIMPLE_DIVISION": (12, ("f", "cx", "cy", "k")),
    "DIVISION": (13, ("fx", "fy", "cx", "cy", "k")),
    "SIMPLE_FISHEYE": (14, ("f", "cx", "cy")),
    "FISHEYE": (15, ("fx", "fy", "cx", "cy")),
    "EUCM": (16, ("fx", "fy", "cx", "cy", "alpha", "beta")),
    "EQUIRECTANGULAR": (17, ("w", "h")),
}
"""Camera model → its number in binary files, and what its parameters are."""


@dataclass(frozen=True)
class ColmapCamera:
    """What pictures share: ``model`` names its parameters (see ``MODELS``), in pixels."""

    id: int
    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """One registered picture.

    Attributes:
        id: Its number in the model.
        name: File name below the picture folder.
        camera_id: Which camera took it.
        rotation: ``(4,)`` world-to-camera quaternion, real part first.
        translation: ``(3,)`` world-to-camera.
        pixels: ``(n, 2)`` places of the features found in it.
        point_ids: ``(n,)`` the point that each feature belongs to, -1 for none.
    """

    id: int
    name: str
    camera_id: int
    rotation: Doubles
    translation: Doubles
    pixels: Doubles = field(default_factory=lambda: np.zeros((0, 2)))
    point_ids: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, eq=False)
class ColmapPoints:
    """The points that were found.

    Attributes:
        ids: ``(n,)``.
        positions: ``(n, 3)``.
        colours: ``(n, 3)`` uint8, display-encoded.
        errors: ``(n,)`` mean reprojection error in pixels.
        tracks: ``(n,)`` how many pictures show each.
    """

    ids: npt.NDArray[np.int64]
    positions: Doubles
    colours: npt.NDArray[np.uint8]
    errors: Doubles
    tracks: npt.NDArray[np.int64]
