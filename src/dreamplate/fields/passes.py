"""From samples along rays to passes: colour, depths, positions, normals, motion.

    pass         channels               type   meaning, where nothing is
    beauty       R G B A                half   scene-linear, premultiplied; 0
    z            Z                      float  mean planar distance, world units; 1e10
    range        depth.range            float  mean distance along the ray; 1e10
    median       depth.median           float  planar distance of half the opacity ("the surface"); 1e10
    variance     depth.variance         float  variance of planar distance, square units; 0
    position     P.x P.y P.z            float  the surface in the world; 0
    normal       N.x N.y N.z            half   unit normal there, in the world, towards the camera; 0
    forward      motion.forward.u .v    float  pixels from this frame to the next, u right, v down; 0
    backward     motion.backward.u .v   float  pixels from this frame to the one before; 0
    acc          acc                    float  opacity of the ray through the pixel's centre; 0
    uncertainty  uncertainty            float  spread of distance: deviation over mean, 0 for one surface; 0

Beauty is filtered. The other passes belong to the one ray through the pixel's centre at the frame's own
moment with a closed aperture, because a mean of two depths is none. "Nothing" is opacity below ``FAINT``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from dreamplate.fields.compositing import Composite, composite_packed
from dreamplate.fields.rays import Rays, Samples
from dreamplate.fields.volume import unpack
from dreamplate.plate.camera import Camera

__all__ = [
    "CHANNELS",
    "FAINT",
    "NOTHING",
    "Surface",
    "beauty_of",
    "camera_motion",
    "decode",
    "normals_at",
    "surface_of",
]

FAINT = 1e-3
"""Opacity below which a ray met nothing: no depth, position, normal or motion."""
NOTHING = 1e10
"""Depth where nothing is: far, and finite, so that no filter makes NaN of it."""
CHANNELS: dict[str, tuple[str, ...]] = {
    "beauty": ("R", "G", "B", "A"),
    "z": ("Z",),
    "range": ("depth.range",),
    "median": ("depth.median",),
    "variance": ("depth.variance",),
    "position": ("P.x", "P.y", "P.z"),
    "normal": ("N.x", "N.y", "N.z"),
    "forward": ("motion.forward.u", "motion.forward.v"),
    "backward": ("motion.backward.u", "motion.backward.v"),
    "acc": ("acc",),
    "uncertainty": ("uncertainty",),
}
"""Pass → its channels."""


@dataclass(frozen=True)
class Surface:
    """What one ray through each pixel met.

    Attributes:
        opacity: ``(n,)``.
        met: ``(n,)`` bool: whether opacity is at least ``FAINT``.
        distance: ``(n,)`` mean distance along the ray; ``NOTHING`` where nothing was met.
        planar: ``(n,)`` mean planar distance; as above.
        median: ``(n,)`` distance along the ray at which half the opacity lies in front; as above.
        variance: ``(n,)`` of planar distance; 0 where nothing was met.
        points: ``(n, 3)`` float64 world positions at the median; 0 where nothing was met.
    """

    opacity: Tensor
    met: Tensor
    distance: Tensor
    planar: Tensor
    median: Tensor
    variance: Tensor
    points: Tensor


def beauty_of(made: Composite, encoding: str) -> Float[Tensor, "n 4"]:
    """Return premultiplied scene-linear colour and opacity.

    Fields are trained on composites in their own encoding, so light is composited there and decoded after:
    straight, per ray.
    """
    light = decode_premultiplied(made.colour, made.opacity, encoding)
    return torch.cat([light, made.opacity[:, None]], dim=1)


def decode_premultiplied(colour: Tensor, opacity: Tensor, encoding: str) -> Tensor:
    """Return premultiplied scene-linear light; ``colour`` is premultiplied in the encoding."""
    if encoding == "scene_linear":
        return colour
    cover = opacity[:, None]
    straight = torch.where(cover > 0, colour / cover.clamp_min(1e-12), torch.zeros_like(colour))
    return decode(straight, encoding) * cover


def decode(straight: Tensor, encoding: str) -> Tensor:
    """Return straight scene-linear light: IEC 61966-2-1, mirrored below 0, going on above 1."""
    if encoding == "scene_linear":
        return straight
    # In double: a vectorised power in single rounds the last few values of a batch otherwise than the rest.
    size = straight.double().abs()
    light = torch.where(size <= 0.04045, size / 12.92, ((size.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)
    return (torch.sign(straight) * light).to(straight.dtype)


def surface_of(rays: Rays, samples: Samples, made: Composite) -> Surface:
    """Return what rays met, from their samples and the weights that compositing gave these."""
    met = made.opacity >= FAINT
    cover = made.opacity.clamp_min(1e-12)
    distance = made.depth / cover
    mids = (samples.starts + samples.ends) / 2
    # Deviations from the mean first: the difference of two large squares would be noise.
    spread = (mids - distance[samples.ray_indices]).square()
    second = composite_packed(samples.offsets, samples.alphas, torch.zeros_like(samples.colours), spread)[3]
    median = _median(samples, made.weights, made.opacity)
    nothing = torch.full_like(distance, NOTHING)
    far = torch.where(met, median, 0).double()[:, None]
    points = rays.origins.double() + rays.directions.double() * far
    return Surface(
        made.opacity,
        met,
        torch.where(met, distance, nothing),
        torch.where(met, distance * rays.cosines, nothing),
        torch.where(met, median, nothing),
        torch.where(met, second / cover * rays.cosines.square(), 0),
        torch.where(met[:, None], points, 0),
    )


def _median(samples: Samples, weights: Float[Tensor, " m"], opacity: Float[Tensor, " n"]) -> Tensor:
    """Return where half the opacity lies in front, ``(n,)``; weights are even within their intervals."""
    if len(weights) == 0:
        return torch.zeros_like(opacity)
    share = unpack(weights, samples.offsets)
    summed, half = share.cumsum(1), opacity[:, None] / 2
    last = (samples.offsets[1:] - samples.offsets[:-1] - 1).clamp_min(0)
    column = torch.minimum((summed < half).sum(1), last)
    row = torch.arange(len(samples), device=weights.device)
    mine = share[row, column]
    part = ((half[:, 0] - (summed[row, column] - mine)) / mine.clamp_min(1e-12)).clamp(0, 1)
    which = (samples.offsets[:-1] + column).clamp_max(len(weights) - 1)
    return samples.starts[which] + part * (samples.ends[which] - samples.starts[which])


def normals_at(
    density: Callable[[Tensor], Tensor], surface: Surface, rays: Rays, least: float
) -> Float[Tensor, "n 3"]:
    """Return unit normals: density falls fastest that way. 0 where nothing was met or density is even.

    Central differences over the larger of a quarter of a pixel there and ``least``, turned to the camera.

    Args:
        density: Of the field: points ``(n, 3)`` to ``(n,)``.
        surface: What the rays met.
        rays: The rays.
        least: Smallest step in world units.
    """
    found = torch.zeros_like(rays.origins)
    which = surface.met.nonzero()[:, 0]
    if len(which) == 0:
        return found
    step = torch.full_like(surface.median[which], least)
    if rays.radii is not None:
        step = torch.maximum(step, rays.radii[which] * (3**0.5 / 4) * surface.median[which])
    offsets = torch.cat([torch.eye(3), -torch.eye(3)]).to(step)
    points = surface.points[which].float()[:, None] + step[:, None, None] * offsets
    around = density(points.reshape(-1, 3)).reshape(-1, 6)
    slope = around[:, 3:] - around[:, :3]
    # Written out: a library sum may round differently for another number of rows.
    length = (slope[:, 0].square() + slope[:, 1].square() + slope[:, 2].square()).sqrt()
    normal = slope / length[:, None].clamp_min(1e-20)
    away = (normal * rays.directions[which]).sum(1, keepdim=True) > 0
    found[which] = torch.where(away, -normal, normal)
    return found


def camera_motion(
    points: npt.NDArray[np.float64], here: Camera, there: Camera | None, met: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Return by how many pixels points move from one camera's picture to another's, ``(n, 2)``: right, down.

    0 where nothing is, where the other camera cannot see the point, and where there is no other camera.
    """
    moved = np.zeros((len(points), 2), np.float32)
    if there is not None and met.any():
        step = there.project(points[met])[0] - here.project(points[met])[0]
        moved[met] = np.where(np.isfinite(step).all(axis=1, keepdims=True), step, 0)
    return moved


def channels_of(passes: Sequence[str]) -> tuple[str, ...]:
    """Return the channels of passes, in order."""
    return tuple(channel for name in passes for channel in CHANNELS[name])
