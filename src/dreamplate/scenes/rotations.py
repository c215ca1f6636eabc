"""Rotations as quaternions (real part first) and as the angles that other programs keep."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["angles_zxy", "matrix_of", "matrix_of_angles", "quaternion_of"]

Doubles = npt.NDArray[np.float64]


def matrix_of(quaternion: npt.ArrayLike) -> Doubles:
    """Return the ``(3, 3)`` rotation of a quaternion (w, x, y, z) of any length above 0.

    Raises:
        ValueError: Its length is 0 or not finite.
    """
    found = np.asarray(quaternion, float)
    largest = np.abs(found).max()
    if not 0 < largest < math.inf:
        raise ValueError(f"quaternion {found.tolist()} has no direction")
    found = found / largest  # squares of extreme numbers would overflow
    w, x, y, z = found / np.linalg.norm(found)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_of(rotation: npt.ArrayLike) -> Doubles:
    """Return the unit quaternion (w, x, y, z), w not negative, nearest to a ``(3, 3)`` rotation.

    The largest eigenvector of Bar-Itzhack's symmetric matrix (2000): exact for a rotation, and the best
    fit for one with rounding in it.
    """
    r = np.asarray(rotation, float)
    k = np.array(
        [
            [r[0, 0] + r[1, 1] + r[2, 2], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [0, r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [0, 0, r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1]],
            [0, 0, 0, r[2, 2] - r[0, 0] - r[1, 1]],
        ]
    )
    found = np.linalg.eigh(k + np.triu(k, 1).T)[1][:, -1]
    return np.asarray(-found if found[0] < 0 else found)


def matrix_of_angles(degrees: npt.ArrayLike, order: str = "ZXY") -> Doubles:
    """Return the rotation of angles (rx, ry, rz) in degrees about the world's axes, one after another.

    Args:
        degrees: About X, Y and Z, whatever the order.
        order: Which is turned first, second and third, such as ``ZXY``.
    """
    found = np.eye(3)
    for axis in order:
        index = "XYZ".index(axis)
        angle = math.radians(np.asarray(degrees, float)[index])
        i, j = (index + 1) % 3, (index + 2) % 3
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[j, i], turn[i, j] = math.sin(angle), -math.sin(angle)
        found = turn @ found
    return found


def angles_zxy(rotation: npt.ArrayLike, near: npt.ArrayLike | None = None) -> Doubles:
    """Return the angles (rx, ry, rz) in degrees that ``matrix_of_angles`` turns back into ``rotation``.

    Args:
        rotation: ``(3, 3)``.
        near: Angles of the frame before: of all answers the one nearest to them is given, so that curves
            have no jumps of a whole turn.
    """
    r = np.asarray(rotation, float)
    # atan2 of the cosine as well: the arc sine alone loses half the digits near +-90 degrees.
    x = math.atan2(-r[1, 2], math.hypot(r[1, 0], r[1, 1]))
    if math.hypot(r[0, 2], r[2, 2]) > 1e-12:
        y, z = math.atan2(r[0, 2], r[2, 2]), math.atan2(r[1, 0], r[1, 1])
    else:  # straight up or down, where turns about Y and Z are one
        y, z = math.atan2(-r[2, 0], r[0, 0]), 0.0
    found = np.degrees([x, y, z])
    if near is None:
        return found
    before = np.asarray(near, float)
    other = np.array([180 - found[0], found[1] + 180, found[2] + 180])
    answers = [angles - 360 * np.round((angles - before) / 360) for angles in (found, other)]
    return np.asarray(min(answers, key=lambda angles: float(np.abs(angles - before).sum())))
