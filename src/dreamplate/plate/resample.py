"""Enlarging pictures by whole factors: filters, and making the result agree with what it came from.

Arrays are float32 ``(height, width, channels)``. A pixel is the square around its centre: pixel 0 of a
picture enlarged four times lies 3/8 of a pixel left of and above the centre of pixel 0 of the small one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dreamplate.plate.plate import Pixels

LANCZOS = 3
"""Lobes of the Lanczos filter."""
STEPS = 3
"""Smooth corrections before the exact one."""
RATIO = 4.0
"""Most that one correction multiplies light by."""
TINY = 1e-6


def box_down(values: Pixels, factor: int) -> Pixels:
    """Return a picture made smaller: each pixel is the mean of ``factor`` x ``factor``."""
    height, width, channels = values.shape
    blocks = values.reshape(height // factor, factor, width // factor, factor, channels)
    # Double: a highlight of 65504 must not swallow what lies beside it.
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64), np.float32)


def nearest_up(values: Pixels, factor: int) -> Pixels:
    """Return a picture enlarged by repeating its pixels."""
    return values.repeat(factor, axis=0).repeat(factor, axis=1)


def linear_up(values: Pixels, factor: int) -> Pixels:
    """Return a picture enlarged bilinearly."""
    return _enlarge(values, factor, 1, lambda t: 1 - np.abs(t))


def lanczos_up(values: Pixels, factor: int) -> Pixels:
    """Return a picture enlarged by Lanczos' filter, held to the range of the four nearest pixels.

    So edges are sharp and do not ring.
    """
    made = _enlarge(values, factor, LANCZOS, lambda t: np.sinc(t) * np.sinc(t / LANCZOS))
    return np.clip(made, _extreme(values, factor, np.minimum), _extreme(values, factor, np.maximum))


def _phases(factor: int) -> list[tuple[int, float]]:
    """Return, for each pixel of an enlarged one, the small pixel left of it and the distance to that."""
    places = [(phase + 0.5) / factor - 0.5 for phase in range(factor)]
    return [(int(np.floor(place)), place - np.floor(place)) for place in places]


def _enlarge(
    values: Pixels,
    factor: int,
    lobes: int,
    kernel: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.floating]],
) -> Pixels:
    for axis in (0, 1):
        length = values.shape[axis]
        pad = [(lobes, lobes) if side == axis else (0, 0) for side in range(3)]
        source = np.moveaxis(np.pad(values, pad, mode="edge"), axis, 0)
        made = np.empty((length, factor, *source.shape[1:]), np.float32)
        for phase, (left, distance) in enumerate(_phases(factor)):
            taps = np.arange(1 - lobes, lobes + 1)
            weights = kernel((taps - distance).astype(np.float64))
            weights = (weights / weights.sum()).astype(np.float32)
            starts = lobes + left + taps
            made[:, phase] = sum(w * source[s : s + length] for w, s in zip(weights, starts, strict=True))
        values = np.moveaxis(made.reshape(length * factor, *source.shape[1:]), 0, axis)
    return np.ascontiguousarray(values)


def _extreme(values: Pixels, factor: int, choose: Callable[[Pixels, Pixels], Pixels]) -> Pixels:
    """Return the least or the greatest of the two by two pixels nearest to each enlarged one."""
    for axis in (0, 1):
        length = values.shape[axis]
        pad = [(1, 1) if side == axis else (0, 0) for side in range(3)]
        source = np.moveaxis(np.pad(values, pad, mode="edge"), axis, 0)
        made = np.empty((length, factor, *source.shape[1:]), np.float32)
        for phase, (left, distance) in enumerate(_phases(factor)):
            right = left + (distance > 0)  # a pixel in the middle of a small one is that one
            made[:, phase] = choose(
                source[1 + left : 1 + left + length], source[1 + right : 1 + right + length]
            )
        values = np.moveaxis(made.reshape(length * factor, *source.shape[1:]), 0, axis)
    return values


def brightest(values: Pixels) -> Pixels:
    """Return the greatest value among each pixel and its eight neighbours."""
    for axis in (0, 1):
        length = values.shape[axis]
        pad = [(1, 1) if side == axis else (0, 0) for side in range(3)]
        source = np.moveaxis(np.pad(values, pad, mode="edge"), axis, 0)
        most = np.maximum(np.maximum(source[:length], source[1 : length + 1]), source[2:])
        values = np.moveaxis(most, 0, axis)
    return values


def agree(large: Pixels, small: Pixels, factor: int) -> Pixels:
    """Return the enlarged picture changed a little, so that made smaller again it is the small one.

    Back-projection (Irani and Peleg, "Improving resolution by image registration", 1991), of light as it
    is: where there is light, it is multiplied, so that nothing positive becomes negative beside a highlight;
    only what is negative, or has light where the enlarged picture has none, is added. Smooth corrections
    come first, and one that is constant over each small pixel makes it exact.
    """
    large = large.copy()
    for step in range(STEPS + 1):
        spread = linear_up if step < STEPS else nearest_up
        mean = box_down(large, factor)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = small / mean
        limit = RATIO if step < STEPS else np.inf
        lit = (small >= 0) & (mean > TINY)
        large *= spread(np.where(lit, np.clip(ratio, 1 / limit, limit), 1).astype(np.float32), factor)
        rest = np.where((small < 0) | (mean <= TINY), small - box_down(large, factor), 0)
        large += spread(rest.astype(np.float32), factor)
    return large


def agree_within(large: Pixels, small: Pixels, factor: int) -> Pixels:
    """Do the same to values between 0 and 1, such as alpha, which stay between 0 and 1."""
    large = np.clip(large, 0, 1)
    for step in range(STEPS + 1):
        spread = linear_up if step < STEPS else nearest_up
        mean = box_down(large, factor)
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.where(small < mean, small / mean, 1)
            up = np.where(small > mean, (1 - small) / (1 - mean), 1)
        large = large * spread(down.astype(np.float32), factor)
        large = 1 - (1 - large) * spread(up.astype(np.float32), factor)
    return np.clip(large, 0, 1)


def fill_clear(premultiplied: Pixels, alpha: Pixels) -> Pixels:
    """Return straight colour, with colour from nearby where alpha is 0 or nearly so.

    Push-pull: what a pixel lacks in alpha it takes from the picture at half the size, and so on.

    Args:
        premultiplied: ``(height, width, 3)``.
        alpha: ``(height, width)``.
    """
    weight = np.clip(alpha, 0, 1)[:, :, None]
    height, width = weight.shape[:2]
    if min(height, width) <= 1 or (weight >= 1).all():
        total = max(float(weight.sum()), TINY)
        below = np.broadcast_to((premultiplied * (weight > 0)).sum(axis=(0, 1)) / total, premultiplied.shape)
    else:
        pad = [(0, height % 2), (0, width % 2), (0, 0)]
        colour, half = (np.pad(part, pad, mode="edge") for part in (premultiplied, weight))
        small = fill_clear(box_down(colour, 2), box_down(half, 2)[:, :, 0])
        below = linear_up(small, 2)[:height, :width]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        straight = np.where(weight > TINY, premultiplied / weight, 0)
    # Thin alpha divides rounding errors by almost nothing; there the neighbourhood knows better.
    trust = np.clip(weight * 64, 0, 1)
    return np.asarray(straight * trust + below * (1 - trust), np.float32)
