"""Few-shot patches: where they are cut, what counts, guides, and that frames are painted alike."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from dreamplate.errors import ConfigError, ModelError
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.take import load_recipe
from dreamplate.train import Batch, Draws, Now, Port
from dreamplate.train.options import LearnOptions, SourceOptions
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import build_network
from dreamplate.translate.pix2pix_layers import initialise, padded
from dreamplate.translate.shots_config import ShotsOptions
from dreamplate.translate.shots_guides import dot_guides, dots
from dreamplate.translate.shots_net import ShotsNet
from dreamplate.translate.shots_system import build, cut_patches, patch_corners

SMALL = ShotsOptions(patch=16, patches=3, width=4, blocks=1, width_d=2)


def config(options: ShotsOptions = SMALL, **learn: Any) -> TrainConfig:
    learning = LearnOptions(**{"precision": "float32", **learn})
    return TrainConfig(system="shots", source=SourceOptions(crop=(0, 0)), learn=learning, shots=options)


def pictures(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def keys(
    seed: int = 0, count: int = 2, height: int = 30, width: int = 41, weight: Tensor | None = None
) -> Batch:
    frames = pictures(seed, count, 3, height, width)
    return Batch(-0.5 * frames, frames, weight=weight)


def now(step: int = 0) -> Now:
    return Now(step, 2 * step, step / 10, step / 20, Draws(7, step))


def test_patches_lie_anywhere_in_the_frames_and_nowhere_else() -> None:
    corners = patch_corners(4000, (20, 33), 16, Draws(1), None, 3)
    assert corners.min(0).values.tolist() == [0, 0, 0]
    assert corners.max(0).values.tolist() == [2, 4, 17]
    counts = torch.bincount(corners[:, 0], minlength=3)
    assert counts.min() > 1100


def test_patches_are_drawn_where_the_mask_is_in_proportion_to_it() -> None:
    weight = torch.zeros(2, 1, 64, 64)
    weight[0, :, 40:44, 10:14], weight[1, :, 0:4, 60:64] = 1.0, 0.25
    corners = patch_corners(3000, (64, 64), 16, Draws(2), weight, 2)
    assert cut_patches(weight, corners, 16).amax((1, 2, 3)).min() > 0
    assert float((corners[:, 0] == 0).float().mean()) == pytest.approx(0.8, abs=0.03)
    # The mask lies at every place of the patch, not in its middle alone.
    rows = 41 - corners[corners[:, 0] == 0][:, 1]
    assert rows.min() <= 1 and rows.max() >= 14


def test_patches_are_pieces_of_the_frames() -> None:
    frames = torch.arange(2 * 20 * 24).view(2, 1, 20, 24).float()
    made = cut_patches(frames, torch.tensor([[1, 3, 5], [0, 0, 8]]), 16)
    assert torch.equal(made[0], frames[1, :, 3:19, 5:21]) and torch.equal(made[1], frames[0, :, :16, 8:])


def test_what_does_not_count_changes_nothing() -> None:
    weight = torch.zeros(2, 1, 30, 41)
    weight[:, :, 5:20, 8:30] = 1
    plain = keys(weight=weight)
    other = replace(plain, image=torch.where(weight > 0, plain.image, 0.9))
    first, second = (build(config(replace(SMALL, gan="none")), Port(), Port()) for _ in range(2))
    for step in range(3):
        one, two = first.learn(plain, now(step)), second.learn(other, now(step))
        assert torch.equal(one["loss"], two["loss"])
    for key, value in first.generator.state_dict().items():
        assert torch.equal(value, second.generator.state_dict()[key])


def test_the_margin_is_seen_and_does_not_count() -> None:
    system = build(config(replace(SMALL, margin=6)), Port(), Port())
    condition, image, weight = system.patches(keys(height=40, width=40), Draws(3))
    assert condition.shape == image.shape == (3, 3, 28, 28)
    assert weight.sum() == 3 * 16 * 16 and weight[:, :, :6].sum() == 0


def test_a_frame_is_painted_alike_whatever_else_it_shows_and_no_farther_than_the_reach() -> None:
    network = ShotsNet(3, 2, 4, 1, "batch").eval()
    initialise(network, torch.Generator().manual_seed(0), 0.2)
    x = pictures(1, 1, 3, 96, 96)
    y = x.clone()
    y[..., 60:] = 1
    with torch.no_grad():
        first, second = network(x), network(y)
    edge = 60 - network.reach
    assert torch.equal(first[..., :edge], second[..., :edge])
    assert not torch.equal(first[..., : 60 - network.reach // 2], second[..., : 60 - network.reach // 2])


def test_dots_tell_places_apart_the_same_way_at_any_size() -> None:
    places, colours = dots(16)
    assert ((places >= 0) & (places <= 1)).all() and colours.abs().max() <= 1
    small, large = dot_guides(places, colours, 20, 30), dot_guides(places, colours, 60, 90)
    down = torch.nn.functional.avg_pool2d(large, 3)
    assert (small - down).abs().max() < 0.02
    assert small.abs().max() <= 1 and small.std() > 0.1
    assert torch.equal(dots(16)[1], colours)
    part = dot_guides(places, colours, 8, 12, (40, 70, 60, 90))
    assert torch.equal(part, large[:, :, 40:48, 70:82])


def test_with_dots_one_colour_may_be_painted_in_two_ways() -> None:
    frame = torch.zeros(1, 3, 32, 64)
    painting = torch.full((1, 3, 32, 64), -0.6)
    painting[..., 32:] = 0.6
    left: dict[int, float] = {}
    for guides in (0, 8):
        options = replace(SMALL, guides=guides, gan="none", residual=False, patches=6)
        system = build(config(options, rate=1e-2, decay_from=1.0), Port(), Port())
        for step in range(40):
            system.learn(Batch(painting, frame), now(step))
        with torch.no_grad():
            made = padded(system.generator.eval(), frame)
        left[guides] = float((made - painting)[..., 4:-4].abs().mean())
    assert left[8] < 0.4 < 0.55 < left[0]


def test_it_learns_a_recolouring_from_two_frames() -> None:
    system = build(config(replace(SMALL, width=6, patches=6), rate=4e-3, decay_from=1.0), Port(), Port())
    shown = keys(height=32, width=32)
    for step in range(60):
        system.learn(shown, now(step))
    unseen = keys(5, 1, 32, 44)
    with torch.no_grad():
        made = system.make(unseen, system.generator.eval(), Draws(0))
    assert unseen.condition is not None
    assert (made - unseen.image).abs().mean() < 0.5 * (unseen.condition - unseen.image).abs().mean()


def test_going_on_is_exact() -> None:
    straight = build(config(), Port(), Port())
    straight.learn(keys(1), now(0))
    kept = copy.deepcopy(straight.state_dict())
    straight.learn(keys(2), now(1))
    resumed = build(replace(config(), seed=99), Port(), Port())
    resumed.load_state_dict(kept)
    resumed.learn(keys(2), now(1))
    for name, network in straight.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, resumed.networks[name].state_dict()[key]), (name, key)


@pytest.mark.parametrize("options", [SMALL, replace(SMALL, guides=4, norm="instance", residual=False)])
def test_settings_build_the_same_network(options: ShotsOptions) -> None:
    system = build(config(options), Port(), Port())
    again = build_network(system.settings).eval()
    again.load_state_dict(system.generator.state_dict())
    x = pictures(4, 1, 3, 24, 36)
    assert torch.equal(again(x), system.generator.eval()(x))


def test_the_recipe_builds_and_more_channels_are_taken() -> None:
    recipe = load_recipe(TrainConfig, "shots", kind="train")
    assert recipe.system == "shots" and recipe.source.crop == (0, 0)
    wide = Port(channels=("R", "G", "B", "P.x", "P.y", "P.z"))
    system = build(replace(recipe, shots=replace(SMALL, guides=2)), wide, Port())
    shown = keys()
    assert shown.condition is not None
    more = replace(shown, condition=torch.cat([shown.condition] * 2, 1))
    assert torch.isfinite(system.learn(more, now())["loss"])
    assert system.settings["residual"] == 0


def test_what_cannot_be_trained_is_refused() -> None:
    palette = Palette((LabelClass(0, "sky"),))
    labels = Port("labels", ("Y",), palette=palette)
    for given, made, options, says in (
        (None, Port(), SMALL, "learns from frames"),
        (labels, Port(), SMALL, "learns from frames"),
        (Port(), Port(), replace(SMALL, gan="none", l1=0.0), "l1 or perceptual"),
    ):
        with pytest.raises(ConfigError, match=says):
            build(config(options), given, made)
    system = build(config(), Port(), Port())
    with pytest.raises(ConfigError, match="41 x 12 are smaller"):
        system.learn(keys(height=12), now())
    with pytest.raises(ConfigError, match="nothing to learn"):
        system.learn(keys(weight=torch.zeros(2, 1, 30, 41)), now())
    with pytest.raises(ModelError, match="multiples of 4"):
        system.generator(pictures(1, 1, 3, 9, 8))
