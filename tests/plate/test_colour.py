"""Colour conversions against OpenColorIO itself, and the laws of alpha and of what must not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import (
    ENCODINGS,
    Plate,
    colourspaces,
    convert,
    from_tensor,
    resolve_colourspace,
    to_tensor,
    tone_map,
)
from dreamplate.plate.colour import CANONICAL, CONFIG, VIEWS

SPACES = [name for name in CANONICAL if name != "raw"]


def noise(*shape: int, low: float = 0.0, high: float = 2.0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).uniform(low, high, shape).astype(np.float32)


def by_ocio(pixels: np.ndarray[Any, Any], source: str, target: str) -> np.ndarray[Any, Any]:
    import PyOpenColorIO as ocio

    made = ocio.Config.CreateFromBuiltinConfig(CONFIG).getProcessor(source, target)
    processor = made.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)
    return np.array([[processor.applyRGB(pixel.tolist()) for pixel in row] for row in pixels], np.float32)


@pytest.mark.parametrize("target", SPACES)
@pytest.mark.parametrize("source", SPACES)
def test_equals_opencolorio(source: str, target: str) -> None:
    pixels = noise(4, 5, 3, low=-0.2, high=3)
    found = convert(Plate(pixels, colourspace=source), target)
    assert found.colourspace == target
    expected = pixels if source == target else by_ocio(pixels, CANONICAL[source], CANONICAL[target])
    assert np.allclose(found.pixels, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SPACES)
def test_there_and_back(name: str) -> None:
    plate = Plate(noise(16, 16, 3, low=0.0, high=8))
    back = convert(convert(plate, name), "scene_linear")
    assert np.allclose(back.pixels, plate.pixels, rtol=2e-5, atol=2e-5)


def test_the_srgb_curve_is_the_standard_one() -> None:
    light = np.linspace(0, 1, 1001, dtype=np.float32)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    found = convert(Plate.from_rgb(np.repeat(light[None, :, None], 3, 2)), "srgb_display").pixels[0]
    assert np.abs(found - curve[:, None]).max() < 2e-4
    # Negative values and highlights are carried on, not clipped.
    wide = convert(Plate.from_rgb(np.full((1, 1, 3), 4.0)), "srgb_display").pixels
    assert wide.min() > 1.5


def test_one_is_one_and_grey_stays_grey() -> None:
    plate = Plate.from_rgb(np.full((1, 1, 3), 1.0))
    for name in ("srgb_display", "acescg", "aces2065_1"):
        assert np.allclose(convert(plate, name).pixels, 1, atol=2e-5)
    grey = Plate(noise(3, 3, 1), ("Y",))
    colour = Plate(np.repeat(grey.pixels, 3, axis=2))
    for name in SPACES:
        assert np.allclose(convert(grey, name).rgb(), convert(colour, name).rgb(), atol=1e-5)


@pytest.mark.parametrize("target", SPACES)
def test_only_colour_is_converted(target: str) -> None:
    names = ("Z", "R", "N.x", "G", "diffuse.R", "diffuse.G", "diffuse.B", "B", "id")
    plate = Plate(noise(3, 4, len(names)), names, metadata={"take": 1})
    found = convert(plate, target)
    for name in ("Z", "N.x", "id"):
        assert np.array_equal(found.channel(name), plate.channel(name))
    for layer in ("R G B", "diffuse.R diffuse.G diffuse.B"):
        alone = Plate(plate.select(*layer.split()).pixels)
        assert np.array_equal(found.select(*layer.split()).pixels, convert(alone, target).pixels)
    assert found.channels == names
    assert found.metadata == plate.metadata


@pytest.mark.parametrize("target", SPACES)
@settings(max_examples=20, deadline=None)
@given(alpha=st.floats(0.015625, 1.0, width=32))
def test_alpha_stays_and_colour_is_converted_straight(target: str, alpha: float) -> None:
    straight = noise(2, 3, 3, high=1)
    opaque = convert(Plate(straight), target).pixels
    pixels = np.concatenate([straight * np.float32(alpha), np.full((2, 3, 1), alpha, np.float32)], axis=2)
    found = convert(Plate(pixels), target)
    assert np.array_equal(found.alpha(), pixels[:, :, 3])
    assert np.allclose(found.rgb(), opaque * np.float32(alpha), rtol=1e-4, atol=1e-5)


def test_nothing_stays_nothing_and_glow_stays_finite() -> None:
    pixels = np.zeros((1, 2, 4), np.float32)
    pixels[0, 1, :3] = 0.5  # light without cover, as flames have
    for target in SPACES:
        found = convert(Plate(pixels), target)
        assert not found.pixels[0, 0].any()
        assert np.isfinite(found.pixels).all()
        assert np.allclose(convert(found, "scene_linear").pixels, pixels, atol=1e-4)


def test_the_given_plate_is_left_alone() -> None:
    pixels = noise(3, 3, 4)
    plate = Plate(pixels.copy())
    for target in (*SPACES, "raw"):
        convert(plate, target)
    tone_map(plate)
    to_tensor(plate)[:] = 7
    assert np.array_equal(plate.pixels, pixels)


def test_raw_is_only_a_name() -> None:
    plate = Plate(noise(2, 2, 3))
    assert np.array_equal(convert(plate, "raw").pixels, plate.pixels)
    assert convert(convert(plate, "raw"), "srgb_display").colourspace == "srgb_display"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("srgb", "srgb"),
        ("scenelinear", "scene_linear"),
        ("ACES-CG", "acescg"),
        ("qqqqqqqq", "scene_linear"),
        ("", "scene"),
    ],
)
def test_unknown_spaces_list_near_names(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=near) as caught:
        convert(Plate(noise(1, 1, 3)), name)
    assert "\n" not in str(caught.value)


def test_every_listed_space_and_alias_resolves() -> None:
    for name in colourspaces():
        assert resolve_colourspace(name)
    assert resolve_colourspace("lin_ap1") == resolve_colourspace("acescg") == "ACEScg"
    # Our names win over roles and aliases of the same spelling.
    assert resolve_colourspace("scene_linear") == "Linear Rec.709 (sRGB)"


@pytest.mark.parametrize("view", list(VIEWS))
def test_tone_mapping_fits_the_monitor(view: str) -> None:
    ramp = np.repeat(np.linspace(0, 30, 200, dtype=np.float32)[None, :, None], 3, axis=2)
    shown = tone_map(Plate(ramp), view)
    assert shown.colourspace == "srgb_display"
    assert shown.pixels.min() >= -1e-3
    assert (np.diff(shown.pixels[0, :, 1]) >= -1e-4).all()
    if view == "aces":
        assert shown.pixels.max() <= 1.01  # the rendering itself ends a little above 1
        assert shown.pixels[0, 20, 1] < 1  # 3 times white is not yet clipped
    with pytest.raises(ConfigError, match="aces"):
        tone_map(Plate(ramp), "filmic")


@pytest.mark.parametrize("encoding", list(ENCODINGS))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tensors_there_and_back(encoding: str, channels: int) -> None:
    pixels = noise(5, 7, channels, low=0.05, high=1)
    plate = Plate(pixels)
    tensor = to_tensor(plate, encoding)
    assert (tuple(tensor.shape), tensor.dtype) == ((1, channels, 5, 7), torch.float32)
    assert tensor.is_contiguous()
    back = from_tensor(tensor, encoding)
    assert back.colourspace == ENCODINGS[encoding]
    assert back.channels == plate.channels
    assert np.allclose(convert(back, "scene_linear").pixels, pixels, atol=1e-4)
    assert np.array_equal(from_tensor(tensor[0], encoding).pixels, back.pixels)


def test_the_documented_values_of_the_log_encoding() -> None:
    for light, code in ((0.0, 0.073), (0.18, 0.41), (1.0, 0.55), (222.0, 1.0), (65504.0, 1.47)):
        tensor = to_tensor(Plate.from_rgb(np.full((1, 1, 3), light)), "log")
        assert torch.allclose(tensor, torch.tensor(code), atol=6e-3)


def test_tensors_of_other_types_and_shapes() -> None:
    half = torch.rand(1, 3, 2, 4, dtype=torch.bfloat16, requires_grad=True)
    assert from_tensor(half).pixels.dtype == np.float32
    for shape in ((2, 3, 4, 4), (4, 4), (1, 1, 3, 4, 4)):
        with pytest.raises(MediaError, match="tensor"):
            from_tensor(torch.zeros(shape))
    for function in (lambda: to_tensor(Plate(noise(1, 1, 3)), "rgb"), lambda: from_tensor(half, "rgb")):
        with pytest.raises(ConfigError, match="scene_linear"):
            function()
    named = from_tensor(torch.zeros(1, 2, 3, 3), channels=("u", "v"))
    assert named.channels == ("u", "v")
