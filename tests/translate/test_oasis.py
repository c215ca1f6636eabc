"""OASIS: its discriminator, its losses against twins, and learning with either teacher."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.onehot import one_hot
from dreamplate.train.options import AugmentOptions, LearnOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.oasis import OasisDiscriminator
from dreamplate.translate.oasis_losses import (
    balance,
    label_mix,
    mix_consistency,
    real_score,
    segmentation,
    segmentation_made,
)
from dreamplate.translate.spade_config import SpadeOptions
from dreamplate.translate.spade_system import SpadeSystem, build

PALETTE = Palette(tuple(LabelClass(i, str(i)) for i in range(3)), (255,))
LABELS = Port("labels", ("id",), "raw", palette=PALETTE)


def config(policy: str = "none", freeze: int = 0, **options: object) -> TrainConfig:
    chosen = {
        "width": 1,
        "hidden": 4,
        "middles": 1,
        "z": 2,
        "d_width": 1,
        "d_depth": 2,
        "gain": 1.0,
        "d_gain": 1.0,
    }
    return TrainConfig(
        system="spade",
        source=SourceOptions(crop=(64, 64)),
        augment=AugmentOptions(policy=policy),  # type: ignore[arg-type]
        learn=LearnOptions(precision="float32", freeze_d=freeze),
        spade=SpadeOptions(**(chosen | options)),  # type: ignore[arg-type]
    )


def batch(seed: int = 0) -> Batch:
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (2, 8, 8), generator=draws).repeat_interleave(8, 1).repeat_interleave(8, 2)
    return Batch(image=torch.rand(2, 3, 64, 64, generator=draws) * 2 - 1, labels=labels)


def steps(system: SpadeSystem, first: int, last: int) -> list[dict[str, Tensor]]:
    return [system.learn(batch(i), Now(i, 2 * i, 0, i / 10, Draws(0, i))) for i in range(first, last)]


def test_the_discriminator_scores_every_pixel() -> None:
    for depth in (2, 6):
        net = OasisDiscriminator(3, width=1, depth=depth, spectral=False)
        assert net(torch.zeros(1, 3, 64, 128)).shape == (1, 4, 64, 128)


def test_classes_weigh_alike_and_pixels_one_in_the_mean() -> None:
    labels = batch().labels
    assert labels is not None
    target = one_hot(labels, 3, 3)
    counts = target.sum((0, 2, 3))
    weights = balance(target)
    torch.testing.assert_close(weights * counts, torch.full((3,), labels.numel() / 3))
    torch.testing.assert_close(balance(target, 0.0), torch.full((3,), labels.numel() / float(counts.sum())))
    assert balance(target[:, :1] * 0).item() == 0


def test_losses_are_cross_entropies() -> None:
    labels = batch().labels
    assert labels is not None
    scores = torch.randn(2, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    target, weights = one_hot(labels, 3, 3), torch.tensor([1.0, 2.0, 0.5])
    known = torch.where(labels < 3, labels, -100)
    chances = functional.cross_entropy(scores, known, torch.cat([weights, torch.ones(1)]), reduction="sum")
    torch.testing.assert_close(segmentation(scores, target, weights), chances / labels.numel())
    made = torch.where(labels < 3, 3, -100)
    wanted = functional.cross_entropy(scores, made, reduction="sum") / labels.numel()
    torch.testing.assert_close(segmentation_made(scores, target), wanted)
    share = scores.softmax(1)[:, :-1].sum(1)
    torch.testing.assert_close(real_score(scores).sigmoid(), share)


def test_a_mix_follows_labels_and_a_linear_discriminator_is_consistent() -> None:
    labels = batch().labels
    assert labels is not None
    mask = label_mix(labels, 4, Draws(3))
    for picture in range(2):
        for value in labels[picture].unique():
            assert len(mask[picture, 0][labels[picture] == value].unique()) == 1
    assert 0 < mask.mean() < 1
    real, made = torch.randn(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    mixed = mask * real + (1 - mask) * made
    assert mix_consistency(3 * mixed, 3 * real, 3 * made, mask) < 1e-10


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"policy": "diffaugment", "d_spectral": False, "class_start": True, "l1": 1.0},
        {
            "teacher": "spade",
            "noise": "start",
            "style": True,
            "style_width": 1,
            "d_layers": 2,
            "policy": "diffaugment",
        },
    ],
)
def test_both_networks_learn_and_a_run_goes_on_exactly(chosen: dict[str, object]) -> None:
    made = config(**chosen)  # type: ignore[arg-type]
    one, other = build(made, LABELS, Port()), build(made, LABELS, Port())
    before = {n: p.clone() for net in one.networks.values() for n, p in net.named_parameters()}
    steps(one, 0, 2)
    moved = [
        n for net in one.networks.values() for n, p in net.named_parameters() if not torch.equal(p, before[n])
    ]
    assert len(moved) > 0.9 * len(before)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for mine, theirs in zip(steps(one, 2, 4), steps(other, 2, 4), strict=True):
        assert mine.keys() == theirs.keys()
        assert all(math.isfinite(float(value)) and torch.equal(value, theirs[n]) for n, value in mine.items())
    with torch.no_grad():
        one.generator.eval()
        picture = one.make(batch(), one.generator, Draws("look"))
    assert picture.shape == (2, 3, 64, 64) and float(picture.abs().max()) <= 1


def test_frozen_layers_stay() -> None:
    system = build(config(freeze=2), LABELS, Port())
    layers = system.teacher.network.layers()  # type: ignore[operator]
    held = [[p.clone() for p in layer.parameters()] for layer in layers]
    steps(system, 0, 2)
    same = [
        all(torch.equal(p, q) for p, q in zip(layer.parameters(), kept, strict=True))
        for layer, kept in zip(layers, held, strict=True)
    ]
    assert same[:2] == [True, True] and not any(same[2:])


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match="needs a condition"):
        build(config(), None, Port())
    with pytest.raises(ConfigError, match="oasis segments"):
        build(config(), Port(), Port())
    with pytest.raises(ConfigError, match="multiples of 32"):
        build(replace(config(), source=SourceOptions(crop=(100, 64))), LABELS, Port())
    with pytest.raises(ConfigError, match="has 5 layers"):
        build(config(freeze=5), LABELS, Port())
