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

__all__ = ["fuse", "spread_cameras", "trust"]

_TRUNCATION = 4.0
"""How far, in voxels, a distance is believed."""
_LEAST = 0.02
"""Least trust in a distance."""


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
            lattice.counts[0], total, count, picture, trust(camera, picture), origin, lattice.spacing,
            *_numbers(camera), _TRUNCATION * lattice.spacing,
        )  # fmt: skip
        progress("depth", number, len(cameras))
    if not seen:
        raise SceneError(
            "depth fusion found nothing: no camera sees anything half opaque; use --from density"
        )
    known = count > 0
    return Volume(lattice, (-total / np.where(known, count, 1)).astype(np.float32), known)


def trust(camera: Camera, picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how far each distance of a picture is to be believed, 0-1, ``(height, width)``.

    The cosine between ray and surface, from the places that neighbouring pixels see: little at grazing angles
    and at edges, where a pixel's error is large. Where nothing is seen the whole ray is empty: 1, but not
    beside things.
    """
    origins, along = camera.rays(camera.pixel_centres())
    shape = picture.shape
    seen = np.isfinite(picture)
    places = np.where(seen, picture, 0).reshape(-1, 1) * along + origins
    places = places.reshape(*shape, 3)
    if min(shape) < 2:
        return np.full(shape, _LEAST, np.float32)
    normal = np.cross(np.gradient(places, axis=1), np.gradient(places, axis=0))
    length = np.linalg.norm(normal, axis=2)
    cosine = np.abs((normal * along.reshape(*shape, 3)).sum(2)) / np.where(length > 0, length, 1)
    near = np.pad(seen, 1, mode="edge")
    around = np.stack([near[1:-1, :-2], near[1:-1, 2:], near[:-2, 1:-1], near[2:, 1:-1]])
    found = np.where(seen, np.where(around.all(0), cosine, 0), np.where(around.any(0), 0, 1))
    return np.maximum(found, _LEAST).astype(np.float32)


def _numbers(camera: Camera) -> tuple[Array, Array]:
    """Return ``(3, 4)`` world to camera, and ``fx fy cx cy``."""
    turn = camera.camera_to_world[:3, :3].T
    matrix = np.concatenate([turn, -(turn @ camera.position)[:, None]], 1)
    return np.ascontiguousarray(matrix), np.array([camera.fx, camera.fy, camera.cx, camera.cy])


def _point(
    x: Any, y: Any, z: Any, picture: Any, trusted: Any, matrix: Any, lens: Any, cut: Any
) -> tuple[Any, Any]:
    """Return a point's distance in front of what a camera sees, at most ``cut``, and the trust in it."""
    own_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
    own_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
    ahead = -(matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3])
    if ahead <= 0.0:
        return 0.0, 0.0
    column = lens[2] + lens[0] * own_x / ahead - 0.5
    row = lens[3] - lens[1] * own_y / ahead - 0.5
    height = picture.shape[0]
    width = picture.shape[1]
    if column < 0.0 or row < 0.0 or column > width - 1.0 or row > height - 1.0:
        return 0.0, 0.0
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
    distance = min(far - away, cut)
    if not distance > -cut:
        return 0.0, 0.0
    weight = trusted[
        top + (1 if v >= 0.5 and bottom > top else 0), left + (1 if u >= 0.5 and right > left else 0)
    ]
    return distance, weight * (1.0 + min(distance, 0.0) / cut)  # behind a surface it says less and less


_inner = scalar(_point)


@parallel
def _fuse_view(
    slices: Any,
    total: Any,
    count: Any,
    picture: Any,
    trusted: Any,
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
                distance, weight = _inner(
                    origin[0] + i * spacing,
                    origin[1] + j * spacing,
                    origin[2] + k * spacing,
                    picture,
                    trusted,
                    matrix,
                    lens,
                    cut,
                )
                total[i, j, k] += weight * distance
                count[i, j, k] += weight
