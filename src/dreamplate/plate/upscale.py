"""Making plates larger with a network that knows nothing of plates: range, alpha, other channels, tiles.

A network that enlarges pictures takes display-encoded colour between 0 and 1. A plate has scene light without
an upper end, negative values, alpha, depth. So its colour is shown to the network as straight colour from
which the highlights are folded into the range, and what comes back is unfolded, multiplied by alpha, and
changed so that made smaller again it is the plate that was given, highlights and negatives included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dreamplate.errors import ConfigError
from dreamplate.plate.box import Box
from dreamplate.plate.colour import convert
from dreamplate.plate.limits import Limits
from dreamplate.plate.plate import Pixels, Plate
from dreamplate.plate.resample import (
    agree,
    agree_within,
    box_down,
    brightest,
    fill_clear,
    lanczos_up,
    linear_up,
    nearest_up,
)
from dreamplate.plate.tiling import Network, in_tiles, tiles

Grow = Callable[[Pixels], Pixels]
Progress = Callable[[int, int], None]
"""Told how many tiles are done, and of how many."""

KNEE = 0.75
"""Display value above which highlights are folded, in plates that have any."""
SMALLEST_TILE = 32
EXACT = ("Z", "ZBack", "id", "ID", "Depth", "depth", "mask", "deep")
"""Last or first parts of names of channels that must not be mixed between pixels."""


@dataclass(frozen=True)
class Fold:
    """An invertible curve: straight up to the knee, a logarithm from there on, ``peak`` becomes 1.

    Attributes:
        peak: Display value that becomes 1; at most 1 means that nothing is folded.
        bend: Display distance over which the straight line becomes a logarithm; its slope is continuous.
    """

    peak: float
    bend: float

    @classmethod
    def up_to(cls, peak: float) -> Fold:
        """Return the curve for values up to the next power of two above ``peak``.

        Powers of two, so that the frames of a shot share one curve.
        """
        if peak <= 1:
            return cls(1.0, 1.0)
        peak = 2.0 ** math.ceil(math.log2(peak))
        low, high = 1e-9, 1.0
        for _ in range(80):
            bend = (low + high) / 2
            room = bend * math.log1p((peak - KNEE) / bend)
            low, high = (bend, high) if room < 1 - KNEE else (low, bend)
        return cls(peak, (low + high) / 2)

    def close(self, values: Pixels) -> Pixels:
        """Return values as the network sees them, in [0, 1]."""
        if self.peak <= 1:
            return np.clip(values, 0, 1)
        above = np.maximum(values - np.float32(KNEE), 0)
        folded = KNEE + self.bend * np.log1p(above / self.bend)
        return np.asarray(np.clip(np.where(values > KNEE, folded, values), 0, 1), np.float32)

    def open(self, values: Pixels) -> Pixels:
        """Return what the network gave, without the fold."""
        values = np.clip(values, 0, 1)
        if self.peak <= 1:
            return values
        above = np.expm1(np.maximum(values - np.float32(KNEE), 0) / self.bend) * self.bend
        return np.asarray(np.where(values > KNEE, KNEE + above, values), np.float32)


def upscale(
    plate: Plate, network: Network, factor: int, *, tile: int = 192, progress: Progress | None = None
) -> Plate:
    """Return a plate ``factor`` times as wide and high.

    The mean of each ``factor`` x ``factor`` block of the result is the pixel it came from, in the plate's own
    colour space and premultiplied, up to rounding. Alpha goes through the network as a grey picture, so that
    its edges are as sharp as the colour's, and stays within 0 and 1. Colour that is not negative stays so.
    Every other channel is enlarged by Lanczos' filter held to the range of the nearest pixels; depth, masks,
    identifiers and channels with infinite values by repeating pixels, because a mean of two depths is none.
    Values are not scaled: motion in pixels must be multiplied by the factor.

    Args:
        plate: Any plate.
        network: What enlarges.
        factor: By how much it does.
        tile: Side of the tiles in pixels of the small picture, 32 or more. More takes more memory; the
            result is the same but for what the network sees beyond 24 pixels.
        progress: Told after each tile.

    Raises:
        ConfigError: The tile is too small, or the colour space is unknown.
        MediaError: Colour or alpha hold NaN or infinite values.
        MediaLimitError: The result would be larger than the limits allow.
    """
    if tile < SMALLEST_TILE:
        raise ConfigError(f"tile is {tile}: choose {SMALLEST_TILE} or more")
    # Colour is held three times over while it is made to agree.
    Limits.default().check(
        "the enlarged picture", plate.width * factor, plate.height * factor, max(len(plate.channels), 9)
    )
    colour = _colour_channels(plate)
    moving = [*colour, "A"] if plate.has_alpha and colour else colour
    if moving:
        plate.select(*moving).check_finite("picture")
    made: dict[str, Pixels] = {}
    if colour:
        number = len(list(tiles(plate.pixels.shape[:2], tile))) * (2 if _matte_varies(plate) else 1)
        done = iter(range(1, number + 1))

        def tick() -> None:
            if progress is not None:
                progress(next(done), number)

        def grow(image: Pixels) -> Pixels:
            return in_tiles(network, image, factor, tile, tick)

        made |= _enlarge_colour(plate, colour, factor, grow)
    for name in plate.channels:
        if name not in made:
            made[name] = _enlarge_other(plate.channel(name), name, factor)
    boxes = [Box(*(side * factor for side in box)) for box in (plate.data, plate.display)]
    return plate.with_(
        pixels=np.stack([made[name] for name in plate.channels], axis=2),
        data_window=boxes[0],
        display_window=boxes[1],
        # A recipe in the picture would make the small one again.
        metadata={key: value for key, value in plate.metadata.items() if key != "dreamplate"},
    )


def _colour_channels(plate: Plate) -> list[str]:
    if all(name in plate.channels for name in "RGB"):
        return ["R", "G", "B"]
    return ["Y"] if "Y" in plate.channels else []


def _matte_varies(plate: Plate) -> bool:
    alpha = plate.alpha()
    return bool((alpha != alpha.flat[0]).any())


def _enlarge_colour(plate: Plate, names: list[str], factor: int, grow: Grow) -> dict[str, Pixels]:
    """Return the main colour and alpha, enlarged."""
    light, alpha = plate.rgb(), plate.alpha()
    straight = light if (alpha == 1).all() else fill_clear(light, alpha)
    shown = convert(Plate.from_rgb(straight, plate.colourspace), "srgb_display").pixels
    fold = Fold.up_to(float(shown.max()))
    grown = fold.open(grow(fold.close(shown)))
    if fold.peak > 1:
        # Small errors near the end of a logarithm are large in light: no highlight above those around it.
        np.minimum(grown, nearest_up(np.maximum(brightest(shown), np.float32(KNEE)), factor), out=grown)
    made = convert(Plate.from_rgb(grown, "srgb_display"), plate.colourspace).pixels
    found: dict[str, Pixels] = {}
    if plate.has_alpha:
        matte = nearest_up(alpha[:, :, None], factor)
        if _matte_varies(plate):
            matte = _enlarge_alpha(alpha, factor, grow)
        made = made * matte
        found["A"] = matte[:, :, 0]
    if names == ["Y"]:
        made, light = made.mean(axis=2, keepdims=True), light[:, :, :1]
    if fold.peak > 1:
        made = calm(made, light, factor)
    made = agree(made, light, factor)
    return found | {name: made[:, :, place] for place, name in enumerate(names)}


def calm(large: Pixels, small: Pixels, factor: int) -> Pixels:
    """Return an enlarged picture without what unfolding made of the surroundings of highlights.

    A highlight's soft edge, unfolded, is far too bright outside and too dark inside, and making it agree
    would turn that into a spike with a dark ring. Where a block is wrong by more than a stop and a half it
    is replaced: too dark, by even light; too bright, by the darkest of its surroundings.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        stops = np.log2(small / box_down(large, factor))
    stops = np.nan_to_num(np.where(small > 0, stops, 0), nan=0.0, posinf=2.0, neginf=-2.0)
    share = nearest_up(np.clip(np.abs(stops) - 0.5, 0, 1).astype(np.float32), factor)
    dark = nearest_up((stops < 0).astype(np.float32), factor) > 0
    even = np.where(dark, linear_up(-brightest(-small), factor), nearest_up(small, factor))
    return np.asarray(large + share * (even - large), np.float32)


def _enlarge_alpha(alpha: Pixels, factor: int, grow: Grow) -> Pixels:
    """Return alpha ``(h, w, 1)`` enlarged as a grey picture; what is outside 0-1 by a filter."""
    inside = np.clip(alpha, 0, 1)[:, :, None]
    grey = grow(inside.repeat(3, axis=2)).mean(axis=2, keepdims=True)
    made = agree_within(grey, inside, factor)
    beyond = alpha[:, :, None] - inside
    return made + lanczos_up(beyond, factor) if beyond.any() else made


def _enlarge_other(values: Pixels, name: str, factor: int) -> Pixels:
    ends = {name.partition(".")[0], name.rpartition(".")[2]}
    exact = bool(ends & set(EXACT)) or name.lower().startswith("crypto") or not np.isfinite(values).all()
    return (nearest_up if exact else lanczos_up)(values[:, :, None], factor)[:, :, 0]
