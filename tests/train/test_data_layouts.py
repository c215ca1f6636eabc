"""Every way in which examples may lie on disk, and what is found out about them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pairs import STILL, folders, grey, labels, learn, photo, shard, source

from dreamplate.errors import ConfigError
from dreamplate.plate import LabelClass, Palette, Plate, write
from dreamplate.train.data import Examples, open_examples


def alike(examples: Examples) -> None:
    """Hold every image against its condition: the helper writes the same picture twice."""
    batch = examples.batch(range(len(examples)), None)
    assert batch.condition is not None and torch.equal(batch.condition, batch.image)
    assert len({tuple(image.flatten().tolist()) for image in batch.image}) == len(examples)


def test_two_folders(tmp_path: Path) -> None:
    examples = learn(folders(tmp_path))
    assert examples.names == tuple(f"{n:03d}" for n in range(6))
    alike(examples)
    values = photo(tmp_path / "other.png", 3)
    made = examples.batch([3], None).image[0]
    assert torch.allclose(made, torch.from_numpy(values).permute(2, 0, 1) / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("shape", ["{split}/{role}", "{role}/{split}", "{split}_{role}", "{split}{role}"])
def test_splits_in_folder_names(tmp_path: Path, shape: str) -> None:
    for split, count in (("train", 3), ("val", 2)):
        for role in ("a", "b"):
            for number in range(count):
                photo(tmp_path / shape.format(split=split, role=role) / f"{number}.png", number)
    examples = learn(tmp_path)
    assert len(examples) == 3 and examples.names[0] == "train/0"
    alike(examples)
    assert len(open_examples(tmp_path, source(), STILL, "validate", 0)) == 2


def test_suffixes_of_names(tmp_path: Path) -> None:
    values = [labels(tmp_path / f"{name}_label.png", n) for n, name in enumerate("xyz")]
    for n, name in enumerate("xyz"):
        photo(tmp_path / f"{name}.png", n)
        grey(tmp_path / f"{name}_inst.png", values[n] * 1000 + 7, 16)
    examples = learn(tmp_path)
    batch = examples.batch([0, 1, 2], None)
    assert examples.given is not None and examples.given.instances and examples.given.width == 5
    assert batch.labels is not None and batch.instances is not None
    assert np.array_equal(batch.labels.numpy(), np.stack(values))
    assert torch.equal(batch.instances, batch.labels * 1000 + 7)
    assert "4 classes" in examples.notices[0]
    assert learn(tmp_path, instances="none").batch([0], None).instances is None


def test_patterns_pair_numbers_of_any_padding(tmp_path: Path) -> None:
    for number in range(1, 5):
        photo(tmp_path / "edge" / f"edge.{number:04d}.png", number)
        photo(tmp_path / "final" / f"shot_v2.{number}.png", number)
    examples = learn(tmp_path, condition="edge/edge.####.png", image="final/shot_v2.%d.png")
    assert examples.names == ("1", "2", "3", "4")
    alike(examples)
    some = learn(tmp_path, condition="edge/edge.####.png 2-4x2", image="final/shot_v2.%d.png 2-4x2")
    assert some.names == ("2", "4")
    for shot in ("sh010", "sh020"):
        for role in ("a", "b"):
            photo(tmp_path / "shots" / shot / role / "f.0001.png", 5)
    shots = learn(tmp_path / "shots", condition="*/a/f.####.png", image="*/b/f.####.png")
    assert shots.names == ("sh010/1", "sh020/1")


def test_one_picture_holds_both(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 16, 3), dtype=np.uint8)
    for number in range(2):
        (tmp_path / "train").mkdir(exist_ok=True)
        write(Plate.from_rgb(pixels[number], "srgb_display"), tmp_path / "train" / f"{number}.png")
    whole = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
    for swap in (False, True):
        examples = learn(tmp_path, swap=swap)
        assert "side by side" in examples.notices[0]
        batch = examples.batch([0, 1], None)
        assert batch.condition is not None
        sides = [batch.condition, batch.image][:: -1 if swap else 1]
        assert torch.allclose(torch.cat(sides, 3), whole, atol=1e-6)
        assert torch.equal(
            learn(tmp_path, swap=swap, layout="aligned").batch([0, 1], None).image, batch.image
        )


def test_layers_of_one_file(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(3):
        normals = generator.uniform(-1, 1, (8, 8, 3)).astype(np.float32)
        depth = generator.uniform(2, 40, (8, 8, 1)).astype(np.float32)
        depth[:2, :2, 0] = (np.inf, 1e10)  # nothing there
        light = generator.uniform(0, 9, (8, 8, 4)).astype(np.float32)
        pixels = np.concatenate([light, normals, depth], axis=2)
        write(
            Plate(pixels, ("R", "G", "B", "A", "N.x", "N.y", "N.z", "Z")),
            tmp_path / f"shot.{number:04d}.exr",
            depth="float",
        )
    examples = learn(tmp_path, condition="layer:N,Z", image="layer:rgba")
    given, made = examples.given, examples.made
    assert given is not None and given.channels == ("N.x", "N.y", "N.z", "Z") and given.encoding == "raw"
    assert given.low[:3] == (-1, -1, -1) and given.high[:3] == (1, 1, 1)
    assert 2 <= given.low[3] < 4 and 36 < given.high[3] <= 40
    assert made.channels == ("R", "G", "B", "A") and made.encoding == "log"
    batch = examples.batch([0, 1, 2], None)
    assert batch.condition is not None
    assert float(batch.condition.abs().max()) <= 1 and bool((batch.condition[:, 3, :2, :2] == 1).all())
    fixed = learn(
        tmp_path, condition="layer:Z", image="layer:rgb", ranges={"Z": (0.0, 100.0)}, encoding="linear"
    )
    assert fixed.given is not None and (fixed.given.low, fixed.given.high) == ((0.0,), (100.0,))
    assert fixed.made.encoding == "scene_linear" and 8 < fixed.made.high[0] < 10
    with pytest.raises(ConfigError, match=r"ranges.*'depth'"):
        learn(tmp_path, condition="layer:Z", image="layer:rgb", ranges={"depth": (0.0, 1.0)})


def test_labels_in_a_layer(tmp_path: Path) -> None:
    for number in range(2):
        ids = np.random.default_rng(number).integers(3, 6, (4, 4, 1)).astype(np.float32)
        pixels = np.concatenate([np.full((4, 4, 3), 0.5, np.float32), ids], axis=2)
        write(Plate(pixels, ("R", "G", "B", "id")), tmp_path / f"{number}.exr")
    examples = learn(tmp_path, condition="layer:id", condition_kind="labels")
    assert (
        examples.given is not None
        and examples.given.channels == ("id",)
        and len(examples.given.palette or ()) == 3
    )
    assert examples.batch([0, 1], None).labels is not None


@pytest.mark.parametrize("nested", [False, True])
def test_shards_are_what_their_contents_are(tmp_path: Path, nested: bool) -> None:
    for number in range(6):
        where = tmp_path / f"part{number % 2}" / ("train" if nested else "")
        labels(where / f"{number:03d}.label.png", number)
        photo(where / f"{number:03d}.photo.png", number)
    (tmp_path / "tars").mkdir()
    for part in range(2):
        shard(tmp_path / f"part{part}", tmp_path / "tars" / f"s-{part:02d}.tar")
    loose = tmp_path / "loose"
    for number in range(6):
        labels(loose / "label" / f"{number:03d}.png", number)
        photo(loose / "photo" / f"{number:03d}.png", number)
    wanted = learn(loose).batch(range(6), None)
    for data in (
        tmp_path / "tars",
        tmp_path / "tars" / "s-{00..01}.tar",
        tmp_path / "tars" / "s-{00,01}.tar",
    ):
        examples = learn(data)
        found = examples.batch(range(6), None)
        assert examples.names == tuple(f"{n:03d}" for n in range(6))
        assert torch.equal(found.image, wanted.image)
        assert found.labels is not None and wanted.labels is not None
        assert torch.equal(found.labels, wanted.labels)
    one = learn(tmp_path / "tars" / "s-00.tar", condition="label.png", image="photo.png")
    assert one.names == ("000", "002", "004")


def test_several_answers(tmp_path: Path) -> None:
    for number in range(2):
        photo(tmp_path / "photo" / f"a_{number}.png", number)
        for answer in range(2 + number):
            photo(tmp_path / "sketch" / f"a_{number}_{answer + 1}.png", 10 * number + answer)
    examples = learn(tmp_path, condition="photo", image="sketch")
    batch = examples.batch([0, 1], None)
    assert batch.targets is not None and batch.targets.shape[:2] == (2, 3)
    assert torch.equal(batch.targets[:, 0], batch.image)
    assert torch.equal(batch.targets[0, 2], batch.targets[0, 0])  # it has two: the first comes again
    assert not torch.equal(batch.targets[0, 0], batch.targets[0, 1])
    for place in sorted((tmp_path / "sketch").iterdir()):
        key, _, answer = place.stem.rpartition("_")
        (tmp_path / "drawn" / key).mkdir(parents=True, exist_ok=True)
        place.rename(tmp_path / "drawn" / key / f"{answer}.png")
    again = learn(tmp_path, condition="photo", image="drawn").batch([0, 1], None)
    assert again.targets is not None and torch.equal(again.targets, batch.targets)


def test_weights_count_where_there_are_some(tmp_path: Path) -> None:
    folders(tmp_path, 2)
    values = np.zeros((8, 10))
    values[:, 5:] = 255
    grey(tmp_path / "weight" / "001.png", values)
    weight = learn(tmp_path).batch([0, 1], None).weight
    assert weight is not None and weight.shape == (2, 1, 8, 10)
    assert bool((weight[0] == 1).all()) and torch.equal(weight[1, 0].double(), torch.from_numpy(values / 255))


def test_images_alone_and_unpaired(tmp_path: Path) -> None:
    for number in range(5):
        photo(tmp_path / "trainB" / f"x{number}.png", number)
    for number in range(3):
        photo(tmp_path / "trainA" / f"y{number}.png", 50 + number)
    both = learn(tmp_path, pairing="unpaired")
    assert len(both) == 5 and both.given is not None
    batch = both.batch([0, 3, 4], None)
    assert batch.condition is not None and torch.equal(batch.condition[0], batch.condition[1])
    alone = learn(tmp_path / "trainB", pairing="images")
    assert alone.given is None and len(alone) == 5 and alone.batch([0], None).condition is None


def test_palettes_that_lie_beside(tmp_path: Path) -> None:
    for number in range(3):
        labels(tmp_path / "label" / f"{number}.png", number)
        photo(tmp_path / "photo" / f"{number}.png", number)
    about = {"classes": ["sky", "road", "void", "tree"], "colours": [[n, n, n] for n in range(4)]}
    (tmp_path / "source.json").write_text(json.dumps(about))
    given = learn(tmp_path).given
    assert given is not None and given.palette is not None
    assert (
        given.palette.names == ("sky", "road", "tree") and given.palette.unknown == (2,) and given.width == 4
    )
    own = Palette(tuple(LabelClass(n, f"own {n}") for n in (3, 2, 1, 0)))
    (tmp_path / "palette.json").write_text(json.dumps(own.to_json()))
    assert learn(tmp_path).given.palette == own  # type: ignore[union-attr]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(Palette(tuple(LabelClass(n, f"given {n}") for n in range(9))).to_json()))
    assert len(learn(tmp_path, palette=other).given.palette) == 9  # type: ignore[union-attr, arg-type]
    assert learn(tmp_path, condition_kind="picture").given.kind == "picture"  # type: ignore[union-attr]


def test_classes_of_the_validation_split_alone_are_classes(tmp_path: Path) -> None:
    for split, value in (("train", 1), ("val", 9)):
        grey(tmp_path / split / "label" / "0.png", np.full((4, 4), value))
        photo(tmp_path / split / "photo" / "0.png", 0, (4, 4))
    examples = learn(tmp_path)
    assert examples.given is not None and [c.id for c in examples.given.palette.classes] == [1, 9]  # type: ignore[union-attr]


def test_encodings_follow_the_values(tmp_path: Path) -> None:
    for peak, wanted in ((0.9, "srgb_display"), (7.0, "log")):
        for number in range(2):
            for role in ("input", "target"):
                place = tmp_path / str(peak) / role / f"{number}.exr"
                place.parent.mkdir(parents=True, exist_ok=True)
                write(Plate(np.full((4, 4, 3), peak if role == "target" else 0.5, np.float32)), place)
        examples = learn(tmp_path / str(peak))
        assert examples.made.encoding == wanted
        assert examples.given is not None and examples.given.encoding == "srgb_display"
