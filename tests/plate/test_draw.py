"""Laws of the drawing helpers: coverage, clipping, both typefaces."""

from __future__ import annotations

import numpy as np
import pytest

from dreamplate.errors import MediaError
from dreamplate.plate import draw
from dreamplate.plate import letters as letters_of

PRINTABLE = "".join(map(chr, range(32, 127)))


@pytest.fixture(params=["typeface", "built-in"])
def letters(request, monkeypatch):
    """Run with OpenImageIO's letters, and with our own as where it has none."""
    letters_of.letter_mask.cache_clear()
    if request.param == "built-in":
        monkeypatch.setattr(letters_of, "_typeset", lambda string, size: None)
    yield request.param
    letters_of.letter_mask.cache_clear()


def blank(height: int = 60, width: int = 90, channels: int = 3) -> np.ndarray:
    return np.zeros((height, width, channels), np.float32)


def test_every_printable_letter_is_drawn_and_differs(letters):
    seen = set()
    for letter in PRINTABLE[1:]:
        canvas = blank()
        draw.text(canvas, 5, 5, f"{letter}", 19)
        assert canvas.max() > 0.5, letter
        assert canvas.min() >= 0 and canvas.max() <= 1
        seen.add(canvas.tobytes())
    assert len(seen) == len(PRINTABLE) - 1


def test_text_stays_in_its_box_and_aligns(letters):
    width, height = draw.text_width("Plate 42", 14), draw.line_height(14)
    left, right, centre = blank(60, 300), blank(60, 300), blank(60, 300)
    draw.text(left, 20, 10, "Plate 42", 14)
    draw.text(right, 20 + width, 10, "Plate 42", 14, align="right")
    draw.text(centre, 20 + width / 2, 10, "Plate 42", 14, align="centre")
    assert np.array_equal(left, right) and np.array_equal(left, centre)
    inked = left.copy()
    inked[10 : 10 + height, 20 : 20 + width] = 0
    assert not inked.any()


def test_drawing_beyond_the_edge_equals_cutting_a_larger_canvas(letters):
    large, small = blank(200, 300), blank()
    for canvas, dx, dy in ((large, 100, 70), (small, 0, 0)):
        draw.text(canvas, dx - 8, dy - 5, "corner", 20, (1, 0.5, 0.2))
        draw.text(canvas, dx + 70, dy + 50, "corner", 20)
        draw.rectangle(canvas, dx - 3.5, dy + 20.25, 20, 60, 0.7)
        draw.rectangle(canvas, dx + 60, dy - 10, 50, 50, (0.1, 0.9, 0.3), outline=2.5)
        draw.line(canvas, dx - 30, dy + 80, dx + 130, dy - 10, 0.6, 3)
        draw.paste(canvas, dx - 4, dy + 55, np.full((9, 9, 3), 0.3, np.float32))
        draw.text(canvas, dx + 400, dy, "far away", 20)
    assert np.allclose(large[70:130, 100:190], small, atol=1e-6)


def test_rectangle_covers_its_area_whatever_the_fraction():
    canvas = blank(channels=1)
    draw.rectangle(canvas, 10.3, 5.6, 20.5, 7.25)
    assert canvas.sum() == pytest.approx(20.5 * 7.25, rel=1e-5)
    assert canvas.max() == 1
    frame = blank(channels=1)
    draw.rectangle(frame, 10, 10, 30, 20, outline=2)
    assert frame.sum() == pytest.approx(30 * 20 - 26 * 16)


def test_line_covers_its_area_and_a_dot_is_round():
    canvas = blank(channels=1)
    draw.line(canvas, 20, 20, 60, 40, width=4)
    assert canvas.sum() == pytest.approx(np.hypot(40, 20) * 4 + np.pi * 4, rel=0.02)
    dot = blank(channels=1)
    draw.line(dot, 30, 30, 30, 30, width=20)
    assert dot.sum() == pytest.approx(np.pi * 100, rel=0.02)
    assert np.array_equal(dot[10:50, 10:50], dot[10:50, 10:50].transpose(1, 0, 2))


@pytest.mark.parametrize(("share", "filled"), [(0.25, 10), (-1, 0), (7, 40), (float("nan"), 0)])
def test_bar_fills_its_share(share, filled):
    canvas = blank(channels=1)
    draw.bar(canvas, 10, 10, 40, 4, share, 1.0, 0.0)
    assert canvas.sum() == pytest.approx(filled * 4)


def test_long_texts_are_shortened_and_wrapped(letters):
    words = "a small red lighthouse on a cliff in heavy rain"
    assert draw.shortened(words, 10_000) == words
    short = draw.shortened(words, 120)
    assert short.endswith("...") and draw.text_width(short) <= 120
    assert draw.text_width(draw.shortened(words, draw.text_width(short) - 1)) < draw.text_width(short)
    lines = draw.wrapped(words, 120)
    assert " ".join(lines) == words
    assert len(lines) > 1 and all(draw.text_width(line) <= 120 for line in lines)
    assert draw.wrapped("", 50) == []


def test_letters_outside_ascii_and_line_breaks_are_harmless(letters):
    canvas = blank(60, 400)
    draw.text(canvas, 5, 5, "über\n\tcafé 夜 \U0001f600", 16)
    assert canvas.any()
    draw.text(canvas, 5, 5, "", 16)
    assert draw.text_width("") == 0


@pytest.mark.parametrize(
    ("act", "match"),
    [
        (lambda: draw.text(np.zeros((5, 5), np.float32), 0, 0, "x"), "canvas: need float32"),
        (lambda: draw.text(np.zeros((5, 5, 3)), 0, 0, "x"), "float64"),
        (lambda: draw.rectangle(blank(), 0, 0, 5, 5, (1, 2)), "3 channels"),
        (lambda: draw.text(blank(), 0, 0, "x", 5), "text size is 5"),
        (lambda: draw.paste(blank(), 0, 0, blank(channels=4)), "match channels"),
    ],
)
def test_bad_input_is_one_line(act, match):
    with pytest.raises(MediaError, match=match) as caught:
        act()
    assert "\n" not in str(caught.value)
