"""The visual hull: where photographs with alpha leave room for content (Laurentini 1994)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.fields.brick_space import GridSpace
from dreamplate.fields.photographs import Photographs
from dreamplate.plate.camera import Camera

__all__ = ["visual_hull"]

Mask = npt.NDArray[np.uint8]
SAME = 1 - 1e-6
"""Cosine above which two directions are one."""
CLEAR = 1 / 512
"""Alpha below which a pixel counts as clear."""


def visual_hull(photographs: Photographs, space: GridSpace) -> Tensor:
    """Return which vertices of a grid may be near content, ``shape`` bool.

    A vertex is out when a photograph sees it and all pixels within a cell's reach are clear. Photographs
    that were taken on the move are not asked. Only for grids that are even in the world (extent ``box``).
    """
    content = np.ones(space.shape, np.uint8)
    still = [n for n, camera in enumerate(photographs.cameras) if camera.end is None]
    if photographs.has_alpha and still:
        masks = {n: _near_content(photographs, n, space) for n in still}
        straight = [n for n in still if photographs.cameras[n].lens.ideal]
        if straight:
            _carve_straight(
                content, space, [photographs.cameras[n] for n in straight], [masks[n] for n in straight]
            )
        for n in still:
            if not photographs.cameras[n].lens.ideal:
                _carve_bent(content, space, photographs.cameras[n], masks[n])
    return torch.from_numpy(content).bool()


def _near_content(photographs: Photographs, view: int, space: GridSpace) -> Mask:
    """Return which pixels of a view have content within a cell's reach, ``(height, width)`` uint8."""
    camera = photographs.cameras[view]
    size = space.cell * np.array(space.shape)
    reach = float(np.linalg.norm(size)) / 2
    nearest = max(float(np.linalg.norm(camera.position - space.low - size / 2)) - reach, 0.25 * reach)
    pixels = int(np.ceil(0.87 * space.cell.max() * max(camera.fx, camera.fy) / nearest)) + 1
    solid = (torch.from_numpy(photographs.picture(view)[:, :, 3]) > CLEAR).float()[None, None]
    solid = functional.max_pool2d(solid, (2 * pixels + 1, 1), 1, (pixels, 0))
    solid = functional.max_pool2d(solid, (1, 2 * pixels + 1), 1, (0, pixels))
    return np.asarray((solid[0, 0] > 0).to(torch.uint8).numpy())


def _carve_straight(content: Mask, space: GridSpace, cameras: list[Camera], masks: list[Mask]) -> None:
    from dreamplate.fields.kernels.carve import carve

    poses = np.stack([np.linalg.inv(camera.camera_to_world)[:3] for camera in cameras])
    starts = np.concatenate([[0], np.cumsum([mask.size for mask in masks])[:-1]])
    carve(
        space.shape[0] * space.shape[1],
        space.low.astype(np.float32),
        space.cell.astype(np.float32),
        poses.astype(np.float32),
        np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras], np.float32),
        np.array([(c.width, c.height) for c in cameras], np.int64),
        starts.astype(np.int64),
        np.concatenate([mask.ravel() for mask in masks]),
        content,
    )


def _carve_bent(content: Mask, space: GridSpace, camera: Camera, mask: Mask) -> None:
    """Carve by one photograph through a bent lens."""
    left = np.argwhere(content)
    points = space.low + space.cell * left
    pixels, _ = camera.project(points)
    seen = ((pixels >= 0) & (pixels < [camera.width, camera.height])).all(axis=1)  # NaN is not
    left, points, pixels = left[seen], points[seen], pixels[seen]
    column, row = pixels.astype(np.int64).T
    clear = mask[row, column] == 0
    left, points, pixels = left[clear], points[clear], pixels[clear]
    # Far outside the picture a lens polynomial may turn back into it: only what its ray meets is seen.
    towards = points - camera.position
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    _, directions = camera.rays(pixels)
    x, y, z = left[(towards * directions).sum(axis=1) > SAME].T
    content[x, y, z] = 0
