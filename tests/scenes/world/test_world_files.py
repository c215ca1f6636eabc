from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from dreamplate.errors import MediaError
from dreamplate.plate import info, read, read_palette
from dreamplate.plate.label_files import read_label_map
from dreamplate.scenes.camera_json import camera_from_json
from dreamplate.scenes.world.classes import PALETTE
from dreamplate.scenes.world.files import pass_files, write_palette, write_seen, write_shard
from dreamplate.scenes.world.making import claim
from dreamplate.scenes.world.source import Seen, see, shown
from dreamplate.scenes.world.spec import ThingSpec, WorldSpec
from dreamplate.take.config import from_yaml
from dreamplate.train.data.files import find_files
from dreamplate.train.options import SourceOptions

SPEC = WorldSpec(seed=3, biome="plains", things=(ThingSpec("house", distance="near"),))


@pytest.fixture(scope="module")
def seen() -> Seen:
    return see(SPEC, 24, 16, ("depth", "line", "normal"), samples=1)


@pytest.fixture(scope="module")
def folder(seen: Seen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world")
    for name in ("000000", "000001"):
        write_seen(
            seen, place, name, ("rgb", "label", "instance", "line", "depth"), "auto", {"dreamplate": "made"}
        )
    write_palette(place)
    return place


def test_files_give_back_what_was_seen(seen: Seen, folder: Path) -> None:
    assert np.array_equal(read_label_map(folder / "label/000000.png").values, seen.frame["label"])
    assert np.array_equal(read_label_map(folder / "instance/000000.png").values, seen.frame["instance"])
    assert np.allclose(
        read(folder / "rgb/000000.png").rgb(), shown("rgb", seen.frame["rgb"]).pixels, atol=1e-6
    )
    deep = read(folder / "layers/000000.exr")
    assert np.array_equal(deep.channel("Z"), seen.frame["depth"])
    assert np.array_equal(deep.channel("instance"), seen.frame["instance"])
    assert {"R", "G", "B", "A", "Z", "label", "line"} <= set(deep.channels)
    assert (folder / "caption/000000.txt").read_text().splitlines() == list(seen.captions)
    assert json.loads((folder / "facts/000000.json").read_text()) == dict(seen.facts)
    assert from_yaml(WorldSpec, (folder / "spec/000000.yaml").read_text()) == SPEC
    camera = camera_from_json(json.loads((folder / "camera/000000.json").read_text()), "camera")
    assert np.array_equal(camera.camera_to_world, seen.frame.camera.camera_to_world)
    assert read_palette(folder / "palette.json") == PALETTE
    for picture in ("rgb/000000.png", "label/000000.png", "layers/000000.exr"):
        assert info(folder / picture).metadata["dreamplate"] == "made"


def test_training_finds_labels_instances_pictures_and_words(folder: Path) -> None:
    layout = find_files(folder, SourceOptions())
    assert layout.called == "label"
    assert [entry.name for entry in layout.entries] == ["000000", "000001"]
    parts = {name: refs[0].path.parent.name for name, refs in layout.entries[0].refs.items()}
    assert parts == {
        "condition": "label", "instances": "instance", "image": "rgb", "texts": "caption", "facts": "facts",
    }  # fmt: skip


def test_shards_hold_examples_and_are_the_same_twice(seen: Seen, tmp_path: Path) -> None:
    for name in ("one.tar", "two.tar"):
        write_shard([("000000", seen), ("000001", seen)], tmp_path / name, ("rgb", "label"), {})
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        names = archive.getnames()
    assert names == [f"00000{k}{end}" for k in (0, 1) for end in (".png", "_label.png", ".txt", ".json")]
    layout = find_files(tmp_path / "one.tar", SourceOptions())
    assert set(layout.entries[0].refs) == {"condition", "image", "texts", "facts"}


def test_passes_go_where_they_fit() -> None:
    assert pass_files(("rgb", "label"), "auto") == (("rgb", "label"), ())
    assert pass_files(("rgb", "depth"), "auto") == (("rgb",), (("rgb", "depth"),))
    assert pass_files(("rgb", "depth", "normal"), "separate") == (("rgb",), (("depth",), ("normal",)))
    assert pass_files(("rgb",), "one") == (("rgb",), (("rgb",),))
    with pytest.raises(MediaError, match="PNG cannot hold depth"):
        pass_files(("rgb", "depth"), "none")


def test_a_folder_belongs_to_one_recipe(tmp_path: Path) -> None:
    place = tmp_path / "set"
    claim(place, "{}", overwrite=False)
    claim(place, "{}", overwrite=False)
    with pytest.raises(MediaError, match="made otherwise"):
        claim(place, '{"seed":1}', overwrite=False)
    claim(place, '{"seed":1}', overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("x")
    with pytest.raises(MediaError, match="holds other files"):
        claim(other, "{}", overwrite=False)
    with pytest.raises(MediaError, match="is a file"):
        claim(other / "mine.txt", "{}", overwrite=False)
