"""The order of examples, and which split they are in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dreamplate.errors import ConfigError, MediaError
from dreamplate.train.data import batch_indices
from dreamplate.train.data.splits import choose_split, named_splits
from dreamplate.train.options import SourceOptions

NAMES = [f"shot/{number:04d}" for number in range(200)]
NONE = [""] * len(NAMES)


@pytest.mark.parametrize(("batch", "count"), [(1, 7), (3, 7), (8, 5), (7, 7)])
def test_every_epoch_is_a_permutation(batch: int, count: int) -> None:
    order = [index for step in range(5 * count) for index in batch_indices(3, step, batch, count)]
    epochs = [order[start : start + count] for start in range(0, len(order), count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_order_depends_on_seed_and_step_alone() -> None:
    assert batch_indices(0, 40, 4, 9) == batch_indices(0, 40, 4, 9)
    assert [batch_indices(0, s, 4, 9) for s in range(9)] != [batch_indices(1, s, 4, 9) for s in range(9)]
    with pytest.raises(ValueError, match="count"):
        batch_indices(0, 0, 1, 0)


def test_holdout_is_a_partition_that_growth_does_not_change() -> None:
    options = SourceOptions(holdout=0.2)
    train = choose_split(NAMES, NONE, options, "train", 0)
    held = choose_split(NAMES, NONE, options, "validate", 0)
    assert sorted(train + held) == list(range(200)) and 20 < len(held) < 60
    fewer = choose_split(NAMES[:120], NONE[:120], options, "validate", 5)
    assert fewer == [index for index in held if index < 120]


@pytest.mark.parametrize("count", [2, 3])
def test_very_few_examples_are_on_both_sides(count: int) -> None:
    for share in (0.001, 0.999):
        options = SourceOptions(holdout=share)
        for split in ("train", "validate"):
            assert choose_split(NAMES[:count], NONE[:count], options, split, 0)  # type: ignore[arg-type]
    assert choose_split(NAMES, NONE, SourceOptions(holdout=0), "validate", 0) == []


def test_a_smaller_share_is_part_of_a_larger_one() -> None:
    shares = [
        set(choose_split(NAMES, NONE, SourceOptions(holdout=0, share=share), "train", 1))
        for share in (0.1, 0.25, 0.5, 1.0)
    ]
    assert [len(share) for share in shares] == [20, 50, 100, 200]
    assert shares[0] < shares[1] < shares[2] < shares[3]
    other = choose_split(NAMES, NONE, SourceOptions(holdout=0, share=0.25), "train", 2)
    assert set(other) != shares[1]


def test_named_splits_win_and_the_first_that_exists_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"train": ["0001.png", "shot/0002"], "test": ["0003"]}))
    splits = named_splits(NAMES, path)
    assert choose_split(NAMES, splits, SourceOptions(), "train", 0) == [1, 2]
    assert choose_split(NAMES, splits, SourceOptions(), "validate", 0) == [3]
    with pytest.raises(ConfigError, match=r"train_on.*test"):
        choose_split(NAMES, splits, SourceOptions(train_on=("learn",)), "train", 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSON"),
        ("[]", "write"),
        ('{"train": 3}', "write"),
        ('{"train": ["nobody"]}', "'nobody'"),
        ('{"train": ["0001"], "val": ["0001"]}', "keep it in one"),
    ],
)
def test_splits_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        named_splits(NAMES, path)
    with pytest.raises(MediaError, match="nothing"):
        named_splits(NAMES, tmp_path / "nothing.json")
