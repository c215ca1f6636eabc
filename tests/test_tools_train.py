"""Laws of the recipes in tools/ that made the built-in generators."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch

from dreamplate.dream.towers import load_classifier
from dreamplate.errors import MissingExtraError
from dreamplate.models import Store
from dreamplate.nets.biggan import Biggan, BigganShape
from dreamplate.nets.efficientnet_lite import Layer
from dreamplate.nets.stylegan2 import Stylegan2
from dreamplate.nets.stylegan2_discriminator import Stylegan2Discriminator

TOOLS = Path(__file__).resolve().parents[1] / "tools"


@pytest.fixture(scope="module", autouse=True)
def tools():
    """Let the recipes import each other, as when they are run."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def tower():
    try:
        return load_classifier("lite0")
    except MissingExtraError as error:
        pytest.skip(str(error))


def small_biggan(tower, total=256):
    import train_biggan

    torch.set_num_threads(1)
    shape = BigganShape(16, 16, 1000, 8, (32, 32, 16, 16, 8, 8, 8), attention=4, stats=3)
    return train_biggan.Trainer(tower, total, shape=shape)


def small_stylegan2(tower=None, total=1000):
    import train_stylegan2
    from worlds import draw_worlds

    torch.set_num_threads(1)
    return train_stylegan2.Trainer(draw_worlds(0, 0, 16, 32), total, batch=8, base=256, most=16, tower=tower)


# -- worlds -------------------------------------------------------------------------------------------


def test_a_world_depends_on_its_seed_and_number_alone():
    from worlds import draw_worlds

    together = draw_worlds(5, 10, 6, 24)
    assert together.shape == (6, 3, 24, 24) and together.dtype == torch.uint8
    alone = draw_worlds(5, 13, 1, 24)[0]
    # Sums may be ordered otherwise in another batch, so a rounded byte may differ by one.
    assert (together[3].int() - alone.int()).abs().max() <= 1
    assert torch.equal(draw_worlds(5, 10, 6, 24, chunk=6), together)
    other = draw_worlds(6, 10, 6, 24)
    assert all((a.int() - b.int()).abs().float().mean() > 2 for a, b in zip(together, other, strict=True))


def test_worlds_differ_and_skies_are_brighter_than_nothing():
    from worlds import draw_worlds

    pictures = draw_worlds(0, 0, 32, 16).float() / 255
    pairs = torch.cdist(pictures.flatten(1), pictures.flatten(1)) / pictures[0].numel() ** 0.5
    assert pairs[~torch.eye(32, dtype=torch.bool)].min() > 0.02
    assert pictures.std() > 0.15
    contrast = pictures.std((1, 2, 3))
    assert contrast.min() > 0.02


def test_worlds_are_the_same_at_twice_the_size():
    from worlds import draw_numbers, render

    numbers = draw_numbers(3, range(8))
    small, large = render(numbers, 32), render(numbers, 64)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    centred = lambda x: (x - x.mean((2, 3), keepdim=True)).flatten(1)  # noqa: E731
    alike = torch.cosine_similarity(centred(small), centred(halved))
    assert alike.min() > 0.85


# -- StyleGAN2 ----------------------------------------------------------------------------------------


def test_stylegan2_judge_learns_a_fixed_batch():
    trainer = small_stylegan2()
    real = trainer.pictures[:8] / 127.5 - 1
    with torch.no_grad():
        fake = trainer.net(torch.randn(8, 64, generator=torch.Generator().manual_seed(0)))

    def loss():
        return (
            torch.nn.functional.softplus(-trainer.judge(real)).mean()
            + torch.nn.functional.softplus(trainer.judge(fake)).mean()
        )

    before = loss()
    for _ in range(10):
        trainer.judge_steps.zero_grad()
        loss().backward()
        trainer.judge_steps.step()
    assert loss() < 0.8 * before


def test_stylegan2_step_moves_painter_judges_and_average(tower):
    trainer = small_stylegan2(tower)
    before = copy.deepcopy(trainer.state_dict())
    trainer.step()
    trainer.step()
    for part in ("net", "average", "judge", "helpers"):
        weights = [name for name in before[part] if name.endswith("weight")]
        moved = [not torch.equal(before[part][n], trainer.state_dict()[part][n]) for n in weights]
        assert all(moved), (part, [n for n, m in zip(weights, moved, strict=True) if not m])
    assert all(not p.requires_grad for p in trainer.average.parameters())


def test_stylegan2_gradient_penalty_is_the_squared_slope():
    trainer = small_stylegan2()
    real = (trainer.pictures[:4] / 127.5 - 1).double()
    judge = trainer.judge.double()
    towards = torch.randn(real.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    leaf = real.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(judge(leaf).sum(), leaf)
    step = 1e-5
    measured = (judge(real + step * towards).sum() - judge(real - step * towards).sum()) / (2 * step)
    assert measured.item() == pytest.approx((slope * towards).sum().item(), rel=1e-4)
    assert trainer.gradient_penalty(real).item() == pytest.approx(slope.square().sum().item() / 4)


def test_stylegan2_training_resumes_exactly(tower):
    straight = small_stylegan2(tower)
    for _ in range(3):
        straight.step()
    first = small_stylegan2(tower)
    first.step()
    state = copy.deepcopy(first.state_dict())
    second = small_stylegan2(tower)
    second.step()
    second.step()  # wherever it was, it goes on from the state
    second.load_state_dict(state)
    second.step()
    second.step()
    for part in ("net", "average", "judge", "helpers"):
        for name, tensor in straight.state_dict()[part].items():
            assert torch.equal(tensor, second.state_dict()[part][name]), (part, name)


def test_frechet_distance_is_zero_of_itself_and_grows_with_noise(tower):
    import train_stylegan2
    from worlds import draw_worlds

    pictures = draw_worlds(0, 0, 48, 32)
    noise = torch.randint(0, 120, pictures.shape, generator=torch.Generator().manual_seed(0))
    noisy = (pictures + noise).clamp(0, 255).to(torch.uint8)
    noisier = (pictures + 2 * noise).clamp(0, 255).to(torch.uint8)
    same, near, far = (train_stylegan2.frechet(tower, pictures, p) for p in (pictures, noisy, noisier))
    assert abs(same) < 1e-2 * near
    assert same < near < far


# -- BigGAN -------------------------------------------------------------------------------------------


def test_biggan_training_lowers_the_loss_of_a_fixed_batch(tower):
    trainer = small_biggan(tower)
    trainer.steps = 50  # past the slow start
    draws = torch.Generator().manual_seed(0)
    z, classes = torch.randn(16, 16, generator=draws), trainer.draw_classes()

    def loss():
        trainer.draws.manual_seed(1)  # the same views of the pictures
        return trainer.loss(z, classes)[0]

    before = loss().item()
    for _ in range(6):
        trainer.optimiser.zero_grad()
        loss().backward()
        trainer.optimiser.step()
    assert loss().item() < before - 0.1


def test_biggan_grows_without_a_change(tower):
    import train_biggan

    trainer = small_biggan(tower)
    net = trainer.net
    condition = net.condition(torch.randn(4, 16), torch.eye(1000)[:4])
    net.train()
    net.conv_to_rgb.weight.data[:, :, [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = (
        0  # only the centre
    )
    with torch.no_grad():
        small = train_biggan.paint(net, condition, net.shape.blocks - 2)
        large = train_biggan.paint(net, condition, net.shape.blocks)
    assert large.shape[-1] == 2 * small.shape[-1] == net.shape.resolution
    repeated = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(large, repeated, rtol=0, atol=1e-5)


def test_biggan_training_resumes_exactly_across_growth(tower):
    def run(trainer, steps):
        for _ in range(steps):
            trainer.step()
        return trainer

    straight = run(small_biggan(tower, total=64), 4)
    state = copy.deepcopy(run(small_biggan(tower, total=64), 2).state_dict())
    second = run(small_biggan(tower, total=64), 1)
    second.load_state_dict(state)
    run(second, 2)
    assert straight.blocks == straight.net.shape.blocks  # it grew on the way
    for part in ("net", "average"):
        for name, tensor in straight.state_dict()[part].items():
            assert torch.equal(tensor, second.state_dict()[part][name]), (part, name)


def test_biggan_penalties_are_least_where_they_should_be():
    import train_biggan

    draws = torch.Generator().manual_seed(0)
    mean, std = torch.randn(6, generator=draws), torch.rand(6, generator=draws) + 0.5
    noise = torch.randn(8, 6, 16, 16, generator=draws)
    noise = (noise - noise.mean((0, 2, 3), keepdim=True)) / noise.std((0, 2, 3), keepdim=True)
    right = noise * std[:, None, None] + mean[:, None, None]
    fits = train_biggan.natural_penalty([Layer(right, mean, std)])
    assert fits < 1e-4
    assert train_biggan.natural_penalty([Layer(right * 1.5, mean, std)]) > 0.05
    assert train_biggan.natural_penalty([Layer(right + 1, mean, std)]) > 0.05

    white = torch.rand(8, 3, 64, 64, generator=draws)
    from worlds import draw_worlds

    natural = draw_worlds(0, 0, 8, 64) / 255
    assert train_biggan.octave_penalty(natural) < train_biggan.octave_penalty(white)

    pooled = torch.rand(8, 32, generator=draws)
    twins = natural.repeat_interleave(2, 0)
    alike = train_biggan.sameness(twins, pooled.repeat_interleave(2, 0))
    apart = train_biggan.sameness(natural, torch.eye(8, 32))
    assert apart < alike


def test_class_rows_keep_their_neighbourhoods():
    import train_biggan

    draws = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 3, generator=draws) @ torch.randn(3, 64, generator=draws) + 5
    found = train_biggan.principal_rows(rows, 3)
    assert found.square().mean().item() == pytest.approx(1)
    distances, kept = torch.cdist(rows, rows), torch.cdist(found, found)
    ratio = (distances / kept)[~torch.eye(40, dtype=torch.bool)]
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=0)


def test_statistics_follow_the_truncation(tower):
    import train_biggan

    trainer = small_biggan(tower)
    net = trainer.average
    train_biggan.fill_statistics(net, trainer.shares, batches=2)
    vars_ = net.layers[0].bn_0.running_vars
    assert vars_.shape[0] == 3 and not torch.equal(vars_[0], vars_[2])
    net.eval()
    condition = net.condition(torch.zeros(2, 16), torch.eye(1000)[:2])
    assert not torch.equal(net(condition, 0.0), net(condition, 1.0))


# -- what the recipes gave -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "network", "architecture"),
    [
        ("biggan-small", Biggan, "biggan"),
        ("stylegan2-small", Stylegan2, "stylegan2"),
        ("stylegan2-small-discriminator", Stylegan2Discriminator, "stylegan2-discriminator"),
    ],
)
def test_built_in_weights_fit_their_network_and_are_anyones(name, network, architecture, tmp_path):
    from dreamplate.models.find import find_weights

    store = Store.default({"DREAMPLATE_CACHE": str(tmp_path)})
    tensors, settings = find_weights(name, architecture, store=store)
    net = network.from_state(tensors, settings)
    card = store.find(name).card
    assert card.licence == "Apache-2.0" and card.commercial_use == "yes" and card.figures
    assert card.bytes < 8 << 20
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    assert net.shape.settings() == dict(settings)


def test_built_in_discriminator_prefers_landscapes_to_noise_and_greys(tmp_path):
    from worlds import draw_worlds

    from dreamplate.models.find import find_weights

    store = Store.default({"DREAMPLATE_CACHE": str(tmp_path)})
    judge = Stylegan2Discriminator.from_state(
        *find_weights("stylegan2-small-discriminator", "stylegan2-discriminator", store=store)
    )
    real = judge(draw_worlds(7, 0, 16, judge.shape.resolution) / 127.5 - 1)
    draws = torch.Generator().manual_seed(0)
    size = (16, 3, judge.shape.resolution, judge.shape.resolution)
    noise = judge(torch.rand(size, generator=draws) * 2 - 1)
    assert real.mean() > noise.mean() + 1
