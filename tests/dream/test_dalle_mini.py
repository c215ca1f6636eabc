"""The `dalle` generator with a dalle-mini: any words, the best candidates, sizes, refining, refusals."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import toy_mini
from toy import ToyScorer

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.dalle import DallePainting
from dreamplate.dream.generators import make_generator
from dreamplate.dream.jobs import DreamJob
from dreamplate.dream.options import CutConfig, DalleConfig
from dreamplate.errors import ConfigError, ModelError

SIDE = 16


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DreamConfig:
    folder = toy_mini.write(tmp_path_factory.mktemp("mini"), toy_mini.parts())
    return DreamConfig(
        prompt="red barn",
        size=(SIDE, SIDE),
        generator="dalle",
        steps=0,
        cut_sides=(32, 32, 32),
        natural=0.0,
        sharpen=0.0,
        cuts=CutConfig(number=2),
        dalle=DalleConfig(weights=str(folder), candidates=6, guidance=4.0),
    )


def painting(config: DreamConfig, **changes: Any) -> DallePainting:
    made = make_generator(dataclasses.replace(config, **changes), [0])
    assert isinstance(made, DallePainting)
    return made


def test_any_words_are_heard(config: DreamConfig) -> None:
    first = painting(config)
    assert (first.rows, first.columns, first.notices) == (4, 4, [])

    def bright(images: torch.Tensor) -> torch.Tensor:
        return images.mean((1, 2, 3))

    first.compose(bright, range(4))
    other = painting(config, prompt="quixotic zeppelins | -fog")
    other.compose(bright, range(4))
    again = painting(config)
    again.compose(bright, range(4))
    assert torch.equal(first.codes, again.codes)
    assert not torch.equal(first.codes, other.codes)
    assert (other.told.show, other.told.avoid) == ("quixotic zeppelins", "fog")
    assert "'雨'" in painting(config, prompt="red 雨").notices[0]


def test_the_best_candidates_are_kept(config: DreamConfig) -> None:
    scores: list[torch.Tensor] = []

    def score(images: torch.Tensor) -> torch.Tensor:
        scores.append(images.mean((1, 2, 3)))
        return scores[-1]

    made = make_generator(config, [0, 1])
    assert isinstance(made, DallePainting)
    made.compose(score, range(8))
    best = torch.cat(scores).sort(descending=True).values[:2]
    assert torch.allclose(made(SIDE, SIDE).mean((1, 2, 3)), best, atol=1e-5)


def run(config: DreamConfig, **changes: Any) -> tuple[DreamJob, torch.Tensor]:
    config = dataclasses.replace(config, **changes)
    made = make_generator(config, [config.seed + index for index in range(config.batch)])
    work = DreamJob(config, ToyScorer(), made)
    while work.position < len(work):
        work.step()
    return work, work.render(*config.size)


@pytest.mark.parametrize("size", [(16, 16), (32, 16), (8, 16), (40, 40)])
def test_pictures_of_any_size(config: DreamConfig, size: tuple[int, int]) -> None:
    work, image = run(config, size=size, batch=2)
    assert image.shape == (2, 3, size[1], size[0])
    assert 0 <= image.min() < image.max() <= 1
    scores = work.delivery().scores().tolist()
    assert scores == sorted(scores, reverse=True)


def test_refining_moves_cells_and_no_weights(config: DreamConfig) -> None:
    work, _ = run(config, steps=2)
    assert isinstance(work.generator, DallePainting)
    assert work.generator.moved.any()
    fresh = painting(config)
    for own, other in zip(work.generator.net, fresh.net, strict=True):
        state = other.state_dict()  # type: ignore[union-attr]
        assert all(torch.equal(tensor, state[key]) for key, tensor in own.state_dict().items())  # type: ignore[union-attr]


def test_what_it_cannot_do_is_refused(config: DreamConfig) -> None:
    with pytest.raises(ModelError, match="no encoder of pictures"):
        painting(config).paint(torch.zeros(1, 3, SIDE, SIDE))
    with pytest.raises(ConfigError, match="seamless"):
        painting(config, seamless="both")
    lost = dataclasses.replace(config.dalle, weights=str(Path(config.dalle.weights) / "none"))
    with pytest.raises(ModelError, match="none"):
        painting(config, dalle=lost)
