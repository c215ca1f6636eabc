"""Laws of the two towers: vectors of unit length whatever the size or language, and words that are noted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dreamplate.errors import CheckpointError, ModelError
from dreamplate.tokens.dual import VOCABULARY, DualEncoder
from dreamplate.tokens.dual_losses import belonging, clause, contrast, cropped, jittered, likeness_loss
from dreamplate.tokens.wordpieces import WINDOW, pieces_of, rows_of_word, split_words, windows


def towers(seed: int = 0) -> DualEncoder:
    made = DualEncoder(32, 8, 24, 128, 16, 32, 1)
    made.randomise(torch.Generator().manual_seed(seed))
    return made.eval()


def pictures(seed: int, n: int = 3, height: int = 32, width: int = 32) -> Tensor:
    return torch.rand((n, 3, height, width), generator=torch.Generator().manual_seed(seed)) * 2 - 1


# -- words -----------------------------------------------------------------------------------------------


def test_words_are_lower_case_without_accents_and_signs() -> None:
    assert split_words("A Château, by the sea -- 12 boats' don't!") == [
        *("a", "chateau", "by", "the", "sea", "1", "2", "boats", "don't")
    ]
    assert split_words(" \n.") == []


def test_relatives_share_pieces_and_rows_stay_in_their_tables() -> None:
    assert set(pieces_of("lighthouse")) & set(pieces_of("lighthouses"))
    assert not set(pieces_of("lighthouse")) & set(pieces_of("boat"))
    for word in ("a", "sea", "lighthouse", "ångström", "灯台", "w" * 500):
        own, *parts = rows_of_word(word, 128)
        assert 1 <= own <= 128 and all(129 <= row <= 256 for row in parts)
    # Where words fall must never change: weights that ship were learnt with it.
    assert rows_of_word("castle", 5120)[0] == 4019


def test_windows_hold_every_word_once_in_order() -> None:
    long = " ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(2 * WINDOW + 5))
    rows, owner = windows(["a castle", long, ""], 128)
    assert owner.tolist() == [0, 1, 1, 1, 2]
    said = [tuple(word[word > 0].tolist()) for part in rows[owner == 1] for word in part if word[0]]
    assert said == [rows_of_word(word, 128) for word in split_words(long)]
    counts = (rows[..., 0] > 0).sum(1).tolist()
    assert counts[0] == 2 and counts[4] == 0 and max(counts[1:4]) - min(counts[1:4]) <= 2


# -- towers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (64, 40), (96, 96)])
def test_pictures_of_any_size_become_unit_vectors(size: tuple[int, int]) -> None:
    with torch.no_grad():
        found = towers().encode_image(pictures(1, 2, *size))
    assert found.shape == (2, 24)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_texts_do_not_see_their_neighbours() -> None:
    net, texts = (
        towers(),
        ["a castle", "", "two boats on a lake at dusk under a starry sky", "灯台", "x " * 100],
    )
    with torch.no_grad():
        together = net.encode_text(texts)
        alone = torch.cat([net.encode_text([text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together[[0, 2, 3, 4]].norm(dim=1), torch.ones(4))


def test_order_of_words_matters() -> None:
    with torch.no_grad():
        one, other = towers().encode_text(["a boat left of a castle", "a castle left of a boat"])
    assert float(one @ other) < 0.9999


def test_gradients_reach_every_pixel() -> None:
    seen = pictures(2, 1, 48, 48).requires_grad_()
    net = towers()
    (gradient,) = torch.autograd.grad(
        (net.encode_image(seen) @ net.encode_text(["a"]).T.detach()).sum(), seen
    )
    assert torch.isfinite(gradient).all() and bool((gradient.abs().sum((0, 1)) > 0).all())


def test_layers_are_what_normalisations_see() -> None:
    net, seen = towers(), pictures(3, 4)
    with torch.no_grad():
        vectors, layers = net.encode_with_layers(seen)
        torch.testing.assert_close(vectors, net.encode_image(seen))
    assert len(layers) == 12 and all(layer.values.shape[1] == len(layer.mean) for layer in layers)
    # Nothing is noted beyond the call.
    assert net.encode_with_layers(seen)[1] is not layers and len(layers) == 12


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 4, 64, 64), (3, 64, 64)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"sides from 32 up"):
        towers().checked(torch.zeros(shape))


def test_built_again_from_half_precision() -> None:
    net = towers()
    state = {
        name: value.half() if value.is_floating_point() else value for name, value in net.state_dict().items()
    }
    again = DualEncoder.from_state(state, net.settings, "file")
    assert all(value.dtype != torch.float16 for value in again.state_dict().values())
    with torch.no_grad():
        both = net.encode_text(["a castle"]), again.encode_text(["a castle"])
    torch.testing.assert_close(*both, atol=5e-3, rtol=5e-3)
    with pytest.raises(CheckpointError, match=r"join_text.weight.* is missing"):
        DualEncoder.from_state({k: v for k, v in state.items() if k != "join_text.weight"}, net.settings, "f")
    with pytest.raises(CheckpointError, match=r"'more' has no place"):
        DualEncoder.from_state(state | {"more": torch.zeros(1)}, net.settings, "f")
    with pytest.raises(ModelError, match="dim"):
        DualEncoder.from_settings({name: 8 for name in net.settings if name != "dim"})
    with pytest.raises(ModelError, match="text_width is 40"):
        DualEncoder.from_settings(net.settings | {"text_width": 40})


def test_words_are_noted_as_far_as_they_fit() -> None:
    net = towers()
    assert net.known_words() == frozenset()
    net.note_words({"sea", "château", "boat"})
    assert net.known_words() == {"sea", "château", "boat"}
    many = {f"w{number:06d}" for number in range(VOCABULARY // 4)}
    net.note_words(many)
    assert net.known_words() < many and len(net.known_words()) == (VOCABULARY + 1) // 8


# -- losses ----------------------------------------------------------------------------------------------


def test_equal_captions_and_equal_facts_belong() -> None:
    facts = [{"time": "day"}, {"time": "day"}, {"time": "night"}, {}, {}]
    found = belonging(["a", "b", "a", "c", "d"], facts, 0.5)
    wanted = torch.eye(5)
    wanted[0, 2] = wanted[2, 0] = 1.0
    wanted[0, 1] = wanted[1, 0] = 0.5
    assert torch.equal(found, wanted)
    assert torch.equal(belonging(["a", "b"], (), 0.5), torch.eye(2))


def test_contrast_is_infonce_where_only_the_own_belongs() -> None:
    generator = torch.Generator().manual_seed(4)
    one, other = (
        torch.nn.functional.normalize(torch.randn(6, 8, generator=generator), dim=1) for _ in range(2)
    )
    scores, own = 5.0 * one @ other.T, torch.arange(6)
    cross = torch.nn.functional.cross_entropy
    wanted = (cross(scores, own) + cross(scores.T, own)) / 2
    torch.testing.assert_close(contrast(one, other, torch.tensor(5.0), torch.eye(6)), wanted)
    shares = scores.softmax(1)
    assert float(likeness_loss(one, other, torch.tensor(5.0), shares)) == pytest.approx(0, abs=1e-6)
    assert float(likeness_loss(one, other, torch.tensor(5.0), shares.flip(1))) > 0.01


def test_a_clause_is_a_row_of_words() -> None:
    text = "one two three four five six"
    assert clause(text, 1.0, 0.5) == text and clause("one two", 0.0, 0.9) == "one two"
    for share in (0.0, 0.3, 0.5, 0.9):
        for start in (0.0, 0.4, 0.999):
            found = clause(text, share, start)
            assert found in text and 2 <= len(found.split()) <= 6
    assert clause(text, 0.34, 0.999) == "five six"


def test_crops_are_parts_and_jitter_stays_within() -> None:
    image = torch.linspace(-1, 1, 64).expand(5, 3, 64, 64).contiguous()
    assert torch.equal(cropped(image, torch.zeros(2, 3), 0.2, 64), image)
    found = cropped(image, torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), 0.25, 32)
    assert found.shape == (5, 3, 32, 32)
    # The first part lost its right quarter, the second its left.
    assert float(found[0].max()) < 0.55 and float(found[4].min()) > -0.55
    assert jittered(image, torch.rand(5, 3), 0.0) is image
    moved = jittered(image, torch.rand((5, 3), generator=torch.Generator().manual_seed(5)), 0.3)
    assert float(moved.abs().max()) <= 1 and not torch.equal(moved, image)
