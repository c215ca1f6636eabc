"""Laws of DiffAugment."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.train.augmenter import build_augmenter
from dreamplate.train.diffaugment import POLICIES, cutout, translation
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions

IMAGE = torch.rand((6, 3, 16, 24), generator=torch.Generator().manual_seed(0)) * 2 - 1


def build(policies: str = "color,translation,cutout"):
    return build_augmenter(AugmentOptions(policy="diffaugment", diffaugment=policies))


def test_translation_is_a_roll_with_zeros_for_what_comes_around() -> None:
    down, across = torch.tensor([0, 2, -3, 1, 0, -2]), torch.tensor([0, -1, 0, 3, 2, -3])
    moved = translation(IMAGE, down, across)
    for number, (i, j) in enumerate(zip(down.tolist(), across.tolist(), strict=True)):
        wanted = torch.zeros_like(IMAGE[0])
        for row in range(16):
            for column in range(24):
                if 0 <= row + i < 16 and 0 <= column + j < 24:
                    wanted[:, row, column] = IMAGE[number, :, row + i, column + j]
        assert torch.equal(moved[number], wanted)


def test_a_cut_out_is_a_rectangle_of_zeros() -> None:
    ones = torch.ones(4, 1, 16, 24)
    centres = torch.tensor([0, 8, 15, 16]), torch.tensor([0, 12, 23, 24])
    found = cutout(ones, *centres, (8, 12))
    holes = (found == 0).sum((1, 2, 3)).tolist()
    assert holes == [4 * 6, 8 * 12, 5 * 7, 4 * 6]
    assert (found[1, 0, 4:12, 6:18] == 0).all()


@pytest.mark.parametrize("names", POLICIES)
def test_pictures_are_independent_and_draws_are_obeyed(names: str) -> None:
    changed, _ = build(names)(IMAGE, Draws(1, "d"))
    again, _ = build(names)(IMAGE, Draws(1, "d"))
    other, _ = build(names)(IMAGE, Draws(2, "d"))
    assert torch.equal(changed, again) and not torch.equal(changed, other)
    halves = [build(names)(IMAGE[3 * r : 3 * r + 3], Draws(1, "d", rank=r, world=2))[0] for r in (0, 1)]
    torch.testing.assert_close(torch.cat(halves), changed, rtol=0, atol=1e-6)


def test_what_lies_beside_follows_geometry_and_nothing_else() -> None:
    picture, beside = build("translation")(IMAGE, Draws(4), IMAGE[:, :2])
    assert torch.equal(picture[:, :2], beside)
    picture, beside = build("color,cutout")(IMAGE, Draws(4), IMAGE[:, :2])
    assert torch.equal(beside, IMAGE[:, :2]) and not torch.equal(picture[:, :2], beside)


def test_gradients_go_through_twice() -> None:
    image = IMAGE.clone().requires_grad_()
    out, _ = build()(image, Draws(5))
    (slope,) = torch.autograd.grad(out.square().sum(), image, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), image)
    assert second.abs().sum() > 0


def test_any_number_of_channels() -> None:
    for channels in (1, 2, 5):
        out, _ = build()(torch.ones(2, channels, 8, 8), Draws(6))
        assert out.shape == (2, channels, 8, 8)


def test_unknown_policies_are_named() -> None:
    with pytest.raises(ConfigError, match="'colour'; join some of color"):
        build("colour,cutout")
    with pytest.raises(ConfigError, match="no policy"):
        build(" ")


def test_nothing_is_nothing() -> None:
    picture, beside = build_augmenter(AugmentOptions())(IMAGE, Draws(0), IMAGE)
    assert picture is IMAGE and beside is IMAGE
