"""Lens models: from the ideal picture plane to the bent one, and back.

Coordinates are those of the picture plane at distance 1: x right, y **down**, in units of the focal length,
as in OpenCV and COLMAP, so that published coefficients can be used as they are. float64 throughout.

    kind            meaning                                                     coefficients
    perspective     rational radial + tangential (OpenCV, COLMAP *OPENCV)       k1..k6, p1, p2
    fisheye         equidistant, polynomial in the angle (OpenCV fisheye),      k1..k4,
                    with tangential and thin-prism terms (COLMAP THIN_PRISM)    p1, p2, sx1, sy1
    fov             Devernay-Faugeras field-of-view model (COLMAP FOV)          omega
    equirectangular longitude and latitude; the whole sphere                    none
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from dreamplate.errors import MediaError

__all__ = ["LENS_COEFFICIENTS", "Lens", "LensKind", "direction_of", "plane_of"]

Vectors = npt.NDArray[np.float64]
LensKind = Literal["perspective", "fisheye", "fov", "equirectangular"]

LENS_COEFFICIENTS: dict[str, tuple[str, ...]] = {
    "perspective": ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2"),
    "fisheye": ("k1", "k2", "k3", "k4", "p1", "p2", "sx1", "sy1"),
    "fov": ("omega",),
    "equirectangular": (),
}
"""Lens kind → the coefficients it may have; those not given are 0."""

_ROUNDS = 50
_ENOUGH = 1e-12


@dataclass(frozen=True)
class Lens:
    """How a camera bends light.

    Attributes:
        kind: One of ``LENS_COEFFICIENTS``.
        coefficients: Values by name; zeros are left out.

    Raises:
        MediaError: The kind or a coefficient is unknown, or a value is not finite.
    """

    kind: LensKind = "perspective"
    coefficients: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in LENS_COEFFICIENTS:
            raise MediaError(f"lens {self.kind!r} is unknown; known: {', '.join(LENS_COEFFICIENTS)}")
        known = LENS_COEFFICIENTS[self.kind]
        for name, value in self.coefficients.items():
            if name not in known:
                raise MediaError(
                    f"lens {self.kind}: no coefficient {name!r}; it has {', '.join(known) or 'none'}"
                )
            if not math.isfinite(value):
                raise MediaError(f"lens {self.kind}: {name} is {value}; need a finite number")
        kept = {name: float(self.coefficients[name]) for name in known if self.coefficients.get(name)}
        object.__setattr__(self, "coefficients", MappingProxyType(kept))

    @property
    def ideal(self) -> bool:
        """Whether this is a pinhole."""
        return self.kind == "perspective" and not self.coefficients

    def __hash__(self) -> int:
        return hash((self.kind, tuple(self.coefficients.items())))

    def __reduce__(self) -> tuple[type[Lens], tuple[str, dict[str, float]]]:
        return Lens, (self.kind, dict(self.coefficients))

    def __getitem__(self, name: str) -> float:
        return self.coefficients.get(name, 0.0)


def plane_of(lens: Lens, directions: Vectors) -> Vectors:
    """Return where directions meet the bent picture plane.

    Args:
        lens: The lens.
        directions: ``(n, 3)``, x right, y down, z forward; any length.

    Returns:
        ``(n, 2)``; NaN where the lens cannot see (behind a perspective camera).
    """
    x, y, z = directions[:, 0], directions[:, 1], directions[:, 2]
    if lens.kind == "equirectangular":
        # One turn is 2 pi wide, as the sphere is; the camera's focal length is width / (2 pi).
        return np.stack([np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))], axis=1)
    if lens.kind == "perspective":
        with np.errstate(divide="ignore", invalid="ignore"):
            plane = np.where((z > 0)[:, None], directions[:, :2] / z[:, None], np.nan)
        return _bend(lens, plane)
    radius = np.hypot(x, y)
    angle = np.arctan2(radius, z)
    if lens.kind == "fov":
        omega = lens["omega"]
        bent = (
            angle
            if not omega
            else np.arctan(2 * np.tan(np.minimum(angle, 1.57)) * math.tan(omega / 2)) / omega
        )
        scale = np.where(radius > 0, bent / np.where(radius > 0, radius, 1), 0)
        return np.stack([x * scale, y * scale], axis=1)
    scale = np.where(radius > 0, angle / np.where(radius > 0, radius, 1), 0)
    return _bend(lens, np.stack([x * scale, y * scale], axis=1))


def direction_of(lens: Lens, plane: Vectors) -> Vectors:
    """Return the unit directions that meet the bent picture plane at given places.

    Args:
        lens: The lens.
        plane: ``(n, 2)``.

    Returns:
        ``(n, 3)``, x right, y down, z forward, unit length; NaN where the lens model has no answer.
    """
    if lens.kind == "equirectangular":
        longitude, latitude = plane[:, 0], plane[:, 1]
        flat = np.cos(latitude)
        return np.stack([np.sin(longitude) * flat, np.sin(latitude), np.cos(longitude) * flat], axis=1)
    if lens.kind == "fov":
        radius = np.hypot(plane[:, 0], plane[:, 1])
        omega = lens["omega"]
        angle = radius if not omega else np.arctan(np.tan(radius * omega) / (2 * math.tan(omega / 2)))
    else:
        plane = _unbend(lens, plane)
        radius = np.hypot(plane[:, 0], plane[:, 1])
        if lens.kind == "perspective":
            straight = np.concatenate([plane, np.ones((len(plane), 1))], axis=1)
            return np.asarray(straight / np.linalg.norm(straight, axis=1, keepdims=True))
        angle = radius
    scale = np.where(radius > 0, np.sin(angle) / np.where(radius > 0, radius, 1), 1)
    return np.stack([plane[:, 0] * scale, plane[:, 1] * scale, np.cos(angle)], axis=1)


def _bend(lens: Lens, plane: Vectors) -> Vectors:
    """Apply the polynomial part of a perspective or fisheye lens."""
    if not lens.coefficients:
        return plane
    x, y = plane[:, 0], plane[:, 1]
    r2 = x * x + y * y
    if lens.kind == "perspective":
        top = 1 + r2 * (lens["k1"] + r2 * (lens["k2"] + r2 * lens["k3"]))
        radial = top / (1 + r2 * (lens["k4"] + r2 * (lens["k5"] + r2 * lens["k6"])))
    else:
        radial = 1 + r2 * (lens["k1"] + r2 * (lens["k2"] + r2 * (lens["k3"] + r2 * lens["k4"])))
    p1, p2 = lens["p1"], lens["p2"]
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + lens["sx1"] * r2
    bent_y = y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y) + lens["sy1"] * r2
    return np.stack([bent_x, bent_y], axis=1)


def _unbend(lens: Lens, plane: Vectors) -> Vectors:
    """Invert ``_bend`` by Newton's method with a numeric Jacobian; NaN where it does not converge."""
    if not lens.coefficients:
        return plane
    found, step = plane.copy(), 1e-6
    right, down = np.array([step, 0.0]), np.array([0.0, step])
    for _ in range(_ROUNDS):
        miss = _bend(lens, found) - plane
        far = np.abs(miss).max(axis=1) > _ENOUGH  # each ray stops for itself, whichever others are asked for
        if not far.any():
            break
        dx = (_bend(lens, found + right) - _bend(lens, found - right)) / (2 * step)
        dy = (_bend(lens, found + down) - _bend(lens, found - down)) / (2 * step)
        det = dx[:, 0] * dy[:, 1] - dy[:, 0] * dx[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            move_x = (dy[:, 1] * miss[:, 0] - dy[:, 0] * miss[:, 1]) / det
            move_y = (dx[:, 0] * miss[:, 1] - dx[:, 1] * miss[:, 0]) / det
        move = np.stack([move_x, move_y], axis=1)
        # A step across the turning point of the polynomial would never come back.
        longest = np.linalg.norm(move, axis=1, keepdims=True)
        found = np.where(far[:, None], found - move * np.minimum(1, 0.5 / np.maximum(longest, 1e-300)), found)
    wrong = np.abs(_bend(lens, found) - plane).max(axis=1) > 1e-6
    found[wrong] = np.nan
    return found
