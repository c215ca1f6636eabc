"""Marching rays through bricks: which intervals matter, and how opaque each is. One item is one ray.

A grid of vertices is cut into bricks of 4 x 4 x 4. ``index`` holds each brick's number, -1 where there is
none; ``raw`` the raw density of their vertices, ``(bricks, 64)``; ``cells`` one bit for each cell (the bit
of its low corner) that may hold something. Density stands apart from the features so that a march, which
looks at far more places than it keeps, stays in the near caches. Raw density is interpolated first and
activated after (DVGO, sec. 4.2): ``alpha = 1 - exp(-softplus(raw + shift) * length)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from dreamplate.fields.kernels.launch import parallel, scalar
from dreamplate.fields.kernels.space import EMPTY, place, stretch

__all__ = ["march", "march_ray", "pack", "pack_ray", "raw_density"]


EDGE = np.float32(1e-3)
"""Grid units that places keep from the last vertices."""


@scalar
def raw_density(index: Any, raw: Any, gx: Any, gy: Any, gz: Any) -> Any:
    """Return interpolated raw density at grid coordinates; missing bricks count as very empty."""
    one = np.float32(1.0)
    i = int(gx)
    j = int(gy)
    k = int(gz)
    fx = gx - np.float32(i)
    fy = gy - np.float32(j)
    fz = gz - np.float32(k)
    if i & 3 != 3 and j & 3 != 3 and k & 3 != 3:  # all corners in one brick, as for 27 of 64 cells
        brick = index[i >> 2, j >> 2, k >> 2]
        if brick < 0:
            return EMPTY
        row = ((i & 3) << 4) | ((j & 3) << 2) | (k & 3)
        a = raw[brick, row] * (one - fz) + raw[brick, row + 1] * fz
        b = raw[brick, row + 4] * (one - fz) + raw[brick, row + 5] * fz
        c = raw[brick, row + 16] * (one - fz) + raw[brick, row + 17] * fz
        d = raw[brick, row + 20] * (one - fz) + raw[brick, row + 21] * fz
        return (a * (one - fy) + b * fy) * (one - fx) + (c * (one - fy) + d * fy) * fx
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
            total += weight * raw[brick, ((x & 3) << 4) | ((y & 3) << 2) | (z & 3)]
    return total


@scalar
def opacity(found: Any, length: Any) -> Any:
    """Return the opacity of a step of some optical length where shifted raw density is ``found``."""
    soft = found if found > np.float32(15.0) else np.float32(math.log1p(math.exp(found)))
    return np.float32(1.0) - np.float32(math.exp(-soft * length))


@scalar
def march_box(
    ray: Any,
    origins: Any,
    directions: Any,
    near: Any,
    far: Any,
    jitter: Any,
    space: Any,
    index: Any,
    cells: Any,
    raw: Any,
    shift: Any,
    faint: Any,
    least: Any,
    solid: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
) -> Any:
    """March one ray through a box, evenly, leaping over empty bricks; return how many samples it has."""
    zero = np.float32(0.0)
    one = np.float32(1.0)
    tiny = np.float32(1e-12)
    scale = space[4]
    ox = (origins[ray, 0] - space[1]) * scale
    oy = (origins[ray, 1] - space[2]) * scale
    oz = (origins[ray, 2] - space[3]) * scale
    dx = directions[ray, 0] * scale
    dy = directions[ray, 1] * scale
    dz = directions[ray, 2] * scale
    # Reciprocals of a direction of at least 1e-12, so that rays along an axis need no case of their own.
    rx = one / (dx if abs(dx) > tiny else tiny)
    ry = one / (dy if abs(dy) > tiny else tiny)
    rz = one / (dz if abs(dz) > tiny else tiny)
    enter = max(near[ray], min(-ox * rx, (space[7] - ox) * rx))
    enter = max(enter, min(-oy * ry, (space[8] - oy) * ry))
    enter = max(enter, min(-oz * rz, (space[9] - oz) * rz), zero)
    leave = min(far[ray], max(-ox * rx, (space[7] - ox) * rx))
    leave = min(leave, max(-oy * ry, (space[8] - oy) * ry))
    leave = min(leave, max(-oz * rz, (space[9] - oz) * rz))
    length = space[25] / scale
    optical = space[26] * space[25]
    pace = one / length
    # Sample n has its middle at first + n * length; all of a ray shift together with its jitter.
    first = enter + (jitter[ray] - np.float32(0.5)) * length
    n = 0 if first >= enter else 1
    capacity = starts.shape[1]
    count = 0
    through = one
    while count < capacity:
        middle = first + np.float32(n) * length
        if middle >= leave:
            break
        gx = ox + middle * dx
        gy = oy + middle * dy
        gz = oz + middle * dz
        i = int(gx)
        j = int(gy)
        k = int(gz)
        n += 1
        if gx < zero or gy < zero or gz < zero or gx >= space[7] or gy >= space[8] or gz >= space[9]:
            continue
        brick = index[i >> 2, j >> 2, k >> 2]
        bits = np.uint64(0)
        if brick >= 0:
            bits = cells[brick]
        if bits == np.uint64(0):
            side = np.float32((i >> 2 << 2) + (4 if dx > zero else 0))
            ahead = (side - gx) * rx
            side = np.float32((j >> 2 << 2) + (4 if dy > zero else 0))
            ahead = min(ahead, (side - gy) * ry)
            side = np.float32((k >> 2 << 2) + (4 if dz > zero else 0))
            ahead = min(ahead, (side - gz) * rz)
            n += int(max(ahead, zero) * pace)
            continue
        if (bits >> np.uint64(((i & 3) << 4) | ((j & 3) << 2) | (k & 3))) & np.uint64(1) == np.uint64(0):
            continue
        found = raw_density(index, raw, gx, gy, gz)
        if found <= faint:  # no exponential is needed to see that it cannot matter
            continue
        alpha = opacity(found + shift, optical)
        if alpha * through > least:
            starts[ray, count] = middle - np.float32(0.5) * length
            lengths[ray, count] = length
            alphas[ray, count] = alpha
            count += 1
            through *= one - alpha
            if through < solid:
                break
    return count


@scalar
def march_bent(
    ray: Any,
    origins: Any,
    directions: Any,
    near: Any,
    far: Any,
    jitter: Any,
    space: Any,
    index: Any,
    cells: Any,
    raw: Any,
    shift: Any,
    faint: Any,
    least: Any,
    solid: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
) -> Any:
    """March one ray through an open or forward space, in steps that are even in its grid."""
    zero = np.float32(0.0)
    one = np.float32(1.0)
    half = np.float32(0.5)
    ox = origins[ray, 0]
    oy = origins[ray, 1]
    oz = origins[ray, 2]
    dx = directions[ray, 0]
    dy = directions[ray, 1]
    dz = directions[ray, 2]
    enter = max(near[ray], zero)
    leave = far[ray]
    slope = one
    ahead = space[0] == 2
    if ahead:
        depth = -(space[16] * (ox - space[1]) + space[17] * (oy - space[2]) + space[18] * (oz - space[3]))
        slope = -(space[16] * dx + space[17] * dy + space[18] * dz)
        if slope < np.float32(0.05):
            return 0
        enter = max(enter, (one / space[23] - depth) / slope)
        leave = min(leave, (one / max(space[23] - space[24], np.float32(1e-9)) - depth) / slope)
    optical = space[26] * space[25]
    horizon = np.float32(2.0) * max(space[7], space[8], space[9])
    capacity = starts.shape[1]
    count = 0
    through = one
    gx, gy, gz, squeeze = place(space, ox + enter * dx, oy + enter * dy, oz + enter * dz)
    length = stretch(space, squeeze, slope)
    # The first step is cut short by the jitter, so that all samples of a ray shift together.
    t = enter - (one - jitter[ray]) * length
    while count < capacity:
        middle = t + half * length
        if middle >= leave:
            break
        gx, gy, gz, squeeze = place(space, ox + middle * dx, oy + middle * dy, oz + middle * dz)
        if squeeze > horizon and not ahead:
            break
        begin = t
        span = length
        t += length
        length = stretch(space, squeeze, slope)
        if middle < enter:
            continue
        if gx < zero or gy < zero or gz < zero or gx >= space[7] or gy >= space[8] or gz >= space[9]:
            continue
        i = int(gx)
        j = int(gy)
        k = int(gz)
        brick = index[i >> 2, j >> 2, k >> 2]
        if brick < 0:
            continue
        if (cells[brick] >> np.uint64(((i & 3) << 4) | ((j & 3) << 2) | (k & 3))) & np.uint64(1) == np.uint64(
            0
        ):
            continue
        found = raw_density(index, raw, gx, gy, gz)
        if found <= faint:  # no exponential is needed to see that it cannot matter
            continue
        alpha = opacity(found + shift, optical)
        if alpha * through > least:
            starts[ray, count] = begin
            lengths[ray, count] = span
            alphas[ray, count] = alpha
            count += 1
            through *= one - alpha
            if through < solid:
                break
    return count


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
    raw: Any,
    shift: Any,
    faint: Any,
    least: Any,
    solid: Any,
    starts: Any,
    lengths: Any,
    alphas: Any,
    counts: Any,
) -> None:
    """March one ray; its samples go to row ``ray`` of starts, lengths and alphas, their number to counts."""
    if space[0] == 0:
        counts[ray] = march_box(
            ray,
            origins,
            directions,
            near,
            far,
            jitter,
            space,
            index,
            cells,
            raw,
            shift,
            faint,
            least,
            solid,
            starts,
            lengths,
            alphas,
        )
    else:
        counts[ray] = march_bent(
            ray,
            origins,
            directions,
            near,
            far,
            jitter,
            space,
            index,
            cells,
            raw,
            shift,
            faint,
            least,
            solid,
            starts,
            lengths,
            alphas,
        )


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
        # Rounding must not carry a place out of the grid.
        out_places[first + n, 0] = min(max(gx, np.float32(0.0)), space[7] - EDGE)
        out_places[first + n, 1] = min(max(gy, np.float32(0.0)), space[8] - EDGE)
        out_places[first + n, 2] = min(max(gz, np.float32(0.0)), space[9] - EDGE)
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
    raw: Any,
    shift: Any,
    faint: Any,
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
            raw,
            shift,
            faint,
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
    point: Any, points: Any, space: Any, index: Any, raw: Any, shift: Any, places: Any, density: Any
) -> None:
    """Find the grid coordinates of one point of the world, and its density per world unit (0 outside)."""
    gx, gy, gz, squeeze = place(space, points[point, 0], points[point, 1], points[point, 2])
    zero = np.float32(0.0)
    inside = gx >= zero and gy >= zero and gz >= zero
    inside = inside and gx < space[7] and gy < space[8] and gz < space[9]
    places[point, 0] = min(max(gx, zero), space[7] - EDGE)
    places[point, 1] = min(max(gy, zero), space[8] - EDGE)
    places[point, 2] = min(max(gz, zero), space[9] - EDGE)
    density[point] = zero
    if inside:
        found = raw_density(index, raw, gx, gy, gz) + shift
        soft = found if found > np.float32(15.0) else np.float32(math.log1p(math.exp(found)))
        density[point] = soft * space[26] * space[25] / stretch(space, squeeze, np.float32(1.0))


_probe = scalar(probe_point)


@parallel
def probe(
    count: Any, points: Any, space: Any, index: Any, raw: Any, shift: Any, places: Any, density: Any
) -> None:
    """Loop of ``probe_point``."""
    for point in prange(count):
        _probe(point, points, space, index, raw, shift, places, density)
