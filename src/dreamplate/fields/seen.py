"""Which space any camera sees: pyramids around what cameras show, and points against them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dreamplate.plate.camera import Camera

__all__ = ["any_sees", "pyramids"]

Planes = npt.NDArray[np.float64]

STEEP = 0.05
"""Least forward part of a direction that a pyramid can hold; wider cameras count as seeing all."""
EDGE = 33
"""Places along each side of a picture at which a lens is asked."""


def pyramids(cameras: Sequence[Camera]) -> Float[Tensor, "n 5 4"]:
    """Return the planes around what each camera shows, in world units.

    A point is inside where ``normal . point + offset >= 0`` for the five planes (four sides, and the plane
    of the camera). Bent lenses get the narrowest upright pyramid that holds the border of their picture;
    those that see sideways get none, and always see. Moving cameras are taken as they are at the opening.

    Args:
        cameras: The cameras.

    Returns:
        Unit normals and offsets, float32.
    """
    return torch.tensor(np.stack([_pyramid(camera) for camera in cameras]), dtype=torch.float32)


def any_sees(
    planes: Float[Tensor, "n 5 4"], points: Float[Tensor, "m 3"], radius: float = 0.0
) -> Bool[Tensor, " m"]:
    """Return which points are seen, bool: those with part of a ball around them inside a pyramid.

    Args:
        planes: Of ``pyramids``, on the device of the points.
        points: In the world.
        radius: Of the balls, in world units.
    """
    found = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    left = torch.arange(len(points), device=points.device)
    for camera in planes:
        own = points[left] @ camera[:, :3].T + camera[:, 3]
        inside = own.amin(1) >= -radius
        found[left[inside]] = True
        left = left[~inside]
        if not len(left):
            break
    return found


def _pyramid(camera: Camera) -> Planes:
    share = np.linspace(0, 1, EDGE)
    ends = np.zeros_like(share), np.ones_like(share)
    x = np.concatenate([share, share, *ends]) * camera.width
    y = np.concatenate([*ends, share, share]) * camera.height
    border = camera.directions(np.stack([x, y], 1))
    if not np.isfinite(border).all() or (-border[:, 2]).min() < STEEP:
        return np.tile(np.array([0.0, 0, 0, np.inf]), (5, 1))
    across, up = border[:, 0] / -border[:, 2], border[:, 1] / -border[:, 2]
    normals = np.array(
        [
            (1, 0, across.min()),
            (-1, 0, -across.max()),
            (0, 1, up.min()),
            (0, -1, -up.max()),
            (0, 0, -1),
        ],
        dtype=np.float64,
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    turned = normals @ camera.camera_to_world[:3, :3].T
    return np.concatenate([turned, -(turned @ camera.position)[:, None]], 1)
