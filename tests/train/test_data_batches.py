"""What a step sees: the same however it is made."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from pairs import STILL, folders, labels, learn, photo, source

from dreamplate.plate import Plate
from dreamplate.plate.label_files import LabelMap
from dreamplate.train import Batch, Draws, Port
from dreamplate.train.data import RawExample, batch_indices, examples_of
from dreamplate.train.data.prepare import pack, unpack
from dreamplate.train.options import AugmentOptions
from dreamplate.train.plates import encode_plate, hold_data

WILD = AugmentOptions(flip=True, rotate=20, zoom=1.5, colour=0.3)
PLACED = AugmentOptions(flip=True, rotate=20, zoom=1.5)


def equal(one: Batch, other: Batch) -> None:
    for field in fields(Batch):
        first, second = getattr(one, field.name), getattr(other, field.name)
        if isinstance(first, torch.Tensor):
            assert torch.equal(first, second), field.name
        else:
            assert first == second, field.name


def with_labels(data: Path, count: int = 6) -> Path:
    for number in range(count):
        labels(data / "label" / f"{number}.png", number, (20, 24))
        labels(data / "inst" / f"{number}.png", 50 + number, (20, 24), classes=200)
        photo(data / "photo" / f"{number}.png", number, (20, 24))
    return data


@pytest.mark.parametrize(
    "options",
    [
        {"crop": (12, 10)},
        {"crop": (12, 10), "shortest": 16},
        {"crop": (8, 8), "shortest": 11, "stretch": True},
    ],
)
@pytest.mark.parametrize("augment", [STILL, PLACED])
def test_condition_and_image_alike_stay_alike(
    tmp_path: Path, augment: AugmentOptions, options: dict[str, object]
) -> None:
    examples = learn(folders(tmp_path, 4, (20, 24)), augment, **options)
    for step in range(3):
        batch = examples.batch([0, 1, 2, 3], Draws(0, step))
        assert batch.condition is not None and torch.equal(batch.condition, batch.image)
        assert batch.size == options["crop"][::-1]  # type: ignore[index]


def test_colour_changes_the_condition_alone(tmp_path: Path) -> None:
    data = folders(tmp_path, 4, (20, 24))
    plain, coloured = learn(data, PLACED, crop=(12, 10)), learn(data, WILD, crop=(12, 10))
    one, other = plain.batch([0, 1], Draws(0, 0)), coloured.batch([0, 1], Draws(0, 0))
    assert torch.equal(one.image, other.image)
    assert one.condition is not None and other.condition is not None
    assert not torch.equal(one.condition, other.condition)


def test_labels_get_no_new_ids_and_move_with_the_ids(tmp_path: Path) -> None:
    for number in range(3):
        values = labels(tmp_path / "label" / f"{number}.png", number, (20, 24), classes=3) * 1
        photo(tmp_path / "photo" / f"{number}.png", number, (20, 24))
        labels(tmp_path / "inst" / f"{number}.png", number, (20, 24), classes=3)
        assert values.max() == 2
    examples = learn(tmp_path, WILD, crop=(12, 12), shortest=16)
    for step in range(4):
        batch = examples.batch([0, 1, 2], Draws(0, step))
        assert batch.labels is not None and batch.instances is not None
        assert torch.equal(batch.labels, batch.instances)  # they were written alike
        assert set(batch.labels.flatten().tolist()) <= {0, 1, 2}


def test_a_step_is_what_its_draws_say(tmp_path: Path) -> None:
    data = with_labels(tmp_path)
    examples = learn(data, WILD, crop=(12, 12))
    wanted = examples.batch([1, 2, 5], Draws(0, 7))
    again = learn(data, WILD, crop=(12, 12))
    again.batch([0, 1], Draws(0, 6))
    equal(again.batch([1, 2, 5], Draws(0, 7)), wanted)
    used = Draws(0, 7)
    used.uniform((3,))
    equal(again.batch([1, 2, 5], used), wanted)
    assert not torch.equal(again.batch([1, 2, 5], Draws(0, 8)).image, wanted.image)


@pytest.mark.parametrize("options", [{"crop": (12, 12)}, {"crop": (12, 12), "shortest": 14}])
def test_neither_memory_nor_making_ahead_changes_a_batch(tmp_path: Path, options: dict[str, object]) -> None:
    data = with_labels(tmp_path)
    plain = learn(data, WILD, **options)
    small, tiny = learn(data, WILD, cache="6kB", **options), learn(data, WILD, cache="1B", **options)
    steps = [(batch_indices(0, step, 4, 6), Draws(0, step)) for step in range(5)]
    for indices, draws in steps:
        small.ahead(indices, draws)
    for indices, draws in steps[::-1]:
        wanted = plain.batch(indices, draws)
        equal(small.batch(indices, draws), wanted)
        equal(tiny.batch(indices, draws), wanted)


def test_what_is_made_ahead_and_never_fetched_is_forgotten(tmp_path: Path) -> None:
    examples = learn(folders(tmp_path, 2))
    for step in range(50):
        examples.ahead([0], Draws(0, step))
        examples.ahead([0], Draws(0, step))
    assert len(examples._waiting) <= 8
    equal(examples.batch([0], Draws(0, 0)), examples.batch([0], Draws(0, 0)))


def test_two_processes_make_the_batch_of_one(tmp_path: Path) -> None:
    examples = learn(with_labels(tmp_path), WILD, crop=(12, 12))
    indices = batch_indices(0, 3, 6, 6)
    wanted = examples.batch(indices, Draws(0, 3))
    for rank, part in enumerate((indices[:3], indices[3:])):
        share = examples.batch(part, Draws(0, 3, rank=rank, world=2))
        equal(share, wanted.part(rank * 3, rank * 3 + 3))


def test_measuring_varies_nothing(tmp_path: Path) -> None:
    examples = learn(folders(tmp_path, 2, (20, 24)), WILD, crop=(12, 10))
    whole = examples.whole(1)
    assert whole.size == (20, 24) and whole.condition is not None
    seen = examples.batch([1], None)
    assert torch.equal(seen.image, whole.image[:, :, 5:15, 6:18])
    assert torch.equal(seen.image, examples.batch([1], None).image)
    # Where the original programs stretch, they test the whole picture at the size of the crop.
    stretched = learn(tmp_path, WILD, crop=(8, 8), shortest=11, stretch=True)
    test = stretched.batch([0], None)
    assert test.size == (8, 8)
    assert abs(float(test.image.mean() - stretched.whole(0).image.mean())) < 0.1


def test_packing_is_exact_for_8_bits_and_close_for_the_rest() -> None:
    levels = torch.arange(256).float() / 127.5 - 1
    assert pack(levels).dtype == torch.uint8 and torch.allclose(unpack(pack(levels)), levels, atol=1e-7)
    for values in (torch.rand(999) * 2 - 1, torch.rand(999) * 9):
        packed = pack(values)
        assert packed.dtype == torch.float16
        assert bool(((unpack(packed) - values).abs() <= 2**-11 * values.abs().clamp(min=1)).all())
    assert pack(torch.tensor([1e6])).dtype == torch.float32


def test_depth_where_nothing_was_hit_is_as_far_as_the_model_knows() -> None:
    pixels = np.array(
        [[[0.2, np.inf], [7.0, np.nan]], [[-1.0, -np.inf], [0.5, 1e10]], [[2.0, 4.0]] * 2], np.float32
    )
    port = Port(channels=("Y", "Z"), low=(0.0, 2.0), high=(1.0, 10.0))
    held = hold_data(Plate(pixels, ("Y", "Z")), port)
    assert held.channel("Z").tolist() == [[10, 10], [2, 10], [4, 4]]
    assert np.array_equal(held.channel("Y"), pixels[:, :, 0])  # light is not touched
    assert float(encode_plate(port, held)[0, 1].abs().max()) <= 1


class Drawn:
    """Examples that a program draws on demand."""

    def __init__(self, *, labelled: bool = False) -> None:
        self.labelled = labelled

    def __len__(self) -> int:
        return 5

    def name(self, index: int) -> str:
        return f"drawn {index}"

    def split(self, index: int) -> str:
        return "val" if index == 4 else "train"

    def read(self, index: int) -> RawExample:
        values = np.random.default_rng(index).random((8, 8, 3), np.float32)
        image = Plate(values * 2, colourspace="scene_linear")
        ids = (values[:, :, 0] * 3).astype(np.int64)
        return RawExample((image,), LabelMap(ids) if self.labelled else Plate(values[:, :, :1], ("Z",)))


@pytest.mark.parametrize("labelled", [False, True])
def test_a_program_may_make_the_examples(labelled: bool) -> None:
    examples = examples_of(Drawn(labelled=labelled), source(), STILL, "train", 0)
    assert len(examples) == 4 and examples.made.encoding == "log" and examples.given is not None
    assert examples.given.kind == ("labels" if labelled else "picture")
    batch = examples.batch([0, 1], Draws(0, 0))
    assert (batch.labels if labelled else batch.condition) is not None
    ports = (examples.given, examples.made)
    assert len(examples_of(Drawn(labelled=labelled), source(), STILL, "validate", 0, ports)) == 1
