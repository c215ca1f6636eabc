"""Whatever is wrong with examples is said before training, in one line that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pairs import folders, grey, labels, learn, photo, source

from dreamplate.errors import ConfigError, DreamplateError, MediaError
from dreamplate.plate import LabelClass, Palette, Plate, write
from dreamplate.train.data import open_examples
from dreamplate.train.options import AugmentOptions


def says(data: Path, *words: str, kind: type[DreamplateError] = MediaError, **options: object) -> None:
    with pytest.raises(kind) as caught:
        learn(data, **options)
    text = str(caught.value)
    assert "\n" not in text and all(word in text for word in words), text


def with_labels(data: Path, count: int = 3) -> Path:
    for number in range(count):
        labels(data / "label" / f"{number}.png", number)
        photo(data / "photo" / f"{number}.png", number)
    return data


def test_nothing_there(tmp_path: Path) -> None:
    says(tmp_path / "nowhere", "nowhere", "does not exist")
    (tmp_path / "notes.txt").write_text("x")
    says(tmp_path, "no pictures")
    says(tmp_path / "notes.txt", "no folder")
    says(tmp_path / "s-{00..03}.tar", "s-00.tar", "no such tar")


def test_no_conditions_or_no_images(tmp_path: Path) -> None:
    photo(tmp_path / "x.png", 0)
    says(tmp_path, "--source.condition", "--source.pairing images", kind=ConfigError)
    says(tmp_path, "'masks'", "x.png", kind=ConfigError, condition="masks")
    labels(tmp_path / "lab" / "label" / "x.png", 0)
    says(tmp_path / "lab", "no images")
    photo(tmp_path / "lab" / "elsewhere" / "y.png", 0)
    says(tmp_path / "lab", "--source.image", kind=ConfigError)
    says(tmp_path / "lab", "unpaired", kind=ConfigError, pairing="unpaired")


def test_counts_differ(tmp_path: Path) -> None:
    (folders(tmp_path) / "input" / "004.png").unlink()
    says(tmp_path, "image/004.png", "has no condition", "6 of image, 5 of condition")
    examples = learn(tmp_path, skip_bad=True)
    assert len(examples) == 5 and "004" in examples.left_out[0] and "left out" in examples.notices[-1]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    folders(tmp_path, 2)
    photo(tmp_path / "image" / "001.jpg", 1)
    says(tmp_path, "image/001.png", "is called like", "001.jpg")


@pytest.mark.parametrize("role", ["input", "image"])
def test_sizes_of_a_pair_differ(tmp_path: Path, role: str) -> None:
    photo(folders(tmp_path) / role / "003.png", 3, (8, 11))
    says(tmp_path, "input/003.png", "image/003.png", "11x8", "10x8")


def test_examples_that_cannot_be_cut(tmp_path: Path) -> None:
    photo(folders(tmp_path) / "input" / "003.png", 3, (8, 12))
    photo(tmp_path / "image" / "003.png", 3, (8, 12))
    says(tmp_path, "003", "12x8", "10x8", "--source.crop")
    says(tmp_path, "10x8", "12x12", "--source.shortest", crop=(12, 12))
    assert learn(tmp_path, crop=(8, 8)).batch([0, 3], None).size == (8, 8)
    assert learn(tmp_path, crop=(12, 12), shortest=12).batch([0, 3], None).size == (12, 12)


def test_label_outside_the_palette(tmp_path: Path) -> None:
    with_labels(tmp_path)
    palette = tmp_path / "palette.json"
    palette.write_text(json.dumps(Palette(tuple(LabelClass(n, str(n)) for n in range(3))).to_json()))
    values = labels(tmp_path / "label" / "0.png", 0, classes=3)
    labels(tmp_path / "label" / "1.png", 1, classes=3)
    values[2, 4:6] = 200
    grey(tmp_path / "label" / "2.png", values)
    says(tmp_path, "label/2.png", "label value 200 (2 pixels)", "column 4, row 2", "'unknown'")
    says(tmp_path, "label value 200", skip_bad=True)  # it is readable; leaving it out would hide a mistake
    # The same is found in a validation split, against the ports of a model.
    good = learn(with_labels(tmp_path / "good"))
    ports = (good.given, good.made)
    with pytest.raises(MediaError, match="label value 200"):
        open_examples(tmp_path, source(), AugmentOptions(), "train", 0, ports)


def test_pictures_taken_for_labels(tmp_path: Path) -> None:
    folders(tmp_path, 2)
    says(tmp_path, "000.png", "--source.palette", kind=ConfigError, condition_kind="labels")
    for number in range(2):
        grey(tmp_path / "x" / "label" / f"{number}.png", np.arange(2048).reshape(32, 64) * 31, 16)
        photo(tmp_path / "x" / "photo" / f"{number}.png", number, (32, 64))
    says(tmp_path / "x", "2048 different values", "picture", kind=ConfigError)


def test_16_bit_grey_among_photographs(tmp_path: Path) -> None:
    folders(tmp_path)
    grey(tmp_path / "image" / "002.png", np.full((8, 10), 1000), 16)
    says(tmp_path, "image/002.png", "16-bit grey where RGB is expected")
    grey(
        tmp_path / "image" / "002.png", np.full((8, 10), 100)
    )  # a black and white photograph is none the worse
    image = learn(tmp_path).batch([2], None).image
    assert image.shape[1] == 3 and bool((image[:, 0] == image[:, 2]).all())


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "renamed"])
def test_one_bad_file_among_many(tmp_path: Path, damage: str) -> None:
    folders(tmp_path, 20, (4, 4))
    bad = tmp_path / "image" / "013.png"
    if damage == "cut":
        bad.write_bytes(bad.read_bytes()[:60])
    elif damage == "renamed":
        photo(tmp_path / "other.jpg", 0, (4, 4))
        bad.write_bytes((tmp_path / "other.jpg").read_bytes())
        (tmp_path / "other.jpg").unlink()
    else:
        bad.write_bytes(b"hello" if damage == "text" else b"")
    says(tmp_path, "image/013.png", "--source.skip-bad")
    examples = learn(tmp_path, skip_bad=True)
    assert len(examples) == 19 and "013" not in examples.names and len(examples.left_out) == 1
    assert "013.png" in examples.left_out[0] and "013.png" in examples.notices[-1]
    # Those after it moved up, with what was kept of them.
    sound = folders(tmp_path / "sound", 20, (4, 4))
    wanted = learn(sound).batch([15, 19], None)
    assert (examples.batch([14, 18], None).image == wanted.image).all()


def test_all_files_bad(tmp_path: Path) -> None:
    for path in folders(tmp_path, 3).rglob("*.png"):
        path.write_bytes(b"")
    says(tmp_path, "000.png", "2 more", "is empty")
    says(tmp_path, "no example", skip_bad=True)


def test_damaged_shard(tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(b"\x1f\x8b" + b"x" * 2000)
    says(tmp_path / "s.tar", "s.tar", "unpacked to .tar")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_light_that_is_no_number(tmp_path: Path, value: float) -> None:
    for number in range(2):
        pixels = np.full((4, 4, 3), 0.5, np.float32)
        pixels[1, 2, 0] = value if number else 0.5
        for role in ("input", "target"):
            (tmp_path / role).mkdir(exist_ok=True)
            write(Plate(pixels, colourspace="scene_linear"), tmp_path / role / f"{number}.exr")
    says(tmp_path, "1.exr", "NaN or infinite", "column 2, row 1")


def test_layers_that_are_not_there(tmp_path: Path) -> None:
    write(Plate(np.zeros((4, 4, 4), np.float32), ("R", "G", "B", "Z")), tmp_path / "a.exr")
    says(tmp_path, "a.exr", "'N'", "R G B Z", condition="layer:N", image="layer:rgb")
    says(tmp_path, "layer:", kind=ConfigError, condition="Z", image="layer:rgb")
    says(tmp_path, "names no layer", kind=ConfigError, condition="layer:", image="layer:rgb")


def test_odd_width_side_by_side(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 0, (4, 7))
    says(tmp_path, "a.png", "7 pixels wide", "even", layout="aligned")


def test_palette_without_labels(tmp_path: Path) -> None:
    folders(tmp_path, 2)
    (tmp_path / "p.json").write_text(json.dumps([{"id": 0, "name": "a"}]))
    says(tmp_path, "palette", kind=ConfigError, condition_kind="picture", palette=tmp_path / "p.json")
