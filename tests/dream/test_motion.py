"""Laws of camera moves: standing still, whole pixels, there and back, and sharpness."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dreamplate.dream.controls import MotionConfig
from dreamplate.dream.motion import Affine, motion_vectors, step_motion, warp

GENERATOR = torch.Generator().manual_seed(0)
NOISE = torch.rand((2, 3, 30, 41), generator=GENERATOR)


def smooth(height: int, width: int) -> torch.Tensor:
    coarse = torch.rand((1, 3, 7, 8), generator=torch.Generator().manual_seed(1))
    return F.interpolate(coarse, (height, width), mode="bicubic", antialias=True).clamp(0.1, 0.9)


@pytest.mark.parametrize("wrap", [(False, False), (True, False), (True, True)])
def test_standing_still_changes_no_bit(wrap: tuple[bool, bool]) -> None:
    assert torch.equal(warp(NOISE, Affine(), wrap), NOISE)
    assert torch.equal(warp(NOISE, Affine(turn=360), wrap), NOISE)


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 3), (-7, 11), (41, 30)])
def test_whole_pixels_roll_on_axes_that_tile(right: int, down: int) -> None:
    affine = Affine(shift=(right / 41, down / 30))
    assert torch.equal(warp(NOISE, affine, (True, True)), NOISE.roll((down, right), (-2, -1)))


def test_edges_are_mirrored_where_the_picture_does_not_tile() -> None:
    moved = warp(NOISE, Affine(shift=(3 / 41, 0)))
    assert torch.equal(moved[..., 3:], NOISE[..., :-3])
    assert torch.equal(moved[..., :3], NOISE[..., :3].flip(-1))
    mixed = warp(NOISE, Affine(shift=(3 / 41, -2 / 30)), (False, True))
    assert torch.equal(mixed[..., 3:], NOISE.roll(-2, -2)[..., :-3])


def test_quarter_and_half_turns_are_exact_and_clockwise() -> None:
    square = NOISE[..., :30]
    assert torch.allclose(warp(square, Affine(turn=90)), torch.rot90(square, -1, (-2, -1)), atol=1e-5)
    assert torch.allclose(warp(NOISE, Affine(turn=180)), NOISE.flip(-1, -2), atol=1e-5)


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (Affine(1.25), Affine(0.8)),
        (Affine(shift=(0.031, -0.017)), Affine(shift=(-0.031, 0.017))),
        (Affine(turn=7.0), Affine(turn=-7.0)),
        (Affine(0.4), Affine(2.5)),
    ],
)
def test_there_and_back_is_where_it_began(there: Affine, back: Affine) -> None:
    image = smooth(64, 80)
    middle = (..., slice(20, 44), slice(26, 54))
    error = (warp(warp(image, there), back) - image)[middle].abs()
    assert error.max() < (0.1 if there.zoom < 0.5 else 0.02)
    assert (warp(image, there) - image)[middle].abs().max() > 0.02  # it did move


def test_a_shift_of_a_tiling_picture_still_tiles() -> None:
    tile = NOISE[:1]
    affine = Affine(shift=(0.213, 0.37))
    whole = warp(tile, affine, (True, True))
    assert torch.allclose(warp(tile.roll(5, -1), affine, (True, True)), whole.roll(5, -1), atol=1e-6)


@pytest.mark.parametrize(("waves", "least"), [(6, 0.96), (12, 0.94), (16, 0.9), (24, 0.0), (40, 0.0)])
def test_fifty_moves_keep_detail_and_amplify_none(waves: int, least: float) -> None:
    """What a sequence does: the same pixels are resampled at every frame."""
    wave = 0.5 + 0.3 * torch.sin(torch.arange(96.0) * (2 * torch.pi * waves / 96))
    image = wave.expand(1, 3, 96, 96)
    for _ in range(50):
        image = warp(image, Affine(shift=(0.3 / 96, 0)), (True, False))
    assert least <= float(image.std() / wave.std()) < 1.02


def test_shrinking_does_not_alias() -> None:
    stripes = (torch.arange(120) % 2).float().expand(1, 3, 120, 120)
    for zoom in (0.5, 0.3, 0.11):
        assert (warp(stripes, Affine(zoom))[..., 36:84, 36:84] - 0.5).abs().max() < 0.1, zoom


def test_moves_follow_their_keyframes() -> None:
    config = MotionConfig(zoom="0:1, 10:1.1", pan_x="0.25", rotate="5:0, 7:-4")
    assert step_motion(config, 0) == Affine(1.0, (0.25, 0.0), 0.0)
    assert step_motion(config, 6).turn == pytest.approx(-2)
    assert step_motion(config, 99).zoom == pytest.approx(1.1)
    assert step_motion(MotionConfig(), 3) == Affine()


def test_vectors_say_where_pixels_came_from() -> None:
    vectors = motion_vectors(Affine(shift=(0.1, -0.2)), 20, 10)
    assert vectors.shape == (2, 10, 20)
    assert torch.allclose(vectors, torch.tensor([2.0, -2.0])[:, None, None].expand(2, 10, 20), atol=1e-5)
    zoomed = motion_vectors(Affine(2.0), 20, 10)
    assert zoomed[0, 0, 0] == pytest.approx(-4.75) and zoomed[1, 9, 19] == pytest.approx(2.25)
    # Reading the old picture at each pixel minus its vector gives the new one.
    image, affine = smooth(48, 64), Affine(1.1, (0.05, 0.02), 8.0)
    x, y = motion_vectors(affine, 64, 48)
    grid_x = (torch.arange(64) + 0.5 - x) / 32 - 1
    grid_y = (torch.arange(48)[:, None] + 0.5 - y) / 24 - 1
    read = F.grid_sample(image, torch.stack([grid_x, grid_y], -1)[None], "bicubic", "reflection", False)
    assert (read - warp(image, affine))[..., 4:-4, 4:-4].abs().max() < 0.02
