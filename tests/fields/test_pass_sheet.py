"""Laws of the contact sheet of passes: what each pass looks like on a monitor."""

from __future__ import annotations

import numpy as np
import pytest

from dreamplate.fields.pass_sheet import pass_panel, pass_sheet
from dreamplate.fields.passes import CHANNELS, NOTHING
from dreamplate.fields.render_config import ALL_PASSES
from dreamplate.plate import Plate


def frame(**layers: np.ndarray) -> Plate:
    channels = [channel for name in layers for channel in CHANNELS[name]]
    return Plate(np.concatenate(list(layers.values()), axis=2).astype(np.float32), channels, "scene_linear")


def ramp(low: float, high: float, width: int = 32) -> np.ndarray:
    return np.linspace(low, high, width)[None, :, None] * np.ones((8, 1, 1))


@pytest.mark.parametrize("name", ["z", "range", "median"])
def test_near_is_bright_and_nothing_is_black(name):
    values = ramp(2, 6)
    values[:, -1] = NOTHING
    picture, ends = pass_panel(frame(**{name: values}), name)
    assert (np.diff(picture[0, :-1, 0]) <= 0).all()
    assert picture[0, 0, 0] == 1
    assert (picture[:, -1] == 0).all()
    low, high = map(float, ends.split(" to "))
    assert 2 <= low < 2.3
    assert 5.5 < high <= 6


def test_normals_and_motion_have_the_colours_that_are_documented():
    normals = np.zeros((2, 3, 3))
    normals[0] = np.eye(3)
    picture, _ = pass_panel(frame(normal=normals), "normal")
    assert np.array_equal(picture[0], np.eye(3) / 2 + 0.5)
    assert (picture[1] == 0).all()
    ways = np.array([[[3.0, 0], [0, 3], [-3, 0], [0, -3], [0, 0]]])
    picture, ends = pass_panel(frame(forward=ways), "forward")
    assert ends == "up to 3 px"
    right, down, left, up, still = picture[0]
    assert np.allclose(right, [1, 0, 0], atol=1e-6)
    assert np.allclose(left, [0, 1, 1], atol=1e-6)
    assert down.argmax() == 1
    assert up.argmax() == 2
    assert (still == 0).all()


def test_a_sheet_has_a_panel_for_each_pass_even_of_an_empty_frame():
    layers = {name: np.zeros((10, 40, len(CHANNELS[name]))) for name in ALL_PASSES}
    sheet = pass_sheet(frame(**layers), ALL_PASSES)
    assert sheet.pixels.shape == (4 * 28, 3 * 40, 3)
    assert sheet.colourspace == "srgb_display"
    assert np.isfinite(sheet.pixels).all()
    assert pass_sheet(frame(z=layers["z"]), ("z",)).pixels.shape == (28, 40, 3)


def test_haze_does_not_stretch_the_scale():
    depth, cover = ramp(2, 6), np.ones((8, 32, 1))
    depth[:, :8], cover[:, :8] = 500.0, 0.01
    picture, ends = pass_panel(frame(z=depth, acc=cover), "z")
    assert float(ends.split(" to ")[1]) <= 6
    assert picture[0, 8, 0] > 0.95
    assert picture[0, 0, 0] > 0
