"""Laws of the recipes in tools/ that made the built-in generators."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch

from dreamplate.errors import MissingExtraError
from dreamplate.models import Store
from dreamplate.nets.biggan import Biggan, BigganShape
from dreamplate.nets.packaged import load_classifier
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


def small_biggan(tower, monkeypatch, total=64):
    import train_biggan
    from worlds import draw_worlds

    torch.set_num_threads(1)
    monkeypatch.setattr(train_biggan, "LOOK", (32, 32))
    monkeypatch.setattr(train_biggan, "CLASSES", 4)
    shape = BigganShape(16, 16, 1000, 8, (32, 32, 16, 16, 8, 8, 8), attention=4, stats=3)
    return train_biggan.Trainer(tower, draw_worlds(0, 0, 4, 32), total, shape=shape)


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
    slope = torch.autograd.functional.jacobian(lambda images: judge(images).sum(), real)
    assert trainer.gradient_penalty(real).item() == pytest.approx(slope.square().sum().item() / 4)
    trainer.gradient_penalty(real).backward()
    assert judge.b4.conv.weight.grad.abs().sum() > 0


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


def test_biggan_painter_learns_a_fixed_batch(tower, monkeypatch):
    trainer = small_biggan(tower, monkeypatch)
    z, classes = torch.randn(8, 16, generator=torch.Generator().manual_seed(0)), trainer.draw_classes()
    real = trainer.draw_real()

    def loss():
        trainer.draws.manual_seed(1)  # the same views of the pictures
        return trainer.losses(z, classes, real)[1]

    before = loss().item()
    for _ in range(5):
        trainer.painter_steps.zero_grad()
        loss().backward()
        trainer.painter_steps.step()
    assert loss().item() < before - 0.1


def test_biggan_judges_learn_a_fixed_batch(tower, monkeypatch):
    trainer = small_biggan(tower, monkeypatch)
    draws = torch.Generator().manual_seed(0)
    widths = [24, 40, 112]
    good, bad = (
        {
            f"stage{k}": torch.randn(4, c, 4, 4, generator=draws)
            for k, c in zip((2, 3, 5), widths, strict=True)
        }
        for _ in range(2)
    )

    def loss():
        pairs = zip(trainer.judges(good), trainer.judges(bad), strict=True)
        return sum((1 - g).relu().mean() + (1 + b).relu().mean() for g, b in pairs)

    before = loss().item()
    for _ in range(30):
        trainer.judge_steps.zero_grad()
        loss().backward()
        trainer.judge_steps.step()
    assert loss().item() < 0.8 * before


def test_biggan_painting_leaves_nothing_at_the_judges(tower, monkeypatch):
    """The judges' step must not see the gradient of the painter's loss, which wants the opposite."""
    trainer = small_biggan(tower, monkeypatch)
    state = copy.deepcopy(trainer.state_dict())
    trainer.step()
    found = [p.grad.clone() for p in trainer.judges.parameters()]
    trainer.load_state_dict(state)
    classes = trainer.draw_classes()
    z = torch.randn(len(classes), 16, generator=trainer.draws)
    judging, _, _ = trainer.losses(z, classes, trainer.draw_real())
    alone = torch.autograd.grad(judging, list(trainer.judges.parameters()))
    for one, other in zip(found, alone, strict=True):
        torch.testing.assert_close(one, other)


def test_biggan_grows_without_a_change(tower, monkeypatch):
    import train_biggan

    trainer = small_biggan(tower, monkeypatch)
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


def test_biggan_training_resumes_exactly_across_growth(tower, monkeypatch):
    def run(trainer, steps):
        for _ in range(steps):
            trainer.step()
        return trainer

    small = small_biggan(tower, monkeypatch, total=16)
    start = copy.deepcopy(small.state_dict())
    run(small, 1)
    state = copy.deepcopy(small.state_dict())
    assert small.blocks == small.net.shape.blocks - 2
    straight = copy.deepcopy(run(small, 2).state_dict())
    assert small.blocks == small.net.shape.blocks  # it grew on the way
    small.load_state_dict(start)
    small.load_state_dict(state)
    resumed = run(small, 2).state_dict()
    for part in ("net", "average", "judges"):
        for name, tensor in straight[part].items():
            assert torch.equal(tensor, resumed[part][name]), (part, name)


def test_biggan_sameness_is_none_where_pairs_differ():
    import train_biggan

    pooled = torch.rand(4, 32, generator=torch.Generator().manual_seed(0))
    alike = train_biggan.sameness(pooled.repeat_interleave(2, 0))
    assert train_biggan.sameness(torch.eye(8, 32)) == 0 < alike


def test_biggan_mixtures_are_what_the_classifier_sees(tower, monkeypatch):
    trainer = small_biggan(tower, monkeypatch)
    classes = trainer.draw_classes()
    torch.testing.assert_close(classes.sum(1), torch.ones(8))
    assert torch.equal(classes[::2], classes[1::2])  # two latents for each
    assert (classes[4:].max(1).values == 1).all()
    known = torch.cdist(classes[:4], trainer.mixtures).min(1).values
    assert known.max() < 1e-4


def test_class_rows_keep_their_neighbourhoods():
    import train_biggan

    draws = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 3, generator=draws) @ torch.randn(3, 64, generator=draws) + 5
    found = train_biggan.principal_rows(rows, 3)
    assert found.square().mean().item() == pytest.approx(1)
    distances, kept = torch.cdist(rows, rows), torch.cdist(found, found)
    ratio = (distances / kept)[~torch.eye(40, dtype=torch.bool)]
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-3, atol=0)


def test_statistics_follow_the_truncation(tower, monkeypatch):
    torch.manual_seed(0)
    import train_biggan

    trainer = small_biggan(tower, monkeypatch)
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
