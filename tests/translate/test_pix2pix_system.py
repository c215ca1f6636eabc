"""How pix2pix learns: against a twin that is written out here, and what its options promise."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.nets.dropout import set_dropout
from dreamplate.plate.labels import Palette
from dreamplate.train import Batch, Draws, Now, Port
from dreamplate.train.options import AugmentOptions, LearnOptions, SourceOptions
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import build_network
from dreamplate.translate.pix2pix_config import Pix2pixOptions
from dreamplate.translate.pix2pix_system import Pix2pix, build

SMALL = Pix2pixOptions(width=2, depth=3, width_d=2, patch=16, blocks=1)
GREY = Port(channels=("Y",))


def config(options: Pix2pixOptions = SMALL, **learn: Any) -> TrainConfig:
    learning = LearnOptions(**{"precision": "float32", "batch": 2, **learn})
    return TrainConfig(source=SourceOptions(crop=(16, 16)), learn=learning, pix2pix=options)


def pictures(seed: int, channels: int = 3, count: int = 2, side: int = 16) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batch(seed: int = 3, **more: Any) -> Batch:
    return Batch(pictures(seed), pictures(seed + 100), **more)


def now(step: int = 0) -> Now:
    return Now(step, 2 * step, step / 10, step / 20, Draws(7, step))


def plain_step(system: Pix2pix, shown: Batch, when: Now) -> None:
    """One step as the paper's code does it, with torch's own optimisers and losses."""
    options = system.options
    g, d = system.generator.train(), system.discriminator
    assert d is not None and shown.condition is not None
    d.train()
    adams = [torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999)) for n in (g, d)]
    set_dropout(g, when.draws.named("dropout"))
    fake = g(shown.condition)
    true, made = (
        d(torch.cat([shown.condition, shown.image], 1)),
        d(torch.cat([shown.condition, fake.detach()], 1)),
    )
    bce = functional.binary_cross_entropy_with_logits
    loss_d = (bce(made, torch.zeros_like(made)) + bce(true, torch.ones_like(true))) * 0.5
    adams[1].zero_grad()
    loss_d.backward()  # type: ignore[no-untyped-call]
    adams[1].step()
    asked = d(torch.cat([shown.condition, fake], 1))
    loss = bce(asked, torch.ones_like(asked)) + options.l1 * (fake - shown.image).abs().mean()
    adams[0].zero_grad()
    loss.backward()
    adams[0].step()


def test_a_step_is_that_of_the_paper() -> None:
    ours, twin = build(config(), Port(), Port()), build(config(), Port(), Port())
    before = copy.deepcopy(ours.generator.state_dict())
    ours.learn(batch(), now())
    plain_step(twin, batch(), now())
    for name, network in ours.networks.items():
        wanted = twin.networks[name].state_dict()
        for key, value in network.state_dict().items():
            torch.testing.assert_close(value, wanted[key], rtol=1e-4, atol=1e-5)
    assert not torch.equal(before["down.1.weight"], ours.generator.state_dict()["down.1.weight"])


def test_going_on_is_exact() -> None:
    straight = build(config(), Port(), Port())
    straight.learn(batch(1), now(0))
    kept = copy.deepcopy(straight.state_dict())
    straight.learn(batch(2), now(1))
    resumed = build(replace(config(), seed=99), Port(), Port())
    resumed.load_state_dict(kept)
    resumed.learn(batch(2), now(1))
    for name, network in straight.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, resumed.networks[name].state_dict()[key]), (name, key)


def test_weights_follow_from_the_seed() -> None:
    first, same, other = (build(replace(config(), seed=seed), Port(), Port()) for seed in (1, 1, 2))
    for key, value in first.generator.state_dict().items():
        assert torch.equal(value, same.generator.state_dict()[key])
    assert not torch.equal(
        first.generator.state_dict()["down.1.weight"], other.generator.state_dict()["down.1.weight"]
    )


@pytest.mark.parametrize(
    "options",
    [
        replace(SMALL, generator="resnet", norm="instance"),
        replace(SMALL, upsampling="resize", feature_matching=10.0, gan="lsgan", norm_d="instance"),
        replace(SMALL, gan="hinge", patch=1, norm="none", dropout=False),
        replace(SMALL, gan="none"),
        replace(SMALL, residual=True, depth=0),
    ],
    ids=["resnet", "best", "hinge-pixel", "plain", "residual"],
)
def test_every_form_learns_a_constant(options: Pix2pixOptions) -> None:
    system = build(config(options, rate=5e-3), Port(), Port())
    shown = replace(batch(), image=torch.full((2, 3, 16, 16), 0.5))
    losses = [float(system.learn(shown, now(step))["l1"]) for step in range(30)]
    assert losses[-1] < 0.8 * losses[0]
    made = system.make(shown, system.generator.eval(), Draws(0))
    assert made.shape == (2, 3, 16, 16) and made.dtype == torch.float32
    again = build_network(system.settings).eval()
    again.load_state_dict(system.generator.state_dict())
    torch.testing.assert_close(system.make(shown, again, Draws(0)), made)
    assert ("discriminator" in system.networks) == (options.gan != "none")


def test_pixels_without_weight_teach_nothing() -> None:
    options = replace(SMALL, gan="none")
    weight = torch.ones(2, 1, 16, 16)
    weight[..., 8:] = 0
    spoilt = batch().image.clone()
    spoilt[..., 8:] = 1
    results = []
    for image in (batch().image, spoilt):
        system = build(config(options), Port(), Port())
        system.learn(replace(batch(weight=weight), image=image), now())
        results.append(system.generator.state_dict())
    assert all(torch.equal(value, results[1][key]) for key, value in results[0].items())


def test_labels_and_any_channels() -> None:
    palette = Palette.from_json([{"id": i, "name": f"c{i}", "colour": [i, i, i]} for i in (3, 7, 9)])
    given = Port("labels", ("id",), "raw", palette=palette, instances=True)
    made = Port(channels=("R", "G", "B", "Z"), encoding="raw")
    system = build(config(), given, made)
    labels = torch.randint(3, (2, 16, 16), generator=torch.Generator().manual_seed(2))
    shown = Batch(pictures(1, 4), labels=labels, instances=labels)
    assert system.settings["given"] == given.width and system.settings["made"] == 4
    system.learn(shown, now())
    assert system.make(shown, system.generator.eval(), Draws(0)).shape == (2, 4, 16, 16)


def test_sizes_that_fit_nothing_are_padded_not_resized() -> None:
    system = build(config(), Port(), GREY)
    odd = Batch(pictures(1, 1, side=13), pictures(2, 3, side=13))
    system.learn(odd, now())
    assert system.make(odd, system.generator.eval(), Draws(0)).shape == (2, 1, 13, 13)


def test_kept_layers_stay_and_the_others_learn() -> None:
    from pathlib import Path

    system = build(config(init=Path("other"), freeze_d=1), Port(), Port())
    assert system.discriminator is not None
    before = copy.deepcopy(system.discriminator.state_dict())
    system.learn(batch(), now())
    after = system.discriminator.state_dict()
    assert torch.equal(before["convs.0.weight"], after["convs.0.weight"])
    assert not torch.equal(before["convs.1.weight"], after["convs.1.weight"])


def test_what_cannot_be_trained_is_one_line() -> None:
    with pytest.raises(ConfigError, match="needs a condition"):
        build(config(), None, Port())
    with pytest.raises(ConfigError, match="as many channels"):
        build(config(replace(SMALL, residual=True)), Port(), GREY)
    with pytest.raises(ConfigError, match="l1 or perceptual"):
        build(config(replace(SMALL, gan="none", l1=0.0)), Port(), Port())


@pytest.mark.parametrize("policy", ["none", "diffaugment"])
def test_condition_and_picture_are_moved_alike(policy: str) -> None:
    choice = AugmentOptions(policy=policy, diffaugment="translation")  # type: ignore[arg-type]
    system = build(replace(config(), augment=choice), Port(), Port())
    same = pictures(5)
    pair = system.pair(same, same, Draws(1, 2))
    assert torch.equal(pair[:, :3], pair[:, 3:]) and torch.equal(pair[:, :3], same) == (policy == "none")
