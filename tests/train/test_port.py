"""Ports: what a network sees of a plate, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Box, LabelClass, Palette, Plate
from dreamplate.train import Port
from dreamplate.train.plates import decode_plate, encode_plate

NAMES = ("R", "G", "B", "A", "Z", "N.x", "diffuse.R", "diffuse.G", "diffuse.B")


def scene(seed: int = 0, height: int = 7, width: int = 9, space: str = "scene_linear") -> Plate:
    """A render: highlights, negatives, soft and empty alpha, light without coverage, far depth."""
    draws = np.random.default_rng(seed)
    pixels = np.exp(draws.normal(-1.5, 1.5, (height, width, len(NAMES)))).astype(np.float32)
    alpha = np.clip(draws.normal(0.5, 0.6, (height, width)), 0, 1).astype(np.float32)
    pixels[..., :3] *= alpha[..., None]
    pixels[..., 6:] *= alpha[..., None]
    pixels[0, 0, :3], alpha[0, 0] = 4000, 1
    pixels[1, 1, :3], alpha[1, 1] = -0.02, 1
    pixels[2, 2], alpha[2, 2] = 0, 0
    pixels[3, 3, :3], alpha[3, 3] = (0.5, 2, 0.1), 0
    pixels[..., 3], pixels[..., 4] = alpha, np.inf
    windows = {"data_window": Box(-3, 5, width, height), "display_window": Box(0, 0, 100, 50)}
    return Plate(pixels, NAMES, space, metadata={"shot": "x010"}, **windows)


@pytest.mark.parametrize("encoding", ["srgb_display", "scene_linear", "log"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_back_and_forth_is_the_plate_itself(encoding: str, seed: int) -> None:
    plate = scene(seed)
    port = Port(encoding=encoding, low=(-0.1, 0, 0.2), high=(1, 2, 0.9))
    again = decode_plate(port, encode_plate(port, plate), plate)
    assert (again.channels, again.colourspace) == (plate.channels, plate.colourspace)
    assert (again.data, again.display, again.metadata) == (plate.data, plate.display, plate.metadata)
    np.testing.assert_array_equal(again.pixels[..., 3:], plate.pixels[..., 3:])
    # A logarithm of 4000 in single precision: rounding is relative to the value.
    np.testing.assert_allclose(again.pixels[..., :3], plate.pixels[..., :3], rtol=3e-4, atol=3e-6)


def test_network_sees_straight_encoded_colour() -> None:
    pixels = np.zeros((1, 3, 4), np.float32)
    pixels[0, 0] = (0.25, 0.25, 0.25, 0.5)
    pixels[0, 1] = (0.5, 0.5, 0.5, 1.0)
    pixels[0, 2] = (2.0, 0.0, 0.0, 0.0)
    seen = encode_plate(Port(encoding="scene_linear"), Plate(pixels))
    assert seen.shape == (1, 3, 1, 3)
    np.testing.assert_allclose(seen[0, :, 0, 0], 0, atol=1e-7)
    np.testing.assert_array_equal(seen[0, :, 0, 0], seen[0, :, 0, 1])
    np.testing.assert_allclose(seen[0, :, 0, 2], [3, -1, -1])
    shown = encode_plate(Port(), Plate(np.full((1, 1, 3), 0.5, np.float32)))
    np.testing.assert_allclose(shown, 0.735357 * 2 - 1, atol=1e-4)


def test_data_channels_are_taken_as_they_are() -> None:
    plate = scene()
    port = Port(channels=("N.x",), encoding="raw", low=(-1.0,), high=(1.0,))
    np.testing.assert_allclose(encode_plate(port, plate)[0, 0], plate.channel("N.x"), rtol=1e-6, atol=2e-7)
    mixed = Port(channels=("R", "G", "B", "N.x"), encoding="log", low=(0, 0, 0, -1), high=(1, 1, 1, 1))
    np.testing.assert_allclose(encode_plate(mixed, plate)[0, 3], plate.channel("N.x"), rtol=1e-6, atol=2e-7)


def test_a_layer_is_divided_by_the_alpha_of_the_plate() -> None:
    plate = scene()
    port = Port(channels=("diffuse.R", "diffuse.G", "diffuse.B"), encoding="scene_linear", low=(-1, -1, -1))
    covered = plate.alpha() > 0
    straight = plate.layer("diffuse")[covered] / plate.alpha()[covered][:, None]
    seen = encode_plate(port, plate)[0].numpy().transpose(1, 2, 0)[covered]
    np.testing.assert_allclose(seen, straight, rtol=1e-5, atol=1e-6)


def test_what_is_made_is_premultiplied_and_clear_pixels_stay_clear() -> None:
    plate = scene()
    made = decode_plate(Port(encoding="scene_linear"), torch.zeros(1, 3, 7, 9), plate)
    expected = 0.5 * np.where(plate.alpha() > 0, plate.alpha(), 1)
    expected[2, 2] = 0
    clear = (plate.alpha() == 0) & (plate.rgb() == 0).all(axis=2)
    np.testing.assert_allclose(made.rgb(), np.where(clear, 0, expected)[..., None].repeat(3, 2), rtol=1e-6)


def test_the_main_colour_is_replaced_by_what_was_made() -> None:
    labels = Plate(np.arange(12, dtype=np.float32).reshape(2, 2, 3), ("Y", "A", "Z"))
    made = decode_plate(Port(encoding="scene_linear"), torch.zeros(3, 2, 2), labels)
    assert made.channels == ("R", "G", "B", "A", "Z")
    np.testing.assert_array_equal(made.channel("Z"), labels.channel("Z"))
    depth = Port(channels=("depth.Z",), encoding="raw", high=(10.0,))
    assert decode_plate(depth, torch.zeros(1, 2, 2), labels).channels == ("depth.Z", "Y", "A", "Z")


def test_ports_survive_being_written() -> None:
    palette = Palette((LabelClass(3, "sky"), LabelClass(7, "sea", (1, 2, 3))), unknown=(255,))
    for port in (
        Port("labels", ("Y",), palette=palette, instances=True),
        Port(channels=("N.x", "Z"), encoding="raw", low=(-1, 0), high=(1, 900)),
    ):
        assert Port.from_json(port.to_json()) == port
    assert Port("labels", ("Y",), palette=palette, instances=True).width == 4


@pytest.mark.parametrize(
    ("channels", "needed", "words"),
    [
        (("Y",), ("R", "G", "B"), "grey where colour"),
        (("R", "G", "B"), ("Y",), "colour where grey"),
        (("R", "G", "B"), ("N.x",), "takes N.x"),
    ],
)
def test_missing_channels_are_named(channels: tuple[str, ...], needed: tuple[str, ...], words: str) -> None:
    plate = Plate(np.zeros((2, 2, len(channels)), np.float32), channels)
    with pytest.raises(MediaError, match=rf"a\.png: has channels {' '.join(channels)}.*{words}"):
        encode_plate(Port(channels=needed), plate, "a.png")


def test_values_that_are_no_numbers_are_refused() -> None:
    pixels = np.zeros((2, 2, 3), np.float32)
    pixels[1, 0, 2] = np.nan
    with pytest.raises(MediaError, match=r"b\.exr.*column 0, row 1"):
        encode_plate(Port(), Plate(pixels), "b.exr")


def test_ports_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="encoding 'hsv'"):
        Port(encoding="hsv")
    with pytest.raises(ConfigError, match="must be above"):
        Port(low=(0, 0, 2), high=(1, 1, 1))
    with pytest.raises(ConfigError, match="palette"):
        Port("labels", ("Y",))
    with pytest.raises(ConfigError, match="is no port"):
        Port.from_json({"kind": "picture"})
