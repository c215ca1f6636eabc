"""Procedural landscapes: one consistent, stylised world, drawn without any picture or photograph.

Every picture is a pure function of a seed and its number: skies from noon to night, clouds, ranges of
mountains in aerial perspective, and water, meadow, snow or sand in front, sometimes with conifers.
Nothing is copied from anywhere, so networks trained on it belong to whoever runs the recipe.

Usage: python tools/worlds.py SHEET.png [--seed 0] [--size 64] draws a sheet of 64 of them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

HOURS = ("noon", "afternoon", "golden", "dusk", "blue", "night")
"""The hours that the palettes are given for; a picture's hour lies anywhere between."""
ZENITH = (
    (0.22, 0.45, 0.80),
    (0.30, 0.50, 0.78),
    (0.36, 0.45, 0.66),
    (0.24, 0.22, 0.46),
    (0.10, 0.14, 0.34),
    (0.02, 0.03, 0.10),
)
HAZE = (
    (0.76, 0.86, 0.94),
    (0.84, 0.86, 0.86),
    (0.98, 0.80, 0.55),
    (0.96, 0.50, 0.34),
    (0.42, 0.40, 0.58),
    (0.10, 0.13, 0.24),
)
SUN = (
    (1.00, 0.98, 0.92),
    (1.00, 0.95, 0.82),
    (1.00, 0.82, 0.50),
    (1.00, 0.52, 0.28),
    (0.60, 0.52, 0.62),
    (0.62, 0.68, 0.82),
)
SHADE = (
    (0.42, 0.50, 0.62),
    (0.42, 0.46, 0.56),
    (0.40, 0.36, 0.44),
    (0.26, 0.20, 0.34),
    (0.14, 0.16, 0.30),
    (0.04, 0.05, 0.11),
)
"""Display colours by hour: top of the sky, sky at the horizon, direct light, light of the shadows."""
ROCKS = ((0.52, 0.48, 0.46), (0.60, 0.42, 0.34), (0.38, 0.44, 0.36), (0.46, 0.46, 0.54))
"""What mountains are made of: granite, red sandstone, wooded, slate."""
GROUNDS = ((0.10, 0.24, 0.34), (0.36, 0.52, 0.20), (0.70, 0.58, 0.24), (0.90, 0.93, 0.98), (0.86, 0.66, 0.42))
"""What lies in front: water (its body colour), meadow, autumn grass, snow, sand."""
GROUND_SHARES = (0.40, 0.24, 0.12, 0.12, 0.12)
"""How often each ground comes."""
RANGES = 3
"""Mountain ranges, far to near."""
TREES = 24
CLOUD_SIDE, WAVES = 32, 6
NUMBERS = 64 + CLOUD_SIDE * CLOUD_SIDE * 2 + RANGES * 128 + TREES * 3
"""Uniform numbers that one picture is made from."""


def draw_numbers(seed: int, indices: Sequence[int]) -> Tensor:
    """Return ``(n, NUMBERS)`` uniforms in [0, 1); a picture's row depends on the seed and its number only."""
    rows = []
    for index in indices:
        draws = torch.Generator().manual_seed((seed * 1_000_003 + index) % (1 << 62))
        rows.append(torch.rand(NUMBERS, generator=draws))
    return torch.stack(rows)


def mix(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Blend linearly: ``a`` where ``share`` is 0, ``b`` where it is 1."""
    return a + (b - a) * share


def smooth(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """Rise from 0 at ``low`` to 1 at ``high`` with level ends (Hermite's cubic)."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def palette(table: Sequence[Sequence[float]], hour: Tensor) -> Tensor:
    """Colours ``(n, 3, 1, 1)`` at the hours ``(n,)``, counted in rows of the table."""
    colours = torch.tensor(table)
    low = hour.floor().long().clamp(0, len(table) - 2)
    return mix(colours[low], colours[low + 1], (hour - low)[:, None])[:, :, None, None]


def fractal(cells: Tensor, places: Tensor, octaves: int = 4, falloff: float = 0.55) -> Tensor:
    """Fractal value noise in about [-1, 1] on a torus.

    Args:
        cells: ``(n, side, side)`` lattices of uniforms; every octave reads the same lattice elsewhere.
        places: ``(n, h, w, 2)`` places in cells of the first octave, x first.
        octaves: How many, each of twice the frequency.
        falloff: Strength of an octave relative to the one before.

    Returns:
        ``(n, h, w)``.
    """
    side = cells.shape[-1]
    # One cell of wrap at each end lets a bilinear lookup cross the seam.
    wrapped = F.pad(cells[:, None] * 2 - 1, (0, 1, 0, 1), mode="circular")
    total, strength, power = torch.zeros(places.shape[:-1]), 1.0, 0.0
    for octave in range(octaves):
        p = torch.remainder(places * 2**octave + 7.31 * octave, side)
        whole = p.floor()
        p = whole + smooth(p - whole, 0.0, 1.0)
        grid = p / side * 2 - 1
        total = total + strength * F.grid_sample(wrapped, grid, align_corners=True)[:, 0]
        power += strength * strength
        strength *= falloff
    return total / math.sqrt(power) * 1.2


def skyline(numbers: Tensor, x: Tensor, roughness: Tensor, sharp: Tensor) -> Tensor:
    """Heights ``(n, w)`` of a range at the columns ``x`` ``(n, w)``, in about [0, 1].

    Octaves of one-dimensional value noise; ``sharp`` folds them into ridges (Musgrave's ridged noise).
    """
    total, strength, norm, at = torch.zeros_like(x), torch.ones(len(x), 1), torch.zeros(len(x), 1), 0
    for octave in range(WAVES):
        count = 20
        p = torch.remainder(x * 2 ** (octave + 1), count)
        low = p.floor().long() % count
        knots = numbers[:, at : at + count]
        value = mix(knots.gather(1, low), knots.gather(1, (low + 1) % count), smooth(p - p.floor(), 0.0, 1.0))
        ridge = 1 - (2 * value - 1).abs()
        total = total + strength * mix(value, ridge, sharp)
        norm = norm + strength
        strength = strength * roughness
        at += 21
    return total / norm


def render(numbers: Tensor, size: int) -> Tensor:
    """Draw landscapes.

    Args:
        numbers: ``(n, NUMBERS)`` from :func:`draw_numbers`.
        size: Side in pixels.

    Returns:
        ``(n, 3, size, size)``, display-encoded, in [0, 1].
    """
    n = len(numbers)
    u, rest = numbers[:, :64], numbers[:, 64:]
    cells = rest[:, : 2 * CLOUD_SIDE**2].reshape(n, 2, CLOUD_SIDE, CLOUD_SIDE)
    ridges = rest[:, 2 * CLOUD_SIDE**2 :][:, : RANGES * 128].reshape(n, RANGES, 128)
    trees = rest[:, -TREES * 3 :].reshape(n, TREES, 3)

    def pick(column: int, low: float, high: float) -> Tensor:
        return (low + (high - low) * u[:, column])[:, None, None]

    centres = (torch.arange(size) + 0.5) / size
    y, x = centres[None, :, None].expand(n, size, size), centres[None, None, :].expand(n, size, size)
    hour = u[:, 0] * (len(HOURS) - 1)
    hour = torch.where(u[:, 1] < 0.35, u[:, 0] * 1.5, hour)  # daylight is what most pictures show
    zenith, haze, sun, shade = (palette(table, hour) for table in (ZENITH, HAZE, SUN, SHADE))
    tint = 1 + (u[:, 2:5] - 0.5)[:, :, None, None] * 0.12
    night = smooth(hour, 4.0, 4.8)[:, None, None]
    horizon = pick(5, 0.52, 0.74)

    # The sky: a gradient, a glow around the sun, its disc, stars at night.
    above = (1 - y / horizon).clamp(0, 1)
    sky = mix(haze, zenith, above[:, None] ** pick(6, 0.5, 1.1)[:, None])
    sun_x, sun_y = pick(7, 0.05, 0.95), horizon * (1 - pick(8, 0.12, 0.75))
    sun_y = torch.where(
        (hour > 1.6)[:, None, None] & (night < 0.5), horizon * (1 - pick(8, 0.02, 0.22)), sun_y
    )
    far = ((x - sun_x) ** 2 + (y - sun_y) ** 2).sqrt()
    glow = (torch.exp(-far * pick(9, 5, 9)) * 0.75 * (1 - 0.6 * night))[:, None]
    disc = smooth(-far, -pick(10, 0.035, 0.06), -pick(10, 0.03, 0.055) + 1.0 / size)[:, None]
    sky = mix(sky, sun.expand_as(sky), glow)
    sky = mix(sky, (sun * 0.4 + 0.6).expand_as(sky), disc)
    speckle = F.grid_sample(
        cells[:, 1:], torch.stack([x, y], -1) * 2 - 1, mode="nearest", align_corners=False
    )
    sky = sky + smooth(speckle, 0.975, 1.0) * (night * above)[:, None] * 0.6

    # Clouds lie on a ceiling, so they grow smaller and flatter towards the horizon.
    distance = 1 / (above + 0.18)
    ceiling = torch.stack(
        [(x - 0.5) * distance * 2.4 + pick(11, 0, 32), distance * 3.2 + pick(12, 0, 32)], -1
    )
    cloud = fractal(cells[:, 0], ceiling, 4)
    towards = torch.stack([(sun_x - x) * 0.5, (y - sun_y) * 0.5], -1)
    lit = fractal(cells[:, 0], ceiling + towards, 2)
    cover = pick(13, -0.25, 0.95)
    density = smooth(cloud, cover, cover + pick(14, 0.35, 0.8)) * (above * 8).clamp(0, 1) * 0.92
    bright = mix(shade * 0.6 + haze * 0.4, sun * 0.75 + haze * 0.25, smooth(cloud - lit, -0.7, 0.7)[:, None])
    picture = mix(sky, bright, density[:, None])

    # Mountain ranges, far to near, each less hidden by the air.
    rock = torch.tensor(ROCKS)[(u[:, 15] * len(ROCKS)).long()][:, :, None, None]
    sharp, roughness = (u[:, 16] * 1.3).clamp(0, 1)[:, None], 0.42 + 0.16 * u[:, 17:18]
    snow_line = pick(18, -0.1, 1.3)
    side = (sun_x - 0.5) * 2
    mountains = pick(19, 0.05, 1.0) ** 0.8
    columns = centres[None].expand(n, size)
    ground_kind = torch.bucketize(u[:, 20].contiguous(), torch.tensor(GROUND_SHARES).cumsum(0)[:-1])
    for depth in range(RANGES):
        near = (depth + 1) / RANGES
        heights = skyline(ridges[:, depth], columns * (0.7 + 0.5 * depth), roughness, sharp)
        tall = mountains * (0.62 - 0.36 * near) * (0.6 + 0.8 * u[:, 21 + depth, None, None])
        level = mix(heights, heights.mean(1, keepdim=True), torch.tensor(0.25 * near)) * 1.5 - 0.3
        top = horizon - tall * level[:, None, :].clamp(min=0) - 0.01
        below = y - top
        solid = (below * size + 0.5).clamp(0, 1)
        # Gullies run down the slopes: the skyline's own slope, shifted and spread with depth below it.
        ground_noise = fractal(cells[:, 1], torch.stack([x * 9 + depth * 11, below * 13 + x * 3], -1), 3)
        steep = torch.gradient(heights, dim=1)[0] * size * 0.25
        steep = steep[:, None, :].expand(n, size, size)
        light = (
            0.5 + 0.35 * torch.tanh(steep * 2) * side.sign() + 0.32 * ground_noise * sharp[:, :, None]
        ).clamp(0, 1)
        surface = rock * (0.85 + 0.15 * near)
        high = (horizon - y + ground_noise * 0.035) / 0.5
        snow = smooth(high, snow_line * 0.62, snow_line * 0.62 + 0.12)[:, None]
        snow = torch.maximum(
            snow, (ground_kind == 3)[:, None, None, None] * smooth(light, 0.25, 0.6)[:, None] * 0.85
        )
        surface = mix(surface, torch.tensor(0.96), snow)
        lighted = surface * mix(shade, sun * 0.98, light[:, None]) * 1.1
        air = (0.72 * (1 - near) + 0.14 + 0.15 * (below / (tall + 0.05)).clamp(0, 1)) * pick(24, 0.7, 1.15)
        air = air.clamp(0, 0.93)[:, None]
        picture = mix(picture, mix(lighted, haze * 0.8 + shade * 0.2, air), solid[:, None])

    # The ground in front, seen in perspective.
    under = ((y - horizon) / (1 - horizon)).clamp(0, 1)
    reach = 1 / (under + 0.08)
    plane = torch.stack([(x - 0.5) * reach * 4 + pick(25, 0, 32), reach * 5 + pick(26, 0, 32)], -1)
    rough = fractal(cells[:, 1], plane, 3)
    earth = torch.tensor(GROUNDS)[ground_kind][:, :, None, None] * (
        1 + (u[:, 27:30] - 0.5)[:, :, None, None] * 0.3
    )
    rolling = fractal(cells[:, 1], torch.stack([x * 2.5 + 5, under * 3 + pick(30, 0, 32)], -1), 2)
    light = (0.55 + 0.22 * rough + 0.3 * rolling).clamp(0, 1)
    land = earth * mix(shade, sun, light[:, None]) * 1.08
    land = mix(land, haze.expand_as(land), (torch.exp(-under * 7) * 0.55)[:, None])

    # Water mirrors what stands above the horizon, shaken by waves that grow towards the viewer.
    ripples = fractal(cells[:, 1], torch.stack([x * reach * 1.2 + 3, reach * 9], -1), 3)
    calm = pick(31, 0.15, 1.0)
    mirror_y = (2 * horizon - y) + ripples * under * 0.10 * calm
    mirror_x = x + ripples * under * 0.04 * calm
    lookup = torch.stack([mirror_x * 2 - 1, mirror_y.clamp(min=0.0) * 2 - 1], -1)
    lookup[..., 1] = torch.minimum(lookup[..., 1], (horizon * 2 - 1 - 1.0 / size))
    mirrored = F.grid_sample(picture, lookup, padding_mode="reflection", align_corners=False)
    body = earth * mix(shade, sun, torch.tensor(0.6))
    water = mix(
        mirrored * 0.88, body, (0.25 + 0.4 * under * (1 - 0.5 * u[:, 32, None, None]))[:, None].clamp(0, 1)
    )
    streak = torch.exp(-(((x - sun_x) / (0.05 + 0.12 * under)) ** 2)) * smooth(ripples, 0.0, 0.9)
    water = water + sun * (streak * 0.5 * (1 - night * 0.5))[:, None]
    front = torch.where((ground_kind == 0)[:, None, None, None], water, land)
    picture = mix(picture, front, ((y - horizon) * size + 0.5).clamp(0, 1)[:, None])

    # Conifers: triangles with ragged edges on a bank in the foreground; not in deserts.
    wooded = (u[:, 33] < 0.45) & (ground_kind != 4)
    foot = horizon[:, :, 0] + (1 - horizon[:, :, 0]) * (0.12 + 0.75 * u[:, 34:35])
    scale = 0.10 + 0.22 * u[:, 35:36] + 0.25 * (foot - 0.55).clamp(min=0)
    tree_x = mix(
        trees[..., 0], (u[:, 36:37] > 0.5).float() + (trees[..., 0] - 0.5) * 0.7, (u[:, 37:38] < 0.6).float()
    )
    tree_h = scale * (0.45 + 0.75 * trees[..., 1])
    reachable = (
        tree_h[..., None] - (columns[:, None, :] - tree_x[..., None]).abs() * (4.2 + 2 * trees[..., 2:])
    ).amax(1)
    bank = 0.02 * torch.sin(columns * 9 + u[:, 38:39] * 6)
    crown = foot + bank - reachable.clamp(min=-0.03)
    ragged = fractal(cells[:, 1], torch.stack([x * 30, y * 30], -1), 2) * 0.012
    inside = ((y - crown[:, None, :] + ragged) * size + 0.5).clamp(0, 1)
    # Standing on the bank: nothing of a tree below its foot.
    inside = (
        inside * ((foot + bank + 0.015)[:, None, :] - y).mul(size).clamp(0, 1) * (reachable > 0)[:, None, :]
    )
    needles = torch.tensor([0.16, 0.26, 0.18])[None, :, None, None] * mix(shade, sun, torch.tensor(0.55))
    needles = mix(
        needles,
        torch.tensor(0.9) * mix(shade, sun, torch.tensor(0.6)),
        ((ground_kind == 3) * 0.4)[:, None, None, None],
    )
    picture = mix(picture, needles * (1 + 8 * ragged[:, None]), (inside * wooded[:, None, None])[:, None])
    return (picture * tint).clamp(0, 1)


def draw_worlds(seed: int, first: int, count: int, size: int, chunk: int = 64) -> Tensor:
    """Draw pictures ``first`` to ``first + count`` of a seed as ``(count, 3, size, size)`` bytes."""
    parts = []
    for start in range(first, first + count, chunk):
        numbers = draw_numbers(seed, range(start, min(start + chunk, first + count)))
        parts.append((render(numbers, size) * 255).round().to(torch.uint8))
    return torch.cat(parts)


def save_sheet(pictures: Tensor, path: Path, columns: int = 8) -> None:
    """Write ``(n, 3, h, w)`` bytes as one PNG, row by row."""
    from PIL import Image

    _, _, height, width = pictures.shape
    rows = -(-len(pictures) // columns)
    sheet = torch.zeros(rows * columns, 3, height, width, dtype=torch.uint8)
    sheet[: len(pictures)] = pictures
    sheet = sheet.reshape(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2)
    Image.fromarray(sheet.reshape(rows * height, columns * width, 3).contiguous().numpy()).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    save_sheet(draw_worlds(args.seed, 0, 64, args.size), args.sheet)


if __name__ == "__main__":
    main()
