"""The U-Net: what its shape promises, and that resizing up is what it says."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from dreamplate.errors import ModelError
from dreamplate.nets.dropout import set_dropout
from dreamplate.train import Draws
from dreamplate.translate.pix2pix_layers import UpConv, initialise, padded
from dreamplate.translate.unet import Unet


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


def small(**options: object) -> Unet:
    network = Unet(**{"given": 2, "made": 2, "depth": 3, "width": 2, **options})  # type: ignore[arg-type]
    initialise(network, torch.Generator().manual_seed(1), 0.2)
    return network.eval()


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_any_multiple_of_the_coarsest_cell_fits(norm: str, upsampling: str) -> None:
    network = small(norm=norm, upsampling=upsampling, made=5)
    assert network(drawn(2, 2, 8, 24)).shape == (2, 5, 8, 24)
    with pytest.raises(ModelError, match=r"12 x 8 pixels .* multiples of 8"):
        network(drawn(1, 2, 8, 12))
    assert padded(network, drawn(1, 2, 7, 3)).shape == (1, 5, 7, 3)


def test_settings_build_the_same_network() -> None:
    network = small(norm="instance", upsampling="resize", residual=True, dropout=False)
    again = Unet.from_settings(network.settings).eval()
    again.load_state_dict(network.state_dict())
    x = drawn(1, 2, 16, 16)
    assert again.settings == network.settings and torch.equal(again(x), network(x))


def test_wrong_settings_are_one_line() -> None:
    with pytest.raises(ModelError, match="norm 'layer'"):
        Unet.from_settings({"norm": "layer"})
    with pytest.raises(ModelError, match="depth is 99"):
        Unet.from_settings({"depth": 99})
    with pytest.raises(ModelError, match="upsampling 'cubic'"):
        Unet.from_settings({"upsampling": "cubic"})
    with pytest.raises(ModelError, match="as many channels"):
        Unet(given=4, made=3, residual=True)


def test_a_residual_network_without_weights_is_the_identity_and_limits_nothing() -> None:
    network = small(residual=True)
    with torch.no_grad():
        network.up[0].weight.zero_()
    x = 40 * drawn(1, 2, 8, 8)
    assert torch.equal(network(x), x)


def test_resize_is_nearest_neighbours_and_then_a_convolution() -> None:
    layer = UpConv(3, 2, upsampling="resize")
    x = drawn(1, 3, 5, 4)
    large = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(layer(x), functional.conv2d(large, layer.weight, layer.bias, padding=1))


def test_constant_pictures_show_no_chequerboard_when_resized() -> None:
    flat = torch.ones(1, 3, 6, 6)
    spread = {
        kind: float(UpConv(3, 1, upsampling=kind)(flat)[..., 3:-3, 3:-3].detach().std())
        for kind in ("transposed", "resize")
    }
    assert spread["resize"] < 1e-6 < spread["transposed"]


def test_dropout_is_where_the_paper_has_it() -> None:
    def noisy(depth: int) -> list[int]:
        network = Unet(1, 1, depth, 1)
        return [level for level, part in enumerate(network.drop) if type(part).__name__ == "Dropout"]

    assert noisy(8) == [4, 5, 6] and noisy(7) == [4, 5] and noisy(5) == []


def test_dropout_follows_its_draws() -> None:
    network = small(depth=6)
    x = drawn(1, 2, 64, 64)
    plain = network(x)
    first, again, other = (network_with(network, seed)(x) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first, plain)


def network_with(network: Unet, seed: int) -> Unet:
    set_dropout(network, Draws(seed))
    return network


def test_weights_follow_from_the_generator() -> None:
    one, same, other = Unet(1, 1, 3, 2), Unet(1, 1, 3, 2), Unet(1, 1, 3, 2)
    for network, seed in ((one, 4), (same, 4), (other, 5)):
        initialise(network, torch.Generator().manual_seed(seed))
    assert torch.equal(one.down[1].weight, same.down[1].weight)
    assert not torch.equal(one.down[1].weight, other.down[1].weight)
    assert abs(float(one.down_norm[1].weight.mean().detach()) - 1) < 0.1
