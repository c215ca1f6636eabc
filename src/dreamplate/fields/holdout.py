"""Holdouts: something in the shot that hides the field, given as depth; rays end there.

Two ways to use what comes out:

* **clip**: the picture holds only what is in front of the holdout, and alpha says so. Put it over the element
  that held it out.
* **matte**: the holdout is in the picture as a solid black thing: alpha is 1 there, and depth passes see it.

A pixel without holdout is 0, negative, NaN, infinite or at least 1e10.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamplate.errors import MediaError
from dreamplate.fields.deep_exr import read_deep
from dreamplate.fields.passes import NOTHING
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.render_config import HoldoutConfig
from dreamplate.plate.box import Box
from dreamplate.plate.camera import Camera
from dreamplate.plate.io import read

__all__ = ["cut_samples", "read_holdout", "stops_of", "with_backing"]

Depths = npt.NDArray[np.float64]

_DEFAULT = {"z": "Z", "range": "depth.range", "deep": "Z"}
_SOLID = 0.5


def read_holdout(path: Path, config: HoldoutConfig, display: Box, camera: Camera) -> Depths:
    """Return planar depth ``(height, width)`` of the display window; infinite where nothing holds out.

    Deep files hold out where they are solid: at the depth by which half a pixel is covered.

    Args:
        path: The file of this frame.
        config: What is in it.
        display: Window of the frame to render.
        camera: That renders it, for depths along the ray.

    Raises:
        MediaError: It cannot be read, has no such channel, or is of another size.
    """
    channel = config.channel or _DEFAULT[config.kind]
    if config.kind == "deep":
        deep = read_deep(path)
        window, size, depths = deep.data, deep.display, deep.depth_of_cover(_SOLID)
    else:
        plate = read(path, channels=(channel,))
        window, size, depths = plate.data, plate.display, plate.pixels[:, :, 0].astype(np.float64)
    if (size.width, size.height) != (display.width, display.height):
        raise MediaError(
            f"{path}: holdout is {size.width}x{size.height}, the frame is {display.width}x{display.height};"
            " render the holdout at that size"
        )
    known = np.where(np.isfinite(depths) & (depths > 0) & (depths < NOTHING), depths, np.inf)
    full = np.full((display.height, display.width), np.inf)
    shared = window.intersect(size)
    rows = slice(shared.y - size.y, shared.bottom - size.y)
    columns = slice(shared.x - size.x, shared.right - size.x)
    top, left = shared.y - window.y, shared.x - window.x
    full[rows, columns] = known[top : top + shared.height, left : left + shared.width]
    if config.kind == "range":
        full *= -camera.directions(camera.pixel_centres())[:, 2].reshape(full.shape)
    return full


def stops_of(planar: Depths, pixels: npt.NDArray[np.int64], rays: Rays) -> Tensor:
    """Return the distance at which each ray ends, ``(n,)``; infinite outside the display window.

    Args:
        planar: As ``read_holdout`` gives it.
        pixels: ``(n, 2)`` column and row of each ray.
        rays: The rays.
    """
    height, width = planar.shape
    inside = np.asarray(((pixels >= 0) & (pixels < [width, height])).all(axis=1))
    place = np.where(inside[:, None], pixels, 0)
    depth = np.where(inside, planar[place[:, 1], place[:, 0]], np.inf)
    return torch.from_numpy(depth).float() / rays.cosines.clamp_min(1e-6)


def cut_samples(samples: Samples, stop: Tensor) -> Samples:
    """Return samples without what lies beyond ``stop`` ``(n,)``; a cut interval keeps its rest's opacity."""
    limit = stop[samples.ray_indices]
    length = samples.ends - samples.starts
    share = ((limit - samples.starts) / length.clamp_min(1e-20)).clamp(0, 1)
    share = torch.where(length > 0, share, (samples.starts < limit).to(share))
    cut = (1 - (1 - samples.alphas.double()) ** share.double()).to(samples.alphas)
    alphas = torch.where(samples.ends <= limit, samples.alphas, cut)
    ends = torch.minimum(samples.ends, torch.maximum(limit, samples.starts))
    return Samples(samples.offsets, samples.starts, ends, alphas, samples.colours)


def with_backing(samples: Samples, stop: Tensor) -> Samples:
    """Return samples with a solid black one at ``stop`` of every ray where that is finite."""
    solid = stop.isfinite()
    extra = torch.cat([solid.new_zeros(1, dtype=torch.long), solid.long().cumsum(0)])
    offsets = samples.offsets + extra
    place = torch.arange(len(samples.starts), device=stop.device) + extra[samples.ray_indices]
    last = offsets[1:][solid] - 1
    total = int(offsets[-1])

    def spread(values: Tensor, ends: Tensor | float) -> Tensor:
        made = values.new_zeros(total, *values.shape[1:])
        made[place] = values
        made[last] = ends
        return made

    at = stop[solid]
    return Samples(
        offsets,
        spread(samples.starts, at),
        spread(samples.ends, at),
        spread(samples.alphas, 1.0),
        spread(samples.colours, 0.0),
    )
