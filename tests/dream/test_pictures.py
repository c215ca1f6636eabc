"""Laws of reading pictures: what is seen, how bright, how much of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy import ToyScorer

from dreamplate.dream.pictures import (
    Reference,
    cover,
    encode_picture,
    exposure,
    is_linear,
    picture_tensor,
    read_depth,
    read_kept,
    read_picture,
)
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, convert, read, write


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, channels), np.float32)


def test_values_of_a_thousand_are_exposed_down_and_ordinary_ones_left_alone(tmp_path: Path) -> None:
    light = noise(40, 50)
    write(Plate.from_rgb(light), tmp_path / "lit.exr", depth="float")
    write(Plate.from_rgb(light * 1000), tmp_path / "bright.exr", depth="float")
    dim = picture_tensor(tmp_path / "lit.exr", expose=True)
    assert torch.equal(dim, picture_tensor(tmp_path / "lit.exr"))
    bright = picture_tensor(tmp_path / "bright.exr", expose=True)
    assert (bright - dim).abs().max() < 0.02  # the same picture, a factor of 1000 taken out
    assert bright.min() >= 0 and bright.max() <= 1 and torch.isfinite(bright).all()
    assert (picture_tensor(tmp_path / "bright.exr") > 0.99).float().mean() > 0.9  # what a monitor would show
    scorer = ToyScorer()
    first, second = (encode_picture(scorer, tmp_path / name) for name in ("lit.exr", "bright.exr"))
    assert first @ second > 0.999


def test_a_few_bright_lamps_do_not_darken_a_picture() -> None:
    light = noise(40, 50)
    light[3, 4:8] = 1000
    assert exposure(Plate.from_rgb(light)) == 1
    light[:10] = 8
    assert exposure(Plate.from_rgb(light)) == pytest.approx(1 / 8)


def test_nan_is_named(tmp_path: Path) -> None:
    light = noise(8, 8)
    light[2, 3, 1] = np.nan
    write(Plate.from_rgb(light), tmp_path / "bad.exr", depth="float")
    for reader in (
        picture_tensor,
        lambda path: read_picture(path, (8, 8)),
        lambda path: read_kept(path, (8, 8)),
    ):
        with pytest.raises(MediaError, match=r"bad\.exr.*NaN"):
            reader(tmp_path / "bad.exr")


@pytest.mark.parametrize("size", [(30, 30), (60, 20), (17, 41)])
def test_covering_fills_the_frame_from_the_centre(size: tuple[int, int]) -> None:
    ramp = torch.linspace(0, 1, 60)[None, None, None].expand(1, 3, 40, 60)
    filled = cover(ramp, size)
    assert filled.shape[-2:] == (size[1], size[0])
    assert (filled - filled.flip(-1).neg().add(1)).abs().max() < 0.03  # its middle stays, to half a pixel
    assert cover(ramp, (60, 40)) is ramp


def test_what_is_kept_is_read_as_it_is(tmp_path: Path) -> None:
    pixels = noise(20, 30, 5) * 9
    plate = Plate(pixels, ("R", "G", "B", "A", "Z"), "acescg")
    write(plate, tmp_path / "set.exr", depth="float")
    kept = read_kept(tmp_path / "set.exr", (30, 20))
    assert kept.colourspace == "acescg" and np.array_equal(kept.pixels, read(tmp_path / "set.exr").pixels)
    write(Plate.from_rgb(noise(20, 30), "srgb_display"), tmp_path / "set.png")
    kept = read_kept(tmp_path / "set.png", (30, 20))
    assert kept.colourspace == "scene_linear"
    assert np.array_equal(kept.pixels, convert(read(tmp_path / "set.png"), "scene_linear").pixels)
    with pytest.raises(ConfigError, match=r"set\.png is 30x20 but size is 31x20") as caught:
        read_kept(tmp_path / "set.png", (31, 20))
    assert "\n" not in str(caught.value)


def test_linear_spaces_are_told_from_encoded_ones() -> None:
    assert [is_linear(name) for name in ("scene_linear", "acescg", "aces2065_1")] == [True] * 3
    assert [is_linear(name) for name in ("srgb_display", "acescct")] == [False] * 2


def test_depth_plates_say_what_is_near(tmp_path: Path) -> None:
    z = np.full((20, 30, 1), 10.0, np.float32)
    z[5:15, 5:15] = 2.0
    z[:, 25:] = np.inf
    write(Plate(z, ("Z",)), tmp_path / "z.exr")
    depth = read_depth(tmp_path / "z.exr", (30, 20))[0, 0]
    assert depth[8, 8] == 0 and depth[8, 28] == 1 and 0.5 < depth[0, 0] < 1
    z[:, 25:] = 0  # how other renderers write the background
    write(Plate(z, ("Z",)), tmp_path / "zero.exr")
    assert torch.equal(read_depth(tmp_path / "zero.exr", (30, 20))[0, 0], depth)
    grey = np.where(z == 2, 0.9, 0.2).astype(np.float32)
    write(Plate(grey, ("Y",), "srgb_display"), tmp_path / "grey.png")
    assert read_depth(tmp_path / "grey.png", (30, 20))[0, 0, 8, 8] == 0  # light is near
    z[0, 0] = np.nan
    write(Plate(z, ("Z",)), tmp_path / "nan.exr")
    with pytest.raises(MediaError, match=r"nan\.exr.*Z holds NaN"):
        read_depth(tmp_path / "nan.exr", (30, 20))
    for value, says in ((3.0, "equally far"), (0.0, "nothing between")):
        write(Plate(np.full((8, 8, 1), value, np.float32), ("Z",)), tmp_path / "flat.exr")
        with pytest.raises(ConfigError, match=says):
            read_depth(tmp_path / "flat.exr", (8, 8))


def test_a_reference_is_resized_once_for_each_size() -> None:
    reference = Reference(torch.rand((1, 3, 32, 48), generator=torch.Generator().manual_seed(0)))
    small = torch.zeros(2, 3, 8, 12)
    assert reference.like(small).shape == (1, 3, 8, 12)
    assert reference.like(small) is reference.like(small)
    assert reference.like(small).mean() == pytest.approx(float(reference.image.mean()), abs=0.01)
    assert torch.equal(reference.like(torch.zeros(1, 3, 32, 48)), reference.image)
    assert reference.like(small.double()).dtype == torch.float64
