"""The optimiser: the memory layout of weights, and where they are, change nothing."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from dreamplate.train import Draws, Now
from dreamplate.train.optimise import Optimiser
from dreamplate.train.options import LearnOptions

NOW = Now(0, 0, 0.0, 0.0, Draws(1))


def network() -> nn.Module:
    draws = torch.Generator().manual_seed(3)
    made = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 2, 1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draws))
    return made


def loss(learner: nn.Module, step: int) -> Tensor:
    found = learner(torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(step)))
    return torch.as_tensor(found.square().mean())


def test_layouts_do_not_change_a_step() -> None:
    plain, other = network(), network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.Adam(plain.parameters(), 2e-4, (0.5, 0.999))
    ours = Optimiser(other.parameters(), LearnOptions())
    for step in range(3):
        adam.zero_grad()
        loss(plain, step).backward()  # type: ignore[no-untyped-call]
        adam.step()
        ours.step(loss(other, step), NOW)
        for a, b in zip(plain.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b)


def test_a_network_that_moves_in_memory_goes_on() -> None:
    one, moved = network(), network()
    first, second = Optimiser(one.parameters(), LearnOptions()), Optimiser(moved.parameters(), LearnOptions())
    for step in range(3):
        first.step(loss(one, step), NOW)
        second.step(loss(moved, step), NOW)
        for parameter in moved.parameters():
            parameter.data = parameter.data.clone()
    for a, b in zip(one.parameters(), moved.parameters(), strict=True):
        assert torch.equal(a, b)


def test_going_on_is_exact() -> None:
    straight, other = network(), network()
    first = Optimiser(straight.parameters(), LearnOptions())
    first.step(loss(straight, 0), NOW)
    kept, weights = copy.deepcopy(first.state_dict()), copy.deepcopy(straight.state_dict())
    first.step(loss(straight, 1), NOW)
    other.load_state_dict(weights)
    second = Optimiser(other.parameters(), LearnOptions())
    second.load_state_dict(kept)
    second.step(loss(other, 1), NOW)
    for a, b in zip(straight.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_weights_that_decay_shrink_by_their_share_of_the_rate() -> None:
    made = network()
    before = [parameter.detach().clone() for parameter in made.parameters()]
    ours = Optimiser(
        made.parameters(),
        LearnOptions(rate=0.5),
        weight_decay=0.1,
        schedule=lambda options, now: now.progress,
    )
    for parameter in made.parameters():
        parameter.grad = torch.zeros_like(parameter)
    ours.apply(Now(0, 0, 0.0, 0.25, Draws(1)))
    for was, parameter in zip(before, made.parameters(), strict=True):
        torch.testing.assert_close(parameter.detach(), was * (1 - 0.5 * 0.25 * 0.1))
