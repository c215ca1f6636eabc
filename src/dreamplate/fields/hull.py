"""The visual hull: where photographs with alpha leave room for content (Laurentini 1994)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.fields.brick_space import GridSpace
from dreamplate.fields.photographs import Photographs

__all__ = ["visual_hull"]

CLEAR = 1 / 512
"""Alpha below which a pixel counts as clear."""


def visual_hull(photographs: Photographs, space: GridSpace) -> Tensor:
    """Return which vertices of a grid may be near content, ``shape`` bool.

    A vertex is out when a photograph sees it and all pixels within a cell's reach are clear. Photographs
    through bent lenses are not asked. Only for grids that are even in the world (extent ``box``).
    """
    from dreamplate.fields.kernels.carve import carve

    content = np.ones(space.shape, np.uint8)
    views = [n for n, camera in enumerate(photographs.cameras) if camera.lens.ideal and camera.end is None]
    if not photographs.has_alpha or not views:
        return torch.from_numpy(content).bool()
    cameras = [photographs.cameras[n] for n in views]
    middle = space.low + space.cell * np.array(space.shape) / 2
    reach = float(np.linalg.norm(space.cell * np.array(space.shape))) / 2
    masks, starts, total = [], [], 0
    for n, camera in zip(views, cameras, strict=True):
        alpha = torch.from_numpy(photographs.picture(n)[:, :, 3])
        nearest = max(float(np.linalg.norm(camera.position - middle)) - reach, 0.25 * reach)
        pixels = int(np.ceil(0.87 * space.cell.max() * max(camera.fx, camera.fy) / nearest)) + 1
        solid = (alpha > CLEAR).float()[None, None]
        solid = functional.max_pool2d(solid, (2 * pixels + 1, 1), 1, (pixels, 0))
        solid = functional.max_pool2d(solid, (1, 2 * pixels + 1), 1, (0, pixels))
        masks.append((solid[0, 0] > 0).to(torch.uint8).numpy().ravel())
        starts.append(total)
        total += masks[-1].size
    poses = np.stack([np.linalg.inv(camera.camera_to_world)[:3] for camera in cameras])
    carve(
        space.shape[0] * space.shape[1],
        space.low.astype(np.float32),
        space.cell.astype(np.float32),
        poses.astype(np.float32),
        np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras], np.float32),
        np.array([(c.width, c.height) for c in cameras], np.int64),
        np.array(starts, np.int64),
        np.concatenate(masks),
        content,
    )
    return torch.from_numpy(content).bool()
