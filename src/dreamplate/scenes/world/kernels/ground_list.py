"""Kernels that ask the ground about lists of places."""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.ground_forest import forest_density
from dreamplate.scenes.world.kernels.ground_grid import ground_height, ground_slope

__all__ = ["list_forest", "list_ground", "list_normals"]


@scalar
def list_ground(x: Any, z: Any, g: Any, out: Any) -> None:
    """Write the heights of places into ``out`` (k,)."""
    for i in range(out.shape[0]):
        out[i] = ground_height(x[i], z[i], g)


@scalar
def list_normals(x: Any, z: Any, g: Any, out: Any) -> None:
    """Write the unit normals of places into ``out`` (k, 3)."""
    for i in range(out.shape[0]):
        right, up = ground_slope(x[i], z[i], g)
        scale = 1.0 / (1.0 + right * right + up * up) ** 0.5
        out[i, 0] = -right * scale
        out[i, 1] = scale
        out[i, 2] = -up * scale


@scalar
def list_forest(x: Any, z: Any, g: Any, out: Any) -> None:
    """Write how densely trees stand at places into ``out`` (k,), 0 to 1."""
    for i in range(out.shape[0]):
        right, up = ground_slope(x[i], z[i], g)
        flatness = 1.0 / (1.0 + right * right + up * up) ** 0.5
        out[i] = forest_density(x[i], ground_height(x[i], z[i], g), z[i], flatness, g)
