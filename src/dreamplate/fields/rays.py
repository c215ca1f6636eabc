"""Rays and samples along them: what passes between cameras, fields and the compositor."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from dreamplate.plate.camera import Camera

__all__ = ["Rays", "Samples", "camera_rays"]


@dataclass(frozen=True)
class Rays:
    """A batch of rays in the world of the capture. All float tensors are float32 on one device.

    Attributes:
        origins: ``(n, 3)``.
        directions: ``(n, 3)``, **unit length**: a distance along a ray is in world units ("range").
        near: ``(n,)`` where each ray begins to matter.
        far: ``(n,)`` where it ends.
        cosines: ``(n,)`` planar Z over range: the cosine of the angle to the viewing axis.
        views: ``(n,)`` int64 number of the photograph each ray comes from (for exposure, pose and
        appearance),
            or None for rays of a new camera.
        times: ``(n,)`` moments, for fields that move, or None.
        radii: ``(n,)`` radius of the pixel's cone at distance 1, or None.
    """

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor
    cosines: Tensor
    views: Tensor | None = None
    times: Tensor | None = None
    radii: Tensor | None = None

    def __len__(self) -> int:
        return self.origins.shape[0]

    def __getitem__(self, which: Any) -> Rays:
        """Return some of the rays: a slice, an index tensor or a mask."""
        return self._each(lambda value: value[which])

    def to(self, device: torch.device | str) -> Rays:
        """Return the rays on another device."""
        return self._each(lambda value: value.to(device))

    def with_(self, **changes: Any) -> Rays:
        """Return a copy with some tensors replaced."""
        return replace(self, **changes)

    def _each(self, change: Any) -> Rays:
        held = ((item.name, getattr(self, item.name)) for item in fields(self))
        changed: dict[str, Any] = {name: None if value is None else change(value) for name, value in held}
        return Rays(**changed)


@dataclass(frozen=True)
class Samples:
    """Intervals along rays with what a field found in them, packed: those of ray i lie together, in order.

    Attributes:
        offsets: ``(rays + 1,)`` int64; the samples of ray i are ``offsets[i] : offsets[i + 1]``.
        starts: ``(m,)`` distance along the ray (world units) at which each interval begins.
        ends: ``(m,)`` where it ends; at least the start.
        alphas: ``(m,)`` opacity of the interval, 0-1.
        colours: ``(m, 3)`` straight colour, in the encoding the field was trained in.
    """

    offsets: Tensor
    starts: Tensor
    ends: Tensor
    alphas: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return self.offsets.shape[0] - 1

    @property
    def ray_indices(self) -> Tensor:
        """``(m,)`` int64: which ray each sample belongs to."""
        counts = self.offsets[1:] - self.offsets[:-1]
        return torch.repeat_interleave(torch.arange(len(self), device=counts.device), counts)


def camera_rays(
    camera: Camera, pixels: Tensor | None = None, near: float = 0.0, far: float = float("inf")
) -> Rays:
    """Return the rays of a camera at rest.

    Args:
        camera: Its ``end`` and rolling shutter are not looked at.
        pixels: ``(n, 2)`` continuous positions (x, y); all pixel centres, row by row, when None.
        near: Where rays begin, in world units.
        far: Where they end.
    """
    places = camera.pixel_centres() if pixels is None else pixels.detach().cpu().double().numpy()
    own = camera.directions(places)
    turned = own @ camera.camera_to_world[:3, :3].T
    count = len(places)
    origin = torch.from_numpy(camera.position.astype("float32"))
    return Rays(
        origin.expand(count, 3).contiguous(),
        torch.from_numpy(turned).float(),
        torch.full((count,), float(near)),
        torch.full((count,), float(far)),
        torch.from_numpy(-own[:, 2]).float(),
        radii=torch.full((count,), 1 / (camera.fx * 3**0.5)),
    )
