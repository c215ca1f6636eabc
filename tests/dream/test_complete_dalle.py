"""Laws of completion by a DALL-E."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import ToyScorer
from toy_codec import WORDS, ToyCodec

from dreamplate.dream.complete_config import CompleteConfig
from dreamplate.dream.complete_dalle import DalleCompleter
from dreamplate.dream.complete_job import CompleteJob
from dreamplate.errors import ModelError
from dreamplate.plate import Plate, read, write
from dreamplate.tokens.dalle import Dalle, standard_book
from dreamplate.tokens.dalle_shape import DalleShape
from dreamplate.tokens.words import Vocabulary

KNOWN = Vocabulary(tuple(sorted(WORDS)), 8)


def network(rows: int = 4, columns: int = 4) -> Dalle:
    shape = DalleShape(
        text=8, words=len(WORDS), bytes=len(KNOWN.pack()), rows=rows, columns=columns, codes=27, book=3,
        fingerprint=ToyCodec().fingerprint, codec="toy", factor=4, width=24, layers=1, heads=2,
    )  # fmt: skip
    net = Dalle(shape)
    net.draw_weights(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for value in net.parameters():
            value.mul_(4)
    net.vocabulary.copy_(KNOWN.pack())
    net.book.copy_(standard_book(ToyCodec().book))
    return net.eval().requires_grad_(False)


def config(path: Path, **changes: object) -> CompleteConfig:
    return replace(CompleteConfig(path, "toy", count=2, top_k=0), **changes)  # type: ignore[arg-type]


def pictures(asked: CompleteConfig) -> list[np.ndarray]:
    job = CompleteJob(asked, DalleCompleter(network(), ToyCodec(), asked), ToyScorer())
    return [render().pixels for _ in range(len(job)) for render in job.step().finished.values()]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    write(Plate(np.random.default_rng(0).random((20, 20, 3), np.float32)), tmp_path / "in.exr", depth="float")
    return tmp_path / "in.exr"


@pytest.mark.parametrize("keep", ["top:0.5", "left:0.5", "right:0.5"])
def test_what_is_kept_stays_and_the_rest_is_made_of_codes(keep: str, image: Path) -> None:
    plate, asked = read(image), config(image, keep=keep, seam=0.0)
    first, second = pictures(asked)
    kept = np.zeros((20, 20), bool)
    kept[{"top": np.s_[:10], "left": np.s_[:, :10], "right": np.s_[:, 10:]}[keep[:-4]]] = True
    for made in (first, second):
        assert np.array_equal(made[kept], plate.pixels[kept])
    assert not np.allclose(first[~kept], second[~kept], atol=0.05)


def test_a_prompt_leads_and_no_prompt_does_not(image: Path) -> None:
    red, blue = (pictures(config(image, prompt=f"{colour} square")) for colour in ("red", "blue"))
    assert not np.array_equal(red[0], blue[0])
    free = [pictures(config(image, guidance=guidance)) for guidance in (1.0, 5.0)]
    assert np.array_equal(free[0][0], free[1][0])


def test_words_that_are_not_known_are_told(image: Path) -> None:
    asked = config(image, prompt="red sqare")
    job = CompleteJob(asked, DalleCompleter(network(), ToyCodec(), asked), ToyScorer())
    assert any("sqare" in notice for notice in job.take_notices())
    assert not job.take_notices()


def test_a_grid_that_is_not_square_is_refused(image: Path) -> None:
    with pytest.raises(ModelError, match="square grid"):
        DalleCompleter(network(4, 6), ToyCodec(), config(image))
