"""Laws of DALL-E's training: it learns to obey captions, resumes exactly, and measures what it says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_codec import WORDS, ToyCodec, seen, squares

from dreamplate.errors import ConfigError
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
    system = taught(build(config(words), None, Port()), 0, 150)
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
