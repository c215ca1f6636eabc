"""A still life to photograph: things on a stone table, ray-traced in scene-linear light, with exact cameras.

Everything is a formula here: shapes are distance functions (sphere tracing, Hart 1996), textures are hashed
noise and cells (Perlin 1985, Worley 1996). So its photographs belong to whoever makes them, their cameras are
known exactly, and what structure from motion and fits make of them can be judged. Lights are up to 30 times
brighter than white; the world has Z up, and its unit is ten centimetres.

Usage: python tools/still_life.py FOLDER [--views 36] [--size 320 240] [--alpha] [--png]
writes FOLDER/images and FOLDER/scene.json. With --alpha there is nothing around the table. Takes about one
CPU second a view and needs the extra "fields" (numba).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numba import njit

from dreamplate.plate import Plate, write
from dreamplate.plate.camera import Camera, look_at
from dreamplate.scenes import Scene, View, write_scene

SUN = (0.5205, -0.4338, 0.7355)
TABLE, BOX, BALL, CONE, RING, CUP, ROD, KNOB = range(8)
RADIUS = 2.15
FAR = 40.0
fast = njit(cache=True, fastmath=True)


@fast
def norm(x, y):
    """Length of a vector in a plane; quicker than math.hypot, which guards against overflow."""
    return math.sqrt(x * x + y * y)


@fast
def hashed(x, y, z, salt):
    """A number in 0-1 for a place of an integer lattice."""
    h = (int(x) * 73856093 ^ int(y) * 19349663 ^ int(z) * 83492791 ^ salt * 2654435761) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 739982445) & 0xFFFFFFFF
    h = ((h ^ (h >> 12)) * 695872825) & 0xFFFFFFFF
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0


@fast
def noise(x, y, z):
    """Smooth noise with features of size one, 0-1."""
    a, b, c = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = x - a, y - b, z - c
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for i in range(8):
        p, q, r = i & 1, (i >> 1) & 1, i >> 2
        share = (u if p else 1 - u) * (v if q else 1 - v) * (w if r else 1 - w)
        total += share * hashed(a + p, b + q, c + r, 1)
    return total


@fast
def clouds(x, y, z):
    """Noise of three sizes, 0-1."""
    return (4 * noise(x, y, z) + 2 * noise(2.1 * x, 2.1 * y, 2.1 * z) + noise(4.3 * x, 4.3 * y, 4.3 * z)) / 7


@fast
def cells(x, y, z):
    """How far the edge of a cell is, and the cell's own number in 0-1; cells are about one large."""
    a, b, c = math.floor(x), math.floor(y), math.floor(z)
    first, second, own = 9.0, 9.0, 0.0
    for i in range(-1, 2):
        for j in range(-1, 2):
            for k in range(-1, 2):
                p, q, r = a + i, b + j, c + k
                u = p + hashed(p, q, r, 2) - x
                v = q + hashed(p, q, r, 3) - y
                w = r + hashed(p, q, r, 4) - z
                far = math.sqrt(u * u + v * v + w * w)
                if far < first:
                    first, second, own = far, first, hashed(p, q, r, 5)
                elif far < second:
                    second = far
    return second - first, own


@fast
def segment(x, y, ax, ay, bx, by):
    """Distance in a plane from a point to a segment."""
    dx, dy = bx - ax, by - ay
    t = min(max(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return norm(x - ax - t * dx, y - ay - t * dy)


@fast
def in_box(x, y):
    """The box's own horizontal axes."""
    x, y = x + 0.95, y - 0.75
    return 0.8776 * x + 0.4794 * y, -0.4794 * x + 0.8776 * y


@fast
def distance(x, y, z):
    """How far the nearest thing is at least, and which one it is."""
    r = norm(x, y)
    near = norm(max(r - RADIUS, 0.0), max(abs(z + 0.09) - 0.05, 0.0)) - 0.04
    thing = TABLE
    if r > RADIUS + 0.6 or z > 2.3:
        return near if z < 2.3 else min(near, norm(max(r - RADIUS, 0.0), z - 2.1)), thing

    u, v = in_box(x, y)
    a, b, c = max(abs(u) - 0.52, 0.0), max(abs(v) - 0.4, 0.0), max(abs(z - 0.55) - 0.52, 0.0)
    far = math.sqrt(a * a + b * b + c * c) - 0.03
    if far < near:
        near, thing = far, BOX
    far = math.sqrt((x - 0.75) ** 2 + (y - 0.7) ** 2 + (z - 0.62) ** 2) - 0.62
    if far < near:
        near, thing = far, BALL
    far = max((norm(x - 0.2, y + 1.1) * 1.2 + (z - 1.2) * 0.45) / 1.2816, -z)
    if far < near:
        near, thing = far, CONE
    far = norm(norm(x + 1.1, y + 0.75) - 0.42, z - 0.14) - 0.14
    if far < near:
        near, thing = far, RING
    s = norm(x - 1.4, y + 0.6)
    far = min(segment(s, z, 0.36, 0.04, 0.42, 0.85), segment(s, z, 0.0, 0.04, 0.36, 0.04)) - 0.04
    if far < near:
        near, thing = far, CUP
    t = min(max(z / 1.75, 0.0), 1.0)
    far = (norm(x + 0.1 - 0.14 * t, y - 0.02 - 0.1 * t)) * 0.99 - 0.028
    far = max(far, z - 1.75, -z)
    if far < near:
        near, thing = far, ROD
    far = math.sqrt((x - 0.04) ** 2 + (y - 0.12) ** 2 + (z - 1.84) ** 2) - 0.15
    if far < near:
        near, thing = far, KNOB
    return near, thing


@fast
def march(ox, oy, oz, dx, dy, dz):
    """Distance along a ray to the first thing (FAR for none), and the thing."""
    t = 0.0
    for _ in range(160):
        near, thing = distance(ox + t * dx, oy + t * dy, oz + t * dz)
        if near < 0.0004:
            return t, thing
        t += near
        if t > FAR:
            break
    return FAR, TABLE


@fast
def sunlight(x, y, z):
    """Share of the sun's disc that is seen (soft shadows by the narrowest gap; Quilez)."""
    seen, t = 1.0, 0.02
    for _ in range(70):
        near, _thing = distance(x + t * SUN[0], y + t * SUN[1], z + t * SUN[2])
        seen = min(seen, 0.5 + 9.0 * near / t)
        if seen < 0.0:
            return 0.0
        t += max(near, 0.012)
        if t > 5.0:
            break
    seen = min(max(seen, 0.0), 1.0)
    return seen * seen * (3 - 2 * seen)


@fast
def backdrop(dx, dy, dz):
    """Light of the room: a floor in shade, walls, a bright ceiling and the sun."""
    up = 0.5 + 0.5 * dz
    r, g, b = 0.05 + 0.5 * up * up, 0.055 + 0.58 * up * up, 0.075 + 0.75 * up * up
    sun = dx * SUN[0] + dy * SUN[1] + dz * SUN[2]
    if sun > 0.985:
        glow = min((sun - 0.985) / 0.007, 1.0)
        r, g, b = r + 32 * glow, g + 28 * glow, b + 22 * glow
    return r, g, b


@fast
def paint(thing, x, y, z):
    """Albedo of a thing at a place, and how glossy it is."""
    if thing == TABLE:
        edge, own = cells(x * 6.5, y * 6.5, z * 6.5)
        edge2, own2 = cells(x * 15 + 7, y * 15, z * 15)
        dust = 0.85 + 0.3 * clouds(x * 9, y * 9, z * 9)
        if edge > 0.12 and own > 0.35:
            tone = (own - 0.35) / 0.65
            if own > 0.9:
                return 0.42 * dust, 0.14 * dust, 0.09 * dust, 0.0
            return (0.12 + 0.5 * tone) * dust, (0.13 + 0.45 * tone) * dust, (0.13 + 0.36 * tone) * dust, 0.0
        if edge2 > 0.15 and own2 > 0.6:
            return 0.08 * dust, 0.1 * dust, 0.11 * dust, 0.0
        return 0.52 * dust, 0.49 * dust, 0.43 * dust, 0.0
    if thing == BOX:
        u, v = in_box(x, y)
        edge, own = cells(u * 5, v * 5, z * 5)
        grain = 0.8 + 0.4 * clouds(u * 14, v * 14, z * 14)
        if edge < 0.09:
            return 0.7 * grain, 0.62 * grain, 0.48 * grain, 0.0
        return (0.25 + 0.4 * own) * grain, (0.06 + 0.13 * own * own) * grain, 0.035 * grain, 0.0
    if thing == BALL:
        vein = abs(math.sin(5 * z + 3 * x + 7 * clouds(x * 2.2, y * 2.2, z * 2.2)))
        line = max(0.0, 1 - vein * 4)
        deep = 0.5 + 0.9 * clouds(x * 5, y * 5, z * 5)
        return 0.02 * deep + 0.8 * line, 0.09 * deep + 0.7 * line, 0.24 * deep + 0.5 * line, 0.05
    if thing == CONE:
        turn = math.atan2(y + 1.1, x - 0.2) / (2 * math.pi) + 2.6 * z + 0.25 * clouds(x * 5, y * 5, z * 5)
        grain = 0.75 + 0.5 * clouds(x * 16, y * 16, z * 16)
        if turn - math.floor(turn) < 0.5:
            return 0.04 * grain, 0.3 * grain, 0.27 * grain, 0.0
        return 0.75 * grain, 0.66 * grain, 0.46 * grain, 0.0
    if thing == RING:
        turn = math.atan2(y + 0.75, x + 1.1) * 12 / (2 * math.pi)
        own = hashed(math.floor(turn), 3, 1, 6)
        grain = 0.8 + 0.4 * clouds(x * 18, y * 18, z * 18)
        return (0.75 - 0.55 * own) * grain, (0.34 - 0.26 * own) * grain, (0.04 + 0.2 * own) * grain, 0.0
    if thing == CUP:
        edge, own = cells(x * 14, y * 14, z * 14)
        if own > 0.75 and edge > 0.2:
            return 0.16, 0.1, 0.07, 0.05
        if 0.5 < z < 0.62 + 0.05 * math.sin(9 * math.atan2(y + 0.6, x - 1.4)):
            return 0.05, 0.12, 0.4, 0.05
        return 0.72, 0.7, 0.66, 0.05
    if thing == ROD:
        ring = z * 7 - math.floor(z * 7)
        return (0.6, 0.05, 0.05, 0.0) if ring < 0.5 else (0.75, 0.72, 0.68, 0.0)
    return 1.0, 0.66, 0.25, 1.0


@fast
def slope(x, y, z):
    """Unit normal."""
    e = 0.0006
    a = distance(x + e, y, z)[0] - distance(x - e, y, z)[0]
    b = distance(x, y + e, z)[0] - distance(x, y - e, z)[0]
    c = distance(x, y, z + e)[0] - distance(x, y, z - e)[0]
    size = math.sqrt(a * a + b * b + c * c) + 1e-12
    return a / size, b / size, c / size


@fast
def lit(thing, x, y, z, a, b, c):
    """Diffuse light that leaves a place with normal (a, b, c), and its gloss."""
    red, green, blue, gloss = paint(thing, x, y, z)
    open_ = 1.0
    for i in range(1, 6):
        step = 0.07 * i
        open_ -= (step - distance(x + a * step, y + b * step, z + c * step)[0]) * 1.1 / 2**i / 0.07 * 0.3
    open_ = min(max(open_, 0.15), 1.0)
    sun = max(a * SUN[0] + b * SUN[1] + c * SUN[2], 0.0)
    if sun > 0:
        sun *= sunlight(x + 0.004 * a, y + 0.004 * b, z + 0.004 * c)
    sky, ground = (0.5 + 0.5 * c) * open_, (0.5 - 0.5 * c) * open_
    return (
        red * (2.3 * sun + 0.36 * sky + 0.3 * ground),
        green * (2.0 * sun + 0.44 * sky + 0.27 * ground),
        blue * (1.6 * sun + 0.6 * sky + 0.24 * ground),
        gloss,
    )


@fast
def look(ox, oy, oz, dx, dy, dz):
    """Light along a ray, and whether a thing was met."""
    t, thing = march(ox, oy, oz, dx, dy, dz)
    if t >= FAR:
        r, g, b = backdrop(dx, dy, dz)
        return r, g, b, 0.0
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    a, b, c = slope(x, y, z)
    red, green, blue, gloss = lit(thing, x, y, z, a, b, c)
    if gloss > 0:
        facing = a * dx + b * dy + c * dz
        ex, ey, ez = dx - 2 * facing * a, dy - 2 * facing * b, dz - 2 * facing * c
        share = gloss + (1 - gloss) * gloss * 4 * max(1 + facing, 0.0) ** 5 if gloss < 1 else 1.0
        s, other = march(x + 0.003 * a, y + 0.003 * b, z + 0.003 * c, ex, ey, ez)
        if s >= FAR:
            mr, mg, mb = backdrop(ex, ey, ez)
        else:
            px, py, pz = x + s * ex, y + s * ey, z + s * ez
            na, nb, nc = slope(px, py, pz)
            mr, mg, mb, _gloss = lit(other, px, py, pz, na, nb, nc)
        if thing == KNOB:
            return 0.95 * mr, 0.62 * mg, 0.24 * mb, 1.0
        red, green, blue = red + share * mr, green + share * mg, blue + share * mb
    return red, green, blue, 1.0


@fast
def photograph(origin, directions, pixels):
    """Fill ``(n, 4)``: light and cover along rays from a point."""
    for i in range(len(directions)):
        r, g, b, cover = look(
            origin[0], origin[1], origin[2], directions[i, 0], directions[i, 1], directions[i, 2]
        )
        pixels[i, 0], pixels[i, 1], pixels[i, 2], pixels[i, 3] = r, g, b, cover


def cameras(views: int, size: tuple[int, int], seed: int = 7) -> list[Camera]:
    """Return cameras as one walks three times around the table, each time higher; held by a hand."""
    draws = np.random.default_rng(seed)
    found = []
    for number in range(views):
        lap = 3 * number / views
        turn, rise = 2 * math.pi * lap, math.radians((19, 32, 44)[int(lap)] + draws.uniform(-3, 3))
        away = np.array([math.cos(turn) * math.cos(rise), math.sin(turn) * math.cos(rise), math.sin(rise)])
        eye = away * draws.uniform(5.0, 5.8) + draws.uniform(-0.1, 0.1, 3)
        tilt = np.array([*draws.uniform(-0.04, 0.04, 2), 1.0])
        pose = look_at(eye, np.array([0, 0, 0.35]) + draws.uniform(-0.12, 0.12, 3), tilt)
        found.append(Camera.from_fov(*size, 56.0, pose, name=f"view_{number:03d}"))
    return found


def take(camera: Camera, alpha: bool) -> Plate:
    """Return a photograph, scene-linear, of four rays a pixel: RGB, or premultiplied RGBA."""
    fine = camera.resized(2 * camera.width, 2 * camera.height)
    origin, directions = fine.rays(fine.pixel_centres())
    pixels = np.zeros((len(directions), 4))
    photograph(origin[0], directions, pixels)
    if alpha:
        pixels[:, :3] *= pixels[:, 3:]
    pixels = pixels.reshape(camera.height, 2, camera.width, 2, 4).mean((1, 3)).astype(np.float32)
    chosen = np.ascontiguousarray(pixels if alpha else pixels[:, :, :3])
    return Plate(chosen, tuple("RGBA"[: chosen.shape[2]]), "scene_linear")


def make(folder: Path, views: int, size: tuple[int, int], alpha: bool = False, png: bool = False) -> Path:
    """Write photographs and exact cameras; return the path of ``scene.json``."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    listed = []
    for number, camera in enumerate(cameras(views, size)):
        plate = take(camera, alpha)
        path = images / f"{camera.name}.{'png' if png else 'exr'}"
        write(plate, path, colourspace="srgb_display") if png else write(plate, path)
        listed.append(View(path.name, camera, path, "train" if number % 8 else "test"))
    return write_scene(Scene(folder / "scene.json", "dreamplate", tuple(listed)), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--views", type=int, default=36)
    parser.add_argument("--size", type=int, nargs=2, default=(320, 240))
    parser.add_argument("--alpha", action="store_true")
    parser.add_argument("--png", action="store_true")
    asked = parser.parse_args()
    width, height = asked.size
    print(make(asked.folder, asked.views, (width, height), asked.alpha, asked.png))


if __name__ == "__main__":
    main()
