"""``dreamplate train`` from the command line: recipes, bad input in one line and without a take, going on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dreamplate.cli import main
from dreamplate.plate import Plate, write
from dreamplate.take import Take

QUICK = [
    "--device=cpu",
    "--source.crop", "16", "16",
    "--learn.steps=3",
    "--learn.batch=2",
    "--learn.precision=float32",
    "--pix2pix.width=4",
    "--pix2pix.width-d=4",
    "--pix2pix.depth=3",
    "--pix2pix.patch=16",
    "--measure.features=none",
    "--quiet",
]  # fmt: skip


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(8):
        for folder in ("sketch", "picture"):
            (tmp_path / "pairs" / folder).mkdir(parents=True, exist_ok=True)
            pixels = random.random((20, 24, 3), np.float32)
            write(
                Plate(pixels, ("R", "G", "B"), "srgb_display"),
                tmp_path / f"pairs/{folder}/{number}.png",
                depth="8",
            )
    return tmp_path / "pairs"


def train(pairs: Path, take: Path, *more: str, recipe: str = "pix2pix") -> int:
    named = ["--source.condition", "sketch", "--source.image", "picture", "--source.shortest=0"]
    return main(["train", recipe, "--data", str(pairs), "--take", str(take), *named, *QUICK, *more])


def test_a_folder_of_pairs_becomes_a_model(pairs: Path, tmp_path: Path) -> None:
    assert train(pairs, tmp_path / "take") == 0
    metrics = json.loads((tmp_path / "take" / "metrics.json").read_text())
    assert metrics["kind"] == "train" and metrics["scalars"]["steps"] == 3
    assert {"final.png", "model.safetensors", "brittleness.png"} <= set(metrics["outputs"])
    assert main(["resume", str(tmp_path / "take"), "--quiet"]) == 0  # finished already
    # A sheet can be made again: the run is repeated, and ends with the same picture.
    assert main(["redo", str(tmp_path / "take/final.png"), "--take", str(tmp_path / "again"), "--quiet"]) == 0
    first, second = ((tmp_path / name / "final.exr").read_bytes() for name in ("take", "again"))
    assert first == second


def test_the_first_word_is_a_recipe(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(pairs, tmp_path / "take", recipe="pix2pxi") == 2
    assert "pix2pix" in capsys.readouterr().err
    assert main(["train", "pix2pix", "--recipe", "spade", "--data", str(pairs)]) == 2
    assert "both given" in capsys.readouterr().err
    assert main(["train", "pix2pix"]) == 2
    assert "data is empty" in capsys.readouterr().err
    assert not (tmp_path / "take").exists()


@pytest.mark.parametrize("fault", ["nothing", "empty", "torn", "unpaired", "init", "device", "segmenter"])
def test_bad_input_is_one_line_and_leaves_no_take(
    fault: str, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more: list[str] = []
    says = {
        "nothing": "nowhere",
        "empty": "pairs",
        "torn": "3.png",
        "unpaired": "3",
        "init": "no such model",
        "device": "cuda:9",
        "segmenter": "label maps",
    }[fault]
    if fault == "nothing":
        pairs = tmp_path / "nowhere"
    elif fault == "empty":
        for file in pairs.rglob("*.png"):
            file.unlink()
    elif fault == "torn":
        file = pairs / "sketch/3.png"
        file.write_bytes(file.read_bytes()[:60])
    elif fault == "unpaired":
        (pairs / "sketch/3.png").unlink()
    elif fault == "init":
        more = ["--learn.init", str(tmp_path / "nobody")]
    elif fault == "device":
        more = ["--device=cuda:9"]
    elif fault == "segmenter":
        more = ["--measure.segmenter", str(tmp_path / "s")]
    assert train(pairs, tmp_path / "take", *more) != 0
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and message.startswith("dreamplate: ") and says in message
    assert not (tmp_path / "take").exists()


def test_a_torn_file_may_be_left_out_and_is_listed(pairs: Path, tmp_path: Path) -> None:
    file = pairs / "sketch/3.png"
    file.write_bytes(file.read_bytes()[:60])
    assert train(pairs, tmp_path / "take", "--source.skip-bad") == 0
    from dreamplate.take.log import read_entries
    from dreamplate.translate.model import load_model

    said = [entry["text"] for entry in read_entries(tmp_path / "take/log.jsonl") if "text" in entry]
    assert any("3.png" in text for text in said)
    examples = load_model(tmp_path / "take").notes["examples"]
    assert examples["learnt"] + examples["validation"] == 7 and "3.png" in str(examples["left_out"])


def test_torchrun_trains_in_two_processes(pairs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    command += ["dreamplate.cli", "train", "pix2pix", "--data", str(pairs), "--take", str(tmp_path / "take")]
    command += ["--source.condition", "sketch", "--source.image", "picture", "--source.shortest=0", *QUICK]
    done = subprocess.run(
        command,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    take = Take.open(tmp_path / "take")
    assert take.status == "finished" and (take.path / "model.safetensors").is_file()
