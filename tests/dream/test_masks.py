"""Laws of masks: what is kept is kept to the bit, and bad masks are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dreamplate.dream.masks import blend, check_apart, composite, read_mask
from dreamplate.dream.pictures import Reference
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import Plate, convert, read, write


def disc(height: int = 24, width: int = 32) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.clip(6 - np.hypot(y - 12, x - 14), 0, 1).astype(np.float32)


def mask_of(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values)[None, None]


def rng_pixels(channels: int) -> np.ndarray:
    return np.random.default_rng(1).random((24, 32, channels), np.float32)


def test_masks_are_read_as_coverage_from_any_file(tmp_path: Path) -> None:
    values = disc()
    grey = np.repeat(values[:, :, None], 3, axis=2)
    write(Plate.from_rgb(grey, "srgb_display"), tmp_path / "grey.png")
    write(Plate(values[:, :, None], ("matte",)), tmp_path / "matte.exr", depth="float")
    write(Plate.from_rgb(grey), tmp_path / "linear.exr", depth="float")
    painted = np.concatenate([values[:, :, None] * np.float32([1, 0.2, 0]), values[:, :, None]], axis=2)
    write(Plate(painted, ("R", "G", "B", "A"), "srgb_display"), tmp_path / "painted.png")
    opaque = np.concatenate([grey, np.ones_like(values)[:, :, None]], axis=2)
    write(Plate(opaque, ("R", "G", "B", "A"), "srgb_display"), tmp_path / "opaque.png")
    for name, error in (
        ("grey.png", 1 / 255),
        ("matte.exr", 0),
        ("linear.exr", 1e-6),
        ("painted.png", 1 / 255),
        ("opaque.png", 1 / 255),
    ):
        mask = read_mask(tmp_path / name, (32, 24))
        assert mask.shape == (1, 1, 24, 32)
        assert (mask - mask_of(values)).abs().max() <= error, name
        assert torch.equal(mask == 0, mask_of(values) == 0), name


def test_masks_of_the_same_shape_are_resampled_and_others_refused(tmp_path: Path) -> None:
    write(Plate(disc()[:, :, None], ("Y",), "srgb_display"), tmp_path / "m.png")
    for size in ((16, 12), (64, 48), (47, 35), (320, 241)):
        mask = read_mask(tmp_path / "m.png", size)
        assert mask.shape[-2:] == size[::-1]
        assert float(mask.mean()) == pytest.approx(float(disc().mean()), rel=0.05)
    with pytest.raises(ConfigError, match=r"m\.png is 32x24 but the picture is 32x32") as caught:
        read_mask(tmp_path / "m.png", (32, 32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        (np.zeros((24, 32, 1)), ConfigError, "black everywhere"),
        (np.full((24, 32, 1), np.nan), MediaError, "NaN"),
        (np.linspace(0, 255, 24 * 32).reshape(24, 32, 1), MediaError, "from 0 to 255"),
        (np.full((24, 32, 1), -1.0), MediaError, "from -1 to -1"),
        (np.ones((24, 32, 2)), MediaError, "need R G B or Y"),
    ],
)
def test_bad_masks_are_named(tmp_path: Path, values: np.ndarray, error: type, says: str) -> None:
    names = ("m",) if values.shape[2] == 1 else ("u", "v")
    write(Plate(values.astype(np.float32), names), tmp_path / "m.exr", depth="float")
    with pytest.raises(error, match=says) as caught:
        read_mask(tmp_path / "m.exr", (32, 24))
    assert "\n" not in str(caught.value) and ("m.exr" in str(caught.value) or values.shape[2] == 2)
    with pytest.raises(MediaError, match=r"none\.png"):
        read_mask(tmp_path / "none.png", (32, 24))


@pytest.mark.parametrize("channels", ["RGB", "RGBA", ("Z", "B", "G", "R", "A", "N.x"), ("Y",), ("Y", "A")])
@pytest.mark.parametrize("space", ["scene_linear", "acescg"])
def test_what_is_kept_is_kept_to_the_bit(channels: tuple[str, ...], space: str) -> None:
    names = tuple(channels)
    pixels = rng_pixels(len(names)) * np.float32(37.7)  # far above 1, alpha too
    pixels[0, 0] = -3
    kept = Plate(pixels, names, space, metadata={"shot": "sc010"})
    dream = Plate.from_rgb(rng_pixels(3), "srgb_display")
    values = disc()
    out = composite(dream, kept, mask_of(values))
    outside, inside = values == 0, values == 1
    assert outside.any() and inside.any()
    assert out.colourspace == space and out.metadata["shot"] == "sc010"
    assert np.array_equal(out.rgb()[outside], kept.rgb()[outside])
    assert np.array_equal(out.rgb()[inside], convert(dream, space).rgb()[inside])
    for name in names:
        if name in {"Z", "N.x"}:
            assert np.array_equal(out.channel(name), kept.channel(name))
    if "A" in names:
        assert np.array_equal(out.alpha()[outside], kept.alpha()[outside])
        assert (out.alpha()[inside] == 1).all()
    soft = (values > 0) & (values < 1)
    share = values[soft][:, None]
    mixed = kept.rgb()[soft] * (1 - share) + convert(dream, space).rgb()[soft] * share
    assert np.allclose(out.rgb()[soft], mixed, rtol=1e-4, atol=1e-4)


def test_the_kept_region_survives_a_file(tmp_path: Path) -> None:
    kept = Plate(rng_pixels(4) * 5, ("R", "G", "B", "A"))
    out = composite(Plate.from_rgb(rng_pixels(3)), kept, mask_of(disc()))
    write(out, tmp_path / "out.exr", depth="float")
    outside = disc() == 0
    assert np.array_equal(read(tmp_path / "out.exr").pixels[outside], kept.pixels[outside])


def test_only_plates_that_fit_are_joined() -> None:
    dream, kept = Plate.from_rgb(rng_pixels(3)), Plate.from_rgb(rng_pixels(3), "srgb_display")
    with pytest.raises(ConfigError, match="not linear"):
        composite(dream, kept, mask_of(disc()))
    with pytest.raises(ConfigError, match="32x32 but the dream picture is 32x24"):
        composite(dream, dream, torch.ones(1, 1, 32, 32))


def test_scorers_see_both_parts_and_the_gradient_stays_inside() -> None:
    values = mask_of(disc())
    kept = torch.rand((1, 3, 24, 32), generator=torch.Generator().manual_seed(0))
    image = torch.full((2, 3, 12, 16), 0.5, requires_grad=True)
    seen = blend(image, Reference(kept), Reference(values))
    assert seen.shape == image.shape
    seen.sum().backward()
    assert image.grad is not None
    small = Reference(values).like(image)
    assert torch.allclose(image.grad, small.expand_as(image.grad))
    full = blend(torch.zeros(1, 3, 24, 32), Reference(kept), Reference(values))
    outside = (values == 0).expand(1, 3, 24, 32)
    assert torch.equal(full[outside], kept[outside])


def test_regions_may_share_soft_edges_only() -> None:
    left, right = torch.zeros(1, 1, 20, 100), torch.zeros(1, 1, 20, 100)
    left[..., :50], right[..., 50:] = 1, 1
    check_apart([("left.png", left), ("right.png", right)])
    left[..., 50:60] = 0.45  # a soft edge
    check_apart([("left.png", left), ("right.png", right)])
    left[..., 50:60] = 0.9
    with pytest.raises(ConfigError, match=r"left\.png and right\.png overlap on 10\.0%") as caught:
        check_apart([("sky.png", torch.zeros_like(left)), ("left.png", left), ("right.png", right)])
    assert "\n" not in str(caught.value)
