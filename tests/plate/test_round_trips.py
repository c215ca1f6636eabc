"""What is written comes back: every format, depth, channel set, window, value and metadata entry."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Box, Plate, info, read, write
from dreamplate.plate.formats import FORMATS

SIZES = [(1, 1), (1, 7), (5, 1), (17, 33)]
# Format, depth → the largest error of a value in 0-1, and whether values outside survive.
STORES: dict[tuple[str, str], tuple[float, bool]] = {
    ("exr", "half"): (2**-12, True),
    ("exr", "float"): (0, True),
    ("png", "8"): (0.5001 / 255, False),
    ("png", "16"): (0.501 / 65535, False),
    ("tif", "8"): (0.5001 / 255, False),
    ("tif", "16"): (0.501 / 65535, False),
    ("tif", "half"): (2**-12, True),
    ("tif", "float"): (0, True),
    ("jpg", "8"): (0.05, False),
    ("dpx", "8"): (0.5001 / 255, False),
    ("dpx", "10"): (0.5001 / 1023 + 2e-5, False),  # the decoder widens to 16 bits
    ("dpx", "12"): (0.501 / 4095 + 2e-5, False),
    ("dpx", "16"): (0.501 / 65535, False),
    ("hdr", "rgbe"): (2**-7, True),
}
LAYOUTS = {
    "exr": (1, 2, 3, 4),
    "png": (1, 2, 3, 4),
    "tif": (1, 2, 3, 4),
    "jpg": (1, 3),
    "dpx": (3,),
    "hdr": (3,),
}


def smooth(height: int, width: int, channels: int) -> np.ndarray[Any, Any]:
    """Values in 0-1, smooth enough for JPEG, premultiplied where the last channel is alpha."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = [0.5 + 0.45 * np.sin(x * 0.15 + y * 0.1 + c) for c in range(channels)]
    pixels = np.stack(planes, axis=2).astype(np.float32)
    if channels in (2, 4):
        pixels[:, :, :-1] *= pixels[:, :, -1:]
    return pixels


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("kind", "depth"), list(STORES))
def test_pixels(tmp_path: Path, kind: str, depth: str, size: tuple[int, int]) -> None:
    error, _ = STORES[kind, depth]
    for channels in LAYOUTS[kind]:
        plate = Plate(smooth(*size, channels), colourspace="srgb_display")
        path = tmp_path / f"{channels}.{kind}"
        write(plate, path, depth=depth, quality=100)
        back = read(path)
        assert back.channels == plate.channels
        assert back.colourspace == "srgb_display"
        assert back.data_window == back.display_window == plate.data_window
        assert back.pixels.dtype == np.float32
        # Straight alpha is rounded once as colour and once as alpha.
        most = error * (2 if channels in (2, 4) else 1)
        assert np.abs(back.pixels - plate.pixels).max() <= most
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(("kind", "depth"), list(STORES))
def test_writing_what_was_read_changes_nothing(tmp_path: Path, kind: str, depth: str) -> None:
    if kind == "jpg":
        pytest.skip("JPEG loses a little each time")
    for channels in LAYOUTS[kind]:
        write(Plate(smooth(9, 12, channels), colourspace="srgb_display"), tmp_path / f"a.{kind}", depth=depth)
        once = read(tmp_path / f"a.{kind}")
        write(once, tmp_path / f"b.{kind}", depth=depth)
        assert np.array_equal(read(tmp_path / f"b.{kind}").pixels, once.pixels)


@pytest.mark.parametrize(("kind", "depth"), [k for k, (_, outside) in STORES.items() if outside])
def test_values_outside_0_to_1(tmp_path: Path, kind: str, depth: str) -> None:
    values = [0.0, 1.5, 100.0, 60000.0, 1e-4]
    if kind != "hdr":
        values += [-0.25, -2000.0, -0.0]
    pixels = np.array(values, np.float32)[None, :, None].repeat(3, axis=2)
    write(Plate(pixels), tmp_path / f"a.{kind}", depth=depth)
    back = read(tmp_path / f"a.{kind}")
    assert back.colourspace == "scene_linear"
    tolerance = {"float": 0, "half": 2**-11, "rgbe": 2**-7}[depth]
    assert np.allclose(back.pixels, pixels, rtol=tolerance, atol=1e-7 if tolerance else 0)


@pytest.mark.parametrize(
    ("kind", "depth"), [("exr", "half"), ("exr", "float"), ("tif", "float"), ("tif", "half")]
)
def test_nan_and_infinity_survive_in_floats(tmp_path: Path, kind: str, depth: str) -> None:
    pixels = np.array([np.nan, np.inf, -np.inf, 1], np.float32)[None, :, None].repeat(3, axis=2)
    write(Plate(pixels), tmp_path / f"a.{kind}", depth=depth)
    assert np.array_equal(read(tmp_path / f"a.{kind}").pixels, pixels, equal_nan=True)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["png", "jpg", "dpx", "hdr"])
def test_nan_and_infinity_are_refused_elsewhere(tmp_path: Path, kind: str, bad: float) -> None:
    pixels = np.zeros((2, 2, 3), np.float32)
    pixels[1, 0, 1] = bad
    path = tmp_path / f"a.{kind}"
    with pytest.raises(MediaError, match=f"a.{kind}"):
        write(Plate(pixels, colourspace="srgb_display"), path)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["png", "tif", "jpg", "dpx"])
def test_whole_numbers_clip(tmp_path: Path, kind: str) -> None:
    pixels = np.array([-1, 2, 0.5], np.float32)[None, :, None].repeat(3, axis=2).repeat(2, axis=0)
    pixels = pixels.repeat(8, axis=1).repeat(8, axis=0)
    write(Plate(pixels, colourspace="srgb_display"), tmp_path / f"a.{kind}", quality=100)
    back = read(tmp_path / f"a.{kind}").pixels
    assert np.allclose(back, np.clip(pixels, 0, 1), atol=0.01)


METADATA: dict[str, Any] = {
    "dreamplate": json.dumps({"prompt": "a lighthouse", "noise": "x" * 100_000}),
    "unicode": "Zürich 東京 🎬\nsecond line",
    "ImageDescription": "what it shows",
    "Copyright": "nobody",
    "empty": "",
    "take": 7,
    "big": 2**40,
    "negative": -3,
    "real": 1.1,
    "single": 0.5,
    "pair": (1.0, 2.0),
    "triple": (0.1, 0.2, 0.3),
    "many": tuple(float(i) for i in range(16)),
    "PixelAspectRatio": 2.0,
    "comments": "an OpenEXR name of another entry",
    "type": "a name that the header uses itself",
    "a name with spaces": "yes",
    "ns:key": "colon",
}


@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_metadata_windows_and_colour_space(tmp_path: Path, kind: str) -> None:
    plate = Plate(
        smooth(5, 7, 3),
        colourspace="acescg",
        data_window=Box(-3, 2, 7, 5),
        display_window=Box(-10, -20, 30, 40),
        metadata=METADATA,
    )
    path = tmp_path / f"a.{kind}"
    write(plate, path)
    back = read(path)
    assert back.colourspace == "acescg"
    assert (back.data_window, back.display_window) == (plate.data_window, plate.display_window)
    missing = {k: (v, back.metadata.get(k)) for k, v in METADATA.items() if back.metadata.get(k) != v}
    assert missing == {}
    assert set(back.metadata) == set(METADATA)
    # Reading and writing again adds and loses nothing.
    write(back, path)
    assert dict(read(path).metadata) == dict(back.metadata)
    assert info(path).provenance == METADATA["dreamplate"]


keys = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20).filter(
    lambda k: k not in ("PixelAspectRatio", "Orientation")
)
values = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=5).map(tuple),
)


@pytest.mark.parametrize("kind", ["exr", "png", "tif"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(keys, values, max_size=6))
def test_any_metadata(tmp_path: Path, kind: str, metadata: dict[str, Any]) -> None:
    write(Plate(np.zeros((1, 1, 3), np.float32), metadata=metadata), tmp_path / f"a.{kind}")
    assert dict(read(tmp_path / f"a.{kind}").metadata) == metadata


@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_the_same_plate_makes_the_same_bytes(tmp_path: Path, kind: str) -> None:
    plate = Plate(smooth(8, 8, 3), colourspace="srgb_display", metadata={"dreamplate": "{}"})
    write(plate, tmp_path / f"a.{kind}")
    write(plate, tmp_path / f"b.{kind}")
    first = (tmp_path / f"a.{kind}").read_bytes()
    assert (tmp_path / f"b.{kind}").read_bytes() == first
    # No clock in it: encoders like to add the present second.
    assert time.strftime("%Y:%m:").encode() not in first
    assert b"DateTime" not in first


@pytest.mark.parametrize(
    ("kind", "depth", "compression"),
    [
        (f.extensions[0], d, c)
        for f in FORMATS.values()
        for d in f.depths
        for c in f.compressions
        if f.name in ("tiff", "png", "hdr")
    ],
)
def test_lossless_compressions_agree(tmp_path: Path, kind: str, depth: str, compression: str) -> None:
    plate = Plate(smooth(20, 31, 3), colourspace="srgb_display")
    write(plate, tmp_path / f"a{kind}", depth=depth)
    write(plate, tmp_path / f"b{kind}", depth=depth, compression=compression)
    assert np.array_equal(read(tmp_path / f"a{kind}").pixels, read(tmp_path / f"b{kind}").pixels)


def test_straight_alpha_is_only_in_the_file(tmp_path: Path) -> None:
    # Half-covered white: premultiplied 0.5 inside, 255 in the PNG.
    plate = Plate(np.array([[[0.5, 0.5, 0.5, 0.5]]], np.float32), colourspace="srgb_display")
    write(plate, tmp_path / "a.png")
    import OpenImageIO as oiio

    setup = oiio.ImageSpec()
    setup.attribute("oiio:UnassociatedAlpha", 1)
    stored = oiio.ImageInput.open(str(tmp_path / "a.png"), setup).read_image("uint8")
    assert stored[0, 0].tolist() == [255, 255, 255, 128]
    assert np.allclose(read(tmp_path / "a.png").pixels, 128 / 255)


def test_thin_alpha_keeps_its_colour(tmp_path: Path) -> None:
    # Premultiplying in 8 bits would leave two levels of colour here.
    straight = np.linspace(0, 1, 200, dtype=np.float32)
    alpha = np.full_like(straight, 2 / 255)
    pixels = np.stack([straight * alpha] * 3 + [alpha], axis=1)[None]
    write(Plate(pixels, colourspace="srgb_display"), tmp_path / "a.png", depth="8")
    back = read(tmp_path / "a.png")
    assert np.abs(back.pixels[0, :, 0] / back.pixels[0, :, 3] - straight).max() <= 0.51 / 255


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"depth": "7"}, "depth"),
        ({"compression": "gzip"}, "compression"),
        ({"quality": 0}, "quality"),
        ({"colourspace": "sceen_linear"}, "scene_linear"),
    ],
)
def test_unknown_options_are_named(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    plate = Plate(smooth(2, 2, 3), colourspace="srgb_display")
    with pytest.raises(ConfigError, match=words):
        write(plate, tmp_path / "a.png", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("channels", "kind"),
    [
        (("R", "G", "B", "Z"), "png"),
        (("R", "G", "B", "A"), "jpg"),
        (("N.x",), "tif"),
        (("Y",), "hdr"),
        (("B", "G", "R"), "png"),
    ],
)
def test_channels_a_format_cannot_hold_are_refused(
    tmp_path: Path, channels: tuple[str, ...], kind: str
) -> None:
    with pytest.raises(MediaError, match="holds"):
        write(Plate(np.zeros((2, 2, len(channels)), np.float32), channels), tmp_path / f"a.{kind}")


def test_conversion_on_the_way_out_and_in(tmp_path: Path) -> None:
    light = Plate(smooth(6, 8, 3))
    write(light, tmp_path / "a.png", depth="16", colourspace="srgb_display")
    assert read(tmp_path / "a.png").colourspace == "srgb_display"
    assert np.allclose(read(tmp_path / "a.png", colourspace="scene_linear").pixels, light.pixels, atol=1e-4)


def test_a_turned_photograph_comes_upright(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    upright = smooth(16, 24, 3)
    turns = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }
    for orientation, stored in turns.items():
        path = tmp_path / f"{orientation}.tif"
        spec = oiio.ImageSpec(stored.shape[1], stored.shape[0], 3, "float")
        spec.attribute("Orientation", orientation)
        output = oiio.ImageOutput.create(str(path))
        output.open(str(path), spec)
        output.write_image(np.ascontiguousarray(stored))
        output.close()
        plate = read(path)
        assert np.array_equal(plate.pixels, upright), orientation
        assert "Orientation" not in plate.metadata
