"""``dreamplate translate``: files in, files out, whatever the model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dreamplate import cli, jobs
from dreamplate.errors import ConfigError, MediaError
from dreamplate.plate import (
    Box,
    LabelClass,
    Palette,
    Plate,
    VideoReader,
    VideoWriter,
    info,
    read,
    read_parts,
    write,
    write_parts,
)
from dreamplate.plate.label_files import read_labels
from dreamplate.take import read_provenance
from dreamplate.train import Port
from dreamplate.train.plates import encode_plate
from dreamplate.translate.model import Model, load_model, save_model
from dreamplate.translate.segmenter_net import SegmenterNet
from dreamplate.translate.spade import Spade, SpadeShape
from dreamplate.translate.translate_config import TranslateConfig, plan_translate
from dreamplate.translate.translate_job import TranslateJob
from dreamplate.translate.unet import Unet

PALETTE = Palette(
    (
        LabelClass(1, "sky", (0, 0, 200)),
        LabelClass(5, "wall", (200, 90, 0)),
        LabelClass(9, "door", (10, 120, 0)),
    )
)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with batch norm and dropout, on logarithmic colour."""
    path = tmp_path_factory.mktemp("models") / "unet.safetensors"
    torch.manual_seed(0)
    network = Unet(depth=6, width=2).eval()
    for value in network.parameters():
        if value.dim() > 1:
            torch.nn.init.normal_(value, 0, 0.4)
    port = Port(encoding="log")
    save_model(Model(network, network.settings, port, port, {"statistics": "running"}), path)
    return path


@pytest.fixture(scope="module")
def spade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of label maps and their borders, with a style."""
    path = tmp_path_factory.mktemp("models") / "spade.safetensors"
    torch.manual_seed(0)
    shape = SpadeShape(entry=4, edges=1, width=2, hidden=4, z_dim=4, noise="start", style_width=2)
    network = Spade(shape).eval()
    given = Port("labels", ("Y",), palette=PALETTE, instances=True)
    save_model(Model(network, network.settings, given, Port()), path)
    return path


def render(seed: int = 0, size: tuple[int, int] = (20, 37)) -> Plate:
    """A render with highlights, alpha, a matte, ids and depth, in windows of its own."""
    draws = np.random.default_rng(seed)
    names = ("R", "G", "B", "A", "Z", "id", "mask")
    pixels = np.exp(draws.normal(-1, 1.5, (*size, len(names)))).astype(np.float16).astype(np.float32)
    pixels[..., 3] = draws.integers(0, 5, size) / 4
    pixels[..., :3] *= pixels[..., 3:4]
    pixels[..., 6], pixels[..., 5] = 0, draws.integers(0, 9, size)
    pixels[5:15, 10:30, 6], pixels[8, 8:12, 6] = 1, 0.5
    pixels[0, 0, 4] = np.inf
    return Plate(
        pixels.astype(np.float16).astype(np.float32),
        names,
        data_window=Box(-2, 3, size[1], size[0]),
        display_window=Box(0, 0, 64, 48),
        metadata={"shot": "x010", "owner": "me"},
    )


TYPES = {"R": "half", "G": "half", "B": "half", "A": "half", "Z": "float", "mask": "half", "id": "float"}


def run(*arguments: object) -> int:
    return cli.main(["translate", *map(str, arguments), "--quiet"])


def labels(path: Path, seed: int = 0, size: tuple[int, int] = (40, 50)) -> Path:
    """Ids as 8-bit grey, and objects beside them."""
    ids = np.random.default_rng(seed).choice([1, 5, 9], (size[0] // 10, size[1] // 10))
    grown = ids.repeat(10, 0).repeat(10, 1).astype(np.uint8)
    write(Plate.from_rgb(grown, "srgb_display"), path)
    write(Plate.from_rgb((grown // 5).astype(np.uint8), "srgb_display"), path.with_name(f"o{path.name}"))
    return path


# -- pictures ---------------------------------------------------------------------------------------


def test_a_render_comes_back_with_all_that_was_not_made(unet: Path, tmp_path: Path) -> None:
    plate, source, target = render(), tmp_path / "in.exr", tmp_path / "new" / "out.exr"
    write_parts({"main": plate, "other": plate.select("Z")}, source, depth=TYPES)
    assert run(unet, source, target) == 0
    made, parts = read(target), read_parts(target)
    assert made.channels == plate.channels and made.colourspace == plate.colourspace
    assert (made.data, made.display) == (plate.data, plate.display)
    assert dict(info(target).parts[0].metadata).items() >= dict(plate.metadata).items()
    assert dict(zip(info(target).parts[0].channels, info(target).parts[0].types, strict=True)) == TYPES
    np.testing.assert_array_equal(made.pixels[..., 3:], plate.pixels[..., 3:])
    np.testing.assert_array_equal(parts["other"].pixels, plate.select("Z").pixels)
    assert not np.allclose(made.rgb(), plate.rgb())
    assert (made.rgb()[plate.alpha() == 0] == 0).all()
    assert sorted(path.name for path in target.parent.iterdir()) == ["out.exr"]


def test_outside_a_matte_nothing_changes_to_the_bit(unet: Path, tmp_path: Path) -> None:
    plate, source, target = render(), tmp_path / "in.exr", tmp_path / "out.exr"
    write(plate, source, depth=TYPES)
    assert run(unet, source, target, "--matte", "mask") == 0
    made, whole, matte = read(target), tmp_path / "whole.exr", plate.channel("mask")
    assert run(unet, source, whole) == 0
    np.testing.assert_array_equal(
        made.pixels[matte == 0].view(np.uint32), plate.pixels[matte == 0].view(np.uint32)
    )
    np.testing.assert_array_equal(made.rgb()[matte == 1], read(whole).rgb()[matte == 1])
    soft = matte == 0.5
    middle = (plate.rgb()[soft] + read(whole).rgb()[soft]) / 2
    np.testing.assert_allclose(made.rgb()[soft], middle, rtol=2e-3, atol=1e-5)
    # The same matte as a file whose data window is cropped.
    crop = Plate(
        matte[5:15, 8:30, None].copy(), ("A",), data_window=Box(6, 8, 22, 10), display_window=plate.display
    )
    write(crop, tmp_path / "matte.exr", depth="float")
    assert run(unet, source, tmp_path / "file.exr", "--matte", tmp_path / "matte.exr") == 0
    np.testing.assert_array_equal(read(tmp_path / "file.exr").pixels, made.pixels)


def test_none_of_the_result_is_the_source(unet: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.exr", tmp_path / "out.exr"
    write(render(), source, depth=TYPES)
    assert run(unet, source, target, "--mix", "0") == 0
    np.testing.assert_array_equal(read(target).pixels, render().pixels)


def test_formats_get_the_colour_space_they_are_for(unet: Path, tmp_path: Path) -> None:
    plate = Plate(np.random.default_rng(0).random((20, 30, 3), np.float32), colourspace="srgb_display")
    write(plate, tmp_path / "in.png", depth="16")
    for name in ("out.png", "out.exr", "half.exr"):
        more = ("--depth", "float") if name == "out.exr" else ()
        assert run(unet, tmp_path / "in.png", tmp_path / name, *more) == 0
    png, exr = read(tmp_path / "out.png"), read(tmp_path / "out.exr")
    assert (png.colourspace, exr.colourspace) == ("srgb_display", "scene_linear")
    assert info(tmp_path / "out.png").parts[0].types[0] == "uint16"
    assert info(tmp_path / "out.exr").parts[0].types[0] == "float"
    assert info(tmp_path / "half.exr").parts[0].types[0] == "half"
    shown = read(tmp_path / "out.exr", colourspace="srgb_display").pixels
    np.testing.assert_allclose(shown.clip(0, 1), png.pixels, atol=1e-4)


def test_every_switch_reaches_the_network(unet: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.exr"
    write(render(size=(40, 70)), source, depth=TYPES)
    write(render(3, (30, 30)), tmp_path / "reference.exr", depth=TYPES)
    made = {}
    for name, options in {
        "running": [],
        "picture": ["--statistics", "picture"],
        "frozen": ["--reference", tmp_path / "reference.exr"],
        "itself": ["--statistics", "frozen"],
        "dropout": ["--dropout", "on"],
        "seed": ["--dropout", "on", "--seed", "5"],
        "again": ["--dropout", "on", "--seed", "5"],
        "display": ["--encoding", "display"],
    }.items():
        assert run(unet, source, tmp_path / f"{name}.exr", *options) == 0
        made[name] = read(tmp_path / f"{name}.exr").rgb()
    np.testing.assert_array_equal(made["seed"], made["again"])
    np.testing.assert_allclose(made["itself"], made["picture"], rtol=2e-2, atol=1e-3)
    for one, other in [
        ("running", "picture"),
        ("picture", "frozen"),
        ("running", "dropout"),
        ("dropout", "seed"),
        ("running", "display"),
    ]:
        assert not np.allclose(made[one], made[other], rtol=1e-2), (one, other)


# -- sequences and video ----------------------------------------------------------------------------


def test_a_sequence_is_made_once(unet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for frame in range(1001, 1005):
        write(render(frame), tmp_path / f"in.{frame}.exr", depth=TYPES)
    pattern, goal = tmp_path / "in.####.exr", tmp_path / "out" / "o.####.exr"
    assert run(unet, pattern, goal, "--frames", "1001-1003") == 0
    first = {path.name: path.stat().st_mtime_ns for path in goal.parent.glob("*.exr")}
    assert sorted(first) == ["o.1001.exr", "o.1002.exr", "o.1003.exr"]
    # One frame more: those that are there are kept. One source changed: it alone is made again.
    write(render(7), tmp_path / "in.1002.exr", depth=TYPES)
    assert cli.main(["translate", str(unet), f"{pattern} 1001-1004", str(goal)]) == 0
    assert "2 of 4 frames are there" in " ".join("".join(capsys.readouterr()).split())
    again = {path.name: path.stat().st_mtime_ns for path in goal.parent.glob("*.exr")}
    assert [name for name in first if again[name] != first[name]] == ["o.1002.exr"] and len(again) == 4
    alone = tmp_path / "alone.exr"
    assert run(unet, tmp_path / "in.1002.exr", alone) == 0
    np.testing.assert_array_equal(read(alone).pixels, read(goal.with_name("o.1002.exr")).pixels)


def test_a_frame_says_how_it_was_made_and_can_be_made_again(unet: Path, tmp_path: Path) -> None:
    for frame in (1, 2):
        write(render(frame), tmp_path / f"in.{frame}.exr", depth=TYPES)
    assert run(unet, tmp_path / "in.#.exr", tmp_path / "out.#.exr") == 0
    made = tmp_path / "out.2.exr"
    said, pixels = read_provenance(made), read(made).pixels
    assert said["kind"] == "translate" and said["config"]["frames"] == "2"
    assert {Path(entry["path"]).name for entry in said["sources"]} == {"in.2.exr", unet.name}
    kept = made.rename(tmp_path / "kept.exr")
    jobs.redo(kept, tmp_path / "redo")
    np.testing.assert_array_equal(read(made).pixels, pixels)


def test_tasks_make_what_one_run_makes(unet: Path, tmp_path: Path) -> None:
    for frame in range(1, 6):
        write(render(frame), tmp_path / f"in.{frame}.exr", depth=TYPES)
    whole, parts = tmp_path / "whole.#.exr", tmp_path / "parts.#.exr"
    options = ["--frames", "1-5", "--statistics", "frozen"]
    assert run(unet, tmp_path / "in.#.exr", whole, *options) == 0
    config = TranslateConfig(str(unet), tmp_path / "in.#.exr", str(parts), frames="1-5", statistics="frozen")
    tasks = plan_translate(replace(config, task_frames=2))
    assert [task.frames for task in tasks] == ["1,2", "3,4", "5"] or [t.frames for t in tasks] == [
        "1-2",
        "3-4",
        "5",
    ]
    for task in reversed(tasks):
        job = TranslateJob(task)
        for _ in range(len(job)):
            job.step()
    for frame in range(1, 6):
        a, b = (read(str(path).replace("#", str(frame))) for path in (whole, parts))
        np.testing.assert_array_equal(a.pixels, b.pixels)


def test_video_in_and_out(unet: Path, tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    with VideoWriter(tmp_path / "in.mkv", fps=12) as video:
        for _ in range(4):
            video.write(Plate(draws.random((32, 48, 3), np.float32), colourspace="srgb_display"))
    assert run(unet, tmp_path / "in.mkv", tmp_path / "out.mkv", "--frames", "1-3") == 0
    with VideoReader(tmp_path / "out.mkv") as made:
        assert (len(made), made.width, made.height, float(made.fps)) == (3, 48, 32, 12.0)
        assert json.loads(made.metadata["dreamplate"])["kind"] == "translate"
    assert len(list((tmp_path / "out.frames").glob("*.png"))) == 3
    assert run(unet, tmp_path / "in.mkv", tmp_path / "o.####.exr") == 0
    assert [path.name for path in sorted(tmp_path.glob("o.*.exr"))] == [f"o.{n:04}.exr" for n in range(4)]


# -- label maps and style ---------------------------------------------------------------------------


def test_label_maps_become_pictures(spade: Path, tmp_path: Path) -> None:
    source = labels(tmp_path / "a.png")
    assert run(spade, source, tmp_path / "out.exr", "--instances", tmp_path / "oa.png") == 0
    made = read(tmp_path / "out.exr")
    assert made.channels == ("R", "G", "B") and (made.height, made.width) == (40, 50)
    assert made.colourspace == "scene_linear" and float(made.pixels.std()) > 0


def test_a_style_is_a_number_a_picture_or_on_its_way(spade: Path, tmp_path: Path) -> None:
    source = labels(tmp_path / "a.png")
    common = ["--instances", tmp_path / "oa.png"]
    write(Plate(np.full((40, 40, 3), 0.7, np.float32), colourspace="srgb_display"), tmp_path / "look.png")

    def make(name: str, *options: object) -> np.ndarray:
        assert run(spade, source, tmp_path / name, *common, *options) == 0
        return read(tmp_path / name.replace("#", "3")).pixels

    three, four = make("3.exr", "--style-seed", 3), make("4.exr", "--style-seed", 4)
    assert not np.array_equal(three, four)
    assert not np.array_equal(make("look.exr", "--style-image", tmp_path / "look.png"), three)
    middle = make("way.#.exr", "--style-from", 3, "--style-to", 4, "--frames", "1-5")
    np.testing.assert_array_equal(read(tmp_path / "way.1.exr").pixels, three)
    np.testing.assert_array_equal(read(tmp_path / "way.5.exr").pixels, four)
    assert not np.array_equal(middle, three)
    # A part of the way is the same part, in a task of its own too.
    config = TranslateConfig(
        str(spade),
        source,
        str(tmp_path / "task.#.exr"),
        instances=str(tmp_path / "oa.png"),
        style_from="3",
        style_to="4",
        frames="1-5",
        task_frames=2,
    )
    job = TranslateJob(plan_translate(config)[1])
    job.step()
    np.testing.assert_array_equal(read(tmp_path / "task.3.exr").pixels, middle)


def test_one_wrong_label_stops_before_any_work(
    spade: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for frame in (1, 2, 3):
        labels(tmp_path / f"in.{frame}.png", frame)
    bad = np.full((40, 50), 5, np.uint8)
    bad[3, 4:9] = 77
    write(Plate.from_rgb(bad, "srgb_display"), tmp_path / "in.3.png")
    code = run(spade, tmp_path / "in.#.png", tmp_path / "out.#.png", "--instances", tmp_path / "oin.#.png")
    said = capsys.readouterr().err
    assert code == MediaError.exit_code and "in.3.png" in said and "77 (5 pixels)" in said
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("suffix", ["png", "tif", "exr"])
def test_a_segmenter_writes_label_maps(suffix: str, tmp_path: Path) -> None:
    network = SegmenterNet(3, 3, width=4, trunk="own").eval()
    made = Port("labels", ("Y",), palette=PALETTE)
    save_model(Model(network, network.settings, Port(), made), tmp_path / "s.safetensors")
    write(Plate(np.random.default_rng(0).random((40, 50, 3), np.float32)), tmp_path / "in.exr")
    target = tmp_path / f"out.{suffix}"
    assert run(tmp_path / "s.safetensors", tmp_path / "in.exr", target) == 0
    found = read_labels(target, PALETTE)
    with torch.no_grad():
        scores = network(encode_plate(Port(), read(tmp_path / "in.exr")))
    np.testing.assert_array_equal(found, scores[0].argmax(0))
    assert read_provenance(target)["kind"] == "translate"


def test_another_palette_of_as_many_classes(
    spade: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = labels(tmp_path / "a.png")
    other = Palette(tuple(LabelClass(number, name) for number, name in ((9, "c"), (5, "b"), (1, "a"))))
    (tmp_path / "p.json").write_text(json.dumps(other.to_json()))
    common = ["--instances", tmp_path / "oa.png", "--palette", tmp_path / "p.json"]
    assert run(spade, source, tmp_path / "out.exr", *common) == 0
    assert run(spade, source, tmp_path / "own.exr", *common[:2]) == 0
    assert not np.array_equal(read(tmp_path / "out.exr").pixels, read(tmp_path / "own.exr").pixels)
    (tmp_path / "p.json").write_text(json.dumps(Palette(other.classes[:2]).to_json()))
    assert run(spade, source, tmp_path / "no.exr", *common) == ConfigError.exit_code
    assert "has 2 classes" in capsys.readouterr().err


# -- bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "options", "words"),
    [
        ("none.exr", "o.exr", [], "none.exr"),
        ("in.#.exr", "o.#.exr", ["--frames", "1-4"], "2 of 4 frames are missing (3-4)"),
        ("in.#.exr", "o.exr", [], "give a frame pattern"),
        ("in.1.exr", "o.#.exr", [], "the source is one picture"),
        ("in.1.exr", "in.1.exr", [], "that is the source"),
        ("in.1.exr", "o.exr", ["--style-seed", "1"], "has no style"),
        ("in.1.exr", "o.exr", ["--instances", "in.1.exr"], "takes none"),
        ("in.1.exr", "o.exr", ["--matte", "roto"], "no such file, and"),
        ("in.1.exr", "o.exr", ["--matte", "grey.png"], "the matte is 8x8, the frame 64x48"),
        ("in.1.exr", "o.exr", ["--tile", "32"], "tile is 32"),
        ("in.1.exr", "o.exr", ["--style-from", "1"], "belong together"),
        ("in.1.exr", "o.exr", ["--statistics", "running", "--reference", "1"], "leave one out"),
        ("grey.png", "o.exr", [], "grey where colour is expected"),
        ("nan.exr", "o.exr", [], "NaN"),
    ],
)
def test_bad_input_is_one_line(
    unet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    target: str,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for frame in (1, 2):
        write(render(frame), f"in.{frame}.exr", depth=TYPES)
    write(Plate(np.zeros((8, 8, 1), np.float32), ("Y",), "srgb_display"), "grey.png", depth="16")
    write(Plate(np.full((8, 8, 3), np.nan, np.float32)), "nan.exr")
    before = sorted(tmp_path.iterdir())
    assert run(unet, source, target, *options) in (2, 3)
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1, said
    assert sorted(path for path in tmp_path.iterdir() if path.suffix != ".take") == before


def test_checkpoints_of_the_store_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamplate.models import Card, Store

    monkeypatch.setenv("DREAMPLATE_MODELS", str(tmp_path / "models"))
    network = Unet(depth=5, width=2, given=1)
    settings = {key: value for key, value in network.settings.items() if key != "architecture"}
    card = Card(
        "sketchy",
        "A toy",
        "pix2pix-unet",
        "translate",
        licence="MIT",
        commercial_use="yes",
        settings=settings,
    )
    Store.default().add(network.state_dict(), card)
    model = load_model("sketchy")
    assert model.given == Port(channels=("Y",)) and model.made == Port()
    write(Plate(np.zeros((20, 20, 1), np.float32), ("Y",), "srgb_display"), tmp_path / "in.png")
    assert run("sketchy", tmp_path / "in.png", tmp_path / "out.png") == 0
    assert read(tmp_path / "out.png").channels == ("R", "G", "B")
