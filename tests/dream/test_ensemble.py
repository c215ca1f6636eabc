"""Laws of ensembles: the cosine of the whole is the weighted mean of the members'."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from toy import ToyScorer

from dreamplate.dream.ensemble import EnsembleScorer
from dreamplate.dream.scorers import Scorer
from dreamplate.errors import ConfigError


class FixedScorer(nn.Module):
    """A linear scorer of one side only, without layers."""

    name = "fixed"
    encoding = "srgb_display"

    def __init__(self, size: int, dim: int, seed: int) -> None:
        super().__init__()
        self.size, self.dim = size, dim
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(
            torch.randn(dim, 3 * size * size, generator=generator), requires_grad=False
        )

    def encode_image(self, images: Tensor) -> Tensor:
        assert images.shape[1:] == (3, self.size, self.size)
        return F.normalize((images - 0.5).flatten(1) @ self.weight.T, dim=-1)

    def encode_text(self, texts) -> Tensor:
        rows = [torch.randn(self.dim, generator=torch.Generator().manual_seed(len(text))) for text in texts]
        return F.normalize(torch.stack(rows), dim=-1)


def pictures(count: int, side: int) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


TEXTS = ["a cat", "a misty mountain"]


def test_cosine_is_the_weighted_mean() -> None:
    members = [ToyScorer(), FixedScorer(32, 7, 1), FixedScorer(32, 90, 2)]
    weights = [1.0, 2.5, 0.5]
    whole = EnsembleScorer(members, weights)
    assert isinstance(whole, Scorer) and whole.dim == 24 + 7 + 90
    images = pictures(3, 32)
    cosines = whole.encode_image(images) @ whole.encode_text(TEXTS).T
    wanted = sum(
        weight / 4 * member.encode_image(images) @ member.encode_text(TEXTS).T
        for member, weight in zip(members, weights, strict=True)
    )
    torch.testing.assert_close(cosines, wanted)
    torch.testing.assert_close(whole.encode_image(images).norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(whole.encode_text(TEXTS).norm(dim=-1), torch.ones(2))
    for part, member in zip(whole.split(whole.encode_text(TEXTS)), members, strict=True):
        torch.testing.assert_close(part, member.encode_text(TEXTS))


def test_one_member_is_itself() -> None:
    toy = ToyScorer()
    whole = EnsembleScorer([toy], [3.0])
    torch.testing.assert_close(whole.encode_image(pictures(2, 40)), toy.encode_image(pictures(2, 40)))
    assert whole.flexible


def test_each_member_sees_its_own_size() -> None:
    members = [FixedScorer(32, 8, 1), FixedScorer(48, 8, 2), ToyScorer()]
    whole = EnsembleScorer(members)
    assert (whole.size, whole.flexible) == (48, False)
    images = pictures(2, 48).requires_grad_()
    vectors = whole.encode_image(images)
    vectors.sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
    smaller = F.interpolate(images, size=(32, 32), mode="bicubic", antialias=True).clamp(0, 1)
    torch.testing.assert_close(vectors[:, :8] * 3**0.5, members[0].encode_image(smaller))
    torch.testing.assert_close(vectors[:, 8:16] * 3**0.5, members[1].encode_image(images))


def test_flexible_members_see_pictures_as_they_come() -> None:
    whole = EnsembleScorer([ToyScorer(), ToyScorer()])
    assert whole.flexible
    torch.testing.assert_close(
        whole.encode_image(pictures(1, 50))[:, :24] * 2**0.5, ToyScorer().encode_image(pictures(1, 50))
    )


def test_layers_are_those_of_the_members_that_have_them() -> None:
    assert not hasattr(EnsembleScorer([FixedScorer(32, 8, 1)]), "encode_with_layers")
    whole = EnsembleScorer([ToyScorer(), FixedScorer(32, 8, 1), ToyScorer()])
    vectors, layers = whole.encode_with_layers(pictures(2, 32))
    torch.testing.assert_close(vectors, whole.encode_image(pictures(2, 32)))
    assert len(layers) == 2


def test_it_moves_as_one() -> None:
    whole = EnsembleScorer([FixedScorer(32, 8, 1), FixedScorer(32, 8, 2)])
    assert whole.device == torch.device("cpu")
    whole.double()
    assert whole.encode_image(pictures(1, 32).double()).dtype == torch.double


@pytest.mark.parametrize(
    ("count", "weights", "words"),
    [
        (0, None, "0 scorers has 0 weights"),
        (2, [1.0], "2 scorers has 1 weights"),
        (2, [1.0, 0.0], "use numbers above 0"),
        (2, [1.0, -2.0], "use numbers above 0"),
        (2, [1.0, float("nan")], "use numbers above 0"),
        (2, [1.0, float("inf")], "use numbers above 0"),
    ],
)
def test_bad_weights(count: int, weights: list[float] | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        EnsembleScorer([ToyScorer() for _ in range(count)], weights)


def test_members_must_want_one_encoding() -> None:
    linear = ToyScorer()
    linear.encoding = "scene_linear"
    with pytest.raises(ConfigError, match="scene_linear and srgb_display"):
        EnsembleScorer([ToyScorer(), linear])
