"""The SPADE generator: its two forms of a condition are one, whatever the labels; sizes; what is kept."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from dreamplate.errors import ModelError
from dreamplate.nets.spectral import SpectralConv, fold_spectral
from dreamplate.nets.statistics import capture, set_statistics
from dreamplate.train.onehot import one_hot
from dreamplate.translate.spade import Spade, SpadeShape, initialise
from dreamplate.translate.spade_moments import normalise
from dreamplate.translate.spade_patterns import find_level, neighbourhoods, resize_labels

FORMS = (
    {"entry": 6, "edges": 1},
    {"entry": 5, "z_dim": 3, "noise": "map", "middles": 1},
    {"entry": 5, "z_dim": 3, "noise": "start", "kernel": 5, "start_height": 2, "start_width": 2},
    {"entry": 5, "norm": "instance", "doublings": 6, "kernel": 1},
)


def network(**sizes: object) -> Spade:
    shape = SpadeShape(**({"width": 1, "hidden": 4, "spectral": 1} | sizes))  # type: ignore[arg-type]
    net = Spade(shape)
    initialise(net, torch.Generator().manual_seed(1), 1.0)
    return net.eval()


def example(net: Spade, height: int = 64, width: int = 128) -> tuple[Tensor, Tensor | None, Tensor | None]:
    draws = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 6, (1, height // 8, width // 16), generator=draws)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(16, 2)
    edges = torch.randint(0, 2, (1, 1, height, width), generator=draws).float() if net.shape.edges else None
    z = torch.randn(1, net.z_dim, generator=draws) if net.z_dim else None
    return labels, edges, z


def as_map(net: Spade, labels: Tensor, edges: Tensor | None) -> Tensor:
    made = one_hot(labels, 5, net.shape.entry - net.shape.edges)
    return made if edges is None else torch.cat([made, edges], 1)


@pytest.mark.parametrize("sizes", FORMS)
def test_labels_and_their_one_hot_map_make_the_same_and_teach_the_same(sizes: dict[str, object]) -> None:
    net = network(**sizes).double()
    labels, edges, z = example(net)
    condition = as_map(net, labels, edges).double()
    z = None if z is None else z.double()
    made, wanted = net.from_labels(labels, edges, z), net(condition, z)
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-4 if net.shape.norm == "instance" else 1e-6)
    aim = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    if net.shape.norm == "batch":
        parameters = list(net.parameters())
        found = torch.autograd.grad((made * aim).sum(), parameters)
        right = torch.autograd.grad((wanted * aim).sum(), parameters)
        scale = max(float(value.abs().max()) for value in right)
        for ours, theirs in zip(found, right, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=1e-6 * scale)
    with torch.no_grad():
        torch.testing.assert_close(net.from_labels(labels, edges, z), made)


def test_neighbourhoods_are_all_that_occur_and_each_pixel_has_its_own() -> None:
    values = torch.randint(0, 3, (2, 9, 7), generator=torch.Generator().manual_seed(0))
    rows, inverse = neighbourhoods(values, 3, 3)
    padded = nn.functional.pad(values, (1, 1, 1, 1), value=3)
    windows = padded.unfold(1, 3, 1).unfold(2, 3, 1).flatten(3)
    assert torch.equal(rows[inverse], windows)
    assert len({tuple(row) for row in rows.tolist()}) == len(rows)
    level = find_level(values, 3, 3)
    order, starts = level.order
    assert torch.equal(level.inverse.flatten()[order][starts], torch.arange(len(level.outer)))
    assert 0 < level.share <= 1


def test_labels_are_resized_as_maps_are() -> None:
    labels = torch.randint(0, 4, (1, 24, 36), generator=torch.Generator().manual_seed(0))
    for size in ((12, 18), (6, 9), (3, 4), (24, 36)):
        wanted = nn.functional.interpolate(labels[:, None].float(), size, mode="nearest")[:, 0].long()
        assert torch.equal(resize_labels(labels, size), wanted)


@pytest.mark.parametrize("chosen", ["batch", "picture", "running", "frozen"])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_normalising_before_enlarging_is_normalising_after(norm: str, chosen: str) -> None:
    net = network(entry=5, norm=norm)
    layer = net.blocks["up_0"].norm_0.norm
    x = torch.randn(2, layer.width, 6, 8, generator=torch.Generator().manual_seed(0)) * 3 + 5
    large = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    other = copy.deepcopy(layer)
    for each in (layer, other):
        with capture(each):
            each(large)
        set_statistics(each, chosen)  # type: ignore[arg-type]
    made = nn.functional.interpolate(normalise(layer, x, 4), scale_factor=2, mode="nearest")
    torch.testing.assert_close(made, other(large), rtol=1e-4, atol=1e-4)
    layer.train(), other.train()
    normalise(layer, x, 4), other(large)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[name], value, rtol=1e-5, atol=1e-5)


def test_what_is_kept_follows_labels_style_and_weights() -> None:
    net = network(**FORMS[2])
    labels, _, z = example(net)
    assert z is not None
    with torch.no_grad():
        first = net.from_labels(labels, None, z)
        assert not torch.equal(net.from_labels(labels, None, z + 1), first)
        assert torch.equal(net.from_labels(labels, None, z), first)
        other = labels.flip(-1)
        torch.testing.assert_close(net.from_labels(other, None, z), net(as_map(net, other, None), z))
        labels[:] = other  # in place
        torch.testing.assert_close(net.from_labels(labels, None, z), net(as_map(net, other, None), z))
        net.blocks["head_0"].norm_0.modulation.weight.mul_(3)
        net.blocks["up_0"].conv_0.weight_orig[:, :, 0].mul_(3)
        torch.testing.assert_close(net.from_labels(labels, None, z), net(as_map(net, other, None), z))


def test_folding_changes_nothing_and_the_norm_is_one() -> None:
    conv = SpectralConv(3, 5, 3, padding=1)
    nn.init.normal_(conv.weight_orig, generator=torch.Generator().manual_seed(0))
    conv.start(torch.Generator().manual_seed(1))
    conv.find(100)
    assert abs(float(torch.linalg.matrix_norm(conv.weight.detach().flatten(1), 2)) - 1) < 1e-4
    net = nn.Sequential(conv).eval()
    x = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    before = net(x)
    torch.testing.assert_close(fold_spectral(net)(x), before)
    assert isinstance(net[0], nn.Conv2d)


def test_settings_build_it_again() -> None:
    for sizes in FORMS:
        net = network(**sizes)
        assert Spade.from_settings(net.settings).state_dict().keys() == net.state_dict().keys()


def test_what_does_not_fit_is_named() -> None:
    net = network(entry=5)
    with pytest.raises(ModelError, match="100x64; sides must be multiples of 32"):
        net(torch.zeros(1, 5, 64, 100))
    with pytest.raises(ModelError, match="4 channels"):
        net(torch.zeros(1, 4, 64, 64))
    with pytest.raises(ModelError, match="a label is 9"):
        net.from_labels(torch.full((1, 64, 64), 9))
    with pytest.raises(ModelError, match="z is"):
        net(torch.zeros(1, 5, 64, 64), torch.zeros(1, 3))
    with pytest.raises(ModelError, match="no edges"):
        net.from_labels(torch.zeros(1, 64, 64, dtype=torch.int64), torch.zeros(1, 1, 64, 64))
    with pytest.raises(ModelError, match="doublings is 4"):
        SpadeShape(entry=5, doublings=4)


def test_a_style_is_read_from_a_picture_of_any_size() -> None:
    net = network(entry=5, z_dim=4, noise="start", style_width=1, start_height=1, start_width=1)
    mean, spread = net.style(torch.zeros(1, 3, 40, 70))
    assert mean.shape == spread.shape == (1, 4)
    with pytest.raises(ModelError, match="no style encoder"):
        network(entry=5).style(torch.zeros(1, 3, 64, 64))
