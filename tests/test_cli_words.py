"""``caption`` and ``probe`` from outside, with a scorer that is quick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dreamplate import cli
from dreamplate.plate import Plate, info, read, write

sys.path.insert(0, str(Path(__file__).parent / "dream"))
from bag import BagScorer

from dreamplate.dream import scorers


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scorers, "load_scorer", lambda spec, *rest: BagScorer())
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    write(Plate.from_rgb(draws.random((24, 40, 3)), "srgb_display"), tmp_path / "a.png")
    write(Plate.from_rgb(draws.random((24, 40, 3)) * 1000), tmp_path / "b.exr")


def call(*arguments: str) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)


def test_captions_of_several_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("caption", "a.png", "b.exr", "--count", "3", "--phrases.no-class-names") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a.png" and lines[4] == "b.exr" and len(lines) == 8
    assert call("caption", "a.png", "--count", "3", "--phrases.no-class-names", "--json") == 0
    found = json.loads(capsys.readouterr().out)["a.png"]
    assert [f"{row['score']:6.3f}  {row['caption']}" for row in found] == lines[1:4]


def test_a_recipe_sets_the_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text("count: 2\nphrases: {clauses: [], class_names: false}\n")
    assert call("caption", "a.png", "--recipe", "./bare.yaml") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(len(line.split()) <= 5 for line in lines)


def test_a_probe_of_a_prompt_prints_and_draws(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("probe", "a dog | a man in a dark suit:2", "--top", "4") == 0
    said = capsys.readouterr().out
    assert "a dog" in said and "a man in a dark suit" in said and "out/probe-a-dog" in said
    assert said.count("could be taken for") == 2 and "carried by" in said
    report = next(Path("out").glob("*.png"))
    assert info(report).width > 900
    assert call("probe", "a dog", "--json", "--out", "dog.png") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["report"] == "dog.png" and found["prompts"][0]["nearest"][0]["concept"] == "a dog"


def test_a_probe_of_a_picture_prints_and_draws(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("probe", "b.exr", "--out", "new/report.png", "--top", "5") == 0
    said = capsys.readouterr().out
    assert "sees in everything" in said and "strongest at" in said
    assert read("new/report.png").pixels.mean() > 0.6
    assert call("probe", "b.exr", "--json", "--out", "report.png") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"picture", "scorer", "seen", "obsessions", "where", "report"}
    assert all(0 <= place["x"] <= 1 and 0 <= place["y"] <= 1 for place in found["where"].values())


BAD = {
    "no picture": (["caption"], 2, "no picture"),
    "missing picture": (["caption", "none.png"], 3, "none.png"),
    "no language model": (["caption", "a.png", "--recipe", "glass-gpt2"], 2, "--lm"),
    "lm is no folder": (["caption", "a.png", "--lm", "nowhere"], 2, "no such folder"),
    "unknown recipe": (["caption", "a.png", "--recipe", "glas-gpt2"], 2, "glass-gpt2"),
    "count": (["caption", "a.png", "--count", "0"], 2, "count"),
    "missing probe": (["probe", "none.exr"], 3, "no such picture"),
    "empty probe": (["probe", " "], 2, "prompt"),
    "no words": (["probe", "???"], 2, "words"),
    "not a png": (["probe", "a dog", "--out", "x.jpg"], 2, ".png"),
    "top": (["probe", "a dog", "--top", "1"], 2, "top is 1"),
    "damaged": (["probe", "bad.png"], 3, "bad.png"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_bytes(b"no picture at all")
    arguments, code, says = BAD[name]
    assert call(*arguments) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].startswith("dreamplate: ") and says in said[0], said
    assert not Path("out").exists()


@pytest.mark.parametrize("command", ["caption", "probe", "upscale"])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from dreamplate import cli\n"
        f"try: cli.main(['{command}', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'ncnn', 'transformers', 'OpenImageIO', 'pymoo'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip().splitlines()[-1] == "[]" and f"dreamplate {command}" in said
