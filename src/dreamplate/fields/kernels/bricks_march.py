"""Marching rays through bricks: which intervals matter, and how opaque each is. One item is one ray.

A grid of vertices is cut into bricks of 4 x 4 x 4. ``index`` holds each brick's number, -1 where there is none;
``table`` the bricks' rows, ``(bricks, 64, channels)``, channel 0 of which is raw density; ``cells`` one bit for each
cell (the bit of its low corner) that may hold something. Raw density is interpolated first and activated after
(DVGO, sec. 4.2): ``alpha = 1 - exp(-softplus(raw + shift) * length)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.kernels.space import EMPTY, place, stretch

__all__ = ["march", "march_ray", "pack", "pack_ray", "raw_density"]


@scalar
def raw_density(index: Any, table: Any, gx: Any, gy: Any, gz: Any) -> Any:
    """Return interpolated raw density at grid coordinates; missing bricks count as very empty."""
    i = int(gx)
    j = int(gy)
    k = int(gz)
    fx = gx - np.float32(i)
    fy = gy - np.float32(j)
    fz = gz - np.float32(k)
    one = np.float32(1.0)
    total = np.float32(0.0)
    for corner in range(8):
        x = i + (corner >> 2)
        y = j + ((corner >> 1) & 1)
        z = k + (corner & 1)
        weight = (fx if corner & 4 else one - fx) * (fy if corner & 2 else one - fy)
        weight *= fz if corner & 1 else one - fz
        brick = index[x >> 2, y >> 2, z >> 2]
        if brick < 0:
            total += weight * EMPTY
        else:
            total += weight * table[brick, ((x & 3) << 4) | ((y & 3) << 2) | (z & 3), 0]
    return total


def march_ray(
    ray: Any,
    origins: Any,
    directions: Any,
    near: Any,
    far: Any,
    jitter: Any,
    space: Any,
    index: Any,
    cells: Any,
    table: Any,
    shift: Any,
    least: Any,
    solid: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
    counts: Any,
) -> None:
    """March one ray; writes its samples to row ``ray`` of the last but one three, their number to ``counts``."""
    zero = np.float32(0.0)
    one = np.float32(1.0)
    ox = origins[ray, 0]
    oy = origins[ray, 1]
    oz = origins[ray, 2]
    dx = directions[ray, 0]
    dy = directions[ray, 1]
    dz = directions[ray, 2]
    enter = max(near[ray], zero)
    leave = far[ray]
    slope = one
    boxed = space[0] == 0
    if boxed:
        for axis in range(3):
            o = origins[ray, axis]
            d = directions[ray, axis]
            low = space[1 + axis]
            high = low + space[7 + axis] / space[4 + axis]
            if abs(d) < np.float32(1e-12):
                if o < low or o > high:
                    leave = np.float32(-1.0)
            else:
                first = (low - o) / d
                last = (high - o) / d
                enter = max(enter, min(first, last))
                leave = min(leave, max(first, last))
    elif space[0] == 2:
        depth = -(space[16] * (ox - space[1]) + space[17] * (oy - space[2]) + space[18] * (oz - space[3]))
        slope = -(space[16] * dx + space[17] * dy + space[18] * dz)
        if slope < np.float32(0.05):
            leave = np.float32(-1.0)
        else:
            enter = max(enter, (one / space[23] - depth) / slope)
            leave = min(leave, (one / max(space[23] - space[24], np.float32(1e-9)) - depth) / slope)
    capacity = starts.shape[1]
    count = 0
    through = one
    t = enter
    # The first step is shortened or not by the jitter, so that all samples shift together.
    x = ox + t * dx
    y = oy + t * dy
    z = oz + t * dz
    gx, gy, gz, squeeze = place(space, x, y, z)
    t += (jitter[ray] - one) * stretch(space, squeeze, slope)
    horizon = np.float32(2.0) * max(space[7], space[8], space[9])
    for _ in range(100_000):
        length = stretch(space, squeeze, slope)
        middle = t + np.float32(0.5) * length
        if middle >= leave or count >= capacity:
            break
        if middle < enter:
            t += length
            continue
        x = ox + middle * dx
        y = oy + middle * dy
        z = oz + middle * dz
        gx, gy, gz, squeeze = place(space, x, y, z)
        if not boxed and squeeze > horizon and space[0] == 1:
            break
        inside = gx >= zero and gy >= zero and gz >= zero
        inside = inside and gx < space[7] and gy < space[8] and gz < space[9]
        if not inside:
            t += length
            continue
        i = int(gx)
        j = int(gy)
        k = int(gz)
        brick = index[i >> 2, j >> 2, k >> 2]
        if brick < 0:
            if boxed:  # jump to the last step before the brick's far side
                ahead = np.float32(1e30)
                for axis in range(3):
                    speed = directions[ray, axis] * space[4 + axis]
                    own = gx if axis == 0 else (gy if axis == 1 else gz)
                    side = (i if axis == 0 else (j if axis == 1 else k)) >> 2 << 2
                    if speed > np.float32(1e-9):
                        ahead = min(ahead, (np.float32(side + 4) - own) / speed)
                    elif speed < np.float32(-1e-9):
                        ahead = min(ahead, (np.float32(side) - own) / speed)
                t += length * max(one, np.float32(math.floor(ahead / length)))
            else:
                t += length
            continue
        bit = ((i & 3) << 4) | ((j & 3) << 2) | (k & 3)
        if (cells[brick] >> np.uint64(bit)) & np.uint64(1) == np.uint64(0):
            t += length
            continue
        raw = raw_density(index, table, gx, gy, gz) + shift
        soft = raw if raw > np.float32(15.0) else np.float32(math.log1p(math.exp(raw)))
        alpha = one - np.float32(math.exp(-soft * space[26] * space[25]))
        if alpha * through > least:
            starts[ray, count] = t
            lengths[ray, count] = length
            alphas[ray, count] = alpha
            count += 1
            through *= one - alpha
            if through < solid:
                break
        t += length
    counts[ray] = count


def pack_ray(
    ray: Any,
    offsets: Any,
    origins: Any,
    directions: Any,
    space: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
    out_starts: Any,
    out_ends: Any,
    out_alphas: Any,
    out_places: Any,
    out_rays: Any,
) -> None:
    """Move one ray's samples to their place in the packed arrays, with grid coordinates of their middles."""
    first = offsets[ray]
    half = np.float32(0.5)
    for n in range(offsets[ray + 1] - first):
        t = starts[ray, n]
        length = lengths[ray, n]
        middle = t + half * length
        gx, gy, gz, _ = place(
            space,
            origins[ray, 0] + middle * directions[ray, 0],
            origins[ray, 1] + middle * directions[ray, 1],
            origins[ray, 2] + middle * directions[ray, 2],
        )
        out_starts[first + n] = t
        out_ends[first + n] = t + length
        out_alphas[first + n] = alphas[ray, n]
        out_places[first + n, 0] = gx
        out_places[first + n, 1] = gy
        out_places[first + n, 2] = gz
        out_rays[first + n] = ray


_march = scalar(march_ray)
_pack = scalar(pack_ray)


@parallel
def march(
    count: Any,
    origins: Any,
    directions: Any,
    near: Any,
    far: Any,
    jitter: Any,
    space: Any,
    index: Any,
    cells: Any,
    table: Any,
    shift: Any,
    least: Any,
    solid: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
    counts: Any,
) -> None:
    """Loop of ``march_ray``."""
    for ray in prange(count):
        _march(
            ray,
            origins,
            directions,
            near,
            far,
            jitter,
            space,
            index,
            cells,
            table,
            shift,
            least,
            solid,
            starts,
            lengths,
            alphas,
            counts,
        )


@parallel
def pack(
    count: Any,
    offsets: Any,
    origins: Any,
    directions: Any,
    space: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
    out_starts: Any,
    out_ends: Any,
    out_alphas: Any,
    out_places: Any,
    out_rays: Any,
) -> None:
    """Loop of ``pack_ray``."""
    for ray in prange(count):
        _pack(
            ray,
            offsets,
            origins,
            directions,
            space,
            starts,
            lengths,
            alphas,
            out_starts,
            out_ends,
            out_alphas,
            out_places,
            out_rays,
        )


def probe_point(
    point: Any, points: Any, space: Any, index: Any, table: Any, shift: Any, places: Any, density: Any
) -> None:
    """Find the grid coordinates of one point of the world, and its density per world unit (0 outside)."""
    gx, gy, gz, squeeze = place(space, points[point, 0], points[point, 1], points[point, 2])
    zero = np.float32(0.0)
    inside = gx >= zero and gy >= zero and gz >= zero
    inside = inside and gx < space[7] and gy < space[8] and gz < space[9]
    places[point, 0] = min(max(gx, zero), space[7] - np.float32(1e-3))
    places[point, 1] = min(max(gy, zero), space[8] - np.float32(1e-3))
    places[point, 2] = min(max(gz, zero), space[9] - np.float32(1e-3))
    density[point] = zero
    if inside:
        raw = raw_density(index, table, gx, gy, gz) + shift
        soft = raw if raw > np.float32(15.0) else np.float32(math.log1p(math.exp(raw)))
        density[point] = soft * space[26] * space[25] / stretch(space, squeeze, np.float32(1.0))


_probe = scalar(probe_point)


@parallel
def probe(
    count: Any, points: Any, space: Any, index: Any, table: Any, shift: Any, places: Any, density: Any
) -> None:
    """Loop of ``probe_point``."""
    for point in prange(count):
        _probe(point, points, space, index, table, shift, places, density)
