"""The `stylegan2` generator: spaces, noise, batches, tiling, masks, evolution, realism."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.dream.options import Stylegan2Config
from dreamplate.dream.painting import Genes
from dreamplate.dream.realism import unreality
from dreamplate.dream.stylegan2 import Stylegan2Painting
from dreamplate.errors import ModelError
from dreamplate.models import save_state
from dreamplate.nets.stylegan2 import Stylegan2, Stylegan2Shape
from dreamplate.nets.stylegan2_discriminator import DiscriminatorShape, Stylegan2Discriminator

SHAPE = Stylegan2Shape(z_dim=8, w_dim=10, mapping=2, channels=(12, 12, 10, 8))
SPACES = ("z", "w", "w+")


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def make_net(shape: Stylegan2Shape = SHAPE) -> Stylegan2:
    """A random generator of moderate contrast, with some noise."""
    made = Stylegan2(shape, seeded(0))
    with torch.no_grad():
        for name, tensor in made.named_parameters():
            if name.endswith("noise_strength"):
                tensor.fill_(0.2)
            if "torgb.weight" in name:
                tensor.mul_(0.2)
        labels = None if not shape.c_dim else torch.eye(shape.c_dim)[torch.arange(64) % shape.c_dim]
        made.mapping.track(made.mapping(torch.randn(64, 8, generator=seeded(9)), labels), 0.0)
    return made


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The network is small: one thread is faster than several that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def net() -> Stylegan2:
    return make_net()


@pytest.fixture(scope="module")
def critic() -> Stylegan2Discriminator:
    return Stylegan2Discriminator(DiscriminatorShape(channels=(8, 8, 6)), seeded(1))


def painting(
    net: Stylegan2,
    seeds: Sequence[int] = (0,),
    size: tuple[int, int] = (32, 32),
    wrap: tuple[bool, bool] = (False, False),
    critic: Stylegan2Discriminator | None = None,
    **options: Any,
) -> Stylegan2Painting:
    config = Stylegan2Config(**options)
    return Stylegan2Painting(config, size, wrap, [seeded(s) for s in seeds], net=net, critic=critic)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("noise", ["const", "random", "none"])
def test_a_batch_makes_what_single_pictures_would(net: Stylegan2, space: str, noise: str) -> None:
    together = painting(net, (3, 4), space=space, noise=noise, prior=1.0)
    image = together(48, 48)
    for index, seed in enumerate((3, 4)):
        alone = painting(net, (seed,), space=space, noise=noise)
        torch.testing.assert_close(alone(48, 48)[0], image[index], atol=1e-4, rtol=0)
    prior = together.prior()
    assert prior is not None and prior.shape == (2,)
    torch.autograd.backward(image.mean() + prior.sum())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in together.parameters())
    assert all(p.grad is None for p in net.parameters())


def test_all_spaces_start_from_the_same_picture(net: Stylegan2) -> None:
    first, *others = (painting(net, (5,), space=space)(32, 32) for space in SPACES)
    assert all(torch.allclose(other, first, atol=1e-5) for other in others)
    rows = {"z": (1, 8), "w": (1, 1, 10), "w+": (1, SHAPE.styles, 10)}
    assert {space: tuple(painting(net, space=space).turned.shape) for space in SPACES} == rows
    average = painting(net, (5, 6), truncation=0.0)
    torch.testing.assert_close(average.styles(), net.mapping.w_avg.expand(2, SHAPE.styles, 10))
    assert painting(net, prior=0.0).prior() is None
    at_rest = painting(net, truncation=0.0, prior=3.0).prior()
    assert at_rest is not None and at_rest.abs().max() < 1e-10


def test_noise(net: Stylegan2) -> None:
    pictures = [painting(net, (1,), noise=noise)(32, 32) for noise in ("const", "random", "none")]
    assert (pictures[0] - pictures[1]).abs().max() > 1e-3
    assert (pictures[0] - pictures[2]).abs().max() > 1e-3
    drawn = painting(net, (1, 2), noise="random")
    assert torch.equal(drawn(32, 32), drawn(32, 32))
    assert set(drawn.state_dict()) == {"turned", "labels", "grain_seeds"}
    other = painting(net, (8, 9), noise="random")
    other(32, 32)
    other.load_state_dict(drawn.state_dict())
    assert torch.equal(other(32, 32), drawn(32, 32))


@pytest.mark.parametrize("size", [(64, 64), (128, 72), (20, 60)])
@pytest.mark.parametrize("wrap", [(False, False), (True, False), (True, True)])
def test_any_size(net: Stylegan2, size: tuple[int, int], wrap: tuple[bool, bool]) -> None:
    made = painting(net, size=size, wrap=wrap, noise="random")
    image = made(*size)
    assert image.shape == (1, 3, size[1], size[0])
    assert image.min() >= 0 and image.max() <= 1
    assert made(17, 9).shape == (1, 3, 9, 17)


def test_the_seam_is_no_worse_than_the_inside(net: Stylegan2) -> None:
    def steps(wrap: bool) -> Tensor:
        made = painting(net, range(8), wrap=(wrap, False), noise="none")
        image = made(64, 64).detach()
        return (image - image.roll(1, 3)).abs().mean((0, 1, 2))

    assert steps(True)[0] <= steps(True)[1:].max()
    assert steps(False)[0] > steps(False)[1:].max()


def test_fitting_a_picture(net: Stylegan2) -> None:
    target = painting(net, (7,))(32, 32).detach()
    made = painting(net, (8,))
    before = (made(32, 32) - target).square().mean()
    made.paint(target)
    assert (made(32, 32) - target).square().mean() < 0.2 * before


@pytest.mark.parametrize("noise", ["const", "random"])
def test_outside_the_mask_nothing_changes(net: Stylegan2, noise: str) -> None:
    made = painting(net, (1, 2), noise=noise)
    before = made(32, 32).detach()
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 8:40] = 1
    made.confine(mask)
    torch.testing.assert_close(made(32, 32), before, atol=1e-6, rtol=0)
    with torch.no_grad():
        made.turned.add_(torch.randn(made.turned.shape, generator=seeded(4)))
    after = made(32, 32)
    inside = F.interpolate(mask, (32, 32), mode="area")[0, 0] > 0
    assert (after - before).abs()[:, :, ~inside].max() < 1e-6
    assert (after - before).abs()[:, :, inside].mean() > 0.02
    other = painting(net, (7, 8), noise=noise)
    other.confine(mask)
    other(32, 32)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(32, 32), made(32, 32))
    empty = torch.zeros(5, 0, dtype=torch.long)
    made.adopt(Genes(torch.randn(5, 8, generator=seeded(5)), empty, empty))
    assert (made(32, 32)[4] - before[0]).abs()[:, ~inside].max() < 1e-6


@pytest.mark.parametrize("space", SPACES)
def test_genes(net: Stylegan2, space: str) -> None:
    made = painting(net, (1,), space=space, truncation=0.5)
    genome = made.genome()
    assert (genome.reals, genome.bits, genome.integers, genome.bound) == (8, 0, (), 10.0)
    reals, empty = torch.randn(3, 8, generator=seeded(0)), torch.zeros(3, 0, dtype=torch.long)
    made.adopt(Genes(reals, empty, empty))
    direct = net(reals, psi=0.5)
    torch.testing.assert_close(made(32, 32), ((direct + 1) / 2).clamp(0, 1), atol=1e-4, rtol=0)


def test_labels() -> None:
    shape = Stylegan2Shape(z_dim=8, c_dim=3, w_dim=10, mapping=2, channels=(12, 12, 8))
    net = make_net(shape)
    made = painting(net, range(30))
    assert torch.equal(made.labels.sum(1), torch.ones(30))
    assert (made.labels.sum(0) > 0).all()
    assert made.genome().integers == (3,)
    reals, bits = torch.zeros(3, 8) + 0.3, torch.zeros(3, 0, dtype=torch.long)
    made.adopt(Genes(reals, bits, torch.tensor([[0], [1], [1]])))
    image = made(16, 16)
    torch.testing.assert_close(image[1], image[2], atol=1e-5, rtol=0)
    assert not torch.allclose(image[0], image[1], atol=1e-3)


def test_realism(net: Stylegan2, critic: Stylegan2Discriminator) -> None:
    made = painting(net, range(3), critic=critic)
    image = made(40, 30)
    found = made.realism(image)
    assert found is not None and found.shape == (3,) and (found >= 0).all()
    squares = F.interpolate(image[..., 5:35], (16, 16), mode="bilinear", antialias=True) * 2 - 1
    alone = torch.cat([critic(squares[i : i + 1]) for i in range(3)])[:, 0]
    torch.testing.assert_close(found, (1 - alone).clamp(min=0))
    torch.testing.assert_close(unreality(critic, image[1:2]), found[1:2])
    assert painting(net).realism(image) is None
    assert not set(made.state_dict()) - {"turned", "labels", "grain_seeds"}


def test_weights_by_file(net: Stylegan2, critic: Stylegan2Discriminator, tmp_path: Path) -> None:
    for name, network in (("generator", net), ("judge", critic)):
        save_state(tmp_path / f"{name}.safetensors", dict(network.state_dict()))
    options = Stylegan2Config(
        weights=str(tmp_path / "generator.safetensors"), discriminator=str(tmp_path / "judge.safetensors")
    )
    made = Stylegan2Painting(options, (32, 32), (False, False), [seeded(3)])
    own = painting(net, (3,), critic=critic)
    torch.testing.assert_close(made(32, 32), own(32, 32), atol=1e-5, rtol=0)
    image = torch.rand(2, 3, 16, 16, generator=seeded(1))
    first, second = made.realism(image), own.realism(image)
    assert first is not None and second is not None
    torch.testing.assert_close(first, second)
    swapped = Stylegan2Config(weights=options.discriminator)
    with pytest.raises(ModelError, match="holds a stylegan2-discriminator network, a stylegan2 is needed"):
        Stylegan2Painting(swapped, (32, 32), (False, False), [seeded(3)])
    labelled = Stylegan2Discriminator(DiscriminatorShape(c_dim=3, channels=(8, 8), map_dim=4), seeded(0))
    with pytest.raises(ModelError, match="needs labels of length 3"):
        painting(net, critic=labelled)
