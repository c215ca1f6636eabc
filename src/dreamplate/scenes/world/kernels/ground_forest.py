"""Kernels of forest: where trees stand, and how a far forest looks as a canopy painted upon the ground."""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.ground_grid import level_of
from dreamplate.scenes.world.kernels.ground_land import smooth
from dreamplate.scenes.world.kernels.ground_numbers import FOREST, TREE_LINE
from dreamplate.scenes.world.kernels.noise import noise2

__all__ = ["built_distance", "forest_density"]


@scalar
def built_distance(x: Any, z: Any, first: Any, count: Any, g: Any) -> Any:
    """Return a distance kept on ``count`` grids of ``g.built`` from ``first`` on; 1e9 beyond them."""
    far = max(abs(x), abs(z))
    grids = g.built
    cell = g.cell
    half = grids.shape[1] // 2
    for level in range(first, first + count):
        if far < half * cell:
            u = x / cell + half
            v = z / cell + half
            i = int(u)
            j = int(v)
            u -= i
            v -= j
            low = grids[level, j, i] + u * (grids[level, j, i + 1] - grids[level, j, i])
            high = grids[level, j + 1, i] + u * (grids[level, j + 1, i + 1] - grids[level, j + 1, i])
            return low + v * (high - low)
        cell *= 2.0
    return 1e9


@scalar
def forest_density(x: Any, y: Any, z: Any, flatness: Any, g: Any) -> Any:
    """Return how densely trees stand at a place, 0 to 1.

    Groves and clearings follow from noise; none stand in or just above the water, on steep rock, above the
    tree line, on roads and in yards.

    Args:
        x: Metres.
        y: Height of the ground there.
        z: Metres.
        flatness: The y of the ground's unit normal.
        g: The ground (`GroundData`).
    """
    m = g.material
    share = float(m[FOREST])
    if share <= 0.0:
        return 0.0
    above = y - g.water
    if above < 1.0:
        return 0.0
    patch = 0.62 * noise2(x / 260.0, z / 260.0, g.seed + 70) + 0.38 * noise2(x / 83.0, z / 83.0, g.seed + 71)
    edge = 0.52 - 1.0 * share
    density = smooth(patch, edge - 0.13, edge + 0.13)
    density *= smooth(above, 1.0, 3.0) * smooth(flatness, 0.7, 0.84)
    line = float(m[TREE_LINE])
    density *= 1.0 - smooth(y + 70.0 * patch, line - 60.0, line + 40.0)
    if density > 0.0 and level_of(x, z, 0, g) < 3:
        if g.roads > 0:
            density *= smooth(abs(built_distance(x, z, 0, g.roads, g)) - 0.5 * g.road_width, 2.0, 6.0)
        if g.yards > 0:
            density *= smooth(built_distance(x, z, 2 * g.roads, g.yards, g), 2.0, 8.0)
    return density
