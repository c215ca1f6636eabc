"""Normalised device coordinates: the endless frustum in front of a camera, squeezed into a cube.

Mildenhall et al., "NeRF", 2020, appendix C. Points on a straight ray stay on a straight ray; even steps
along it are even in disparity. Positions are in the axes of a reference camera (OpenGL: looking along -z).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Sides", "distance_to_ndc", "ndc_points", "ndc_rays", "ndc_to_distance", "pinhole_sides"]

Sides = tuple[float, float, float, float]
"""``(x0, x1, y0, y1)``: where the frustum's sides are at distance 1; they come to lie at -1 and 1."""


def pinhole_sides(width: int, height: int, focal: float) -> Sides:
    """Return the sides of a camera's own frustum, its principal point in the middle."""
    x, y = width / 2 / focal, height / 2 / focal
    return (-x, x, -y, y)


def ndc_rays(
    origins: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"], near: float, sides: Sides
) -> tuple[Float[Tensor, "*n 3"], Float[Tensor, "*n 3"]]:
    """Return rays in NDC: origins on the near plane (z = -1), directions that reach z = 1 (infinity) at 1.

    Args:
        origins: In front of or behind the near plane; they are moved onto it.
        directions: Pointing forward (z below 0), of any length.
        near: Distance of the near plane.
        sides: Of the frustum.
    """
    onto = -(near + origins[..., 2:]) / directions[..., 2:]
    shifted = origins + onto * directions
    slopes = shifted[..., :2] / -shifted[..., 2:]
    scale, offset = _affine(sides, origins)
    depth = 1 + 2 * near / shifted[..., 2:]
    along = (directions[..., :2] / -directions[..., 2:] - slopes) * scale
    return (
        torch.cat([slopes * scale + offset, depth], dim=-1),
        torch.cat([along, -2 * near / shifted[..., 2:]], dim=-1),
    )


def ndc_points(points: Float[Tensor, "*n 3"], near: float, sides: Sides) -> Float[Tensor, "*n 3"]:
    """Return points (z below 0) in NDC."""
    scale, offset = _affine(sides, points)
    slopes = points[..., :2] / -points[..., 2:]
    return torch.cat([slopes * scale + offset, 1 + 2 * near / points[..., 2:]], dim=-1)


def ndc_to_distance(
    places: Float[Tensor, "n k"], origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], near: float
) -> Float[Tensor, "n k"]:
    """Return how far along the original rays places of the NDC rays are, in lengths of their directions.

    Args:
        places: Along the NDC ray, 0 (near plane) to below 1 (infinity).
        origins: Of the original rays.
        directions: Theirs.
        near: Distance of the near plane.
    """
    back, height = directions[:, 2:], origins[:, 2:]
    return (-near / (1 - places) - height) / back


def distance_to_ndc(
    distances: Float[Tensor, "n k"],
    origins: Float[Tensor, "n 3"],
    directions: Float[Tensor, "n 3"],
    near: float,
) -> Float[Tensor, "n k"]:
    """Undo ``ndc_to_distance``; places before the near plane are below 0."""
    depth = -(origins[:, 2:] + distances * directions[:, 2:])
    return 1 - near / depth


def _affine(sides: Sides, like: Tensor) -> tuple[Tensor, Tensor]:
    low, high = like.new_tensor([sides[0], sides[2]]), like.new_tensor([sides[1], sides[3]])
    scale = 2 / (high - low)
    return scale, -(high + low) / (high - low)
