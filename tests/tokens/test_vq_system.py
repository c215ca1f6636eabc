"""Laws of how our own codec learns: it gives pictures back, uses its book, and goes on to the bit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dreamplate.errors import ConfigError, ModelError
from dreamplate.tokens.vq import Vq
from dreamplate.tokens.vq_book import BookLearner, nearest
from dreamplate.tokens.vq_config import VqOptions
from dreamplate.tokens.vq_nets import VqDecoder, draw_weights
from dreamplate.tokens.vq_system import VqSystem, build, cosine_fall, decibels, edges
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.examine import Measures
from dreamplate.train.options import LearnOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig

STEPS = 160


def examples(seed: int, count: int = 4, side: int = 32) -> Batch:
    """Two plain colours, parted by an upright edge at some place."""
    draws = torch.Generator().manual_seed(seed)
    colours = torch.rand((count, 2, 3), generator=draws) * 1.6 - 0.8
    place = torch.randint(4, side - 4, (count, 1), generator=draws)
    left = (torch.arange(side) < place)[:, None, None, :].expand(count, 1, side, side)
    image = torch.where(left, colours[:, 0, :, None, None], colours[:, 1, :, None, None])
    return Batch(image.contiguous(), names=("x",) * count)


def config(**options: float) -> TrainConfig:
    learn = LearnOptions(rate=3e-3, betas=(0.9, 0.99), precision="float32", clip=1.0, warm_up=10)
    small = {"codes": 32, "latent": 8, "encoder_width": 32, "encoder_blocks": 1, "decoder_width": 64}
    made = VqOptions(
        **small | {"decoder_blocks": 1, "plain": 0.5, "edges": 0.1, "l1": 0.1, "psnr": 0.001} | options
    )  # type: ignore[arg-type]
    return TrainConfig(system="vq", learn=learn, vq=made)


def now(step: int) -> Now:
    return Now(step, step * 4, step / 10, step / STEPS, Draws(0, step))


def taught(system: VqSystem, start: int, stop: int) -> VqSystem:
    for step in range(start, stop):
        figures = system.learn(examples(step, 6), now(step))
        assert all(math.isfinite(float(value)) and not value.requires_grad for value in figures.values())
    return system


def measured(system: VqSystem, batch: Batch) -> dict[str, float]:
    with torch.no_grad():
        return system.figures(system.measure(batch, system.generator.eval()))


@pytest.fixture(scope="module")
def learnt() -> VqSystem:
    return taught(build(config(), None, Port()), 0, STEPS)


def test_learns_to_give_pictures_back_through_its_codes(learnt: VqSystem) -> None:
    unseen = examples(999, 12)
    found, before = measured(learnt, unseen), measured(build(config(), None, Port()), unseen)
    assert isinstance(learnt, Measures)
    assert found["psnr"] > before["psnr"] + 5 and found["l1"] < 0.6 * before["l1"]
    assert found["codes_used"] > 0.5 and 8 < found["perplexity"] <= 32
    assert found["bits"] == pytest.approx(math.log2(found["perplexity"]))
    with torch.no_grad():
        shown = learnt.make(unseen, learnt.generator, Draws(0))
    assert shown.shape == (12, 3, 32, 64)
    torch.testing.assert_close(shown[..., :32], unseen.image)


def test_figures_add_up_over_batches(learnt: VqSystem) -> None:
    whole = examples(5, 6)
    parts = [learnt.measure(whole.part(*ends), learnt.generator.eval()) for ends in ((0, 2), (2, 6))]
    added = {name: parts[0][name] + parts[1][name] for name in parts[0]}
    assert all(value.dtype == torch.float64 for value in added.values())
    found = learnt.figures(added)
    assert found == pytest.approx(measured(learnt, whole), rel=1e-4)


def test_scores_say_how_sure_a_cell_is(learnt: VqSystem) -> None:
    """The spread is the distance that cells have from their codes."""
    with torch.no_grad():
        image = (examples(77, 8).image + 1) / 2
        cells = learnt.generator.latents(image).flatten(0, 2)
        away = (cells - learnt.generator.book[nearest(cells, learnt.generator.book)]).square().sum(1).mean()
        sure = learnt.generator.logits(image).softmax(1).amax(1)
    assert 0.3 < float(away / learnt.generator.spread) < 3
    assert 0.3 < float(sure.mean()) <= 1


@pytest.mark.parametrize("stop", [4, 11])
def test_resumes_exactly(stop: int) -> None:
    """From before the book begins, and from after."""
    early = config(plain=0.05)
    whole = taught(build(early, None, Port()), 0, 16)
    first = taught(build(early, None, Port()), 0, stop)
    assert whole.begun and first.begun == (stop > 4)
    second = build(replace(early, seed=7), None, Port())
    second.load_state_dict(first.state_dict())
    taught(second, stop, 16)
    for name, value in whole.generator.state_dict().items():
        assert torch.equal(value, second.generator.state_dict()[name]), name
    assert torch.equal(whole.learner.uses, second.learner.uses)


def test_a_book_settles_where_cells_are() -> None:
    """Cells in tight bunches: every bunch gets a code, and codes that nothing needs get new work."""
    draws = torch.Generator().manual_seed(0)
    middles = F.normalize(torch.randn((8, 8), generator=draws), dim=1)
    cells = F.normalize(middles.repeat(40, 1) + 0.01 * torch.randn((320, 8), generator=draws), dim=1)
    learner = BookLearner(torch.zeros(32, 8), 0.5)
    away = learner.begin(cells, Draws(1))
    for step in range(10):
        learner.follow(cells, nearest(cells, learner.book), Draws(2, step))
    torch.testing.assert_close(learner.book.norm(dim=1), torch.ones(32))
    assert float((middles @ learner.book.T).amax(1).min()) > 0.99
    assert float(away) < 0.01 and float(learner.uses.min()) > 0


def test_codes_that_stand_for_nothing_get_new_work() -> None:
    learner = BookLearner(F.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0]])), 0.5)
    cells = F.normalize(torch.tensor([[1.0, 0.5], [1.0, -0.5]]), dim=1)
    for step in range(8):
        learner.follow(cells, torch.zeros(2, dtype=torch.int64), Draws(step))
    assert min(float((learner.book[1] - cell).norm()) for cell in cells) < 1e-6


def test_a_code_moves_to_the_mean_direction_of_its_cells() -> None:
    learner = BookLearner(torch.eye(2), 0.0)
    cells = F.normalize(torch.tensor([[1.0, 0.2], [1.0, 0.6], [0.1, 1.0]]), dim=1)
    learner.follow(cells, torch.tensor([0, 0, 1]), Draws(0))
    torch.testing.assert_close(learner.book, F.normalize(torch.stack([cells[:2].sum(0), cells[2]]), dim=1))
    assert learner.uses.tolist() == [2, 1]


def test_a_fresh_decoder_has_no_pattern_within_the_squares_that_it_enlarges() -> None:
    parts = torch.nn.ModuleDict({"decoder": VqDecoder(16, (1, 0, 0), 4)})
    draw_weights(parts, torch.Generator().manual_seed(0))
    with torch.no_grad():
        made: Tensor = parts["decoder"](torch.randn((1, 4, 3, 3), generator=torch.Generator().manual_seed(1)))
    squares = made.view(1, 3, 12, 2, 12, 2)
    torch.testing.assert_close(squares, squares[:, :, :, :1, :, :1].expand_as(squares))
    assert float(made.std()) > 0.01


def test_edges_are_those_of_the_difference() -> None:
    one, other = examples(1).image, examples(2).image
    wanted = sum((one.diff(dim=axis) - other.diff(dim=axis)).abs().mean() for axis in (-1, -2))
    torch.testing.assert_close(edges(one, other), wanted)
    assert float(edges(one, one + 0.3)) == pytest.approx(0, abs=1e-6)


def test_decibels_are_those_of_every_picture_by_itself() -> None:
    truth = examples(1).image
    off = torch.tensor([0.2, 0.02, 0.0, 0.002]).view(4, 1, 1, 1)
    found = [float(decibels((truth + off)[n : n + 1], truth[n : n + 1])) for n in range(4)]
    assert found == pytest.approx([19.96, 36.99, 40, 39.96], abs=0.01)
    assert float(decibels(truth + off, truth)) == pytest.approx(sum(found) / 4, rel=1e-5)


def test_the_rate_rises_and_falls() -> None:
    options = LearnOptions(warm_up=10)
    factors = [cosine_fall(options, Now(step, 0, 0.0, step / 100, Draws(0))) for step in (0, 9, 50, 100)]
    assert factors == pytest.approx([0.1, 0.98, 0.51, 0.02], abs=0.01)


def test_sizes_that_are_no_cells_are_learnt_from_as_well() -> None:
    system = build(config(), None, Port())
    figures = system.learn(Batch(examples(0, side=32).image[..., :27, :21]), now(0))
    assert math.isfinite(float(figures["loss"]))


def test_what_cannot_be_learnt_is_said() -> None:
    with pytest.raises(ConfigError, match="pictures of 3 channels, the image here is picture of 1"):
        build(config(), None, Port(channels=("Y",)))
    with pytest.raises(ModelError, match="setting 'width' is unknown"):
        Vq.from_settings({"architecture": "vq", "width": 3})
    with pytest.raises(ModelError, match="latent is 0; it must be a whole number from 1"):
        Vq.from_settings({"latent": 0})
