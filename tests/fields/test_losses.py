"""Losses against naive twins and by their laws."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from dreamplate.fields.losses import colour_error, depth_error, distortion, opacity_entropy

DRAWS = torch.Generator().manual_seed(2)


def packed(counts: list[int]) -> tuple[torch.Tensor, ...]:
    offsets = torch.tensor([0, *counts]).cumsum(0)
    total = int(offsets[-1])
    weights = torch.rand(total, generator=DRAWS, dtype=torch.float64)
    edges = torch.rand(total, generator=DRAWS, dtype=torch.float64) + 0.01
    starts, ends = [], []
    for first, last in pairwise(offsets):
        line = torch.cat([torch.zeros(1, dtype=torch.float64), edges[first:last].cumsum(0)])
        starts.append(line[:-1])
        ends.append(line[1:])
    return offsets, weights, torch.cat(starts), torch.cat(ends)


def test_distortion_is_the_double_sum() -> None:
    offsets, weights, starts, ends = packed([5, 0, 1, 7, 3])
    found = distortion(weights, starts, ends, offsets)
    for ray in range(len(offsets) - 1):
        part = slice(int(offsets[ray]), int(offsets[ray + 1]))
        w, m = weights[part], (starts[part] + ends[part]) / 2
        wanted = (w[:, None] * w * (m[:, None] - m).abs()).sum() + (
            w**2 * (ends[part] - starts[part])
        ).sum() / 3
        torch.testing.assert_close(found[ray], wanted, atol=1e-12, rtol=1e-10)


def test_distortion_has_the_gradient_it_should() -> None:
    offsets, weights, starts, ends = packed([4, 0, 3])
    weights.requires_grad_()
    assert torch.autograd.gradcheck(lambda w: distortion(w, starts, ends, offsets), (weights,))


def test_distortion_of_nothing_is_nothing() -> None:
    nothing = torch.zeros(0)
    assert distortion(nothing, nothing, nothing, torch.zeros(4, dtype=torch.int64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("kind", ["mse", "huber", "log"])
def test_colour_errors_vanish_only_at_the_target(kind: str) -> None:
    target = torch.rand(20, 3, generator=DRAWS) * 3
    assert colour_error(target, target, kind).abs().max() == 0
    assert (colour_error(target + 0.05, target, kind) > 0).all()


def test_huber_is_squared_near_and_linear_far() -> None:
    target = torch.zeros(1, 3)
    near = colour_error(target + 0.01, target, "huber")
    torch.testing.assert_close(near * 4, colour_error(target + 0.02, target, "huber"))
    far = [float(colour_error(target + x, target, "huber")) for x in (1.0, 2.0, 3.0)]
    assert far[2] - far[1] == pytest.approx(far[1] - far[0])


def test_log_weighs_relative_differences() -> None:
    for scale in (1.0, 100.0):
        picture = torch.full((1, 3), scale, requires_grad=True)
        colour_error(picture, torch.full((1, 3), scale * 0.9), "log").sum().backward()
        assert picture.grad is not None
        assert float(picture.grad.sum()) * scale == pytest.approx(0.2, rel=0.03)


def test_entropy_is_least_for_something_or_nothing() -> None:
    found = opacity_entropy(torch.tensor([0.0, 0.5, 1.0, 0.2, 0.8]))
    assert found[1] == found.max() and found[0] < 1e-3 and found[2] < 1e-3
    assert found[3] == pytest.approx(float(found[4]), rel=1e-5)


def test_unknown_depth_pulls_at_nothing() -> None:
    depth = torch.tensor([1.0, 2.0], requires_grad=True)
    opacity = torch.tensor([0.5, 1.0], requires_grad=True)
    error = depth_error(depth, opacity, torch.tensor([float("nan"), 2.0]), 1.0)
    assert error.tolist() == [0.0, 0.0]
    error.sum().backward()
    assert depth.grad is not None and torch.isfinite(depth.grad).all() and depth.grad[0] == 0
