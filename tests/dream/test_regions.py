"""Laws of regions: judgement and gradient stay inside the mask, whatever the size and the chunks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from toy import ToyScorer

from dreamplate.dream.losses import want
from dreamplate.dream.options import CutConfig
from dreamplate.dream.regions import RegionCritic, find_box, haze

SCORER = ToyScorer()
WANTED = want(SCORER.encode_text(["a red door"]), [1.0], [False])


def box_mask(left: int, top: int, right: int, bottom: int, width: int = 64, height: int = 48) -> torch.Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., top:bottom, left:right] = 1
    return mask


def critic(mask: torch.Tensor, **changes: Any) -> RegionCritic:
    return RegionCritic(mask, WANTED, SCORER, CutConfig(number=6), **changes)


def picture(count: int = 1, height: int = 48, width: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return F.interpolate(torch.rand((count, 3, 8, 8), generator=generator), (height, width), mode="bilinear")


def gradient(work: RegionCritic, image: torch.Tensor, chunk: int = 6, seed: int = 3) -> torch.Tensor:
    leaf = image.clone().requires_grad_()
    work.step(leaf, torch.Generator().manual_seed(seed), 0.5, 32, chunk)
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0, 1.5])
def test_the_gradient_stays_inside_at_every_size(scale: float) -> None:
    mask = box_mask(20, 10, 44, 30)
    image = picture(1, round(48 * scale), round(64 * scale))
    found = gradient(critic(mask), image)
    inside = critic(mask).mask.like(image) > 0
    assert found.abs().sum() > 0
    assert found[~inside.expand_as(found)].abs().max() == 0


def test_what_lies_outside_hardly_matters() -> None:
    mask = box_mask(20, 10, 44, 30)
    work, image = critic(mask), picture()
    inside, outside = image.clone(), image.clone()
    inside[..., 10:30, 20:44] = 1 - inside[..., 10:30, 20:44]
    checks = ((torch.arange(64) + torch.arange(48)[:, None]) % 2).float() - 0.5
    outside += 0.4 * checks * (1 - mask)
    before = work.measure(image)
    assert abs(work.measure(outside.clamp(0, 1)) - before) < 0.2 * abs(work.measure(inside) - before)


def test_chunks_change_a_step_only_by_rounding() -> None:
    work, image = critic(box_mask(5, 5, 60, 20)), picture()
    whole = gradient(work, image)
    for chunk in (1, 4):
        assert torch.allclose(gradient(work, image, chunk), whole, atol=1e-6)
    assert not torch.allclose(gradient(work, image, seed=4), whole, atol=1e-6)


def test_the_gradient_is_that_of_the_agreement() -> None:
    """Against finite differences, along the gradient's own direction."""
    work, image = critic(box_mask(10, 10, 50, 40), weight=2.0), picture()
    found = gradient(work, image)
    direction = found / found.norm()

    def loss(step: float) -> float:
        leaf = (image + step * direction).requires_grad_()
        return -2.0 * work.step(leaf, torch.Generator().manual_seed(3), 0.5, 32, 6)

    # The haze follows the picture too but gives no gradient, so a little of the slope is not in it.
    slope = (loss(0.05) - loss(-0.05)) / 0.1
    assert slope == pytest.approx(float(found.norm()), rel=0.35)


def test_pictures_of_a_batch_are_judged_alone() -> None:
    work, images = critic(box_mask(10, 10, 50, 40)), picture(3)
    leaf = images.clone().requires_grad_()
    draws = [torch.Generator().manual_seed(seed) for seed in (5, 6, 7)]
    work.step(leaf, draws, 0.5, 32, 6)
    assert leaf.grad is not None
    for index, seed in enumerate((5, 6, 7)):
        assert torch.allclose(
            leaf.grad[index : index + 1], gradient(work, images[index : index + 1], seed=seed)
        )


def test_gradients_are_added_to_those_that_are_there() -> None:
    work, image = critic(box_mask(10, 10, 50, 40)), picture()
    leaf = image.clone().requires_grad_()
    leaf.grad = torch.ones_like(leaf)
    work.step(leaf, torch.Generator().manual_seed(3), 0.5, 32, 6)
    assert torch.allclose(leaf.grad, 1 + gradient(work, image), atol=1e-6)


def test_following_it_raises_the_regions_own_score() -> None:
    mask = box_mask(20, 10, 50, 40)
    work, image = critic(mask), picture()
    leaf = image.clone().requires_grad_()
    optimiser = torch.optim.Adam([leaf], lr=0.02)
    draws = torch.Generator().manual_seed(0)
    for step in range(40):
        optimiser.zero_grad()
        work.step(leaf, draws, step / 40, 32, 6)
        optimiser.step()
        with torch.no_grad():
            leaf.clamp_(0, 1)
    assert work.measure(leaf.detach()) > work.measure(image) + 0.05
    assert torch.equal(leaf.detach() * (1 - mask), image * (1 - mask))


@pytest.mark.parametrize(
    "box", [(20, 10, 44, 30), (0, 0, 64, 6), (63, 47, 64, 48), (0, 0, 64, 48), (5, 2, 9, 46)]
)
def test_boxes_hold_the_mask_and_are_not_too_slim(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = find_box(box_mask(*box))
    assert 0 <= left <= box[0] / 64 and box[2] / 64 <= right <= 1
    assert 0 <= top <= box[1] / 48 and box[3] / 48 <= bottom <= 1
    width, height = (right - left) * 64, (bottom - top) * 48
    assert max(width / height, height / width) < 2.01
    for size in ((48, 64), (6, 8), (100, 130)):
        seen = critic(box_mask(*box)).isolate(picture(2, *size))
        assert seen.shape[:2] == (2, 3) and min(seen.shape[-2:]) >= 1
        assert torch.isfinite(seen).all()


def test_faint_masks_have_a_box_too() -> None:
    mask = 0.03 * box_mask(20, 10, 44, 30)
    assert find_box(mask) == find_box(box_mask(20, 10, 44, 30))


def test_haze_has_broad_tones_only() -> None:
    image = picture()
    checks = 0.2 * (((torch.arange(64) + torch.arange(48)[:, None]) % 2).float() - 0.5)
    assert torch.allclose(haze(image + checks), haze(image), atol=0.01)
    assert haze(image).mean().item() == pytest.approx(image.mean().item(), abs=0.02)
