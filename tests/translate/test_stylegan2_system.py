"""Laws of the StyleGAN2 trainer."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.models.find import find_weights
from dreamplate.nets.stylegan2 import Stylegan2
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.take import load_recipe
from dreamplate.train.augmenter import Unchanged
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions, LearnOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.train.transfer import transfer
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import Model, load_model, save_model
from dreamplate.translate.stylegan2_config import Stylegan2Options
from dreamplate.translate.stylegan2_system import _update
from dreamplate.translate.systems import build_system

SIDE = 16
CONFIG = TrainConfig(
    system="stylegan2",
    source=SourceOptions(pairing="images", crop=(SIDE, SIDE)),
    augment=AugmentOptions(policy="ada", ada_start=0.4, ada_kimg=0.1),
    learn=LearnOptions(batch=4, rate=2.5e-3, betas=(0.0, 0.99), precision="float32", decay_from=1.0),
    stylegan2=Stylegan2Options(
        z_dim=8, w_dim=10, mapping=2, channels=128, channels_most=12, gamma_every=3, path_every=2
    ),
)


def system(port: Port | None = None, **changes):
    return build_system(replace(CONFIG, **changes), None, port or Port())


def batch(step: int, channels: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(step)
    return Batch(torch.rand((4, channels, SIDE, SIDE), generator=generator) * 2 - 1)


def now(step: int) -> Now:
    return Now(step, 4 * step, 0.0, 0.0, Draws(1, step))


def equal(one, other) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_step_moves_both_networks_and_says_how_it_went() -> None:
    made = system()
    before = copy.deepcopy(made.state_dict()["networks"])
    figures = made.learn(batch(0), now(0))
    assert {"loss_d", "loss_g", "r1", "path_length", "sign_real", "ada_strength"} <= set(figures)
    assert all(torch.isfinite(value) and not value.requires_grad for value in figures.values())
    assert figures["mended_d"] == figures["mended_g"] == 0
    for name, network in made.networks.items():
        still = [n for n, p in network.named_parameters() if torch.equal(p, before[name][n])]
        # Fine noise begins at strength 0 and moves with the first step; nothing stays.
        assert not still, (name, still)
    assert not torch.equal(made.generator.mapping.w_avg, before["generator"]["mapping.w_avg"])


def test_penalties_come_when_they_are_due() -> None:
    made = system()
    due = [set(made.learn(batch(step), now(step))) & {"r1", "path_length"} for step in range(4)]
    assert due == [{"r1", "path_length"}, set(), {"path_length"}, {"r1"}]


def test_training_goes_on_exactly_from_its_state() -> None:
    straight, first, second = system(), system(), system()
    for step in range(5):
        straight.learn(batch(step), now(step))
        if step < 3:
            first.learn(batch(step), now(step))
    second.learn(batch(9), now(9))  # wherever it was, it goes on from the state
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for step in range(3, 5):
        second.learn(batch(step), now(step))
    assert equal(second.state_dict(), straight.state_dict())
    assert straight.augmenter.strength != 0.4


def test_the_discriminator_learns_and_the_generator_follows() -> None:
    """Pictures of one colour: the mean of what is made moves there."""
    made = system(augment=AugmentOptions(), learn=replace(CONFIG.learn, rate=1e-2))
    target = torch.tensor([0.8, -0.6, 0.1]).view(1, 3, 1, 1)
    real = Batch(target.expand(4, 3, SIDE, SIDE) + 0.02 * batch(0).image)

    def distance() -> float:
        with torch.no_grad():
            return float(
                (made.make(real, made.generator, Draws(3)).mean((0, 2, 3)) - target.flatten()).norm()
            )

    before = distance()
    for step in range(40):
        figures = made.learn(real, now(step))
    assert distance() < 0.5 * before
    assert figures["loss_d"] > 0


def test_frozen_layers_stay_and_the_others_learn() -> None:
    made = system(learn=replace(CONFIG.learn, freeze_d=3))
    before = copy.deepcopy(made.discriminator.state_dict())
    made.learn(batch(0), now(0))
    frozen = {f"b16.{layer}" for layer in ("fromrgb", "conv0", "conv1")}
    for name, value in made.discriminator.state_dict().items():
        assert torch.equal(value, before[name]) == (name.rpartition(".")[0] in frozen), name
    with pytest.raises(ConfigError, match="freeze_d is 40"):
        system(learn=replace(CONFIG.learn, freeze_d=40))


def test_lazy_penalties_are_paid_for_by_the_optimiser() -> None:
    made = system()
    painter, judge = made.optimisers["generator"], made.optimisers["discriminator"]
    assert painter.rate == pytest.approx(2.5e-3 * 2 / 3) and judge.rate == pytest.approx(2.5e-3 * 3 / 4)
    assert judge.betas == pytest.approx((0.0, 0.99 ** (3 / 4)))
    without = system(stylegan2=replace(CONFIG.stylegan2, path_weight=0.0))
    assert without.optimisers["generator"].rate == 2.5e-3
    assert made.gamma == pytest.approx(0.0002 * 16 * 16 / 4)
    assert system(stylegan2=replace(CONFIG.stylegan2, gamma=7.0)).gamma == 7


def test_gradients_that_are_not_finite_are_mended_and_counted() -> None:
    made = system()
    judge = made.discriminator
    before = copy.deepcopy(judge.state_dict())
    loss = judge.b4.out.bias.sum() * torch.inf + judge.b16.fromrgb.bias[0] * torch.nan
    mended = _update(made.optimisers["discriminator"], loss + judge.b4.fc.bias.sum(), now(0))
    assert mended == 2
    assert all(torch.isfinite(value).all() for value in judge.state_dict().values())
    assert (judge.b4.out.bias < before["b4.out.bias"]).all()
    assert torch.equal(judge.b16.fromrgb.bias, before["b16.fromrgb.bias"])


def test_mixed_styles_are_coarse_ones_of_the_first_and_fine_ones_of_the_second() -> None:
    net = system().generator
    z = torch.randn(3, 2, 8, generator=torch.Generator().manual_seed(0))
    first = torch.tensor([net.shape.styles, 2, 1])
    pictures, styles = net.mixed(z, first)
    torch.testing.assert_close(pictures[0], net(z[:1, 0])[0])
    one, other = net.styles(z[:, 0]), net.styles(z[:, 1])
    torch.testing.assert_close(styles[1], torch.cat([one[1, :2], other[1, 2:]]))
    torch.testing.assert_close(styles[2], torch.cat([one[2, :1], other[2, 1:]]))


@pytest.mark.parametrize("channels", [("Y",), ("R", "G", "B", "A")])
def test_any_channels(channels: tuple[str, ...]) -> None:
    made = system(Port(channels=channels))
    figures = made.learn(batch(0, len(channels)), now(0))
    assert torch.isfinite(figures["loss_g"])
    picture = made.make(batch(0, len(channels)), made.generator, Draws(0))
    assert picture.shape == (4, len(channels), SIDE, SIDE)


def test_its_file_is_a_model_and_what_a_dream_takes(tmp_path) -> None:
    made = system()
    made.learn(batch(0), now(0))
    file = tmp_path / "model.safetensors"
    save_model(Model(made.generator, made.settings, None, Port()), file)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = made.generator(z)
        again = load_model(file)
        assert again.given is None and torch.equal(again.network(z), wanted)
        assert torch.equal(Stylegan2.from_state(*find_weights(str(file), "stylegan2"))(z), wanted)
    fresh = system(seed=5)
    lines = transfer(fresh.networks, file)
    assert "begins fresh" in lines[1]
    assert equal(fresh.generator.state_dict(), made.generator.state_dict())


def test_half_precision_learns_alike() -> None:
    made, exact = system(learn=replace(CONFIG.learn, precision="bfloat16")), system()
    half, full = (one.learn(batch(0), now(0)) for one in (made, exact))
    for name in ("loss_d", "loss_g", "r1"):
        torch.testing.assert_close(half[name], full[name], rtol=0.1, atol=0.02)
        assert half[name].dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in made.generator.parameters())


def test_weights_follow_the_seed() -> None:
    assert equal(system().state_dict(), system().state_dict())
    assert not equal(system().state_dict()["networks"], system(seed=2).state_dict()["networks"])


def test_what_does_not_fit_is_refused() -> None:
    for crop in ((24, 24), (32, 16), (4, 4), (0, 0)):
        with pytest.raises(ConfigError, match=rf"source.crop is {crop[0]} {crop[1]}"):
            system(source=SourceOptions(crop=crop))
    with pytest.raises(ConfigError, match="pairing"):
        build_system(CONFIG, Port(), Port())
    palette = Palette((LabelClass(0, "sky", (0, 0, 0)), LabelClass(1, "road", (9, 9, 9))))
    with pytest.raises(ConfigError, match="label maps"):
        system(Port("labels", ("Y",), "raw", palette=palette))
    with pytest.raises(ConfigError, match=r"channels is 8"):
        system(stylegan2=replace(CONFIG.stylegan2, channels=8))


@pytest.mark.parametrize("name", ["stylegan2", "stylegan2-small"])
def test_recipes_build(name: str) -> None:
    recipe = load_recipe(TrainConfig, name, kind="train")
    thin = replace(recipe.stylegan2, channels_most=4, z_dim=4, w_dim=4)
    made = build_system(replace(recipe, stylegan2=thin), None, Port())
    assert made.settings["architecture"] == "stylegan2" and recipe.augment.policy == "ada"
    assert recipe.source.pairing == "images" and not isinstance(made.augmenter, Unchanged)
