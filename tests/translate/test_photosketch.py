"""How PhotoSketch learns: against a twin that is written out here, and what several right answers mean."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.take import load_recipe
from dreamplate.train import Batch, Draws, Now, Port
from dreamplate.train.options import AugmentOptions, LearnOptions, SourceOptions
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import build_network
from dreamplate.translate.photosketch_config import PhotosketchOptions
from dreamplate.translate.photosketch_discriminator import GlobalDiscriminator
from dreamplate.translate.photosketch_system import Photosketch, build, nearest_l1

GREY = Port(channels=("Y",))
SMALL = PhotosketchOptions(width=2, blocks=1, width_d=2, discriminator="patch", norm="instance")


def config(options: PhotosketchOptions = SMALL, crop: int = 32, **learn: Any) -> TrainConfig:
    learning = LearnOptions(**{"precision": "float32", **learn})
    return TrainConfig(
        system="photosketch", source=SourceOptions(crop=(crop, crop)), learn=learning, photosketch=options
    )


def pictures(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch(seed: int = 3, drawings: int = 3, side: int = 32) -> Batch:
    targets = pictures(seed, 2, drawings, 1, side, side)
    return Batch(targets[:, 0], pictures(seed + 9, 2, 3, side, side), targets=targets)


def now(step: int = 0) -> Now:
    return Now(step, 2 * step, step / 10, step / 20, Draws(7, step))


def plain_step(system: Photosketch, shown: Batch) -> None:
    """One step as it is described, with torch's own optimisers and losses."""
    g, d = system.generator.train(), system.discriminator
    assert d is not None and shown.condition is not None and shown.targets is not None
    d.train()
    adams = [torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d)]
    x, fake = shown.condition, g(shown.condition)
    bce = functional.binary_cross_entropy_with_logits
    count = shown.targets.shape[1]
    real = 0.0
    for k in range(count):
        scores = d(torch.cat([x, shown.targets[:, k]], 1))
        real = real + bce(scores, torch.ones_like(scores)) / count
    made = d(torch.cat([x, fake.detach()], 1))
    adams[1].zero_grad()
    ((real + bce(made, torch.zeros_like(made))) / 2).backward()  # type: ignore[no-untyped-call]
    adams[1].step()
    asked = d(torch.cat([x, fake], 1))
    nearest = [
        min((fake[n] - shown.targets[n, k]).abs().mean() for k in range(count)) for n in range(len(shown))
    ]
    adams[0].zero_grad()
    loss = bce(asked, torch.ones_like(asked)) + system.options.l1 * torch.stack(nearest).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    adams[0].step()


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_step_is_as_described(norm: str) -> None:
    options = replace(SMALL, norm=norm, norm_d=norm)
    ours, twin = build(config(options), Port(), GREY), build(config(options), Port(), GREY)
    ours.learn(batch(), now())
    plain_step(twin, batch())
    for name, network in ours.networks.items():
        wanted = twin.networks[name].state_dict()
        for key, value in network.state_dict().items():
            torch.testing.assert_close(value, wanted[key], rtol=1e-4, atol=1e-5)


def test_the_nearest_drawing_counts_and_no_other() -> None:
    targets = pictures(1, 2, 4, 1, 8, 8)
    made = (targets[:, 2] + 0.01).requires_grad_()
    weight = torch.zeros(2, 1, 8, 8)
    weight[:, :, :4] = 0.5
    for given in (None, weight):
        values, index = nearest_l1(made, targets, given)
        assert index.tolist() == [2, 2]
        torch.testing.assert_close(values, torch.full((2,), 0.01), rtol=1e-4, atol=1e-6)
    others = targets.clone()
    others[:, [0, 1, 3]] += 5
    assert torch.equal(nearest_l1(made, others)[0], nearest_l1(made, targets)[0])


def test_going_on_is_exact_and_weights_follow_from_the_seed() -> None:
    straight = build(config(), Port(), GREY)
    straight.learn(batch(1), now(0))
    kept = copy.deepcopy(straight.state_dict())
    straight.learn(batch(2), now(1))
    resumed = build(replace(config(), seed=99), Port(), GREY)
    assert not torch.equal(resumed.generator.state_dict()["first.weight"], kept["generator"]["first.weight"])
    resumed.load_state_dict(kept)
    resumed.learn(batch(2), now(1))
    for name, network in straight.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, resumed.networks[name].state_dict()[key]), (name, key)


def test_one_score_for_a_whole_drawing() -> None:
    network = GlobalDiscriminator(4, (256, 256), 1, "none")
    assert tuple(network.last.weight.shape[2:]) == (6, 6)
    assert network(pictures(2, 2, 4, 256, 256)).shape == (2, 1, 1, 1)
    other = GlobalDiscriminator(2, (128, 160), 1)
    assert other(pictures(2, 2, 2, 128, 160)).shape == (2, 1, 1, 1)
    GlobalDiscriminator(4, (96, 96), 1)
    with pytest.raises(ConfigError, match="95 x 95"):
        GlobalDiscriminator(4, (95, 95), 1)


def test_it_learns_to_draw() -> None:
    """Targets are the picture's light with three thresholds; the nearest one is learnt."""
    system = build(config(replace(SMALL, width=4, gan="lsgan"), rate=3e-3, decay_from=1.0), Port(), GREY)
    before, after = 0.0, 0.0
    for step in range(40):
        x = functional.interpolate(pictures(step, 2, 3, 4, 4), size=(32, 32), mode="bilinear")
        light = x.mean(1, keepdim=True)
        targets = torch.stack([torch.tanh(9 * (light - level)) for level in (-0.2, 0.0, 0.2)], 1)
        figures = system.learn(Batch(targets[:, 0], x, targets=targets), now(step))
        before += float(figures["l1"]) / 5 * (step < 5)
        after += float(figures["l1"]) / 5 * (step >= 35)
    assert after < 0.5 * before


def test_a_single_drawing_and_plain_training_work_too() -> None:
    system = build(config(replace(SMALL, gan="none")), Port(), GREY)
    shown = Batch(pictures(1, 2, 1, 30, 33), pictures(2, 2, 3, 30, 33))
    assert "loss_d" not in system.learn(shown, now())
    assert system.make(shown, system.generator.eval(), Draws(1)).shape == (2, 1, 30, 33)
    again = build_network(system.settings)
    again.load_state_dict(system.generator.state_dict())


@pytest.mark.parametrize("policy", ["diffaugment", "ada"])
def test_the_discriminator_sees_augmented_pictures(policy: Any) -> None:
    wanted = replace(config(), augment=AugmentOptions(policy=policy, ada_start=1.0))
    figures = build(wanted, Port(), GREY).learn(batch(), now())
    plain = build(config(), Port(), GREY).learn(batch(), now())
    assert figures["loss_d"] != plain["loss_d"] and torch.isfinite(figures["loss_d"])


@pytest.mark.parametrize("name", ["photosketch", "photosketch-light"])
def test_recipes_build(name: str) -> None:
    recipe = load_recipe(TrainConfig, name, kind="train")
    small = replace(recipe, photosketch=replace(recipe.photosketch, width=1, width_d=1))
    system = build(small, Port(), GREY)
    assert recipe.system == "photosketch" and system.discriminator is not None


def test_what_cannot_be_trained_is_refused() -> None:
    palette = Palette((LabelClass(0, "sky"),))
    for given, made, options, says in (
        (None, GREY, SMALL, "needs a photograph"),
        (Port(), Port("labels", ("Y",), palette=palette), SMALL, "label map"),
        (Port(), GREY, replace(SMALL, gan="none", l1=0.0), "l1 must be"),
    ):
        with pytest.raises(ConfigError, match=says):
            build(config(options), given, made)
    with pytest.raises(ConfigError, match="too small"):
        build(config(replace(SMALL, discriminator="global")), Port(), GREY)
