"""From pixels to rays: what aperture, shutter, rolling shutter and pixel filter make of a camera.

Every draw follows from the seed, the frame, the pixel and the number of the sample, and from nothing else:
a crop, a tile or another chunk size draws the same rays to the bit. Within a pixel the samples follow the
additive recurrence R_5 (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences"), shifted by
a hash of the pixel (Cranley-Patterson rotation), so that few samples already cover pixel, lens and time.
The pixel filter is importance-sampled, so all samples weigh the same and pixels are independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from dreamplate.fields.rays import Rays
from dreamplate.plate.camera import Camera

__all__ = ["Sampling", "Track", "sample_rays"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_DIMENSIONS = 5
# The positive root of x^6 = x + 1; its powers are the steps of R_5.
_ROOT = 1.1347241384015194
_GAUSSIAN_DEVIATION = 0.5


@dataclass(frozen=True, eq=False)
class Track:
    """Where a camera is during one frame: poses at a few moments, moved between evenly.

    Attributes:
        moments: ``(k,)`` ascending, in frames; 0 is the frame's own moment.
        poses: ``(k, 4, 4)`` camera to world.
        times: ``(k,)`` moments of the scene, for fields that move, or None.
    """

    moments: Floats
    poses: Floats
    times: Floats | None = None

    @classmethod
    def resting(cls, camera: Camera) -> Track:
        """Return the track of a camera that does not move."""
        times = None if camera.time is None else np.array([camera.time])
        return cls(np.zeros(1), np.asarray(camera.camera_to_world)[None], times)

    def at(self, moments: Floats) -> tuple[Floats, Floats]:
        """Return rotations ``(n, 3, 3)`` and positions ``(n, 3)`` at moments ``(n,)``; held at the ends.

        Rotations go along the shortest great circle, positions along a line, between neighbouring poses.
        """
        count = len(moments)
        if len(self.moments) == 1:
            pose = self.poses[0]
            return np.broadcast_to(pose[:3, :3], (count, 3, 3)), np.broadcast_to(pose[:3, 3], (count, 3))
        step = np.clip(np.searchsorted(self.moments, moments, side="right") - 1, 0, len(self.moments) - 2)
        first, last = self.moments[step], self.moments[step + 1]
        share = np.clip((moments - first) / (last - first), 0, 1)[:, None]
        cross, angles = _turns(self.poses)
        part = (angles[step] * share[:, 0])[:, None, None]
        turn = np.eye(3) + np.sin(part) * cross[step] + (1 - np.cos(part)) * _square(cross)[step]
        base = self.poses[step, :3, :3]
        rotation = base @ turn
        return rotation, (1 - share) * self.poses[step, :3, 3] + share * self.poses[step + 1, :3, 3]


@dataclass(frozen=True)
class Sampling:
    """How rays are spread.

    Attributes:
        samples: Rays in each pixel; with one it goes through the centre.
        filter: Pixel filter: ``box`` (the pixel), ``triangle`` (two pixels wide), ``gaussian`` (deviation
            half a pixel, cut at two).
        seed: Number that every draw follows from.
        radius: Radius of the aperture, world units.
        focus: Distance in focus, world units: planar for perspective lenses, along the ray for others.
        shutter: Moments at which the shutter opens and closes.
        readout: Time from the top row to the bottom one.
    """

    samples: int = 1
    filter: Literal["box", "triangle", "gaussian"] = "triangle"
    seed: int = 0
    radius: float = 0.0
    focus: float = 1.0
    shutter: tuple[float, float] = (0.0, 0.0)
    readout: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether the picture is made of the very rays that the data passes are made of."""
        return self.samples == 1 and self.radius == 0 and self.shutter[0] == self.shutter[1] == 0


def sample_rays(
    camera: Camera, track: Track, pixels: Whole, sampling: Sampling, number: int | None, frame: int = 0
) -> tuple[Rays, torch.Tensor]:
    """Return one ray for each pixel.

    Args:
        camera: Its lens, size and rolling shutter; its pose is not looked at.
        track: Where it is during the frame.
        pixels: ``(n, 2)`` column and row; those outside the picture are overscan.
        sampling: How rays are spread.
        number: Which of the samples; None for the ray of the data passes: through the pixel's centre, with
            a closed aperture, at the frame's own moment.
        frame: Frame number; frames draw differently.

    Returns:
        Rays without near and far (0 and infinity), and ``(n,)`` bool: whether the lens sees there at all.
    """
    draws = np.full((len(pixels), _DIMENSIONS), 0.5)
    if number is not None:
        draws = _draws(pixels, number, sampling.seed, frame)
    places: Floats = pixels.astype(np.float64) + 0.5
    if number is not None and sampling.samples > 1:
        places = places + _FILTERS[sampling.filter](draws[:, :2])
    own = camera.directions(places)
    seen = np.asarray(np.isfinite(own).all(axis=1))
    own = np.where(seen[:, None], own, [0.0, 0.0, -1.0])
    start = np.zeros_like(own)
    if number is not None and sampling.radius > 0:
        start, own = _through_lens(own, draws[:, 2:4], sampling, planar=camera.lens.kind == "perspective")
    moments = _moments(camera, places, draws[:, 4], sampling, central=number is None)
    turn, position = track.at(moments)
    origins = position + _turned(turn, start)
    rays = Rays(
        _tensor(origins),
        _tensor(_turned(turn, own)),
        torch.zeros(len(own)),
        torch.full((len(own),), math.inf),
        _tensor(-own[:, 2]),
        times=None if track.times is None else _tensor(np.interp(moments, track.moments, track.times)),
        radii=torch.full((len(own),), 1 / (camera.fx * 3**0.5)),
    )
    return rays, torch.from_numpy(seen)


def _moments(camera: Camera, places: Floats, draws: Floats, sampling: Sampling, *, central: bool) -> Floats:
    opened, closed = (0.0, 0.0) if central else sampling.shutter
    u, v = places[:, 0] / camera.width, places[:, 1] / camera.height
    if camera.end is not None and camera.rolling_shutter is not None:
        a, b, c, d = camera.rolling_shutter
        return np.asarray(a + b * u + c * v + d * draws)
    return np.asarray(opened + (closed - opened) * draws + sampling.readout * (v - 0.5))


def _through_lens(own: Floats, draws: Floats, sampling: Sampling, *, planar: bool) -> tuple[Floats, Floats]:
    """Return starting points on the aperture and directions to the points in focus, in camera axes."""
    reach = sampling.focus / -own[:, 2:] if planar else sampling.focus
    radius, angle = sampling.radius * np.sqrt(draws[:, 0]), 2 * math.pi * draws[:, 1]
    start = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(len(own))], axis=1)
    along = own * reach - start
    length = np.sqrt(along[:, 0] ** 2 + along[:, 1] ** 2 + along[:, 2] ** 2)
    return start, along / length[:, None]


def _draws(pixels: Whole, number: int, seed: int, frame: int) -> Floats:
    """Return ``(n, 5)`` numbers in 0-1 for sample ``number`` of each pixel."""
    with np.errstate(over="ignore"):
        state = _mix(np.full(len(pixels), seed, np.uint64) + np.uint64(frame & 0xFFFFFFFFFFFFFFFF))
        for axis in range(2):
            state = _mix(state ^ pixels[:, axis].astype(np.int64).view(np.uint64))
        offsets = []
        for _ in range(_DIMENSIONS):
            state = _mix(state)
            offsets.append((state >> np.uint64(11)).astype(np.float64) / 2.0**53)
    steps = np.array([_ROOT ** -(k + 1) for k in range(_DIMENSIONS)])
    found: Floats = np.mod(np.stack(offsets, axis=1) + (number + 1) * steps, 1.0)
    return found


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the splitmix64 hash (Steele, Lea and Flood 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _box(draws: Floats) -> Floats:
    return draws - 0.5


def _triangle(draws: Floats) -> Floats:
    return np.asarray(np.where(draws < 0.5, np.sqrt(2 * draws) - 1, 1 - np.sqrt(2 - 2 * draws)))


def _gaussian(draws: Floats) -> Floats:
    # Box-Muller; the cut keeps a sample within the pixels that its filter may touch.
    radius = np.sqrt(-2 * np.log(np.maximum(1 - draws[:, 0], 1e-12)))
    angle = 2 * math.pi * draws[:, 1]
    found = _GAUSSIAN_DEVIATION * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(np.clip(found, -2, 2))


_FILTERS = {"box": _box, "triangle": _triangle, "gaussian": _gaussian}


def _turns(poses: Floats) -> tuple[Floats, Floats]:
    """Return the cross-product matrices ``(k - 1, 3, 3)`` and angles of the turns between poses."""
    crosses, angles = [], []
    for first, second in pairwise(poses):
        axis, angle = _axis_angle(first[:3, :3].T @ second[:3, :3])
        x, y, z = axis
        crosses.append([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        angles.append(angle)
    return np.array(crosses, float), np.array(angles)


def _axis_angle(turn: Floats) -> tuple[Sequence[float], float]:
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    angle = math.atan2(float(np.linalg.norm(skew)), float(np.trace(turn)) - 1)
    if angle < 1e-12:
        return (0.0, 0.0, 1.0), 0.0
    if angle < math.pi - 1e-4:
        return list(skew / np.linalg.norm(skew)), angle
    # Half a turn: the skew part vanishes, the symmetric part holds the axis.
    values, vectors = np.linalg.eigh((turn + turn.T) / 2)
    axis = vectors[:, np.argmax(values)]
    return list(-axis if skew @ axis < 0 else axis), angle


def _square(cross: Floats) -> Floats:
    return np.asarray(cross @ cross)


def _turned(turn: Floats, vectors: Floats) -> Floats:
    # Written out: a library product may round differently for another number of rows.
    return np.asarray(sum(turn[:, :, k] * vectors[:, k, None] for k in range(3)))


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
