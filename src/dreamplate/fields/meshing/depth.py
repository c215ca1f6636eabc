"""Distances that cameras see in a field: what depth fusion stands on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.fields.compositing import composite
from dreamplate.fields.method import Method
from dreamplate.fields.rays import Rays, Samples, camera_rays
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import Lens

__all__ = ["RaysOf", "median_range", "pinhole", "render_range"]

RaysOf = Callable[[Camera], Rays]
_RAY_BYTES = 1 << 19
"""What a ray is taken to need at most: two hundred samples through a network of width 256."""


def pinhole(camera: Camera, longest: int) -> Camera:
    """Return an ideal camera at rest in the same place, its longer side at most ``longest`` pixels."""
    factor = min(1.0, longest / max(camera.width, camera.height))
    small = camera.resized(max(1, round(camera.width * factor)), max(1, round(camera.height * factor)))
    return small.with_(lens=Lens(), end=None, rolling_shutter=None)


def median_range(samples: Samples) -> Tensor:
    """Return the distance ``(n,)`` at which half the light of each ray is stopped; infinite where it is not.

    Inside the interval where that happens, opacity is taken to grow evenly.
    """
    weights = composite(samples).weights
    found = weights.new_full((len(samples),), math.inf)
    if not len(weights):
        return found
    running = torch.cumsum(weights.double(), 0)
    before = torch.cat([running.new_zeros(1), running])
    after = running - before[samples.offsets[:-1]][samples.ray_indices]
    ahead = after - weights
    hit = (after >= 0.5) & (ahead < 0.5)
    share = ((0.5 - ahead[hit]) / weights[hit]).float()
    found[samples.ray_indices[hit]] = samples.starts[hit] + share * (samples.ends[hit] - samples.starts[hit])
    return found


def render_range(
    method: Method, camera: Camera, memory: int, device: str = "cpu", rays_of: RaysOf | None = None
) -> npt.NDArray[np.float32]:
    """Return the median distance along each pixel's ray, ``(height, width)``, infinite where nothing is.

    Args:
        method: The field.
        camera: Where to look from.
        memory: Bytes that this may take.
        device: Where the method is.
        rays_of: Makes the rays of a camera, with where they begin and end; from 0 to infinity when None.
    """
    rays = (rays_of or camera_rays)(camera)
    step = max(256, memory // 2 // _RAY_BYTES)
    parts = []
    with torch.no_grad():
        for first in range(0, len(rays), step):
            traced = method.trace(rays[first : first + step].to(device))
            parts.append(median_range(traced.samples).cpu())
    return torch.cat(parts).numpy().reshape(camera.height, camera.width)
