"""Kernels of the picture as a whole: pixels that need more rays, glow around lights, rain and snow."""

from __future__ import annotations

import math
from typing import Any

from dreamplate.compiled import scalar
from dreamplate.scenes.world.kernels.noise import hash_unit

__all__ = ["average", "bloom", "fall_rain", "fall_snow", "find_edges"]


@scalar
def _tone(light: Any) -> Any:
    """Return about how bright light looks, 0 to 1."""
    return math.sqrt(min(max(light, 0.0), 1.0))


@scalar
def find_edges(
    height: Any, width: Any, colour: Any, reach: Any, rows: Any, labels: Any, least: Any, out: Any
) -> None:
    """Note in ``out`` (height * width, uint8) where a pixel differs from one beside it, below it or above it.

    Args:
        height: Rows of pixels.
        width: Columns.
        colour: ``(n, 3)`` radiance.
        reach: ``(n,)`` distance.
        rows: ``(n,)`` row of things.
        labels: ``(n,)`` class.
        least: Difference in displayed brightness from which a pixel counts.
        out: Written: 1 where it does.
    """
    for i in range(height * width):
        out[i] = 0
    for y in range(height):
        for x in range(width):
            i = y * width + x
            for down in range(2):
                if (down == 1 and y + 1 >= height) or (down == 0 and x + 1 >= width):
                    continue
                j = i + width if down == 1 else i + 1
                differs = rows[i] != rows[j] or labels[i] != labels[j]
                if not differs:
                    for k in range(3):
                        if abs(_tone(colour[i, k]) - _tone(colour[j, k])) > least:
                            differs = True
                if differs:
                    out[i] = 1
                    out[j] = 1


@scalar
def average(chosen: Any, extra: Any, more: Any, top: Any, colour: Any) -> None:
    """Replace the colour of chosen pixels by the mean of it and its extra rays.

    Args:
        chosen: ``(k,)`` pixels.
        extra: Extra rays of each.
        more: ``(extra * k, 3)`` their radiance, a pass over all pixels after another.
        top: Radiance that counts at most, where rays of a pixel differ: sparks would make jagged dots.
        colour: ``(n, 3)`` changed.
    """
    count = chosen.shape[0]
    for c in range(count):
        i = chosen[c]
        for k in range(3):
            total = min(colour[i, k], top)
            for s in range(extra):
                total += min(more[s * count + c, k], top)
            colour[i, k] = total / (extra + 1)


@scalar
def _blur_rows(height: Any, width: Any, source: Any, radius: Any, out: Any) -> None:
    """Mean of ``2 radius + 1`` pixels along rows, and the result turned: rows become columns."""
    share = 1.0 / (2 * radius + 1)
    for y in range(height):
        for k in range(3):
            total = 0.0
            for x in range(-radius, radius + 1):
                total += source[y, min(max(x, 0), width - 1), k]
            for x in range(width):
                out[x, y, k] = total * share
                total += source[y, min(x + radius + 1, width - 1), k] - source[y, max(x - radius, 0), k]


@scalar
def bloom(image: Any, bright: Any, turned: Any, threshold: Any, strength: Any) -> None:
    """Add a soft glow around what is brighter than a threshold: three widths, each two means along both axes.

    Args:
        image: ``(h, w, 3)`` changed.
        bright: ``(h, w, 3)`` for work.
        turned: ``(w, h, 3)`` for work.
        threshold: Radiance above which light spills.
        strength: Share of it that does.
    """
    height, width, _ = image.shape
    found = False
    for y in range(height):
        for x in range(width):
            light = max(image[y, x, 0], image[y, x, 1], image[y, x, 2])
            part = 0.0
            if light > threshold:
                # Very bright spots count less than in full, or the sun's disc would flood the picture.
                over = light - threshold
                part = over / (1.0 + 0.12 * over) / light
                found = True
            for k in range(3):
                bright[y, x, k] = part * image[y, x, k]
    if not found:
        return
    for level in range(3):
        radius = max(1, int(height * (0.006, 0.02, 0.06)[level] + 0.5))
        for _ in range(2):
            _blur_rows(height, width, bright, radius, turned)
            _blur_rows(width, height, turned, radius, bright)
        for y in range(height):
            for x in range(width):
                for k in range(3):
                    image[y, x, k] += strength * bright[y, x, k]


@scalar
def fall_rain(image: Any, strength: Any, slant: Any, time: Any, fr: Any, fg: Any, fb: Any, seed: Any) -> None:
    """Draw streaks of rain over a picture: three sheets, near ones longer and faster.

    Args:
        image: ``(h, w, 3)`` changed.
        strength: 0 to 1.
        slant: Sideways over down.
        time: Seconds.
        fr: Radiance of a streak.
        fg: Green.
        fb: Blue.
        seed: Of where streaks are.
    """
    height, width, _ = image.shape
    for y in range(height):
        for x in range(width):
            v = (y + 0.5) / height
            u = (x + 0.5) / height - slant * v
            cover = 0.0
            for sheet in range(3):
                across = (26.0, 40.0, 64.0)[sheet]
                long = (2.6, 4.0, 6.5)[sheet]
                column = u * across
                i = math.floor(column)
                speed = (3.2, 2.6, 2.0)[sheet] * (0.85 + 0.3 * hash_unit(int(i), sheet, 5, seed))
                row = v * long - time * speed * long + 7.0 * hash_unit(int(i), sheet, 6, seed)
                j = math.floor(row)
                if hash_unit(int(i), int(j), sheet, seed) > 0.35 + 0.4 * strength:
                    continue
                middle = 0.25 + 0.5 * hash_unit(int(i), int(j), sheet + 7, seed)
                thin = max(0.07, 0.6 * across / height)
                off = (column - i - middle) / thin
                along = row - j
                part = math.exp(-off * off) * along * (1.0 - along) * 4.0
                cover += part * min(1.0, 0.07 * height / across) ** 0.5 * (0.3, 0.23, 0.18)[sheet]
            cover = min(cover * (0.5 + 0.6 * strength), 0.6)
            image[y, x, 0] += cover * (fr - 0.6 * image[y, x, 0])
            image[y, x, 1] += cover * (fg - 0.6 * image[y, x, 1])
            image[y, x, 2] += cover * (fb - 0.6 * image[y, x, 2])


@scalar
def fall_snow(image: Any, strength: Any, slant: Any, time: Any, fr: Any, fg: Any, fb: Any, seed: Any) -> None:
    """Draw flakes of snow over a picture, as `fall_rain`: four sheets, near ones larger, softer, faster."""
    height, width, _ = image.shape
    for y in range(height):
        for x in range(width):
            v = (y + 0.5) / height
            u = (x + 0.5) / height
            through = 1.0
            for sheet in range(4):
                cells = (7.0, 12.0, 20.0, 34.0)[sheet]
                fall = (0.30, 0.2, 0.13, 0.08)[sheet]
                sway = 0.012 * math.sin(1.3 * time + 9.0 * v + 2.0 * sheet)
                a = (u - slant * fall * 2.0 * time + sway) * cells
                b = (v - fall * time) * cells
                i = math.floor(a)
                j = math.floor(b)
                if hash_unit(int(i), int(j), sheet + 11, seed) > 0.3 + 0.45 * strength:
                    continue
                radius = 0.13 + 0.09 * hash_unit(int(i), int(j), sheet + 21, seed)
                px = a - i - 0.3 - 0.4 * hash_unit(int(i), int(j), sheet + 31, seed)
                py = b - j - 0.3 - 0.4 * hash_unit(int(i), int(j), sheet + 41, seed)
                least = 0.6 * cells / height
                size = max(radius * (0.55, 0.6, 0.75, 0.8)[sheet], least)
                far = (px * px + py * py) / (size * size)
                dim = min(1.0, (radius / size) ** 2 + 0.35)
                through *= 1.0 - min(1.0, dim * (0.55, 0.75, 0.85, 0.7)[sheet] * math.exp(-1.6 * far * far))
            cover = 1.0 - through
            image[y, x, 0] += cover * (fr - image[y, x, 0])
            image[y, x, 1] += cover * (fg - image[y, x, 1])
            image[y, x, 2] += cover * (fb - image[y, x, 2])
