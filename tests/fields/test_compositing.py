"""The compositing operator is its twin, and its gradient is right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dreamplate.fields import volume
from dreamplate.fields.compositing import composite, composite_packed, composite_twin
from dreamplate.fields.rays import Samples

CASES = {
    "mixed, with empty rays": [3, 0, 5, 1, 0, 0, 9],
    "empty rays at both ends": [0, 4, 0],
    "one sample on each": [1, 1, 1, 1],
    "one ray": [33],
    "only empty rays": [0, 0, 0],
    "no rays": [],
}
"""Samples of each ray."""


def made(counts: list[int], dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[Tensor, ...]:
    """Offsets, alphas, colours and middles; alphas from quite clear to quite opaque."""
    draws = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    total = int(offsets[-1])
    alphas = torch.rand(total, generator=draws, dtype=dtype) ** 2
    colours = torch.rand(total, 3, generator=draws, dtype=dtype)
    mids = torch.rand(total, generator=draws, dtype=dtype) + torch.arange(total, dtype=dtype)
    return offsets, alphas, colours, mids


@pytest.mark.parametrize("counts", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operator_is_its_twin(counts: list[int], dtype: torch.dtype) -> None:
    found, wanted = ([x.clone() for x in made(counts, dtype)] for _ in range(2))
    results = []
    for function, given in ((composite_packed, found), (composite_twin, wanted)):
        for values in given[1:3]:
            values.requires_grad_()
        outputs = function(*given)
        draws = torch.Generator().manual_seed(1)
        loss = sum((out * torch.randn(out.shape, generator=draws, dtype=dtype)).sum() for out in outputs)
        assert isinstance(loss, Tensor)
        if loss.requires_grad:
            loss.backward()
        grads = [torch.zeros_like(values) if values.grad is None else values.grad for values in given[1:3]]
        results.append([*outputs, *grads])
    for ours, twins in zip(*results, strict=True):
        torch.testing.assert_close(ours, twins)


@pytest.mark.parametrize("counts", CASES.values(), ids=CASES.keys())
def test_twin_is_the_reference(counts: list[int]) -> None:
    offsets, alphas, colours, mids = made(counts, torch.float64)
    weights, _ = volume.packed_weights(alphas, offsets)
    found = composite_twin(offsets, alphas, colours, mids)
    torch.testing.assert_close(found[0], weights)
    torch.testing.assert_close(found[1], volume.accumulate(weights, offsets, colours))
    torch.testing.assert_close(found[2], volume.accumulate(weights, offsets)[:, 0])
    torch.testing.assert_close(found[3], volume.accumulate(weights, offsets, mids[:, None])[:, 0])


@pytest.mark.parametrize("function", [composite_packed, composite_twin])
def test_gradients_in_double_precision(function) -> None:
    offsets, alphas, colours, mids = made([3, 0, 4, 1], torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, c: function(offsets, a, c, mids), (alphas.requires_grad_(), colours.requires_grad_())
    )


def test_gradients_at_opaque_and_clear_samples() -> None:
    """A wall hides what is behind it: no gradient there, none that is not finite, and the twin agrees."""
    offsets = torch.tensor([0, 4, 7])
    _, _, colours, mids = made([4, 3], torch.float64)
    alphas = torch.tensor([0.0, 1.0, 0.5, 1.0, 0.25, 0.0, 1.0], dtype=torch.float64)
    grads = []
    for function in (composite_packed, composite_twin):
        given, shades = alphas.clone().requires_grad_(), colours.clone().requires_grad_()
        _, colour, _, depth = function(offsets, given, shades, mids)
        (colour.sum() + depth.sum()).backward()
        assert given.grad is not None and shades.grad is not None
        assert given.grad.isfinite().all()
        assert (shades.grad[2:4] == 0).all()
        grads.append((given.grad, shades.grad))
    torch.testing.assert_close(grads[0], grads[1])


def test_one_opaque_sample_is_what_is_seen() -> None:
    samples = Samples(
        torch.tensor([0, 1, 1]),
        torch.tensor([2.0]),
        torch.tensor([4.0]),
        torch.tensor([1.0]),
        torch.tensor([[0.1, 0.2, 0.3]]),
    )
    found = composite(samples)
    assert found.colour.tolist() == [pytest.approx([0.1, 0.2, 0.3]), [0, 0, 0]]
    assert found.opacity.tolist() == [1, 0] and found.mean_depth.tolist() == [3, 0]
    over = found.over(torch.tensor([1.0, 1.0, 1.0]))
    assert over[1].tolist() == [1, 1, 1] and over[0].tolist() == pytest.approx([0.1, 0.2, 0.3])
