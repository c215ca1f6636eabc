"""Laws of DALL-E's training: it learns to obey captions, resumes exactly, and measures what it says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_codec import WORDS, ToyCodec, seen, squares

from dreamplate.errors import ConfigError, MediaError
from dreamplate.tokens import dalle_system
from dreamplate.tokens.dalle_config import DalleOptions
from dreamplate.tokens.dalle_system import DalleSystem, build, find_words, spoken, token_losses
from dreamplate.tokens.words import Vocabulary
from dreamplate.train.draws import Draws
from dreamplate.train.options import LearnOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import Model, load_model, save_model


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the toy codec in place of any other; return a file of its captions' words."""
    monkeypatch.setattr(dalle_system, "load_codec", lambda name: ToyCodec())
    path = tmp_path / "words.txt"
    path.write_text(" ".join(WORDS))
    return str(path)


def config(words: str, seed: int = 0, **options: object) -> TrainConfig:
    learn = LearnOptions(rate=3e-3, betas=(0.9, 0.95), precision="float32", decay_from=1.0, clip=1.0)
    given = {"text": 8, "layers": 2, "width": 48, "heads": 4} | options
    made = DalleOptions(vocabulary=words, **given)  # type: ignore[arg-type]
    source = SourceOptions(pairing="images", crop=(24, 24))
    return TrainConfig(system="dalle", seed=seed, learn=learn, source=source, dalle=made)


def taught(system: DalleSystem, start: int, stop: int) -> DalleSystem:
    for step in range(start, stop):
        figures = system.learn(
            squares(step % 20), Now(step, step * 16, step / 10, step / 100, Draws(0, step))
        )
        assert all(math.isfinite(float(value)) and not value.requires_grad for value in figures.values())
    return system


def test_it_learns_to_obey_captions(words: str) -> None:
    system = taught(build(config(words), None, Port()), 0, 90)
    unseen = squares(999, 24)
    made = system.make(unseen, system.generator.eval(), Draws(0))
    assert made.shape == unseen.image.shape and float(made.min()) >= -1 and float(made.max()) <= 1
    told = [tuple(texts[0].split()[index] for index in (1, -1)) for texts in unseen.texts]
    obeyed = sum(seen(picture) == wish for picture, wish in zip(made, told, strict=True))
    assert obeyed >= 21, obeyed
    with torch.no_grad():
        figures = system.figures(system.measure(unseen, system.generator))
    assert figures["image_bits_per_token"] < 0.6 * math.log2(27)
    assert figures["image_bits_per_token"] < figures["image_without_text_bits_per_token"]
    assert figures["text_bits_per_token"] < 1.5


def test_resumes_exactly(words: str) -> None:
    whole = taught(build(config(words), None, Port()), 0, 6)
    first = taught(build(config(words), None, Port()), 0, 3)
    second = build(config(words, seed=7), None, Port())
    second.load_state_dict(first.state_dict())
    taught(second, 3, 6)
    for name, value in whole.generator.state_dict().items():
        assert torch.equal(value, second.generator.state_dict()[name]), name


def test_the_same_seed_gives_the_same_network(words: str) -> None:
    one, two, three = (build(config(words, seed), None, Port()) for seed in (4, 4, 5))
    pairs = zip(one.generator.parameters(), two.generator.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not all(
        torch.equal(a, b)
        for a, b in zip(one.generator.parameters(), three.generator.parameters(), strict=True)
    )


def test_a_picture_is_encoded_once_however_often_it_is_seen(words: str) -> None:
    system, calls = build(config(words), None, Port()), []
    find = system.codec.encode
    system.codec.encode = lambda image: calls.append(len(image)) or find(image)  # type: ignore[method-assign]
    images = squares(3, 5).image
    codes = system.shelf.encode(images)
    assert torch.equal(system.shelf.encode(images.flip(0)), codes.flip(0)) and calls == [1] * 5
    mirrored = system.shelf.encode(images.flip(3))
    assert torch.equal(mirrored.view(5, 6, 6), codes.view(5, 6, 6).flip(2))
    with pytest.raises(ConfigError, match=r"a picture is 20 x 24, the grid is of 24 x 24; use source\.crop"):
        system.shelf.encode(images[..., :20])


def test_losses_are_cross_entropy_and_what_it_divides_by() -> None:
    draws = torch.Generator().manual_seed(0)
    scores = torch.randn((2, 3, 7), generator=draws, dtype=torch.float32)
    tokens = torch.randint(7, (2, 3), generator=draws)
    loss, total = token_losses(scores, tokens)
    torch.testing.assert_close(loss.mean(), torch.nn.functional.cross_entropy(scores.mT, tokens))
    torch.testing.assert_close(total, scores.logsumexp(-1))


def test_a_text_is_judged_up_to_its_first_pad() -> None:
    known = Vocabulary(("a", "b"), 4)
    rows = torch.stack([known.encode(text) for text in ("a b", "", "a b a b")])
    assert spoken(rows, known).tolist() == [
        [True, True, True, False],
        [True, False, False, False],
        [True] * 4,
    ]


def test_figures_of_batches_add_up(words: str) -> None:
    system = build(config(words), None, Port())
    batch, network = squares(1, 6), system.generator.eval()
    with torch.no_grad():
        whole = system.measure(batch, network)
        parts = [system.measure(batch.part(start, start + 2), network) for start in (0, 2, 4)]
    for name, value in whole.items():
        assert value.dtype == torch.float64
        assert float(sum(part[name] for part in parts)) == pytest.approx(float(value), rel=1e-5), name
    figures = system.figures(whole)
    # Nothing is learnt yet, so every code is about as likely as any other.
    assert figures["image_bits_per_token"] == pytest.approx(math.log2(27), abs=0.2)


def test_a_model_file_needs_nothing_else(words: str, tmp_path: Path) -> None:
    system = build(config(words), None, Port())
    save_model(Model(system.generator, system.settings, None, Port()), tmp_path / "model.safetensors")
    read = load_model(tmp_path / "model.safetensors")
    assert read.settings["fingerprint"] == ToyCodec().fingerprint and read.settings["rows"] == 6
    batch = squares(2, 2)
    made = [system.make(batch, network, Draws(1)) for network in (system.generator.eval(), read.network)]
    assert torch.equal(*made)
    assert read.network.known().words == tuple(sorted(WORDS))


def test_words_are_found_in_captions_files_or_the_world(tmp_path: Path) -> None:
    from dreamplate.plate import Plate, write

    picture = Plate.from_rgb(torch.zeros(8, 8, 3).numpy())
    for name, caption in (("one", "a red square\nred"), ("two", "the sea")):
        write(picture, tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(caption)
    source = SourceOptions(pairing="images")
    assert find_words("data", tmp_path, source) == ("a", "red", "sea", "square", "the")
    assert find_words("world", tmp_path, source) == find_words("data", Path("world:count=2"), source)
    assert "lighthouse" in find_words("world", tmp_path, source)
    for path in tmp_path.glob("*.txt"):
        path.unlink()
    with pytest.raises(ConfigError, match="holds no captions"):
        find_words("data", tmp_path, source)
    with pytest.raises(MediaError, match="No such file"):
        find_words(str(tmp_path / "none.txt"), tmp_path, source)


def test_what_cannot_be_learnt_is_said_at_once(words: str) -> None:
    with pytest.raises(ConfigError, match="learns from pictures of red"):
        build(config(words), Port(), Port())
    with pytest.raises(ConfigError, match="name multiples of 4"):
        build(replace(config(words), source=SourceOptions(pairing="images", crop=(22, 24))), None, Port())
    with pytest.raises(ConfigError, match="examples have no captions"):
        build(config(words), None, Port()).learn(replace(squares(1), texts=()), Now(0, 0, 0, 0, Draws(0)))
