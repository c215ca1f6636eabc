"""Words of examples: captions and facts arrive with the pictures they belong to, whatever holds them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dreamplate.errors import MediaError
from dreamplate.plate import Plate, write
from dreamplate.train.data import open_examples
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions, SourceOptions

SOURCE = SourceOptions(pairing="images", crop=(0, 0), holdout=0.0)
NAMES = ("ash", "birch", "cedar", "date")
CAPTIONS = {name: [f"a {name}", f"one {name} tree"] for name in NAMES}
FACTS = {name: {"kind": name, "count": "1"} for name in NAMES}


def picture(path: Path, shade: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(Plate(np.full((8, 8, 3), shade, np.float32), ("R", "G", "B"), "srgb_display"), path)


def beside(folder: Path) -> Path:
    for number, name in enumerate(NAMES):
        picture(folder / f"{name}.png", number / 10)
        (folder / f"{name}.txt").write_text("\n".join(CAPTIONS[name]) + "\n\n", encoding="utf-8")
        (folder / f"{name}.json").write_text(json.dumps(FACTS[name]))
    return folder


def apart(folder: Path) -> Path:
    for number, name in enumerate(NAMES):
        picture(folder / "image" / f"{name}.png", number / 10)
        for role, text in (("captions", "\n".join(CAPTIONS[name])), ("facts", json.dumps(FACTS[name]))):
            place = folder / role / f"{name}{'.txt' if role == 'captions' else '.json'}"
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
    return folder


def listed(folder: Path) -> Path:
    beside(folder)
    for path in folder.glob("*.txt"):
        path.unlink()
    (folder / "captions.json").write_text(json.dumps(CAPTIONS))
    return folder


def shard(folder: Path) -> Path:
    made = beside(folder / "loose")
    with tarfile.open(folder / "all.tar", "w") as archive:
        for path in sorted(made.iterdir()):
            data = path.read_bytes()
            info = tarfile.TarInfo(path.name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return folder / "all.tar"


@pytest.mark.parametrize("lay", [beside, apart, listed, shard])
def test_every_example_has_its_own_words_in_any_order(lay: object, tmp_path: Path) -> None:
    data = lay(tmp_path)  # type: ignore[operator]
    source = SourceOptions(pairing="images", crop=(0, 0), holdout=0.0, image="image" if lay is apart else "")
    examples = open_examples(data, source, AugmentOptions(), "train", 0)
    order = [2, 0, 3, 1]
    batch = examples.batch(order, Draws(1, "x"))
    for place, index in enumerate(order):
        name = examples.names[index].rpartition("/")[2]
        assert batch.texts[place] == tuple(CAPTIONS[name])
        assert batch.facts[place] == FACTS[name]
        shade = round(float((batch.image[place].mean() + 1) / 2) * 10)
        assert NAMES[shade] == name
    part = batch.part(1, 3)
    assert (part.texts, part.facts, part.names) == (batch.texts[1:3], batch.facts[1:3], batch.names[1:3])
    assert batch.each(lambda tensor: tensor * 2).texts == batch.texts


def test_splits_by_folder_keep_words_with_their_pictures(tmp_path: Path) -> None:
    beside(tmp_path / "train")
    beside(tmp_path / "val")
    for path in (tmp_path / "val").glob("*.txt"):
        path.write_text("held out")
    held = open_examples(tmp_path, SOURCE, AugmentOptions(), "validate", 0)
    learnt = open_examples(tmp_path, SOURCE, AugmentOptions(), "train", 0)
    assert set(held.batch(range(4), None).texts) == {("held out",)}
    assert {texts[0] for texts in learnt.batch(range(4), None).texts} == {f"a {name}" for name in NAMES}


def test_pictures_without_words_have_none(tmp_path: Path) -> None:
    beside(tmp_path)
    for path in [*tmp_path.glob("*.txt"), *tmp_path.glob("*.json")]:
        path.unlink()
    batch = open_examples(tmp_path, SOURCE, AugmentOptions(), "train", 0).batch([0, 1], None)
    assert (batch.texts, batch.facts) == ((), ())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("ash.txt", b"\xff\xfe\xfa", "UTF-8"),
        ("captions.json", b"{", "is not JSON"),
        ("captions.json", b"[1]", "is a list"),
        ("captions.json", b'{"ash": {"a": 1}}', "no list of texts"),
    ],
)
def test_damaged_words_name_their_file(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    beside(tmp_path)
    if name == "captions.json":
        for path in tmp_path.glob("*.txt"):
            path.unlink()
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=message) as found:
        open_examples(tmp_path, SOURCE, AugmentOptions(), "train", 0)
    assert name in str(found.value)


def test_mirrored_pictures_are_told_the_other_side(tmp_path: Path) -> None:
    """Half of the examples are mirrored; whatever a picture shows, its words say the side that is bright."""
    for number in range(8):
        pixels = np.zeros((8, 8, 3), np.float32)
        side = ("left", "right")[number % 2]
        pixels[:, slice(0, 4) if side == "left" else slice(4, 8)] = 1
        write(Plate(pixels, ("R", "G", "B"), "srgb_display"), tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"light on the {side}\n{side.title()}most light, upright")
        (tmp_path / f"{number}.json").write_text(json.dumps({"side": side, "kind": "bright"}))
    source = SourceOptions(pairing="images", crop=(0, 0), holdout=0.0)
    examples = open_examples(tmp_path, source, AugmentOptions(flip=True), "train", 0)
    mirrored = 0
    for step in range(4):
        batch = examples.batch(list(range(8)), Draws(3, step))
        for image, name, texts, facts in zip(batch.image, batch.names, batch.texts, batch.facts, strict=True):
            side = "left" if image[0, 0, 0] > image[0, 0, -1] else "right"
            mirrored += side != ("left", "right")[int(name) % 2]
            assert texts == (f"light on the {side}", f"{side.title()}most light, upright")
            assert facts == {"side": side, "kind": "bright"}
    assert 4 < mirrored < 28
