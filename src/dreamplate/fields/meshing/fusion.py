"""Fusing what many cameras see into one signed distance (Curless and Levoy 1996).

A field's density has haze and hollows that no photograph shows; its *depth* is what the photographs agreed
on. Each point of a lattice takes the mean, over the cameras that see it, of its distance in front of or
behind the surface seen there, cut off at a few voxels. Where a camera looks through a point that is evidence
too: it carves floaters away. Points behind all surfaces are unknown and make no faces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import prange

from dreamplate.errors import SceneError
from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.meshing.mesh import Array
from dreamplate.fields.meshing.volume import Lattice, Progress, Volume
from dreamplate.plate.camera import Camera

__all__ = ["fuse", "spread_cameras"]

_TRUNCATION = 4.0
"""How far, in voxels, a distance is believed."""


def spread_cameras(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """Return up to so many cameras that stand far apart: each next one is the farthest from those chosen."""
    if len(cameras) <= count:
        return list(cameras)
    places = np.array([camera.position for camera in cameras])
    chosen = [int(np.argmax(np.linalg.norm(places - places.mean(0), axis=1)))]
    gap = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(gap)))
        gap = np.minimum(gap, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return [cameras[number] for number in sorted(chosen)]


def fuse(
    cameras: Sequence[Camera],
    ranges: Callable[[Camera], npt.NDArray[np.float32]],
    lattice: Lattice,
    progress: Progress = lambda name, done, total: None,
) -> Volume:
    """Return the signed distance of a lattice to what cameras see: positive inside, 0 on the surface.

    Args:
        cameras: Ideal pinholes (``depth.pinhole``).
        ranges: Gives the distance along the ray of each pixel of a camera, infinite where nothing is.
        lattice: Where the distances are wanted.
        progress: Told how far it is.

    Returns:
        Distances in world units, with ``known`` False where no camera has a say.

    Raises:
        SceneError: There is no camera, or none sees anything.
    """
    if not cameras:
        raise SceneError("depth fusion needs cameras, and the capture has none for training")
    total = np.zeros(lattice.counts, np.float32)
    count = np.zeros(lattice.counts, np.float32)
    origin = np.array(lattice.origin)
    seen = 0
    for number, camera in enumerate(cameras, 1):
        picture = ranges(camera)
        seen += int(np.isfinite(picture).sum())
        _fuse_view(
            lattice.counts[0], total, count, picture, origin, lattice.spacing, *_numbers(camera),
            _TRUNCATION * lattice.spacing,
        )  # fmt: skip
        progress("depth", number, len(cameras))
    if not seen:
        raise SceneError(
            "depth fusion found nothing: no camera sees anything half opaque; use --from density"
        )
    known = count > 0
    return Volume(lattice, (-total / np.where(known, count, 1)).astype(np.float32), known)


def _numbers(camera: Camera) -> tuple[Array, Array]:
    """Return ``(3, 4)`` world to camera, and ``fx fy cx cy``."""
    turn = camera.camera_to_world[:3, :3].T
    matrix = np.concatenate([turn, -(turn @ camera.position)[:, None]], 1)
    return np.ascontiguousarray(matrix), np.array([camera.fx, camera.fy, camera.cx, camera.cy])


def _point(x: Any, y: Any, z: Any, picture: Any, matrix: Any, lens: Any, cut: Any) -> Any:
    """Return a point's distance in front of what a camera sees, at most ``cut``; -2 cut for no answer."""
    own_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
    own_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
    ahead = -(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3])
    if ahead <= 0.0:
        return -2.0 * cut
    column = lens[2] + lens[0] * own_x / ahead - 0.5
    row = lens[3] - lens[1] * own_y / ahead - 0.5
    height = picture.shape[0]
    width = picture.shape[1]
    if column < 0.0 or row < 0.0 or column > width - 1.0 or row > height - 1.0:
        return -2.0 * cut
    away = (own_x * own_x + own_y * own_y + ahead * ahead) ** 0.5
    left = min(int(column), width - 2) if width > 1 else 0
    top = min(int(row), height - 2) if height > 1 else 0
    right = min(left + 1, width - 1)
    bottom = min(top + 1, height - 1)
    a = picture[top, left]
    b = picture[top, right]
    c = picture[bottom, left]
    d = picture[bottom, right]
    u = column - left
    v = row - top
    if max(a, b, c, d) - min(a, b, c, d) <= cut:  # one surface: between its pixels
        far = (a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v
    elif v < 0.5:
        far = a if u < 0.5 else b
    else:
        far = c if u < 0.5 else d
    return max(min(far - away, cut), -2.0 * cut)


_inner = scalar(_point)


@parallel
def _fuse_view(
    slices: Any,
    total: Any,
    count: Any,
    picture: Any,
    origin: Any,
    spacing: Any,
    matrix: Any,
    lens: Any,
    cut: Any,
) -> None:
    """Add one camera's word on every point; each thread has slices of x of its own."""
    for i in prange(slices):
        for j in range(total.shape[1]):
            for k in range(total.shape[2]):
                distance = _inner(
                    origin[0] + i * spacing,
                    origin[1] + j * spacing,
                    origin[2] + k * spacing,
                    picture,
                    matrix,
                    lens,
                    cut,
                )
                if distance > -cut:
                    total[i, j, k] += distance
                    count[i, j, k] += 1.0
