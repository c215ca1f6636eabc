"""Distances that cameras see in a field: what depth fusion stands on."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.fields.compositing import composite
from dreamplate.fields.meshing.volume import points_at_once
from dreamplate.fields.method import Method
from dreamplate.fields.rays import Samples, camera_rays
from dreamplate.plate.camera import Camera
from dreamplate.plate.lens import Lens

__all__ = ["median_range", "pinhole", "render_range"]

_SAMPLES_PER_RAY = 128


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


def render_range(method: Method, camera: Camera, memory: int, device: str = "cpu") -> npt.NDArray[np.float32]:
    """Return the median distance along each pixel's ray, ``(height, width)``, infinite where nothing is."""
    rays = camera_rays(camera)
    step = max(256, points_at_once(memory) // _SAMPLES_PER_RAY)
    parts = []
    with torch.no_grad():
        for first in range(0, len(rays), step):
            traced = method.trace(rays[first : first + step].to(device))
            parts.append(median_range(traced.samples).cpu())
    return torch.cat(parts).numpy().reshape(camera.height, camera.width)
