"""Laws of heat maps: they light up where the thing is, whichever way they are made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from clip_toys import resnet_state, vit_state
from torch import Tensor

from dreamplate.dream import heat
from dreamplate.dream.clip_scorer import ClipScorer
from dreamplate.dream.ensemble import EnsembleScorer
from dreamplate.dream.heat import heat_maps
from dreamplate.errors import ModelError
from dreamplate.nets.clip import CLIP

COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


class ColourScorer:
    """Sees the mean colour; words of colours mean these, all other words mean grey."""

    name, size, encoding, dim = "colours", 16, "srgb_display", 3
    contrast = 0.4

    def encode_image(self, images: Tensor) -> Tensor:
        assert images.shape[2:] == (16, 16)
        return F.normalize(images.mean((2, 3)) + 1e-3, dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return F.normalize(torch.tensor([COLOURS.get(text, (1.0, 1.0, 1.0)) for text in texts]), dim=-1)


class DenseColourScorer(ColourScorer):
    """Also sees the colour of every 4 pixels."""

    stride = 4

    def encode_map(self, images: Tensor) -> Tensor:
        return F.normalize(F.avg_pool2d(images, 4) + 1e-3, dim=1)


def scene(height: int = 64, width: int = 96) -> Tensor:
    """Grey, a red square in the left half, a blue one in the lower right corner."""
    image = torch.full((1, 3, height, width), 0.5)
    paint(image, "red", slice(height // 4, height * 3 // 4), slice(width // 8, width * 3 // 8))
    paint(image, "blue", slice(height * 3 // 4, height), slice(width * 3 // 4, width))
    return image


def paint(image: Tensor, colour: str, rows: slice, columns: slice) -> None:
    image[:, :, rows, columns] = torch.tensor(COLOURS[colour])[:, None, None]


@pytest.mark.parametrize("scorer", [ColourScorer(), DenseColourScorer()])
@pytest.mark.parametrize("size", [(64, 96), (96, 64), (300, 200)])
def test_things_light_up_where_they_are(scorer: ColourScorer, size: tuple[int, int]) -> None:
    image = scene(*size)
    maps = heat_maps(scorer, image, scorer.encode_text(["red", "blue", "green"]))
    red, blue, green = maps
    assert maps.shape == (3, *size) and maps.min() >= 0 and maps.max() <= 1
    height, width = size
    assert red[:, : width // 2].sum() > 5 * red[:, width // 2 :].sum()
    assert blue[height // 2 :, width // 2 :].sum() > 0.7 * blue.sum()
    inside = red[height * 3 // 8 : height * 5 // 8, width * 3 // 16 : width * 5 // 16].mean()
    assert inside > 0.3
    assert green.max() < 0.05


def test_a_mirrored_picture_has_the_mirrored_map() -> None:
    scorer = ColourScorer()
    vectors = scorer.encode_text(["red"])
    plain = heat_maps(scorer, scene(), vectors)
    mirrored = heat_maps(scorer, scene().flip(-1), vectors).flip(-1)
    torch.testing.assert_close(plain, mirrored, atol=1e-5, rtol=0)


def test_chunks_do_not_matter_and_no_gradient_is_kept() -> None:
    scorer = ColourScorer()
    image = scene().requires_grad_()
    one, many = (heat_maps(scorer, image, scorer.encode_text(["red"]), chunk=n) for n in (1, 50))
    torch.testing.assert_close(one, many)
    assert not one.requires_grad


def test_an_even_picture_agrees_evenly() -> None:
    scorer = ColourScorer()
    image = torch.zeros(1, 3, 60, 90)
    paint(image, "red", slice(0, 60), slice(0, 90))
    red, blue = heat_maps(scorer, image, scorer.encode_text(["red", "blue"]))
    assert red.min() > 0.95 and blue.max() == 0


def test_texts_that_say_nothing_are_cold_and_the_base_can_be_chosen() -> None:
    scorer = ColourScorer()
    vectors = scorer.encode_text(["anything at all"])
    assert heat_maps(scorer, scene(), vectors).max() < 1e-5
    assert heat_maps(scorer, scene(), vectors, neutral=["red"])[0, :, 60:].min() > 0.5


def test_ensembles_give_the_weighted_mean() -> None:
    members = [ColourScorer(), DenseColourScorer()]
    whole = EnsembleScorer(members, [1, 3])
    found = heat_maps(whole, scene(), whole.encode_text(["red", "blue"]))
    parts = [heat_maps(member, scene(), member.encode_text(["red", "blue"])) for member in members]
    torch.testing.assert_close(found, 0.25 * parts[0] + 0.75 * parts[1])


def test_long_pictures_are_shown_smaller() -> None:
    shown: list[tuple[int, ...]] = []

    class Noting(DenseColourScorer):
        def encode_map(self, images: Tensor) -> Tensor:
            shown.append(tuple(images.shape[2:]))
            return super().encode_map(images)

    scorer = Noting()
    assert heat_maps(scorer, torch.rand(1, 3, 8, 4000), scorer.encode_text(["red"])).shape == (1, 8, 4000)
    assert heat_maps(scorer, torch.rand(1, 3, 8, 16), scorer.encode_text(["red"])).shape == (1, 8, 16)
    assert shown[0][0] * shown[0][1] / scorer.stride**2 <= heat.MAX_PLACES * 1.5
    assert shown[1] == (32, 64)


@pytest.mark.parametrize("side", [1, 3, 17])
def test_tiny_and_long_pictures(side: int) -> None:
    scorer = ColourScorer()
    maps = heat_maps(scorer, torch.rand(1, 3, side, 200), scorer.encode_text(["red"]), chunk=64)
    assert maps.shape == (1, side, 200) and maps.isfinite().all()


def test_vectors_of_another_scorer_are_refused() -> None:
    with pytest.raises(ModelError, match="targets have 7 numbers, colours gives 3"):
        heat_maps(ColourScorer(), scene(), torch.zeros(1, 7))


def test_windows_cover_the_picture() -> None:
    for length in (1, 5, 64, 1000):
        for side in (1, 4, 64):
            if side <= length:
                starts = heat._starts(length, side)
                assert starts[0] == 0 and starts[-1] == length - side
                assert len(starts) <= heat.MAX_WINDOWS
                gaps = [after - before for before, after in pairwise(starts)]
                assert len(starts) == heat.MAX_WINDOWS or max(gaps, default=0) <= max(side / 2 + 1, 1)


class Words:
    """Stands in for a tokenizer of that many ids."""

    def __init__(self, size: int) -> None:
        self.size = size

    def chunks(self, text: str, context: int) -> list[list[int]]:
        return [[self.size - 2, 1 + len(text) % 200, self.size - 1]]


@pytest.mark.parametrize("make", [vit_state, resnet_state])
def test_clip_offers_its_dense_features(make) -> None:
    net = CLIP.from_state(make(), {"activation": "quick_gelu"})
    scorer = ClipScorer(net, Words(net.vocabulary))  # type: ignore[arg-type]
    image = torch.full((1, 3, 64, 128), 0.5)
    image[:, :, :, :64] = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    # The target is what the left half looks like; base it on what the right half looks like.
    shown = F.interpolate(image, size=(2 * net.size, 4 * net.size), mode="bicubic", antialias=True)
    places = scorer.encode_map(shown.clamp(0, 1))[0]
    columns = places.shape[-1]
    left = F.normalize(places[:, :, : columns // 2 - 1].mean((1, 2)), dim=0)
    right = F.normalize(places[:, :, columns // 2 + 1 :].mean((1, 2)), dim=0)
    scorer.encode_text = lambda texts: right.expand(len(texts), -1)  # type: ignore[method-assign]
    found = heat_maps(scorer, image, left[None])[0]
    assert found.shape == (64, 128)
    assert found[:, :56].mean() > 3 * found[:, 72:].mean()
