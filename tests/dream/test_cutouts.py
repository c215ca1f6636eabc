"""Laws of the cut-outs: chunking, geometry, tiling, and what the draws follow from."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dreamplate.dream.config import CutConfig
from dreamplate.dream.cutouts import Cuts, cut_grid, draw_cuts, full_view, take_cuts

PLAIN = CutConfig(rotate=0, shear=0, perspective=0, flip=0, brightness=0, contrast=0, tint=0, noise=0)


def draw(config: CutConfig, count: int, seed: int = 0, **options: object) -> Cuts:
    return draw_cuts(config, count, 1.5, torch.Generator().manual_seed(seed), **options)  # type: ignore[arg-type]


def picture(width: int = 96, height: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand((1, 3, height, width), generator=generator)


@pytest.mark.parametrize("wrap", [(False, False), (True, False), (False, True), (True, True)])
def test_chunks_give_the_same_cuts_as_all_at_once(wrap: tuple[bool, bool]) -> None:
    image, cuts = picture(), draw(CutConfig(noise=0.1), 11, wrap=wrap)
    whole = take_cuts(image, cuts, 32, wrap=wrap)
    parts = torch.cat([take_cuts(image, cuts[i : i + 3], 32, wrap=wrap) for i in range(0, 11, 3)])
    assert torch.equal(whole, parts)


def test_the_full_view_of_a_square_is_the_picture_itself() -> None:
    image = picture(48, 48)
    assert torch.allclose(take_cuts(image, full_view(), 48), image, atol=1e-5)


@pytest.mark.parametrize("shift", [(16, 0), (0, 24), (-40, 8)])
def test_rolling_a_tiling_picture_is_moving_the_cut(shift: tuple[int, int]) -> None:
    image, cuts = picture(), draw(CutConfig(), 6, wrap=(True, True))
    rolled = image.roll(shift, dims=(-1, -2))
    moved = dataclasses.replace(cuts, centre=cuts.centre + torch.tensor([shift[0] / 96, shift[1] / 64]))
    here = take_cuts(image, cuts, 24, wrap=(True, True))
    there = take_cuts(rolled, moved, 24, wrap=(True, True))
    # Pyramid levels above the first are only equivariant to shifts by their own pixels (here 8).
    assert torch.allclose(here, there, atol=2e-4)


def test_gradients_of_a_tiling_picture_reach_every_pixel_alike() -> None:
    image = picture(32, 32).requires_grad_()
    cuts = draw_cuts(PLAIN, 4000, 1.0, torch.Generator().manual_seed(0), wrap=(True, True))
    take_cuts(image, cuts, 8, wrap=(True, True)).sum().backward()
    assert image.grad is not None
    weight = image.grad[0, 0]
    assert weight.min() > 0.7 * weight.mean() and weight.max() < 1.3 * weight.mean()


def test_overhang_brings_the_rim_as_much_attention_as_the_middle() -> None:
    def rim_share(overhang: float) -> float:
        config = dataclasses.replace(PLAIN, overhang=overhang, size_mean=0.5, size_mean_end=0.5, size_std=0.0)
        image = picture(64, 64).requires_grad_()
        cuts = draw_cuts(config, 2000, 1.0, torch.Generator().manual_seed(0))
        take_cuts(image, cuts, 8).sum().backward()
        assert image.grad is not None
        return float(image.grad[..., :4, 16:48].mean() / image.grad[..., 24:40, 24:40].mean())

    assert rim_share(0.0) < 0.3 < 0.6 < rim_share(0.9)


@pytest.mark.parametrize("angle", [0.0, 90.0, 180.0])
def test_turning_the_cut_turns_the_view(angle: float) -> None:
    image = picture(40, 40)
    turned = dataclasses.replace(full_view(), angle=torch.deg2rad(torch.tensor([angle])))
    view = take_cuts(image, turned, 40)
    # Reading along a line turned clockwise shows the picture turned anticlockwise.
    assert torch.allclose(view, torch.rot90(image, round(angle / 90), dims=(-2, -1)), atol=1e-4)


def test_a_flip_mirrors_the_view() -> None:
    image = picture(40, 40)
    flipped = dataclasses.replace(full_view(), flip=torch.tensor([-1.0]))
    assert torch.allclose(take_cuts(image, flipped, 40), image.flip(-1), atol=1e-5)


@pytest.mark.parametrize("spacing", [1.0, 1.5, 3.0, 6.0, 11.0])
def test_large_cuts_do_not_alias(spacing: float) -> None:
    """A fine checkerboard must fade to grey, not to a false pattern, when it is shrunk."""
    side = 176
    board = ((torch.arange(side)[:, None] + torch.arange(side)[None]) % 2).float()
    image = board.expand(1, 3, -1, -1).contiguous()
    view = take_cuts(image, full_view(), round(side / spacing))
    if spacing >= 2:
        assert view.std() < 0.02
    assert abs(float(view.mean()) - 0.5) < 0.02


def test_sizes_stay_within_bounds_and_are_stratified() -> None:
    config = CutConfig(size_mean=0.7, size_mean_end=0.7, size_std=0.6, size_min=0.3, size_max=1.2)
    means = [float(draw(config, 16, seed).size.mean()) for seed in range(40)]
    sizes = draw(config, 4096).size
    assert sizes.min() >= 0.3 and sizes.max() <= 1.2
    independent = float(sizes.std()) / 4
    assert float(torch.tensor(means).std()) < 0.5 * independent


def test_draws_follow_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    first = draw(CutConfig(), 5, seed=3)
    torch.manual_seed(2)
    second, other = draw(CutConfig(), 5, seed=3), draw(CutConfig(), 5, seed=4)
    for field in dataclasses.fields(Cuts):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name))
    assert not torch.equal(first.centre, other.centre)


def test_grid_of_the_full_view_hits_pixel_centres() -> None:
    grid = cut_grid(full_view(), 10, 10, 10)
    expected = torch.arange(10) + 0.5
    assert torch.allclose(grid[0, 0, :, 0], expected) and torch.allclose(grid[0, :, 0, 1], expected)


def test_views_are_gradients_twin_by_finite_differences() -> None:
    cuts = draw(dataclasses.replace(CutConfig(), noise=0.0), 2)
    image = (picture(9, 8) * 0.5 + 0.25).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: take_cuts(x, cuts, 4), (image,), atol=1e-4)
