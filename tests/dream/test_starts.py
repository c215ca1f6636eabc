"""Laws of choosing a start: the best are found, whatever the chunk, with memory bounded by the chunk."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from toy import ToyScorer

from dreamplate.dream.fft import Fft
from dreamplate.dream.options import FftConfig
from dreamplate.dream.painting import Painting, draw_each
from dreamplate.dream.starts import best_starts, ranked, score_starts
from dreamplate.errors import ConfigError

SEEDS = [17 * number + 3 for number in range(23)]


class Grey(Painting):
    """Plain pictures whose grey is drawn at random; drops it when noise is left on."""

    def __init__(self, draws: Sequence[torch.Generator]) -> None:
        super().__init__((8, 8), (False, False), draws)
        self.grey = nn.Parameter(draw_each((1, 1, 1), draws, uniform=True))
        self.quiet = False

    def settle(self, progress: float) -> None:
        self.quiet = True

    def forward(self, width: int, height: int) -> Tensor:
        assert self.quiet
        return self.grey.expand(-1, 3, height, width) * 1.0


def greys(seeds: Sequence[int]) -> list[float]:
    return [float(torch.rand((1,), generator=torch.Generator().manual_seed(seed))) for seed in seeds]


def brightness(images: Tensor) -> Tensor:
    assert images.shape[1:] == (3, 6, 10)
    assert not images.requires_grad
    return images.mean((1, 2, 3))


@pytest.mark.parametrize("chunk", [1, 4, 23, 100])
def test_the_best_are_found_in_order_whatever_the_chunk(chunk):
    sizes = []

    def make(draws):
        sizes.append(len(draws))
        return Grey(draws)

    found = best_starts(make, brightness, SEEDS, keep=5, chunk=chunk, width=10, height=6)
    grey = greys(SEEDS)
    assert found == sorted(range(len(SEEDS)), key=lambda index: -grey[index])[:5]
    assert max(sizes) <= chunk and sum(sizes) == len(SEEDS)


def test_scores_of_real_pictures_do_not_depend_on_the_chunk():
    scorer = ToyScorer()
    words = scorer.encode_text(["a heron"])

    def make(draws):
        return Fft(FftConfig(), (40, 24), (False, False), draws)

    def score(images):
        return scorer.encode_image(images) @ words[0]

    runs = [score_starts(make, score, SEEDS, chunk=chunk, width=32, height=32) for chunk in (1, 5, 23)]
    assert all(torch.allclose(run, runs[0], atol=1e-5) for run in runs)
    assert runs[0].std() > 1e-3
    order = ranked(runs[0])
    gaps = runs[0][order][:-1] - runs[0][order][1:]
    assert gaps.min() > 1e-5  # far enough apart for the order to be law
    assert all(ranked(run) == order for run in runs)


def test_ties_go_to_the_earlier_and_numbers_beat_what_is_none():
    nan, inf = float("nan"), float("inf")
    assert ranked(torch.tensor([0.5, nan, 0.7, 0.5, inf, 0.7])) == [4, 2, 5, 0, 3, 1]


@pytest.mark.parametrize("keep", [0, 24])
def test_keeping_more_than_there_are_is_refused(keep):
    with pytest.raises(ConfigError, match=r"best_of is 23, of which"):
        best_starts(Grey, brightness, SEEDS, keep=keep, chunk=4, width=10, height=6)
