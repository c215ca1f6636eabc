from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from dreamplate.cli import main
from dreamplate.plate import read
from dreamplate.scenes import read_cameras
from dreamplate.scenes.read import read_scene
from dreamplate.scenes.world.draw import draw_spec
from dreamplate.scenes.world.spec import WorldSpec
from dreamplate.take import from_yaml, read_provenance

PLAIN = ["--set", "biome=plains", "--set", "things=house near", "--set", "trees=none", "--set", "water=none"]
QUICK = [*PLAIN, "--samples", "1", "--workers", "1", "--quiet"]


def test_spec_shows_what_a_seed_draws(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["world", "spec", "--seed", "7", "--set", "things=castle, 2 boat far left"]) == 0
    text = capsys.readouterr().out
    assert from_yaml(WorldSpec, text) == draw_spec(7, things=["castle", "2 boat far left"])
    assert main(["world", "spec", str(tmp_path / "seven.yaml"), "--seed", "7"]) == 0
    assert from_yaml(WorldSpec, (tmp_path / "seven.yaml").read_text()) == draw_spec(7)


def test_render_writes_a_set_and_continues_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    given = [
        "world",
        "render",
        "--seed",
        "7",
        "--size",
        "24x16",
        "--passes",
        "rgb,label,depth",
        "--out",
        str(out),
    ]
    assert main([*given, "--count", "2", *QUICK]) == 0
    first = (out / "rgb/000001.png").read_bytes()
    assert read(out / "rgb/000001.png").pixels.shape == (16, 24, 3)
    made = read_provenance(out / "rgb/000001.png")
    assert made["kind"] == "world render" and made["config"]["seed"] == 7
    (out / "rgb/000001.png").unlink()
    assert main([*given, "--count", "2", "--sheet", str(tmp_path / "sheet.png"), *QUICK[:-1]]) == 0
    sheet = read(tmp_path / "sheet.png")
    assert np.array_equal(sheet.pixels[:, 24:], read(out / "rgb/000001.png").pixels)
    assert read_provenance(tmp_path / "sheet.png")["kind"] == "world render"
    assert "1 pictures" in capsys.readouterr().out
    assert (out / "rgb/000001.png").read_bytes() == first
    assert main([*given, "--count", "3", *QUICK]) == 3
    assert "made otherwise" in capsys.readouterr().err


def test_a_spec_file_is_rendered(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 4\nbiome: desert\nthings: [pyramid near]\nhour: 17.8\n")
    given = [
        "world",
        "render",
        "--spec",
        str(file),
        "--size",
        "16",
        "--samples",
        "1",
        "--quiet",
        "--workers",
        "1",
    ]
    assert main([*given, "--out", str(tmp_path / "out"), "--set", "season=autumn"]) == 0
    spec = from_yaml(WorldSpec, (tmp_path / "out/spec/000000.yaml").read_text())
    assert (spec.seed, spec.biome, spec.hour, spec.season) == (4, "desert", 17.8, "autumn")


def test_shards(tmp_path: Path) -> None:
    given = ["world", "render", "--count", "3", "--shards", "2", "--size", "16", "--out", str(tmp_path / "s")]
    assert main([*given, *QUICK]) == 0
    assert [path.name for path in sorted((tmp_path / "s").glob("*.tar"))] == [
        "world-000000.tar",
        "world-000001.tar",
    ]


def test_flight_has_cameras_and_motion(tmp_path: Path) -> None:
    out = tmp_path / "flight"
    given = ["world", "flight", "--seed", "3", "--frames", "1001-1002", "--size", "24", "--out", str(out)]
    assert main([*given, *QUICK]) == 0
    track = read_cameras(out / "cameras.json")
    assert track.frames == (1001, 1002)
    first = read(out / "layers/frame.1001.exr")
    moved = first.layer("motion.forward")
    assert np.abs(moved).max() > 0.01


def test_a_rig_is_a_scene_that_fit_reads(tmp_path: Path) -> None:
    out = tmp_path / "rig"
    given = ["world", "rig", "--seed", "3", "--cameras", "3", "--size", "16", "--out", str(out)]
    assert main([*given, *QUICK]) == 0
    scene = read_scene(out)
    assert len(scene.views) == 3
    assert all((out / f"rgb/1001/cam{number:03d}.png").is_file() for number in range(3))
    listed = json.loads((out / "transforms.json").read_text())
    assert {frame["file_path"] for frame in listed["frames"]} == {
        f"rgb/1001/cam{n:03d}.png" for n in range(3)
    }


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--set", "bioem=coast"], 2, "did you mean 'biome'"),
        (["--set", "biome"], 2, "field=value"),
        (["--set", "view.fov=900"], 2, "view.fov"),
        (["--size", "0"], 2, "from 8 to 8192"),
        (["--size", "99999"], 2, "from 8 to 8192"),
        (["--size", "big"], 2, "256x144"),
        (["--passes", "rgb,dept"], 8, "did you mean 'depth'"),
        (["--passes", "forward"], 2, "world flight"),
        (["--passes", "rgb,depth", "--shards", "4"], 2, "shards hold"),
        (["--passes", "rgb,depth", "--layers", "none"], 3, "PNG cannot hold"),
        (["--spec", "nowhere.yaml"], 2, "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_line(
    more: list[str], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["world", "render", "--out", str(tmp_path / "x"), *more]) == code
    said = capsys.readouterr().err.strip()
    assert words in said and "\n" not in said
    assert not (tmp_path / "x").exists()
