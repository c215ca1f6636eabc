"""Laws of the plate itself."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dreamplate.plate as room
from dreamplate.errors import MediaError
from dreamplate.plate import Box, Plate


def noise(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal((height, width, channels), dtype=np.float32)


def test_importing_the_room_loads_no_heavy_library() -> None:
    heavy = ["torch", "OpenImageIO", "OpenEXR", "PyOpenColorIO", "av", "pydantic", "tyro", "rich"]
    code = "import sys, dreamplate.plate as p\n"
    code += "p.Plate, p.read, p.info, p.Sequence, p.VideoWriter, p.VideoReader, p.convert, p.to_tensor\n"
    code += f"print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_exact_and_exist() -> None:
    assert set(room.__all__) == set(room._HOME)
    assert dir(room) == sorted(room.__all__)
    for name in room.__all__:
        assert getattr(room, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        room.nothing  # noqa: B018


RGB = np.zeros((2, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pixels": RGB[0]}, "shape"),
        ({"pixels": RGB[:0]}, "shape"),
        ({"pixels": RGB.astype(np.float64)}, "float32"),
        ({"pixels": np.zeros((2, 2, 5), np.float32)}, "0 names for 5"),
        ({"pixels": RGB, "channels": ("R", "G")}, "2 names for 3"),
        ({"pixels": RGB, "channels": ("R", "G", "R")}, "'R' appears twice"),
        ({"pixels": RGB, "channels": ("R", "G", "")}, "''"),
        ({"pixels": RGB, "channels": ("R", "G", "B\n")}, "printable"),
        ({"pixels": RGB, "channels": ("R", "G", "\udcc9")}, "printable"),
        ({"pixels": RGB, "channels": ("R", "G", "x" * 256)}, "255"),
        ({"pixels": RGB, "colourspace": " "}, "colourspace"),
        ({"pixels": RGB, "data_window": Box(0, 0, 2, 2)}, "does not fit"),
        ({"pixels": RGB, "display_window": Box(0, 0, 0, 2)}, "empty"),
        ({"pixels": RGB, "display_window": Box(0, 0, 1 << 31, 2)}, "too far"),
        ({"pixels": RGB, "metadata": {"PixelAspectRatio": 0.0}}, "PixelAspectRatio"),
        ({"pixels": RGB, "metadata": {"PixelAspectRatio": float("nan")}}, "PixelAspectRatio"),
        ({"pixels": RGB, "metadata": {"a": None}}, "NoneType"),
        ({"pixels": RGB, "metadata": {"a": ()}}, "tuple"),
        ({"pixels": RGB, "metadata": {"a": "x\0y"}}, "NUL"),
        ({"pixels": RGB, "metadata": {"a\n": 1}}, "no name"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        Plate(**arguments)
    assert "\n" not in str(caught.value)


def test_defaults() -> None:
    plate = Plate(RGB)
    assert plate.channels == ("R", "G", "B")
    assert plate.colourspace == "scene_linear"
    assert plate.data_window == plate.display_window == Box(0, 0, 3, 2)
    assert (plate.height, plate.width, plate.pixel_aspect, plate.has_alpha) == (2, 3, 1.0, False)
    assert (plate.alpha() == 1).all()


def test_neither_the_plate_nor_its_metadata_can_be_changed() -> None:
    given = {"a": 1}
    plate = Plate(RGB, metadata=given)
    given["a"] = 2
    assert plate.metadata["a"] == 1
    with pytest.raises(TypeError):
        plate.metadata["a"] = 3  # type: ignore[index]
    with pytest.raises(AttributeError):
        plate.colourspace = "raw"  # type: ignore[misc]


def test_layers_come_in_their_own_order() -> None:
    names = ("N.z", "B", "diffuse.B", "N.x", "Z", "diffuse.R", "R", "N.y", "diffuse.G", "G")
    pixels = noise(3, 4, len(names))
    plate = Plate(pixels, names)
    assert plate.layers == ("N", "", "diffuse")
    for layer, order in {"N": "zxy", "diffuse": "BRG"}.items():
        wanted = [f"{layer}.{c}" for c in sorted(order, key="RGBxyz".index)]
        assert np.array_equal(plate.layer(layer), plate.select(*wanted).pixels)
    assert np.array_equal(plate.layer("Z")[:, :, 0], plate.channel("Z"))
    assert np.array_equal(plate.rgb(), plate.select("R", "G", "B").pixels)
    for missing in (
        lambda: plate.layer("albedo"),
        lambda: plate.channel("A"),
        lambda: plate.select("R", "Q"),
    ):
        with pytest.raises(MediaError, match="not in this plate"):
            missing()


def test_grey_is_repeated_and_data_has_no_colour() -> None:
    grey = Plate(noise(2, 3, 2))
    assert grey.channels == ("Y", "A")
    assert np.array_equal(grey.rgb(), np.repeat(grey.pixels[:, :, :1], 3, axis=2))
    with pytest.raises(MediaError, match="found N"):
        Plate(noise(2, 3, 1), ("N.x",)).rgb()


@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(1, 9), st.integers(1, 9))
def test_reframing_keeps_every_pixel_where_it_was(x: int, y: int, width: int, height: int) -> None:
    plate = Plate(noise(5, 4, 1), ("Y",), data_window=Box(-1, 2, 4, 5), display_window=Box(0, 0, 6, 6))
    window = Box(x, y, width, height)
    framed = plate.reframe(window, fill=7)
    assert framed.data_window == window
    assert framed.display_window == plate.display_window
    for row in range(height):
        for column in range(width):
            at = (row + y - 2, column + x + 1)
            inside = 0 <= at[0] < 5 and 0 <= at[1] < 4
            assert framed.pixels[row, column, 0] == (plate.pixels[at[0], at[1], 0] if inside else 7)


def test_growing_and_cutting_back_is_the_identity() -> None:
    plate = Plate(noise(5, 7, 3), data_window=Box(3, 4, 7, 5), display_window=Box(0, 0, 20, 20))
    assert np.array_equal(plate.to_display().reframe(plate.data).pixels, plate.pixels)
    assert plate.to_display().pixels.shape == (20, 20, 3)


def test_over_and_flatten_agree() -> None:
    top = Plate(np.abs(noise(4, 5, 4)) % 1)
    grey = np.empty((4, 5, 3), np.float32)
    grey[:] = (0.1, 0.2, 0.3)
    over = top.over(Plate(grey))
    assert np.allclose(over.rgb(), top.flatten((0.1, 0.2, 0.3)).pixels, atol=1e-6)
    assert np.allclose(over.alpha(), 1)
    assert np.array_equal(top.flatten().pixels, top.rgb())
    with pytest.raises(MediaError, match="colour spaces"):
        top.over(Plate(grey, colourspace="raw"))
    with pytest.raises(MediaError, match="data windows"):
        top.over(Plate(grey[1:]))


def test_over_is_associative() -> None:
    plates = []
    for seed in range(3):
        pixels = np.random.default_rng(seed).random((3, 3, 4), dtype=np.float32)
        pixels[:, :, :3] *= pixels[:, :, 3:]
        plates.append(Plate(pixels))
    a, b, c = plates
    assert np.allclose(a.over(b).over(c).pixels, a.over(b.over(c)).pixels, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_pixels_are_counted_named_and_mended(bad: float) -> None:
    pixels = np.zeros((3, 4, 3), np.float32)
    pixels[1, 2] = bad
    pixels[2, 3, 0] = bad
    plate = Plate(pixels, data_window=Box(10, 20, 4, 3))
    assert plate.bad_pixels() == 2
    with pytest.raises(MediaError, match=r"shot: 2 pixels .*\(R = .*column 12, row 21"):
        plate.check_finite("shot")
    assert plate.finite(0.5).check_finite().pixels[1, 2].tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("array", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float64, 1), (np.int32, 1), (np.bool_, 1)]
)
def test_from_rgb_scales_picture_types_only(array: type, top: int) -> None:
    plate = Plate.from_rgb(np.full((2, 2), top, array), "srgb_display")
    assert plate.pixels.dtype == np.float32
    assert (plate.pixels == 1).all()


@pytest.mark.parametrize("shape", [(2,), (2, 2, 5), (1, 2, 2, 3)])
def test_from_rgb_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(MediaError, match="array"):
        Plate.from_rgb(np.zeros(shape))
    with pytest.raises(MediaError, match="complex"):
        Plate.from_rgb(np.zeros((2, 2), complex))


def test_with_follows_new_pixels() -> None:
    plate = Plate(noise(5, 7, 3), data_window=Box(3, 4, 7, 5), display_window=Box(0, 0, 20, 20))
    assert plate.with_(pixels=plate.pixels * 2).data_window == plate.data_window
    assert plate.with_(pixels=noise(2, 2, 3)).display_window == Box(0, 0, 2, 2)
    assert plate.with_metadata(a=1, b=(1, 2)).metadata == {"a": 1, "b": (1.0, 2.0)}
