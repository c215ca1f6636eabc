"""Plates drawn: alpha, size, layers, windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch.nn.functional as F

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Box, Plate, convert
from dreamplate.translate.lines_plate import beside, ink_of, sketch_plate
from dreamplate.translate.sketch_config import SketchOptions, line_width

USUAL = SketchOptions(width="2.4")


def discs(height: int = 72, width: int = 96, seed: int = 0) -> np.ndarray:
    """Overlapping coloured discs with soft rims, drawn by a formula, so at any size; display-encoded."""
    draws = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    y, x = (rows + 0.5) / height, (columns + 0.5) / width
    picture = np.full((height, width, 3), 0.75)
    for _ in range(6):
        centre, radius, colour = draws.uniform(0.1, 0.9, 2), draws.uniform(0.12, 0.3), draws.uniform(0, 1, 3)
        away = np.hypot((x - centre[0]) * 4 / 3, y - centre[1])
        share = np.clip((radius - away) / 0.02 + 0.5, 0, 1)[:, :, None]
        picture = picture * (1 - share) + colour * share
    return picture.astype(np.float32)


def plate_of(pixels: np.ndarray, space: str = "srgb_display") -> Plate:
    return Plate.from_rgb(pixels, space)


def test_a_drawing_is_the_same_at_any_resolution() -> None:
    small, large = (
        ink_of(plate_of(discs(rows, rows * 4 // 3)), SketchOptions(width="1.2%")) for rows in (150, 450)
    )
    down = F.interpolate(large, size=small.shape[2:], mode="area")
    assert down.mean() > 0.02
    assert (down - small).abs().mean() < 0.15 * down.mean()


def test_scene_linear_and_display_plates_are_drawn_alike() -> None:
    shown = plate_of(discs())
    light = convert(shown, "scene_linear")
    assert (ink_of(shown, USUAL) - ink_of(light, USUAL)).abs().max() < 1e-3


def test_alpha_cuts_the_drawing_and_colour_under_it_does_not_count() -> None:
    alpha = np.zeros((72, 96, 1), np.float32)
    alpha[10:60, 20:70] = 1
    grey = np.full((72, 96, 3), 0.6, np.float32)
    matte = Plate(np.concatenate([grey * alpha, alpha], 2), ("R", "G", "B", "A"), "srgb_display")
    made = sketch_plate(matte, USUAL)
    assert made.channels == ("Y", "A")
    assert (made.channel("A") == alpha[:, :, 0]).all()
    assert (made.channel("Y")[alpha[:, :, 0] == 0] == 0).all()
    # The silhouette is drawn, from inside, and nothing else.
    assert made.channel("Y")[11:13, 40].min() < 0.3
    assert made.channel("Y")[25:45, 35:55].min() == 1
    stray = matte.with_(pixels=np.concatenate([np.where(alpha > 0, grey, 9), alpha], 2).astype(np.float32))
    assert np.allclose(sketch_plate(stray, USUAL).pixels, made.pixels, atol=1e-4)


def test_lines_are_as_wide_in_squeezed_plates_once_these_are_shown() -> None:
    wide = discs(96, 128)
    squeezed = wide.reshape(96, 64, 2, 3).mean(2)
    plain = ink_of(plate_of(wide), USUAL)
    anamorphic = ink_of(plate_of(squeezed).with_metadata(PixelAspectRatio=2.0), USUAL)
    shown = F.interpolate(anamorphic, size=plain.shape[2:], mode="bilinear")
    square = F.interpolate(ink_of(plate_of(squeezed), USUAL), size=plain.shape[2:], mode="bilinear")
    assert (shown - plain).abs().mean() < 0.5 * (square - plain).abs().mean()


def test_a_layer_leaves_everything_else_to_the_bit() -> None:
    pixels = np.concatenate([discs() * 3, np.random.default_rng(1).normal(size=(72, 96, 1))], 2)
    plate = Plate(
        pixels.astype(np.float32),
        ("R", "G", "B", "Z"),
        data_window=Box(5, 6, 96, 72),
        display_window=Box(0, 0, 120, 90),
    )
    made = sketch_plate(plate, USUAL, "sketch")
    assert made.channels == ("R", "G", "B", "Z", "sketch.Y")
    assert (made.pixels[:, :, :4] == plate.pixels).all() and made.data == plate.data
    alone = convert(sketch_plate(plate, USUAL), "scene_linear")
    assert np.allclose(made.channel("sketch.Y"), alone.channel("Y"), atol=1e-6)
    with pytest.raises(MediaError, match="sketch"):
        sketch_plate(made, USUAL, "sketch")


def test_ink_and_paper_have_the_colours_asked_for() -> None:
    options = SketchOptions(width="2.4", line_colour=(0.1, 0.2, 0.5), paper=(1.0, 0.9, 0.8), softness=0.1)
    made = sketch_plate(plate_of(discs()), options)
    flat = made.pixels.reshape(-1, 3)
    assert made.channels == ("R", "G", "B")
    for colour in (options.line_colour, options.paper):
        assert np.abs(flat - np.array(colour, np.float32)).max(1).min() < 1e-6
    assert beside(plate_of(discs()), made).pixels.shape == (72, 192, 3)


def test_detail_tone_and_style_do_what_they_say() -> None:
    plate = plate_of(discs())
    amounts = [ink_of(plate, SketchOptions(width="2.4", detail=d)).mean() for d in (0.0, 0.3, 0.6, 0.9)]
    assert all(more > less for less, more in pairwise(amounts))
    shadow = discs()
    shadow[20:50, 30:60] = 0.05
    filled = ink_of(plate_of(shadow), SketchOptions(width="2.4", tone=0.2))[0, 0, 25:45, 35:55]
    assert filled.min() > 0.99
    assert ink_of(plate_of(shadow), USUAL)[0, 0, 30:40, 40:50].max() < 0.01
    busy = discs(96, 128)
    busy[:, :64] += 0.12 * (np.indices((96, 64)).sum(0) % 6 < 3)[:, :, None]
    lines, contour = (ink_of(plate_of(busy), SketchOptions(width="2", style=s)) for s in ("lines", "contour"))
    assert contour[..., :64].mean() < 0.8 * lines[..., :64].mean()


@pytest.mark.parametrize(
    ("asked", "height", "pixels"),
    [("auto", 1080, 2.7), ("auto", 240, 1.2), ("0.5%", 1000, 5.0), ("3", 100, 3.0), ("1.5px", 700, 1.5)],
)
def test_widths(asked: str, height: int, pixels: float) -> None:
    assert line_width(asked, height) == pytest.approx(pixels)


@pytest.mark.parametrize("asked", ["", "thin", "0", "-1", "nan", "inf", "0.01%", "40%"])
def test_widths_that_cannot_be_drawn(asked: str) -> None:
    with pytest.raises(ConfigError, match="width is"):
        line_width(asked, 500)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(MediaError, match="not in this plate"):
        ink_of(Plate(np.zeros((9, 9, 1), np.float32), ("Z",)), USUAL)
    broken = discs()
    broken[3, 4, 1] = np.nan
    with pytest.raises(MediaError, match="column 4, row 3"):
        ink_of(plate_of(broken), USUAL)
