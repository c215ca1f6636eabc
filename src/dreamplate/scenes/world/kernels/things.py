"""Kernels of things: where a ray meets them, what is seen there, their shadows, and where their points go.

Things stand in a uniform grid over x and z that a ray walks through (Amanatides and Woo, "A fast voxel
traversal algorithm", 1987); each is held by an upright cylinder, and within it the ray steps by the signed
distance of its shape (Hart, "Sphere tracing", 1996). A thing is looked at in the one cell in which the ray
enters its cylinder, so that none is met twice. Those that drive along are few and are tried on every ray.
"""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels import shapes_numbers as n
from dreamplate.scenes.world.kernels.noise import noise3
from dreamplate.scenes.world.kernels.shapes_all import shape_distance
from dreamplate.scenes.world.kernels.shapes_paint import paint
from dreamplate.scenes.world.kernels.shapes_yard import HUB_Y, HUB_Z, cloth_offset

__all__ = ["thing_carry", "thing_hit", "thing_shadow", "thing_surface"]

FAR = 1e30
STEPS = 110
LEAF_LIGHT = 0.16
"""Share of the light that comes through a crown."""
SHARPNESS = 26.0
"""Of shadows' edges: one over the tangent of the angle over which they fade."""


@scalar
def frame(row: Any, time: Any, T: Any) -> Any:  # noqa: N803
    """Return how a thing stands at a moment: place (3), cosine and sine of yaw, pitch and roll."""
    x = float(T.place[row, 0]) + time * T.speed[row, 0]
    y = float(T.place[row, 1]) + time * T.speed[row, 1]
    z = float(T.place[row, 2]) + time * T.speed[row, 2]
    pitch = 0.0
    roll = 0.0
    kind = T.kind[row]
    if kind in (n.BOAT, n.ROWBOAT):
        phase = float(T.phase[row])
        sway = min(0.3 + 0.7 * T.wind, 2.0)
        y += sway * (0.09 * math.sin(1.3 * time + phase) + 0.05 * math.sin(2.1 * time + 2.0 * phase))
        pitch = 0.022 * sway * math.sin(1.1 * time + 1.7 * phase)
        roll = 0.035 * sway * math.sin(0.9 * time + phase)
    return x, y, z, float(T.turn[row, 0]), float(T.turn[row, 1]), pitch, roll


@scalar
def swing_of(row: Any, time: Any, T: Any) -> Any:  # noqa: N803
    """Return a thing's own motion: the angle of a windmill's sails, the wave of a flag."""
    kind = T.kind[row]
    if kind == n.WINDMILL:
        return float(T.phase[row]) + 0.9 * T.wind * time
    if kind == n.FLAG:
        return float(T.phase[row]) + (1.0 + 4.5 * T.wind) * time
    return 0.0


@scalar
def turn_in(x: Any, y: Any, z: Any, c: Any, s: Any, pitch: Any, roll: Any) -> Any:
    """Return a vector of the world in a thing's own axes."""
    u = c * x - s * z
    w = s * x + c * z
    v = y
    if pitch != 0.0 or roll != 0.0:
        c = math.cos(pitch)
        s = math.sin(pitch)
        v, w = c * v + s * w, c * w - s * v
        c = math.cos(roll)
        s = math.sin(roll)
        u, v = c * u + s * v, c * v - s * u
    return u, v, w


@scalar
def turn_out(u: Any, v: Any, w: Any, c: Any, s: Any, pitch: Any, roll: Any) -> Any:
    """Return a vector of a thing's own axes in the world."""
    if pitch != 0.0 or roll != 0.0:
        cr = math.cos(roll)
        sr = math.sin(roll)
        u, v = cr * u - sr * v, cr * v + sr * u
        cp = math.cos(pitch)
        sp = math.sin(pitch)
        v, w = cp * v - sp * w, cp * w + sp * v
    return c * u + s * w, v, c * w - s * u


@scalar
def _trace(
    row: Any,
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t: Any,
    end: Any,
    time: Any,
    shadow: Any,
    T: Any,  # noqa: N803
) -> Any:
    """Return where a ray meets a thing between two distances (`FAR` if not), and how much light passes it."""
    px, py, pz, c, s, pitch, roll = frame(row, time, T)
    sx = 1.0 / T.size[row, 0]
    sy = 1.0 / T.size[row, 1]
    sz = 1.0 / T.size[row, 2]
    x, y, z = turn_in(ox - px, oy - py, oz - pz, c, s, pitch, roll)
    u, v, w = turn_in(dx, dy, dz, c, s, pitch, roll)
    x *= sx
    y *= sy
    z *= sz
    u *= sx
    v *= sy
    w *= sz
    scale = 1.0 / max(sx, sy, sz)
    kind = int(T.kind[row])
    seed = int(T.seed[row])
    swing = swing_of(row, time, T)
    fine = 2 if shadow else (0 if t < 70.0 * scale else 1)
    light = 1.0
    for _ in range(STEPS):
        d, _part = shape_distance(kind, x + t * u, y + t * v, z + t * w, seed, swing, fine)
        d *= scale
        if shadow:
            light = min(light, SHARPNESS * d / max(t, 0.1))
            if light < 0.02:
                return t, 0.0
            d = max(d, 0.02)
        elif d < 0.0015 + 0.0003 * t:
            return t, 0.0
        t += d
        if t > end:
            break
    return FAR, light


@scalar
def _span(
    row: Any,
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    flat: Any,
    time: Any,
    T: Any,  # noqa: N803
) -> Any:
    """Return where a ray enters and leaves a thing's cylinder; ``flat`` is 1 / (dx² + dz²)."""
    x = ox - T.place[row, 0] - time * T.speed[row, 0]
    z = oz - T.place[row, 2] - time * T.speed[row, 2]
    r = float(T.reach[row, 0])
    b = (x * dx + z * dz) * flat
    within = b * b - (x * x + z * z - r * r) * flat
    if within < 0.0:
        return FAR, -FAR
    within = math.sqrt(within)
    t0 = -b - within
    t1 = -b + within
    y = oy - T.place[row, 1] - time * T.speed[row, 1]
    if abs(dy) > 1e-9:
        low = (T.reach[row, 1] - y) / dy
        high = (T.reach[row, 2] - y) / dy
        t0 = max(t0, min(low, high))
        t1 = min(t1, max(low, high))
    elif y < T.reach[row, 1] or y > T.reach[row, 2]:
        return FAR, -FAR
    return t0, t1


@scalar
def _march(
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t_min: Any,
    t_max: Any,
    time: Any,
    shadow: Any,
    T: Any,  # noqa: N803
) -> Any:
    """Return the nearest thing along a ray: distance, row, and the light that passes all of them."""
    best = t_max
    found = -1
    light = 1.0
    flat = dx * dx + dz * dz
    if flat < 1e-12:  # straight up or down
        dx = 1e-6
        flat = 1e-12
    flat = 1.0 / flat
    for index in range(T.movers.shape[0]):
        row = T.movers[index]
        t0, t1 = _span(row, ox, oy, oz, dx, dy, dz, flat, time, T)
        t0 = max(t0, t_min)
        t1 = min(t1, best)
        if t0 < t1:
            t, through = _trace(row, ox, oy, oz, dx, dy, dz, t0, t1, time, shadow, T)
            light = min(light, through)
            if t < best and not shadow:
                best = t
                found = row
    # Clip to the grid's square, and to what lies below the highest top.
    x0 = float(T.grid[0])
    z0 = float(T.grid[1])
    cell = float(T.grid[2])
    count = int(T.grid[3])
    top = float(T.grid[4])
    start = t_min
    end = best
    ix = 1.0 / dx if abs(dx) > 1e-12 else math.copysign(1e12, dx)
    iz = 1.0 / dz if abs(dz) > 1e-12 else math.copysign(1e12, dz)
    a = (x0 - ox) * ix
    b = a + count * cell * ix
    start = max(start, min(a, b))
    end = min(end, max(a, b))
    a = (z0 - oz) * iz
    b = a + count * cell * iz
    start = max(start, min(a, b))
    end = min(end, max(a, b))
    if dy > 1e-9:
        end = min(end, (top - oy) / dy)
    elif dy < -1e-9:
        start = max(start, (top - oy) / dy)
    elif oy > top:
        return best, found, light
    if start >= end or T.cells.shape[0] == 0:
        return best, found, light
    i = min(max(int((ox + start * dx - x0) / cell), 0), count - 1)
    k = min(max(int((oz + start * dz - z0) / cell), 0), count - 1)
    step_i = 1 if dx > 0.0 else -1
    step_k = 1 if dz > 0.0 else -1
    next_i = (x0 + (i + (1 if dx > 0.0 else 0)) * cell - ox) * ix
    next_k = (z0 + (k + (1 if dz > 0.0 else 0)) * cell - oz) * iz
    side_i = abs(cell * ix)
    side_k = abs(cell * iz)
    entry = start
    while True:
        leave = min(next_i, next_k)
        at = k * count + i
        if oy + dy * (entry if dy > 0.0 else min(leave, end)) < T.tops[at]:
            for index in range(T.starts[at], T.starts[at + 1]):
                row = T.cells[index]
                t0, t1 = _span(row, ox, oy, oz, dx, dy, dz, flat, 0.0, T)
                t0 = max(t0, start)
                t1 = min(t1, best)
                if t0 < t1 and t0 >= entry and t0 < leave:
                    t, through = _trace(row, ox, oy, oz, dx, dy, dz, t0, t1, time, shadow, T)
                    if shadow:
                        if T.kind[row] >= n.CONIFER and T.kind[row] <= n.BUSH:
                            through = LEAF_LIGHT + (1.0 - LEAF_LIGHT) * through
                        light *= through
                        if light < 0.02:
                            return t, row, 0.0
                    elif t < best:
                        best = t
                        found = row
        if leave >= end or leave >= best:
            break
        entry = leave
        if next_i < next_k:
            i += step_i
            next_i += side_i
            if i < 0 or i >= count:
                break
        else:
            k += step_k
            next_k += side_k
            if k < 0 or k >= count:
                break
    return best, found, light


@scalar
def thing_hit(
    ox: Any,
    oy: Any,
    oz: Any,
    dx: Any,
    dy: Any,
    dz: Any,
    t_min: Any,
    t_max: Any,
    time: Any,
    T: Any,  # noqa: N803
) -> Any:
    """Return the distance to the nearest thing along a ray and its row, or infinity and -1.

    Args:
        ox: Where the ray begins, with oy and oz.
        oy: Up.
        oz: South.
        dx: Unit direction, with dy and dz.
        dy: Up.
        dz: South.
        t_min: Distances to look at, from here
        t_max: to here.
        time: Seconds.
        T: The things.
    """
    best, found, _ = _march(ox, oy, oz, dx, dy, dz, t_min, t_max, time, False, T)
    if found < 0:
        return math.inf, -1
    return best, int(found)


@scalar
def thing_shadow(ox: Any, oy: Any, oz: Any, dx: Any, dy: Any, dz: Any, t_max: Any, time: Any, T: Any) -> Any:  # noqa: N803
    """Return the share of light from a direction that things let pass, 0 to 1, with soft edges.

    Crowns count as somewhat smaller and let a little through. The point should lie a few centimetres off
    the surface that is lit.
    """
    _, _, light = _march(ox, oy, oz, dx, dy, dz, 0.05, t_max, time, True, T)
    return light


@scalar
def thing_surface(row: Any, px: Any, py: Any, pz: Any, dist: Any, time: Any, T: Any) -> Any:  # noqa: N803
    """Return what is seen of a thing at a point of its surface.

    Args:
        row: The thing.
        px: The point, with py and pz.
        py: Up.
        pz: South.
        dist: Metres from the eye; details finer than a pixel fade.
        time: Seconds.
        T: The things.

    Returns:
        Unit normal (3), albedo (3), light given off at night (3), id of the class, roughness 0 to 1.
    """
    bx, by, bz, c, s, pitch, roll = frame(row, time, T)
    sx = 1.0 / T.size[row, 0]
    sy = 1.0 / T.size[row, 1]
    sz = 1.0 / T.size[row, 2]
    x, y, z = turn_in(px - bx, py - by, pz - bz, c, s, pitch, roll)
    x *= sx
    y *= sy
    z *= sz
    scale = 1.0 / max(sx, sy, sz)
    kind = int(T.kind[row])
    seed = int(T.seed[row])
    swing = swing_of(row, time, T)
    fine = 0 if dist < 70.0 * scale else 1
    crown = kind >= n.CONIFER and kind <= n.BUSH and kind not in (n.BARE, n.CACTUS)
    h = (0.03 if crown else 0.004) + 0.0005 * dist / scale
    part = 0
    nx = 0.0
    ny = 0.0
    nz = 0.0
    for corner in range(5):  # a tetrahedron's corners, then the point itself
        far = 0.0 if corner == 4 else 1.0
        u = far if corner % 3 == 0 else -far
        v = far if corner >= 2 else -far
        w = far if corner % 2 == 1 else -far
        d, part = shape_distance(kind, x + h * u, y + h * v, z + h * w, seed, swing, fine)
        nx += u * d
        ny += v * d
        nz += w * d
    r, g, b, er, eg, eb, rough = paint(
        kind,
        part,
        x,
        y,
        z,
        *_unit(nx, ny, nz),
        seed,
        float(T.colour[row, 0]),
        float(T.colour[row, 1]),
        float(T.colour[row, 2]),
        float(T.accent[row, 0]),
        float(T.accent[row, 1]),
        float(T.accent[row, 2]),
        dist / scale,
    )
    nx, ny, nz = _unit(nx * sx, ny * sy, nz * sz)
    if T.snow > 0.0 and part not in (n.GLASS, n.GLOW) and kind != n.CAMPFIRE:
        edge = 0.78 - 0.5 * T.snow + 0.25 * noise3(px * 1.3, py * 1.3, pz * 1.3, seed)
        lies = min(max((ny - edge) * 5.0, 0.0), 1.0) * min(2.0 * T.snow, 1.0)
        r += lies * (0.86 - r)
        g += lies * (0.88 - g)
        b += lies * (0.92 - b)
    nx, ny, nz = turn_out(nx, ny, nz, c, s, pitch, roll)
    return nx, ny, nz, r, g, b, er, eg, eb, int(T.label[row]), rough


@scalar
def _unit(x: Any, y: Any, z: Any) -> Any:
    length = math.sqrt(x * x + y * y + z * z)
    if length < 1e-12:
        return 0.0, 1.0, 0.0
    return x / length, y / length, z / length


@scalar
def thing_carry(row: Any, px: Any, py: Any, pz: Any, time0: Any, time1: Any, T: Any) -> Any:  # noqa: N803
    """Return where the point of a thing that is at (px, py, pz) at time0 is at time1."""
    bx, by, bz, c, s, pitch, roll = frame(row, time0, T)
    x, y, z = turn_in(px - bx, py - by, pz - bz, c, s, pitch, roll)
    kind = int(T.kind[row])
    if kind in (n.WINDMILL, n.FLAG):
        sx = float(T.size[row, 0])
        sy = float(T.size[row, 1])
        sz = float(T.size[row, 2])
        x /= sx
        y /= sy
        z /= sz
        before = swing_of(row, time0, T)
        after = swing_of(row, time1, T)
        if kind == n.FLAG:
            if x > 0.11 and y > 6.9 and y < 8.7:
                z += cloth_offset(x, y, after) - cloth_offset(x, y, before)
        elif z < HUB_Z + 0.42:
            u = math.cos(after - before)
            v = math.sin(after - before)
            y -= HUB_Y
            x, y = u * x - v * y, u * y + v * x
            y += HUB_Y
        x *= sx
        y *= sy
        z *= sz
    bx, by, bz, c, s, pitch, roll = frame(row, time1, T)
    x, y, z = turn_out(x, y, z, c, s, pitch, roll)
    return x + bx, y + by, z + bz
