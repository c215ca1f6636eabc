"""A drawn world as training data: the same pictures every time, with words and passes, nothing on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.train.data import open_examples
from dreamplate.train.data.world import WorldData, is_world, parse_world
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions, SourceOptions

SOURCE = SourceOptions(crop=(32, 32))
AUGMENT = AugmentOptions(flip=False)


def test_what_stands_behind_the_name_is_read_whatever_folder_comes_before() -> None:
    said = "world:seed=7, count=40,size=64,condition=depth"
    assert is_world(Path(said)) and is_world(Path("/somewhere") / said) and not is_world(Path("worlds"))
    assert parse_world(Path("/somewhere") / said) == WorldData(7, 40, 64, "depth")
    assert parse_world(Path("world:")) == WorldData()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("world:sed=1", "seed"),
        ("world:size=0", "size"),
        ("world:size=100000", "size"),
        ("world:count=many", "count"),
        ("world:condition=smell", "condition"),
        ("world:64", "says nothing"),
    ],
)
def test_bad_worlds_are_refused_in_one_line(said: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as found:
        open_examples(Path(said), SOURCE, AUGMENT, "train", 0)
    assert "\n" not in str(found.value)


def test_pictures_come_with_words_and_their_labels_and_are_the_same_in_any_order() -> None:
    data = Path("world:seed=3,count=21,size=32,condition=label")
    learnt = open_examples(data, SOURCE, AUGMENT, "train", 0)
    held = open_examples(data, SOURCE, AUGMENT, "validate", 0, (learnt.given, learnt.made))
    assert (len(learnt), len(held)) == (20, 1) and not set(learnt.names) & set(held.names)
    assert learnt.given is not None and learnt.given.palette is not None
    assert learnt.given.palette.classes[0].name == "sky"
    batch = learnt.batch([4, 2], Draws(0, "a"))
    assert batch.image.shape == (2, 3, 32, 32) and batch.labels is not None
    assert int(batch.labels.max()) < len(learnt.given.palette)
    assert all(texts and all(texts) for texts in batch.texts)
    assert all({"time", "biome", "weather"} <= set(facts) for facts in batch.facts)
    again = open_examples(data, SOURCE, AUGMENT, "train", 0).batch([2, 4], None)
    assert torch.equal(again.image, batch.image.flip(0)) and again.texts == batch.texts[::-1]
    levels = (batch.image + 1) * 127.5
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert float(batch.image.std()) > 0.05
