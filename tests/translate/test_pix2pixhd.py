"""pix2pixHD's networks: sizes, settings, features of instances, and choosing among looks."""

from __future__ import annotations

from statistics import NormalDist

import pytest
import torch
from torch import Tensor

from dreamplate.errors import ModelError
from dreamplate.translate.pix2pix_layers import initialise
from dreamplate.translate.pix2pixhd import Pix2pixhd
from dreamplate.translate.pix2pixhd_discriminator import MultiScale, halved
from dreamplate.translate.pix2pixhd_encoder import instance_means, k_means
from dreamplate.translate.pix2pixhd_features import HELD, Looks


def drawn(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small(**options: object) -> Pix2pixhd:
    plain = {"given": 3, "made": 2, "width": 2, "downs": 1, "blocks": 1, "enhancers": 2, "local_blocks": 1}
    network = Pix2pixhd(**{**plain, **options})  # type: ignore[arg-type]
    initialise(network, torch.Generator().manual_seed(1), 0.2)
    return network.eval()


@pytest.mark.parametrize("enhancers", [0, 1, 2])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_sizes_and_settings(enhancers: int, upsampling: str) -> None:
    network = small(enhancers=enhancers, upsampling=upsampling, features=2, classes=3, clusters=4)
    with torch.no_grad():
        network.centres.copy_(drawn(3, 4, 2))
    side = 4 * network.multiple
    x = drawn(1, 3, side, side + network.multiple)
    made = network(x)
    assert made.shape == (1, 2, side, side + network.multiple)
    again = Pix2pixhd.from_settings(network.settings).eval()
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(x), made)
    with pytest.raises(ModelError, match="does not fit"):
        network(drawn(1, 3, side, side + 1))


def test_features_need_classes() -> None:
    with pytest.raises(ModelError, match="need classes"):
        Pix2pixhd(features=3, classes=0)


def test_reach_covers_what_changes_a_pixel() -> None:
    network = small(given=1, made=1, enhancers=1, norm="none", width=6).double()
    side = -(-(2 * network.reach + 16) // network.multiple) * network.multiple
    x = drawn(1, 1, side, side).double().requires_grad_()
    middle = side // 2
    (slope,) = torch.autograd.grad(network(x)[0, 0, middle, middle], x)
    touched = slope[0, 0].abs().amax(0).nonzero().flatten()
    farthest = max(middle - int(touched.min()), int(touched.max()) - middle)
    assert network.reach - 16 <= farthest <= network.reach


def test_a_number_for_every_class_chooses_its_look() -> None:
    network = small(features=2, classes=3, clusters=5)
    centres = drawn(3, 5, 2)
    network.centres.copy_(centres)
    labels = torch.randint(3, (1, 4, 4), generator=torch.Generator().manual_seed(3))
    x = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    picks = [0, 3, 4]
    places = [min(max(pick / 4, 1e-7), 1 - 1e-7) for pick in picks]
    z = torch.tensor([[NormalDist().inv_cdf(place) for place in places]])
    wanted = torch.stack([centres[number, pick] for number, pick in enumerate(picks)])[labels]
    torch.testing.assert_close(network.choose(x, z), wanted.permute(0, 3, 1, 2), rtol=1e-4, atol=1e-4)
    middle = centres[:, 2][labels].permute(0, 3, 1, 2)
    torch.testing.assert_close(network.choose(x, None), middle)


def test_instances_are_averaged_apart() -> None:
    features, ids = (
        drawn(2, 3, 6, 5),
        torch.randint(-2, 4, (2, 6, 5), generator=torch.Generator().manual_seed(1)),
    )
    laid, means, first = instance_means(features, ids)
    wanted = torch.empty_like(features)
    for picture in range(2):
        for number in ids[picture].unique():
            mask = ids[picture] == number
            wanted[picture, :, mask] = features[picture, :, mask].mean(1, keepdim=True)
    torch.testing.assert_close(laid, wanted)
    rows = laid.permute(0, 2, 3, 1).reshape(-1, 3)
    assert len(means) == sum(len(one.unique()) for one in ids) and torch.equal(rows[first], means)
    # Averaging again changes nothing.
    torch.testing.assert_close(instance_means(laid, ids)[0], laid)


def test_clusters_that_lie_apart_are_found_in_order() -> None:
    true = torch.tensor([[-3.0, 0.0], [0.0, 0.2], [2.0, 0.0], [9.0, 0.1]])
    points = torch.cat([true + 0.05 * drawn(4, 2, seed=seed) for seed in range(30)])
    found = k_means(points[torch.randperm(120, generator=torch.Generator().manual_seed(2))], 4)
    order = found if found[0, 0] < found[-1, 0] else found.flip(0)
    torch.testing.assert_close(order, true, rtol=0, atol=0.1)
    assert torch.equal(k_means(true[:1], 3), true[:1].expand(3, 2))


def test_looks_remember_the_newest_and_leave_out_what_is_no_class() -> None:
    looks = Looks(2, 1)
    looks.add(torch.tensor([[5.0], [6.0], [7.0]]), torch.tensor([1, 2, 1]))
    centres = torch.full((2, 2, 1), -1.0)
    looks.fill(centres)
    assert sorted(centres[1].flatten().tolist()) == [5, 7] and (centres[0] == -1).all()
    for _ in range(HELD):
        looks.add(torch.tensor([[1.0]]), torch.tensor([1]))
    again = Looks(2, 1)
    again.load_state_dict(looks.state_dict())
    again.fill(centres)
    assert (centres[1] == 1).all()


def test_half_the_size_does_not_count_padding() -> None:
    assert torch.equal(halved(torch.ones(1, 1, 7, 4)), torch.ones(1, 1, 4, 2))


def test_scales_see_ever_smaller_pictures() -> None:
    network = MultiScale(2, 2, 2, 3).eval()
    x = drawn(1, 2, 64, 48)
    made = network(x)
    assert [len(scale) for scale in made] == [4, 4, 4]
    assert torch.equal(made[1][-1], network.scales[1](halved(x)))
    network.keep(1)
    assert [conv.weight.requires_grad for conv in network.scales[2].convs] == [False, True, True, True]
