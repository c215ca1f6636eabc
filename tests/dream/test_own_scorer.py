"""Laws of the scorer of our own: a scorer like any other, that says what it does not understand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dreamplate.dream.own_scorer import OwnScorer, load_own, understood
from dreamplate.dream.scorers import Scorer, load_scorer, parse_spec
from dreamplate.errors import ConfigError, ModelError
from dreamplate.tokens.dual import DualEncoder
from dreamplate.train.port import Port
from dreamplate.translate.model import Model, save_model

KNOWN = frozenset({"a", "castle", "lighthouse", "at", "night", "two", "boats"})


def towers() -> DualEncoder:
    made = DualEncoder(48, 8, 24, 128, 16, 32, 1)
    made.randomise(torch.Generator().manual_seed(0))
    made.note_words(KNOWN)
    return made.eval()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    net = towers()
    save_model(Model(net, net.settings, None, Port()), path)
    return path


def test_is_a_scorer_of_any_size(file: Path) -> None:
    scorer = load_scorer(f"own:{file}")
    assert isinstance(scorer, Scorer) and isinstance(scorer, OwnScorer)
    assert (scorer.size, scorer.dim, scorer.flexible) == (48, 24, True)
    net = towers()
    for size in ((32, 32), (48, 48), (40, 65)):
        images = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(1), requires_grad=True)
        found = scorer.encode_image(images)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
        torch.testing.assert_close(found, net.encode_image(images * 2 - 1), atol=1e-5, rtol=1e-4)
        (gradient,) = torch.autograd.grad(found[:, 0].sum(), images)
        assert bool((gradient != 0).any()) and torch.isfinite(gradient).all()
    vectors, layers = scorer.encode_with_layers(images)
    torch.testing.assert_close(vectors, found)
    assert len(layers) == 12
    assert not scorer.encode_text(["a castle"]).requires_grad


def test_takes_and_model_files_are_read_alike(file: Path) -> None:
    by_folder, by_file = load_own(str(file.parent)), load_own(str(file))
    texts = ["a castle at night", "two boats"]
    assert torch.equal(by_folder.encode_text(texts), by_file.encode_text(texts))
    half = load_own(str(file), dtype=torch.bfloat16)
    images = torch.rand((2, 3, 48, 48), generator=torch.Generator().manual_seed(2))
    found = half.encode_image(images)
    assert found.dtype == torch.float32
    assert float((found * by_file.encode_image(images)).sum(1).min()) > 0.99


def test_words_never_read_are_taken_for_the_nearest_and_said() -> None:
    assert understood("A castle, at night!", KNOWN) == ("A castle, at night!", [])
    assert understood("a zeppelin", frozenset()) == ("a zeppelin", [])
    text, notes = understood("two lighthousse at night", KNOWN)
    assert text == "two lighthouse at night" and notes == [
        "never read 'lighthousse'; takes it for 'lighthouse'"
    ]
    text, notes = understood("a castle zyx zyx", KNOWN)
    assert text == "a castle" and notes == ["never read 'zyx'; leaves it out"]
    text, notes = understood("cas", KNOWN)
    assert text == "castle" and "takes it for 'castle'" in notes[0]


def test_what_was_not_understood_is_noted(file: Path) -> None:
    scorer = load_own(str(file))
    same = scorer.encode_text(["a castel", "a castle"])
    assert torch.equal(same[0], same[1])
    assert len(scorer.notices) == 1 and "'castel'" in scorer.notices[0]


def test_specs_name_it_with_a_model_or_without(file: Path) -> None:
    parts = parse_spec(f"2*own:{file} + own")
    assert [(part.weight, part.kind, part.argument) for part in parts] == [
        (2, "own", str(file)),
        (1, "own", ""),
    ]
    with pytest.raises(ConfigError, match="bridge takes nothing"):
        parse_spec("bridge:x")
    with pytest.raises(ModelError, match="no model is named 'no-such-scorer'"):
        load_scorer("own:no-such-scorer")
    with pytest.raises(ModelError, match=r"holds a .* network"):
        load_scorer("own:dvae-small")
    with pytest.raises(ModelError, match="sides from 32"):
        load_own(str(file)).encode_image(torch.zeros(1, 3, 16, 64))


def test_stands_in_where_the_extra_is_missing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamplate.dream import bridge, own_scorer
    from dreamplate.errors import MissingExtraError

    def missing(*_: object) -> None:
        raise MissingExtraError('the package is not installed: pip install "dreamplate[scorer]"')

    monkeypatch.setattr(bridge, "load_bridge", missing)
    monkeypatch.setattr(own_scorer, "BUILT_IN", str(file))
    scorer = load_scorer("auto")
    assert isinstance(scorer, OwnScorer) and "dreamplate[scorer]" in scorer.notices[0]
    both = load_scorer("auto + own")
    assert len(both.notices) == 1 and both.notices == []  # type: ignore[attr-defined]
    # Without the built-in scorer the extra is asked for.
    monkeypatch.setattr(own_scorer, "BUILT_IN", "no-such-scorer")
    with pytest.raises(MissingExtraError):
        load_scorer("auto")


def test_large_pictures_are_seen_at_the_best_size(file: Path) -> None:
    scorer = load_own(str(file))
    images = torch.rand((1, 3, 48, 60), generator=torch.Generator().manual_seed(3))
    large = images.repeat_interleave(2, 2).repeat_interleave(2, 3).requires_grad_()
    found = scorer.encode_image(large)
    assert float((found * scorer.encode_image(images)).sum().detach()) > 0.98
    (gradient,) = torch.autograd.grad(found[:, 0].sum(), large)
    assert bool((gradient.abs().sum((0, 1)) > 0).all())
