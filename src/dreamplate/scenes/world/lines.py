"""Contour drawings from what rays met: where one thing ends before another, where surfaces fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["contours"]

Floats = npt.NDArray[np.float32]


def contours(
    depth: npt.NDArray[Any],
    normals: Floats,
    instances: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    rays: Floats,
) -> Floats:
    """Return a contour drawing, ``(h, w)``: 0 where a line is, 1 where paper is, between along its edges.

    Lines are drawn where instances or coasts part, where depth jumps by more than a plane through the pixel
    would explain, and, fainter, where the surface folds. Strengths are soft and spread by a small
    binomial filter, so that lines have smooth edges.

    Args:
        depth: ``(h, w)`` distance along the ray, 1e10 where nothing is.
        normals: ``(h, w, 3)``.
        instances: ``(h, w)``.
        labels: ``(h, w)``.
        rays: ``(h, w, 3)`` unit directions.
    """
    height, width = depth.shape
    strength = np.zeros((height, width), np.float32)
    for rows, columns in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here, there = _pair(rows, columns)
        part = 1.0 if rows * columns == 0 else 0.6
        found = np.maximum(
            _parted(instances[here], instances[there], labels[here], labels[there]),
            np.maximum(
                _jump(depth[here], depth[there], normals[here], normals[there], rays[here], rays[there]),
                0.7 * _fold(depth[here], depth[there], normals[here], normals[there]),
            ),
        ) * np.float32(part)
        for side in (here, there):
            strength[side] = np.maximum(strength[side], found)
    padded = np.pad(strength, 1, mode="edge")
    spread = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    spread = (spread[:, :-2] + 2 * spread[:, 1:-1] + spread[:, 2:]) / 16
    ink = np.clip(1.45 * spread - 0.25, 0, 1)
    return np.asarray(1 - ink, np.float32)


def _pair(rows: int, columns: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the two windows in which pixels and their neighbours lie."""
    first = slice(0, -rows or None), slice(max(-columns, 0), -columns if columns > 0 else None)
    second = slice(rows, None), slice(max(columns, 0), columns if columns < 0 else None)
    return first, second


def _smooth(low: float, high: float, x: npt.NDArray[Any]) -> Floats:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


SKY, WATER, ROAD = 0, 1, 7
_DRAWN = (SKY, WATER, ROAD)
"""Classes whose borders are lines; those of grass, rock or snow are only colours."""


def _parted(
    a: npt.NDArray[Any], b: npt.NDArray[Any], first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> Floats:
    """Return where two instances meet, or a class whose borders are drawn."""
    coast = (first != second) & (np.isin(first, _DRAWN) | np.isin(second, _DRAWN))
    return np.asarray((a != b) | coast, np.float32)


def _jump(a: npt.NDArray[Any], b: npt.NDArray[Any], na: Floats, nb: Floats, ra: Floats, rb: Floats) -> Floats:
    """Return where depth jumps: by how much either point misses the other's plane, over its distance."""
    off = np.minimum(_miss(a, b, na, ra, rb), _miss(b, a, nb, rb, ra))
    return _smooth(0.02, 0.07, off / np.minimum(np.minimum(a, b), 1e9))


def _miss(
    a: npt.NDArray[Any], b: npt.NDArray[Any], normal: Floats, ray: Floats, other: Floats
) -> npt.NDArray[Any]:
    """Return how far the neighbour's point is from where its ray meets this point's plane."""
    along = (normal * other).sum(axis=2)
    here = (normal * ray).sum(axis=2)
    expected = a * here / np.where(np.abs(along) < 0.03, np.where(along < 0, -0.03, 0.03), along)
    return np.abs(b - expected)


def _fold(a: npt.NDArray[Any], b: npt.NDArray[Any], na: Floats, nb: Floats) -> Floats:
    """Return where the surface folds; far away folds are finer than pixels and are left out."""
    bend = 1 - (na * nb).sum(axis=2)
    near = 1 - _smooth(120, 400, np.minimum(a, b))
    return _smooth(0.35, 0.8, bend) * near
