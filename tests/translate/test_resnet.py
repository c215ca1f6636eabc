"""The ResNet generator: sizes, settings, and how far a pixel reaches."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ModelError
from dreamplate.translate.pix2pix_layers import initialise
from dreamplate.translate.resnet import Resnet


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_any_multiple_fits_and_settings_build_it_again(norm: str, upsampling: str) -> None:
    network = Resnet(2, 3, 2, 2, 1, norm, True, upsampling).eval()
    initialise(network, torch.Generator().manual_seed(1), 0.2)
    x = drawn(1, 2, 12, 20)
    made = network(x)
    assert made.shape == (1, 3, 12, 20)
    again = Resnet.from_settings(network.settings).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(x), made)
    with pytest.raises(ModelError, match="10 x 12 pixels"):
        network(drawn(1, 2, 12, 10))


def test_reach_is_what_changes_a_pixel() -> None:
    network = Resnet(1, 1, 8, 2, 2, "none", residual=True).double()
    initialise(network, torch.Generator().manual_seed(1), 0.3)
    side = 4 * (2 * network.reach // 4 + 2)
    x = drawn(1, 1, side, side).double().requires_grad_()
    middle = side // 2
    (slope,) = torch.autograd.grad(network(x)[0, 0, middle, middle], x)
    touched = slope[0, 0].abs().amax(0).nonzero().flatten()
    farthest = max(middle - int(touched.min()), int(touched.max()) - middle)
    assert network.reach - 4 <= farthest <= network.reach
