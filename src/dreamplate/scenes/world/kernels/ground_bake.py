"""Kernels that build the nested grids of the ground: flats, roads, seams between grids, blocks for rays."""

from __future__ import annotations

from typing import Any

from dreamplate.compiled import parallel, scalar

import numba  # isort: skip  # dreamplate.compiled says first where compiled functions are kept

__all__ = ["follow_coarse", "follow_fine", "level_flats", "level_road", "measure_blocks", "measure_road"]

BLOCK = 8


@scalar
def _smooth(t: Any) -> Any:
    t = min(max(t, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@scalar
def level_flats(grid: Any, cell: Any, flats: Any, yard: Any) -> None:
    """Make ground level inside circles, and even out the ground around them.

    Args:
        grid: ``(n, n)`` heights, changed in place.
        cell: Metres.
        flats: ``(k, 4)`` x, z, radius, height; later ones lie over earlier ones.
        yard: ``(n, n)`` metres outside of the nearest circle, lowered in place; ``(0, 0)``: not wanted.
    """
    n = grid.shape[0]
    half = n // 2
    for k in range(flats.shape[0]):
        x, z, radius, height = flats[k, 0], flats[k, 1], flats[k, 2], flats[k, 3]
        ring = radius + 6.0
        reach = radius + ring + cell
        first_i = max(int((x - reach) / cell + half), 0)
        last_i = min(int((x + reach) / cell + half) + 1, n - 1)
        first_j = max(int((z - reach) / cell + half), 0)
        last_j = min(int((z + reach) / cell + half) + 1, n - 1)
        for j in range(first_j, last_j + 1):
            for i in range(first_i, last_i + 1):
                px = (i - half) * cell - x
                pz = (j - half) * cell - z
                out = (px * px + pz * pz) ** 0.5 - radius
                share = _smooth(1.0 - (out - cell) / ring)
                grid[j, i] = grid[j, i] + share * (height - grid[j, i])
                if yard.shape[0] > 0:
                    yard[j, i] = min(yard[j, i], out)


@scalar
def measure_road(path: Any, cell: Any, reach: Any, away: Any, along: Any) -> None:
    """Write how far points of a grid are from a road, and how far along it.

    Args:
        path: ``(k, 3)`` x, z and metres along, of the road's middle.
        cell: Metres.
        reach: Metres from the road beyond which nothing is written.
        away: ``(n, n)`` brought nearer in place; negative on the road's left.
        along: ``(n, n)`` changed in place.
    """
    n = away.shape[0]
    half = n // 2
    for k in range(path.shape[0] - 1):
        x0, z0, s0 = path[k, 0], path[k, 1], path[k, 2]
        x1, z1, s1 = path[k + 1, 0], path[k + 1, 1], path[k + 1, 2]
        first_i = max(int((min(x0, x1) - reach) / cell + half), 0)
        last_i = min(int((max(x0, x1) + reach) / cell + half) + 1, n - 1)
        first_j = max(int((min(z0, z1) - reach) / cell + half), 0)
        last_j = min(int((max(z0, z1) + reach) / cell + half) + 1, n - 1)
        ax = x1 - x0
        az = z1 - z0
        long2 = max(ax * ax + az * az, 1e-9)
        for j in range(first_j, last_j + 1):
            for i in range(first_i, last_i + 1):
                px = (i - half) * cell - x0
                pz = (j - half) * cell - z0
                share = min(max((px * ax + pz * az) / long2, 0.0), 1.0)
                px -= share * ax
                pz -= share * az
                distance = (px * px + pz * pz) ** 0.5
                if distance < abs(away[j, i]):
                    away[j, i] = distance if px * az - pz * ax >= 0.0 else -distance
                    along[j, i] = s0 + share * (s1 - s0)


@scalar
def level_road(grid: Any, cell: Any, away: Any, along: Any, half_width: Any, profile: Any, step: Any) -> None:
    """Lay the ground under a road at the road's own heights, with gentle shoulders.

    Args:
        grid: ``(n, n)`` heights, changed in place.
        cell: Metres.
        away: ``(n, n)`` metres from the road's middle, to either side.
        along: ``(n, n)`` metres along it.
        half_width: Metres.
        profile: ``(m,)`` heights of the road every ``step`` metres along it.
        step: Metres.
    """
    n = grid.shape[0]
    last = profile.shape[0] - 1
    shoulder = 13.0
    for j in range(n):
        for i in range(n):
            out = abs(away[j, i]) - half_width - 0.8 - 0.7 * cell
            if out >= shoulder:
                continue
            place = min(max(along[j, i] / step, 0.0), last - 1e-6)
            k = int(place)
            height = profile[k] + (place - k) * (profile[k + 1] - profile[k])
            grid[j, i] = grid[j, i] + _smooth(1.0 - out / shoulder) * (height - grid[j, i])


@scalar
def follow_coarse(fine: Any, coarse: Any, ring: Any) -> None:
    """Make a fine grid's rim pass into the coarse grid around it.

    Args:
        fine: ``(n, n)``, changed in its outer ``ring`` cells.
        coarse: ``(n, n)`` of cells twice as wide.
        ring: Cells of the fine grid.
    """
    n = fine.shape[0]
    quarter = n // 2 // 2
    for j in range(n):
        for i in range(n):
            depth = min(j, n - 1 - j, i, n - 1 - i)
            if depth >= ring:
                continue
            ci = quarter + i // 2
            cj = quarter + j // 2
            ni = ci + (i % 2)
            nj = cj + (j % 2)
            low = 0.5 * (float(coarse[cj, ci]) + float(coarse[cj, ni]))
            high = 0.5 * (float(coarse[nj, ci]) + float(coarse[nj, ni]))
            value = 0.5 * (low + high)
            fine[j, i] = value + _smooth(depth / ring) * (fine[j, i] - value)


@scalar
def follow_fine(coarse: Any, fine: Any, keep: Any) -> None:
    """Copy every second point of a fine grid into the middle of a coarse one, ``keep`` cells to each side."""
    half = fine.shape[0] // 2
    for j in range(-keep, keep + 1):
        for i in range(-keep, keep + 1):
            coarse[half + j, half + i] = fine[half + 2 * j, half + 2 * i]


@parallel
def measure_blocks(grid: Any, cell: Any, peaks: Any, steeps: Any) -> None:
    """Write the highest value and the steepest slope of each block of a grid, of its bilinear surface."""
    blocks = peaks.shape[0]
    for bj in numba.prange(blocks):
        for bi in range(blocks):
            top = -1e30
            right = 0.0
            up = 0.0
            for j in range(bj * BLOCK, bj * BLOCK + BLOCK + 1):
                for i in range(bi * BLOCK, bi * BLOCK + BLOCK + 1):
                    value = float(grid[j, i])
                    top = max(top, value)
                    if i < bi * BLOCK + BLOCK:
                        right = max(right, abs(float(grid[j, i + 1]) - value))
                    if j < bj * BLOCK + BLOCK:
                        up = max(up, abs(float(grid[j + 1, i]) - value))
            peaks[bj, bi] = top
            steeps[bj, bi] = (right * right + up * up) ** 0.5 / cell
