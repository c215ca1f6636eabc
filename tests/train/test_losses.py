"""Losses against naive twins and by their laws."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from dreamplate.train.losses import (
    feature_matching,
    gan_d,
    gan_g,
    gan_term,
    kl,
    l1,
    path_lengths,
    path_penalty,
    r1,
)

DRAWS = torch.Generator().manual_seed(3)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=DRAWS)


TWINS = {
    "lsgan": lambda s, real: F.mse_loss(s, torch.full_like(s, float(real))),
    "vanilla": lambda s, real: F.binary_cross_entropy_with_logits(s, torch.full_like(s, float(real))),
    "non_saturating": lambda s, real: -(torch.sigmoid(s) if real else 1 - torch.sigmoid(s)).log().mean(),
    "hinge": lambda s, real: -torch.minimum((s if real else -s) - 1, torch.zeros(())).mean(),
    "wgan": lambda s, real: -s.mean() if real else s.mean(),
}


@pytest.mark.parametrize("kind", TWINS)
def test_adversarial_losses_are_their_definitions(kind: str) -> None:
    real, fake = normal(3, 1, 5, 4), normal(3, 1, 5, 4)
    twin = TWINS[kind]
    torch.testing.assert_close(gan_d(real, fake, kind), twin(real, True) + twin(fake, False))
    wanted = -fake.mean() if kind == "hinge" else twin(fake, True)
    torch.testing.assert_close(gan_g(fake, kind), wanted)


@pytest.mark.parametrize("kind", TWINS)
def test_scales_are_averaged_or_added_up(kind: str) -> None:
    scales = [normal(2, 1, 8, 8), normal(2, 1, 4, 4)]
    each = torch.stack([gan_term(s, True, kind) for s in scales])
    torch.testing.assert_close(gan_term(scales, True, kind), each.mean())
    torch.testing.assert_close(gan_term(scales, True, kind, "sum"), each.sum())


@pytest.mark.parametrize("kind", TWINS)
def test_each_loss_pulls_the_right_way(kind: str) -> None:
    real, fake = normal(16, 1).requires_grad_(), normal(16, 1).requires_grad_()
    up, down = torch.autograd.grad(gan_d(real, fake, kind), (real, fake))
    pulled = torch.autograd.grad(gan_g(fake, kind), fake)[0]
    if kind == "lsgan":
        assert ((up < 0) == (real < 1)).all() and ((down > 0) == (fake > 0)).all()
        assert ((pulled < 0) == (fake < 1)).all()
    else:
        assert (up <= 0).all() and (down >= 0).all() and (pulled < 0).all()


def test_losses_survive_extreme_scores_and_half_precision() -> None:
    for score in (-1e4, 1e4):
        s = torch.full((2, 1), score, dtype=torch.bfloat16)
        assert torch.isfinite(gan_d(s, s, "vanilla")) and gan_d(s, s, "vanilla").dtype == torch.float32


def test_feature_matching_is_weighted_by_layer_and_by_feature() -> None:
    fake = [[normal(2, 3, 4, 4), normal(2, 5, 2, 2)], [normal(2, 3, 2, 2), normal(2, 5, 1, 1)]]
    real = [[normal(*f.shape).requires_grad_() for f in scale] for scale in fake]
    plain = [
        [(f - r).abs().mean() for f, r in zip(*pair, strict=True)] for pair in zip(fake, real, strict=True)
    ]
    torch.testing.assert_close(feature_matching(fake, real), sum(map(sum, plain)))
    wanted = sum(w * row[k] for row in plain for k, w in enumerate((2.0, 0.5)))
    torch.testing.assert_close(feature_matching(fake, real, (2.0, 0.5)), wanted)
    torch.testing.assert_close(
        feature_matching(fake, real, ((2.0, 0.5), (0.0, 1.0))),
        2 * plain[0][0] + plain[0][1] / 2 + plain[1][1],
    )
    torch.testing.assert_close(feature_matching(fake[0], real[0], 3.0), 3 * sum(plain[0]))
    assert not feature_matching(fake, real).requires_grad
    with pytest.raises(ValueError, match="shorter"):
        feature_matching(fake[0], real[0][:1])


def test_weighted_l1_counts_only_its_pixels_and_every_picture_alike() -> None:
    one, other = normal(3, 2, 6, 5), normal(3, 2, 6, 5)
    weight = torch.zeros(3, 1, 6, 5)
    weight[0, :, :2] = 1
    weight[1] = 0.25
    each = (one - other).abs()
    wanted = (each[0, :, :2].mean() + each[1].mean() + 0) / 3
    torch.testing.assert_close(l1(one, other, weight), wanted)
    torch.testing.assert_close(l1(one, other, torch.ones(3, 1, 6, 5)), l1(one, other))


def test_divergence_is_that_of_the_distributions() -> None:
    mu, logvar = normal(4, 7), normal(4, 7)
    ours = torch.distributions.Normal(mu, (logvar / 2).exp())
    standard = torch.distributions.Normal(torch.zeros(4, 7), torch.ones(4, 7))
    wanted = torch.distributions.kl_divergence(ours, standard).sum(1).mean()
    torch.testing.assert_close(kl(mu, logvar), wanted)
    assert kl(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_r1_of_a_linear_score_is_its_squared_weights_and_has_a_gradient() -> None:
    weight = normal(1, 3 * 4 * 4).requires_grad_()
    image = normal(5, 3, 4, 4).requires_grad_()
    penalty = r1(image.flatten(1) @ weight.T, image)
    torch.testing.assert_close(penalty, weight.square().sum())
    torch.testing.assert_close(torch.autograd.grad(penalty, weight)[0], 2 * weight.detach())


def test_path_lengths_of_a_linear_generator_are_those_of_its_matrix() -> None:
    matrix = normal(6, 3 * 4 * 2)
    styles = normal(2, 5, 6).requires_grad_()
    image = (styles.sum(1) @ matrix).view(2, 3, 4, 2)
    noise = normal(2, 3, 4, 2)
    wanted = (noise.flatten(1) @ matrix.T).norm(dim=1) / math.sqrt(8)
    found = path_lengths(image, styles, noise)
    torch.testing.assert_close(found, wanted)
    mean = torch.tensor(0.5)
    torch.testing.assert_close(path_penalty(found, mean), (wanted - 0.5).square().mean())


def test_halves_of_a_batch_average_to_the_whole() -> None:
    one, other, weight = normal(4, 2, 3, 3), normal(4, 2, 3, 3), torch.rand((4, 1, 3, 3), generator=DRAWS)
    for loss in (
        lambda part: l1(one[part], other[part], weight[part]),
        lambda part: kl(one[part].flatten(1), other[part].flatten(1)),
        lambda part: gan_d(one[part], other[part], "hinge"),
        lambda part: feature_matching([one[part]], [other[part]]),
    ):
        halves = (loss(slice(0, 2)) + loss(slice(2, 4))) / 2
        torch.testing.assert_close(halves, loss(slice(0, 4)))
