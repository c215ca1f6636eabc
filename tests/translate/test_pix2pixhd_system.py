"""How pix2pixHD learns: its stages, features of instances, going on."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import Palette
from dreamplate.train import Batch, Draws, Now, Port
from dreamplate.train.options import LearnOptions
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import build_network
from dreamplate.translate.pix2pixhd_config import Pix2pixhdOptions
from dreamplate.translate.pix2pixhd_system import Pix2pixhdSystem, build

PALETTE = Palette.from_json([{"id": i, "name": f"c{i}", "colour": [i, i, i]} for i in range(3)])
LABELS = Port("labels", ("id",), "raw", palette=PALETTE, instances=True)
SMALL = Pix2pixhdOptions(
    width=2,
    downs=1,
    blocks=1,
    enhancers=1,
    local_blocks=1,
    width_d=2,
    layers_d=2,
    features=2,
    width_e=2,
    clusters=3,
)


def config(options: Pix2pixhdOptions = SMALL, **learn: Any) -> TrainConfig:
    return TrainConfig(learn=LearnOptions(**{"precision": "float32", **learn}), pix2pixhd=options)


def batch(seed: int = 1, side: int = 24) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (2, side // 8, side // 8), generator=draws)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return Batch(torch.rand(2, 3, side, side, generator=draws) * 2 - 1, labels=labels, instances=labels)


def now(step: int, progress: float) -> Now:
    return Now(step, 2 * step, 0.0, progress, Draws(7, step))


def weights(system: Pix2pixhdSystem) -> dict[str, Tensor]:
    return {f"{n}.{k}": v.clone() for n, net in system.networks.items() for k, v in net.state_dict().items()}


@pytest.mark.parametrize(
    ("progress", "learns"),
    [
        (0.1, {"generator.coarse", "encoder.network", "coarse_output.last", "discriminator.scales"}),
        (0.52, {"generator.enhancers", "generator.last", "discriminator.scales"}),
        (
            0.9,
            {
                "generator.coarse",
                "generator.enhancers",
                "generator.last",
                "encoder.network",
                "discriminator.scales",
            },
        ),
    ],
    ids=["coarse", "fixed", "joint"],
)
def test_what_learns_in_each_stage(progress: float, learns: set[str]) -> None:
    system = build(config(), LABELS, Port())
    before = weights(system)
    system.learn(batch(), now(100, progress))
    changed = {
        ".".join(k.split(".")[:2]) for k, v in weights(system).items() if not torch.equal(v, before[k])
    }
    # Step 100 clusters features too.
    assert changed - {"generator.centres"} == learns
    made = system.make(batch(), system.generator.eval(), Draws(1))
    assert made.shape == (2, 3, 24, 24) and bool(made.isfinite().all())


def test_the_rate_begins_anew_with_the_enhancers() -> None:
    system = build(config(), LABELS, Port())
    places = [system._place(now(0, progress)) for progress in (0.0, 0.25, 0.5, 0.54, 0.56, 1.0)]
    assert [stage for stage, _ in places] == ["coarse", "coarse", "fixed", "fixed", "joint", "joint"]
    assert [round(where.progress, 2) for _, where in places] == [0, 0.5, 0, 0.08, 0.12, 1]
    alone = build(config(replace(SMALL, enhancers=0)), LABELS, Port())
    stage, where = alone._place(now(0, 0.2))
    assert stage == "joint" and where.progress == 0.2


@pytest.mark.parametrize("progress", [0.2, 0.52, 0.8])
def test_going_on_is_exact(progress: float) -> None:
    straight = build(config(), LABELS, Port())
    straight.learn(batch(1), now(0, progress))
    kept = copy.deepcopy(straight.state_dict())
    straight.learn(batch(2), now(1, progress))
    resumed = build(replace(config(), seed=9), LABELS, Port())
    resumed.load_state_dict(kept)
    resumed.learn(batch(2), now(1, progress))
    found, wanted = weights(resumed), weights(straight)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_a_constant_is_learnt_and_the_model_stands_alone() -> None:
    options = replace(SMALL, global_share=0.0, norm_d="none", l1=100.0, upsampling="resize")
    system = build(config(options, rate=5e-3), LABELS, Port())
    shown = replace(batch(), image=torch.full((2, 3, 24, 24), 0.5))
    losses = [float(system.learn(shown, now(step, 0.4))["l1"]) for step in range(25)]
    assert losses[-1] < 0.6 * losses[0]
    network = build_network(system.settings).eval()
    network.load_state_dict(system.generator.state_dict())
    made = system.make(shown, system.generator.eval(), Draws(0))
    assert torch.equal(system.make(shown, network, Draws(0)), made)


def test_pictures_as_conditions_and_sizes_that_fit_nothing() -> None:
    system = build(config(replace(SMALL, features=0)), Port(channels=("Y",)), Port())
    odd = Batch(torch.zeros(1, 3, 19, 22), torch.zeros(1, 1, 19, 22))
    for progress in (0.1, 0.9):
        system.learn(odd, now(1, progress))
        assert system.make(odd, system.generator.eval(), Draws(0)).shape == (1, 3, 19, 22)


def test_what_cannot_be_trained_is_one_line() -> None:
    with pytest.raises(ConfigError, match="needs a condition"):
        build(config(), None, Port())
    with pytest.raises(ConfigError, match="condition is a picture"):
        build(config(), Port(), Port())
    with pytest.raises(ConfigError, match="more than the whole run"):
        build(config(replace(SMALL, global_share=0.8, fixed_share=0.3)), LABELS, Port())
