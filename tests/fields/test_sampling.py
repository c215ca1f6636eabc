"""Samples lie where they should, as often as they should."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.fields.contraction import contract, normalise, uncontract
from dreamplate.fields.planes import draw_planes, plane_features, time_deviation, time_smoothness
from dreamplate.fields.proposals import SPACINGS, anneal, interlevel_loss, outer_measure, redraw, spaced
from dreamplate.fields.sampling import inverse_cdf, ray_boxes, resample, stratified


def uniform(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None, max_examples=30)
@given(st.integers(3, 40), st.booleans(), st.integers(0, 99))
def test_stratified_samples_are_sorted_one_in_each_stratum(count: int, disparity: bool, seed: int) -> None:
    near, far = torch.tensor([0.5, 2.0]), torch.tensor([4.0, 2.5])
    even = stratified(near, far, count, disparity=disparity)
    torch.testing.assert_close(even[:, 0], near)
    torch.testing.assert_close(even[:, -1], far)
    if disparity:
        steps = 1 / even[:, 1:] - 1 / even[:, :-1]
        torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=1e-5, rtol=1e-3)
    moved = stratified(near, far, count, disparity=disparity, jitter=uniform(2, count, seed=seed))
    borders = (even[:, 1:] + even[:, :-1]) / 2
    assert (moved[:, :-1] <= borders + 1e-6).all() and (moved[:, 1:] >= borders - 1e-6).all()


def test_inverse_cdf_draws_follow_the_histogram() -> None:
    bins = torch.tensor([[0.0, 1.0, 3.0, 4.0]])
    weights = torch.tensor([[0.2, 0.0, 0.6]])
    found = inverse_cdf(bins, weights, 20_000, draws=uniform(1, 20_000))
    shares = torch.histogram(found[0], bins[0])[0] / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.25, 0.0, 0.75]), atol=0.01, rtol=0)
    even = inverse_cdf(bins, torch.ones(1, 3), 5)
    torch.testing.assert_close(even, torch.tensor([[0.0, 0.75, 2.0, 3.25, 4.0]]), atol=1e-4, rtol=0)


def test_resampled_intervals_have_equal_weight() -> None:
    edges = uniform(6, 33).cumsum(1)
    weights = uniform(6, 32, seed=1)
    borders, centres = resample(edges, weights, 8)
    assert (borders[:, 1:] >= borders[:, :-1]).all()
    assert (centres >= borders[:, :-1]).all() and (centres <= borders[:, 1:]).all()
    shifted, _ = resample(edges, weights, 8, jitter=torch.full((6, 1), 0.5))
    torch.testing.assert_close(shifted, borders)


def test_rays_and_a_box() -> None:
    box = torch.tensor([[-1.0, -1, -1, 1, 1, 1]])
    origins = torch.tensor([[0.0, 0, 5], [0, 0, 0], [0, 0, 5], [3, 0, 5], [1, 0, 5]])
    directions = torch.tensor([[0.0, 0, -1], [0, 0, 1], [0, 0, 1], [0, 0, -1], [0, 0, -1]])
    enter, leave, hit = ray_boxes(origins, directions, box, near=0.0)
    assert hit[:, 0].tolist() == [True, True, False, False, True]
    assert enter[:2, 0].tolist() == [4, 0] and leave[:2, 0].tolist() == [6, 1]
    assert math.isinf(enter[2, 0])


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(sorted(SPACINGS)), st.integers(2, 30), st.integers(0, 50))
def test_spacings_invert_and_jitter_stays_in_order(name: str, count: int, seed: int) -> None:
    spacing = SPACINGS[name]
    places = torch.linspace(0.05, 30, 50)
    torch.testing.assert_close(spacing.inverse(spacing.forward(places)), places, atol=1e-4, rtol=1e-4)
    near, far = torch.tensor([[0.1], [0.5]]), torch.tensor([[20.0], [2.0]])
    for wide in (1, count + 1):
        edges, share = spaced(near, far, count, spacing, jitter=uniform(2, wide, seed=seed))
        assert (share[:, 1:] >= share[:, :-1]).all() and (edges[:, 1:] >= edges[:, :-1] - 1e-5).all()
        assert share.min() >= 0 and share.max() <= 1


def test_redrawing_goes_where_the_weight_is() -> None:
    share = torch.linspace(0, 1, 11)[None]
    weights = torch.zeros(1, 10)
    weights[0, 3] = 1
    found = redraw(share, weights, 20, padding=1e-3)
    assert ((found > 0.3) & (found < 0.4)).float().mean() > 0.9
    assert torch.equal(anneal(weights, 0.0), torch.ones(1, 10)) and torch.equal(anneal(weights, 1.0), weights)


def test_a_proposal_that_covers_costs_nothing_and_only_proposals_learn() -> None:
    edges = torch.linspace(0, 1, 9)[None]
    weights = torch.softmax(uniform(1, 8), dim=1).requires_grad_()
    coarse = torch.linspace(0, 1, 5)[None]
    covering = weights.detach().reshape(1, 4, 2).sum(2)
    # Intervals that share only a border count as touched.
    assert (outer_measure(edges, coarse, covering) >= covering.repeat_interleave(2, 1) - 1e-6).all()
    inner = torch.tensor([[0.3, 0.45]])
    torch.testing.assert_close(outer_measure(inner, coarse, covering), covering[:, 1:2])
    assert interlevel_loss(edges, weights, [(coarse, covering)]) == 0
    short = (covering * 0.1).requires_grad_()
    interlevel_loss(edges, weights, [(coarse, short)]).backward()
    assert short.grad is not None and short.grad.abs().sum() > 0 and weights.grad is None


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(["max", "euclidean"]), st.integers(0, 100))
def test_contraction_is_bounded_and_undone(norm: str, seed: int) -> None:
    points = (uniform(64, 3, seed=seed).double() - 0.5) * 40
    inside = contract(points, norm)  # type: ignore[arg-type]
    size = inside.abs().amax(1) if norm == "max" else inside.norm(dim=1)
    assert size.max() < 2
    torch.testing.assert_close(uncontract(inside, norm), points)  # type: ignore[arg-type]
    still = points / 50
    assert torch.equal(contract(still, norm), still)  # type: ignore[arg-type]
    box = torch.tensor([[-1.0, -2, 0], [1, 2, 4]])
    torch.testing.assert_close(normalise(box, box), torch.tensor([[-1.0] * 3, [1.0] * 3]))


def test_planes_at_rest_do_not_change_with_time() -> None:
    levels = draw_planes([5, 4, 3, 6], 2, [1, 2], torch.Generator().manual_seed(0))
    assert time_smoothness(levels) == 0 and time_deviation(levels) == 0
    points = uniform(20, 4) * 2 - 1
    later = points.clone()
    later[:, 3] = -points[:, 3]
    torch.testing.assert_close(
        plane_features(points, levels, concatenate=True), plane_features(later, levels, concatenate=True)
    )
    still = [[level[0], level[1], level[3]] for level in levels]
    torch.testing.assert_close(
        plane_features(points[:, :3], still, concatenate=True),
        plane_features(points, levels, concatenate=True),
    )
