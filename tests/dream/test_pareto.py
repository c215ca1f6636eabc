"""Laws of trade-offs: who beats whom, which to pick, and the sheet that shows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dreamplate.dream.pareto import COLOURS, dominated, gallery, pick_order, spread_out
from dreamplate.errors import ConfigError


def front(count: int = 9) -> np.ndarray:
    """Return a quarter of a circle, which nothing on it dominates."""
    angle = np.linspace(0, np.pi / 2, count)
    return np.stack([1 - np.sin(angle), 1 - np.cos(angle)], 1)


def test_dominated_is_what_its_definition_says():
    costs = np.random.default_rng(0).integers(0, 5, (300, 3)).astype(float)
    fast = dominated(costs, costs)
    for row, one in enumerate(costs):
        slow = any((other <= one).all() and (other < one).any() for other in costs)
        assert fast[row] == slow
    assert 0 < fast.sum() < 300
    assert not dominated(costs, np.empty((0, 3))).any()


def test_pick_follows_pseudo_weights():
    costs = np.concatenate([front(), [[0.7, 0.1]]]) * [3.0, 100.0] + [5.0, -20.0]
    for wanted in ((1.0, 0.0), (0.2, 0.8), (3.0, 1.0), (1.0, 1.0)):
        distances = []
        for row in costs:
            merits = [(costs[:, i].max() - row[i]) / np.ptp(costs[:, i]) for i in (0, 1)]
            weights = [merit / sum(merits) for merit in merits]
            distances.append(sum(abs(a - b / sum(wanted)) for a, b in zip(weights, wanted, strict=True)))
        order = pick_order(costs, wanted)
        assert sorted(order.tolist()) == list(range(len(costs)))
        assert np.allclose(np.array(distances)[order], sorted(distances))
    assert pick_order(front(), (1, 0))[0] == front()[:, 0].argmin()
    assert pick_order(front())[0] == 4  # the middle of the circle


def test_pick_falls_back_where_an_objective_is_the_same_for_all():
    costs = np.array([[3.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    assert pick_order(costs, (0.5, 0.5)).tolist() == [1, 2, 0]
    assert pick_order(costs[:1]).tolist() == [0]


def test_spread_out_keeps_the_ends_and_leaves_no_hole():
    costs = front(200)
    chosen = spread_out(costs, 12)
    assert len(set(chosen.tolist())) == 12
    assert chosen.tolist() == sorted(chosen.tolist(), key=lambda row: costs[row, 0])
    assert {costs[:, 0].argmin(), costs[:, 1].argmin()} <= set(chosen.tolist())
    assert np.abs(np.diff(costs[chosen], axis=0)).max(1).max() < 0.25
    assert spread_out(costs, 500).tolist() == costs[:, 0].argsort().tolist()


def plain(count: int, width: int = 120, height: int = 70) -> torch.Tensor:
    """Return pictures of one colour each, no two alike, none a colour of the sheet."""
    shade = torch.linspace(0.31, 0.83, count)
    return torch.stack([shade, 1 - shade, torch.full((count,), 0.37)], 1)[..., None, None].expand(
        -1, 3, height, width
    )


def where(sheet: np.ndarray, colour: np.ndarray) -> tuple[int, int, int]:
    """Return the top left corner of a colour's pixels, and how many there are."""
    ys, xs = np.nonzero(np.abs(sheet - colour).max(2) < 1e-6)
    return int(ys.min()), int(xs.min()), len(ys)


@pytest.mark.parametrize("count", [1, 2, 7, 13])
def test_gallery_shows_every_picture_once_in_order_of_the_first_cost(count):
    images = plain(count)
    costs = torch.rand(count, 2, generator=torch.Generator().manual_seed(1))
    plate = gallery(images, costs, ("similarity", "realism"))
    assert plate.colourspace == "srgb_display" and plate.channels == ("R", "G", "B")
    assert plate.pixels.min() >= 0 and plate.pixels.max() <= 1
    corners = []
    for row in costs[:, 0].argsort().tolist():
        y, x, area = where(plate.pixels, images[row, :, 0, 0].numpy())
        assert area == 120 * 70
        corners.append((y, x))
    assert corners == sorted(corners)


def test_gallery_bars_say_what_is_best():
    costs = torch.tensor([[0.0, 5.0, 1.0], [1.0, 2.0, 1.0], [0.25, 1.0, 1.0]])
    sheet = gallery(plain(3), costs, ("similarity", "realism", "structure")).pixels
    below = sheet[250 + 70 :]  # without the chart
    for place, full in enumerate([(1 + 0.75 + 0), (0 + 1 + 0.75), 3]):
        filled = np.abs(below - np.float32(COLOURS[place])).max(2) < 1e-6
        assert filled.sum() == pytest.approx(full * 120 * 3, abs=4)


def test_gallery_of_one_objective_and_odd_costs():
    nan, inf = float("nan"), float("inf")
    assert gallery(plain(3), torch.tensor([[1.0], [inf], [nan]]), ("similarity",)).pixels.shape[2] == 3
    odd = torch.tensor([[1.0, nan], [inf, 2.0], [1.0, inf]])
    gallery(plain(3), odd, ("similarity", "realism"))
    gallery(plain(2, 40, 300), torch.zeros(2, 2), ("a very long name of an objective", "b"))
    gallery(plain(1), torch.full((1, 2), nan), ("a", "b"))


@pytest.mark.parametrize(
    ("images", "costs"), [(0, torch.zeros(0, 2)), (2, torch.zeros(3, 2)), (2, torch.zeros(2, 1))]
)
def test_gallery_refuses_what_does_not_fit(images, costs):
    with pytest.raises(ConfigError, match="one each"):
        gallery(plain(images), costs, ("a", "b"))
