"""From the world of the capture to the coordinates that a NeRF network sees, and back to world distances.

* ``box``: the box scaled to -1..1 (longest side), or, for public checkpoints, the world as it is.
* ``forward``: normalised device coordinates of the reference camera; steps even in disparity.
* ``open``: the box scaled to -1..1, all beyond contracted to a ball of radius 2 (mip-NeRF 360; the paper has
  no scenes without end); steps even in disparity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dreamplate.fields.contraction import contract
from dreamplate.fields.limits import ray_limits
from dreamplate.fields.ndc import distance_to_ndc, ndc_points, ndc_rays, ndc_to_distance
from dreamplate.fields.rays import Rays
from dreamplate.fields.spaces import Extent

__all__ = ["Course", "NerfSpace"]

_ENDLESS = 1 - 1e-4
"""Place on an NDC ray beyond which its distance is not told: 10,000 times the near plane's."""
_REACH = 100.0
"""Open scenes are sampled up to this many half sides of their box."""
_FORWARD = 1e-4
"""Least forward part of a direction that NDC can hold."""


@dataclass(frozen=True)
class Course:
    """Rays as a network sees them.

    Attributes:
        origins: ``(n, 3)``.
        directions: ``(n, 3)``.
        near: ``(n,)`` first place, in lengths of the directions.
        far: ``(n,)`` last place.
        lengths: ``(n,)`` of the directions, in the unit that density counts in.
        alive: ``(n,)`` False where a ray has nothing to see.
        views: ``(n, 3)`` unit viewing directions.
        disparity: Even steps in disparity are wanted.
    """

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor
    lengths: Tensor
    alive: Tensor
    views: Tensor
    disparity: bool

    def points(self, places: Tensor) -> Tensor:
        """Return positions ``(n, k, 3)`` of places ``(n, k)``."""
        return self.origins[:, None] + places[..., None] * self.directions[:, None]


class NerfSpace:
    """Maps rays and points of one extent.

    Args:
        extent: Where content is.
        plain: Leave the world as it is inside a box.
        device: Where tensors are.
    """

    def __init__(self, extent: Extent, *, plain: bool, device: torch.device | str = "cpu") -> None:
        self.extent = extent
        box = torch.as_tensor(extent.box, dtype=torch.float32, device=device)
        same = plain and extent.kind == "box"
        self.centre = torch.zeros(3, device=device) if same else box.mean(0)
        self.half = 1.0 if same else float((box[1] - box[0]).max()) / 2
        reference = torch.as_tensor(extent.reference, dtype=torch.float32, device=device)
        self.turn, self.place = reference[:3, :3], reference[:3, 3]

    def enter(self, rays: Rays) -> Course:
        """Return rays as the network sees them, between where they and the extent begin and end.

        Directions of another length than 1 are good too; distances then count in their lengths.
        """
        near, far = ray_limits(self.extent, rays.origins, rays.directions)
        near = torch.maximum(near, rays.near)
        if self.extent.kind == "forward":
            # The extent's far plane does not end a ray: NDC reaches infinity, as in the paper.
            return self._forward(rays, near, torch.where(rays.far < far, rays.far, math.inf))
        far = torch.minimum(far, rays.far)
        if self.extent.kind == "open":
            far = far.clamp_max(_REACH * self.half)
        alive = far > near
        size = torch.linalg.vector_norm(rays.directions, dim=1)
        return Course(
            (rays.origins - self.centre) / self.half,
            rays.directions / self.half,
            near,
            torch.where(alive, far, near + self.half),
            size / self.half,
            alive,
            rays.directions / size[:, None],
            self.extent.kind == "open",
        )

    def _forward(self, rays: Rays, near: Tensor, far: Tensor) -> Course:
        origins, directions = self._own(rays)
        alive = directions[:, 2] < -_FORWARD
        directions = torch.where(alive[:, None], directions, directions.new_tensor([0.0, 0.0, -1.0]))
        start, along = ndc_rays(origins, directions, self.extent.near, self.extent.slopes)
        low, high = (
            distance_to_ndc(limit[:, None], origins, directions, self.extent.near)[:, 0].clamp(0, 1)
            for limit in (near.detach(), far.detach())
        )
        high = high.nan_to_num(1.0)
        alive = alive & (high > low)
        high = torch.where(alive, high, low + 1)
        lengths = torch.linalg.vector_norm(along, dim=1)
        views = directions / torch.linalg.vector_norm(directions, dim=1, keepdim=True)
        return Course(start, along, low, high, lengths, alive, views, False)

    def distances(self, rays: Rays, places: Tensor) -> Tensor:
        """Return the world distances ``(n, k)`` along the rays of places on their courses; all finite."""
        if self.extent.kind != "forward":
            return places
        origins, directions = self._own(rays)
        back = directions[:, 2].clamp_max(-_FORWARD)
        directions = torch.cat([directions[:, :2], back[:, None]], dim=1)
        return ndc_to_distance(places.clamp_max(_ENDLESS), origins, directions, self.extent.near)

    def squeeze(self, points: Tensor) -> Tensor:
        """Return points of courses as the network takes them: contracted, in open scenes."""
        return contract(points, "euclidean") if self.extent.kind == "open" else points

    def points(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return world points ``(n, 3)`` as the network takes them, and density a world unit for its density.

        In NDC the second follows from the line to the reference camera.
        """
        if self.extent.kind != "forward":
            return self.squeeze((points - self.centre) / self.half), points.new_full(
                (len(points),), 1 / self.half
            )
        own = (points - self.place) @ self.turn
        ahead = (-own[:, 2]).clamp_min(1e-6)
        seen = own[:, 2] < -1e-6
        own = torch.cat([own[:, :2], -ahead[:, None]], dim=1)
        pace = 2 * self.extent.near / (ahead * torch.linalg.vector_norm(own, dim=1))
        return ndc_points(own, self.extent.near, self.extent.slopes), torch.where(seen, pace, 0)

    def views(self, directions: Tensor) -> Tensor:
        """Return unit world directions as the network takes them."""
        return directions @ self.turn if self.extent.kind == "forward" else directions

    def _own(self, rays: Rays) -> tuple[Tensor, Tensor]:
        return (rays.origins - self.place) @ self.turn, rays.directions @ self.turn
