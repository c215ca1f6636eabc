"""Where rays begin and end in the extent of a scene."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dreamplate.fields.rays import Rays
from dreamplate.fields.spaces import Extent

__all__ = ["limited", "ray_limits"]


def ray_limits(extent: Extent, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distances at which rays begin and end to matter.

    In a box: where they enter and leave it. Forward-facing: where they pass the near and the far plane of
    the reference camera. Open: the extent's own near and far. A ray that misses begins where it ends.

    Args:
        extent: Of the scene.
        origins: ``(n, 3)`` in the world.
        directions: ``(n, 3)`` unit vectors.

    Returns:
        Near ``(n,)``, at least 0, and far ``(n,)``, at least near and perhaps infinite, in world units.
    """
    count = origins.shape[0]
    if extent.kind == "box":
        box = torch.as_tensor(extent.box, dtype=torch.float32, device=origins.device)
        safe = torch.where(directions.abs() < 1e-9, 1e-9, directions)
        sides = (box[:, None] - origins) / safe
        near = sides.amin(0).amax(1).clamp_min(extent.near)
        far = sides.amax(0).amin(1)
    elif extent.kind == "forward":
        reference = torch.as_tensor(extent.reference, dtype=torch.float32, device=origins.device)
        ahead = (reference[:3, 3] - origins) @ reference[:3, 2]
        pace = -(directions @ reference[:3, 2])
        pace = torch.where(pace > 1e-6, pace, 1e-6)
        near = ((extent.near - ahead) / pace).clamp_min(0)
        far = (extent.far - ahead) / pace
    else:
        near = origins.new_full((count,), extent.near)
        far = origins.new_full((count,), math.inf if not math.isfinite(extent.far) else extent.far)
    return near, torch.maximum(far, near)


def limited(rays: Rays, extent: Extent) -> Rays:
    """Return rays that begin and end in an extent."""
    near, far = ray_limits(extent, rays.origins, rays.directions)
    return rays.with_(near=near, far=far)
