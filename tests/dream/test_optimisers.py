"""Laws of the optimisers: their papers' formulas, pictures apart from each other, exact resume."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch

from dreamplate.dream.controls import SearchConfig
from dreamplate.dream.optimisers import DECAYING, OPTIMISERS, AdamP, DiffGrad, make_optimiser
from dreamplate.errors import ConfigError

NAMES = sorted(OPTIMISERS)


def loss_of(pictures: torch.Tensor) -> torch.Tensor:
    """Return each picture's own loss: a bent valley."""
    flat = pictures.flatten(1)
    return ((flat - 0.3) ** 2).sum(1) + 3 * (flat[:, 1:] - flat[:, :-1] ** 2).square().sum(1)


def descend(optimiser: torch.optim.Optimizer, pictures: torch.Tensor, steps: int) -> None:
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        loss_of(pictures).sum().backward()
        optimiser.step()


def start(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 2, 5, generator=torch.Generator().manual_seed(4))


def config(name: str, **changes) -> SearchConfig:
    return replace(SearchConfig(), optimiser=name, **changes)


def test_every_choice_has_a_maker():
    assert set(get_args(get_type_hints(SearchConfig)["optimiser"])) == set(OPTIMISERS)


@pytest.mark.parametrize("name", NAMES)
def test_descends_and_pictures_are_apart(name):
    search = config(name, weight_decay=0.1 if name in DECAYING else 0.0)
    rate = 0.002 if name == "sgd" else 0.02
    together = start().requires_grad_()
    before = loss_of(together).detach()
    descend(make_optimiser(search, [together], rate), together, 150)
    assert (loss_of(together) < 0.5 * before).all()
    for row in range(3):
        alone = start()[row : row + 1].requires_grad_()
        descend(make_optimiser(search, [alone], rate), alone, 150)
        assert torch.allclose(alone[0], together[row], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_resume_is_bit_identical(name):
    search = config(name)
    whole, first = start().requires_grad_(), start().requires_grad_()
    descend(make_optimiser(search, [whole], 0.01), whole, 9)
    optimiser = make_optimiser(search, [first], 0.01)
    descend(optimiser, first, 4)
    second = first.detach().clone().requires_grad_()
    resumed = make_optimiser(search, [second], 0.01)
    resumed.load_state_dict(optimiser.state_dict())
    descend(resumed, second, 5)
    assert torch.equal(second, whole)


def test_adamp_is_adamw_where_parameters_have_no_free_length():
    """Where the gradient lies along the parameter nothing is projected."""
    one, two = torch.ones(2, 6, requires_grad=True), torch.ones(2, 6, requires_grad=True)
    ours = AdamP([one], 0.05, betas=(0.9, 0.99), weight_decay=0.1)
    theirs = torch.optim.AdamW([two], 0.05, betas=(0.9, 0.99), weight_decay=0.1)
    for optimiser, pictures in ((ours, one), (theirs, two)):
        for _ in range(20):
            optimiser.zero_grad(set_to_none=True)
            (0.5 * (pictures**2).sum()).backward()
            optimiser.step()
    assert torch.allclose(one, two, atol=1e-6)


def test_adamp_keeps_length_of_scale_invariant_parameters():
    """Where only the direction counts, Adam's momentum lengthens the parameter; the projection does not."""
    target = torch.nn.functional.normalize(start().flatten(1), dim=1)

    def length(optimiser_of) -> torch.Tensor:
        pictures = (start().flatten(1).roll(1, 1) * 0.1).requires_grad_()
        first = pictures.detach().norm(dim=1)
        optimiser = optimiser_of(pictures)
        for _ in range(60):
            optimiser.zero_grad(set_to_none=True)
            (-(torch.nn.functional.normalize(pictures, dim=1) * target).sum()).backward()
            optimiser.step()
        return pictures.detach().norm(dim=1) / first

    grown = length(lambda p: torch.optim.Adam([p], 0.01))
    held = length(lambda p: AdamP([p], 0.01))
    # A step at right angles still lengthens, by Pythagoras; it is the momentum's part that is gone.
    assert (held < grown).all()


def test_adamp_weakens_decay_of_projected_parameters_only():
    pictures = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    pictures.grad = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    AdamP([pictures], 0.1, weight_decay=0.5).step()
    # First: at right angles, so its decay is a tenth and the step has no part along it.
    assert torch.allclose(pictures[0], torch.tensor([1 - 0.1 * 0.5 * 0.1, -0.1]))
    assert torch.allclose(pictures[1], torch.tensor([1 - 0.1 * 0.5 - 0.1, -0.1]))


def test_diffgrad_takes_half_of_adams_step_where_the_gradient_stays():
    ours, theirs = torch.zeros(1, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    gradient = torch.tensor([[1e-3, -2.0, 30.0]])
    mine, adam = DiffGrad([ours], 0.1), torch.optim.Adam([theirs], 0.1)
    moved = []
    for _ in range(2):
        last = ours.detach().clone(), theirs.detach().clone()
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        adam.step()
        moved.append((ours.detach() - last[0]) / (theirs.detach() - last[1]))
    assert torch.allclose(moved[0], gradient.abs().sigmoid(), rtol=1e-4)  # from zero to the gradient
    assert torch.allclose(moved[1], torch.full((1, 3), 0.5), rtol=1e-4)


def test_single_numbers_for_each_picture_can_be_turned():
    pictures = torch.tensor([2.0, -1.0], requires_grad=True)
    optimiser = AdamP([pictures], 0.1)
    for _ in range(60):
        optimiser.zero_grad(set_to_none=True)
        (pictures**2).sum().backward()
        optimiser.step()
    assert (pictures.abs() < 0.1).all()


def test_closures_are_called():
    for kind in (AdamP, DiffGrad):
        pictures = torch.ones(1, 2, requires_grad=True)
        optimiser = kind([pictures], 0.1)

        def again(pictures=pictures) -> torch.Tensor:
            loss = (pictures**2).sum()
            loss.backward()
            return loss.detach()

        assert float(optimiser.step(again)) == 2.0


def test_decay_that_would_be_ignored_is_refused():
    with pytest.raises(ConfigError, match=r"weight_decay is 0.1, which nadam does not know"):
        make_optimiser(config("nadam", weight_decay=0.1), [start()], 0.1)
