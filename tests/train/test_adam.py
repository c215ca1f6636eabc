"""Adam's steps are those of the formula, however weights and gradients lie in memory."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dreamplate.train.draws import Draws
from dreamplate.train.optimise import Optimiser, rate_at
from dreamplate.train.options import LearnOptions
from dreamplate.train.system import Now


def now(step: int = 0, progress: float = 0.0) -> Now:
    return Now(step, step, 0.0, progress, Draws(0))


@pytest.mark.parametrize("weight_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradient", ["plain", "channels_last", "expanded", "turned"])
def test_steps_are_adams_for_every_layout(weight_format: torch.memory_format, gradient: str) -> None:
    draws = torch.Generator().manual_seed(0)
    weight = nn.Parameter(torch.randn(2, 3, 4, 4, generator=draws).contiguous(memory_format=weight_format))
    optimiser = Optimiser([weight], LearnOptions(rate=0.01, decay_from=1.0))
    expected, m, v = weight.detach().double().clone(), 0.0, 0.0
    for step in range(3):
        given = torch.randn(2, 3, 4, 4, generator=draws)
        given = {
            "plain": given,
            "channels_last": given.contiguous(memory_format=torch.channels_last),
            "expanded": given[:1, :1].expand(2, 3, 4, 4),
            "turned": given.transpose(2, 3),
        }[gradient]
        weight.grad = given
        optimiser.apply(now(step))
        g = given.double()
        m, v = 0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g**2
        expected -= 0.01 * (m / (1 - 0.5 ** (step + 1))) / ((v / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
        torch.testing.assert_close(weight.detach(), expected.float(), atol=1e-5, rtol=1e-5)


def test_rates_rise_stay_and_fall() -> None:
    options = LearnOptions(warm_up=10, decay_from=0.5)
    assert rate_at(options, now(0)) == pytest.approx(0.1)
    assert rate_at(options, now(20, 0.4)) == 1
    assert rate_at(options, now(20, 0.75)) == pytest.approx(0.5)
    assert rate_at(options, now(20, 1.0)) == 0
