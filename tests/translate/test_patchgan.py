"""PatchGAN: what one score sees is as many pixels as asked for."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.translate.patchgan import RECEPTIVE, PatchGan, layers_of
from dreamplate.translate.pix2pix_layers import initialise


@pytest.mark.parametrize("receptive", [1, 16, 34, 70, 142, 286])
def test_a_score_sees_so_many_pixels(receptive: int) -> None:
    network = PatchGan(1, 1, layers_of(receptive), "none")
    initialise(network, torch.Generator().manual_seed(2), 0.5)
    side = 2 * receptive + 64
    x = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(3)).requires_grad_()
    scores = network(x)
    middle = scores.shape[-1] // 2
    (slope,) = torch.autograd.grad(scores[0, 0, middle, middle], x)
    touched = slope[0, 0].abs().amax(0).nonzero().flatten()
    assert int(touched.max() - touched.min()) + 1 == receptive


def test_the_papers_discriminator_has_30_by_30_scores_and_2_77_million_numbers() -> None:
    network = PatchGan()
    with torch.no_grad():
        assert network(torch.zeros(1, 6, 256, 256)).shape == (1, 1, 30, 30)
    assert sum(p.numel() for p in network.parameters()) == 2_768_705


def test_features_end_in_the_scores() -> None:
    network = PatchGan(4, 2, 2, "instance").eval()
    x = torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(3))
    features = network.features(x)
    assert len(features) == 4 and torch.equal(features[-1], network(x))
    assert features[0].shape == (2, 2, 16, 16)


def test_kept_layers_have_no_gradient() -> None:
    network = PatchGan(4, 2, 3)
    network.keep(2)
    learns = [conv.weight.requires_grad for conv in network.convs]
    assert learns == [False, False, True, True, True]
    assert not network.norms[1].weight.requires_grad and network.norms[2].weight.requires_grad


def test_an_impossible_patch_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"patch of 64 pixels .* 1, 16"):
        layers_of(64)
    assert sorted(RECEPTIVE) == list(RECEPTIVE)
