"""``dreamplate complete``: a picture in, candidates out, as every other run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dreamplate import cli, jobs
from dreamplate.dream.complete_config import CompleteConfig
from dreamplate.errors import ConfigError, MediaError, ModelError
from dreamplate.plate import Plate, info, read, write
from dreamplate.take import load_recipe, read_provenance, recipe_names
from dreamplate.tokens.igpt import ImageGpt, draw_weights
from dreamplate.tokens.igpt_shape import IgptShape
from dreamplate.train import Port
from dreamplate.translate.model import Model, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Image GPT that has learnt nothing, as training leaves it."""
    path = tmp_path_factory.mktemp("models") / "igpt.safetensors"
    net = ImageGpt(IgptShape(8, 16, 16, 1, 2, 32, "axes", 1, 1))
    draws = torch.Generator().manual_seed(0)
    draw_weights(net, draws)
    net.palette.copy_(torch.rand(net.palette.shape, generator=draws) * 2 - 1)
    save_model(Model(net, net.settings, None, Port()), path)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).random((20, 30, 3), np.float32) * np.float32(2)
    write(Plate(values), tmp_path / "in.exr", depth="float")
    return tmp_path / "in.exr"


def test_candidates_a_sheet_and_how_they_were_made(model: Path, image: Path, tmp_path: Path) -> None:
    take = tmp_path / "take"
    arguments = [
        "complete",
        str(image),
        "--model",
        str(model),
        "--count",
        "3",
        "--take",
        str(take),
        "--quiet",
    ]
    assert cli.main(arguments) == 0
    plate = read(image)
    names = [f"candidate_{number:02d}" for number in (1, 2, 3)]
    pictures = [read(take / "frames" / f"{name}.exr") for name in names]
    for picture in pictures:
        assert np.array_equal(picture.pixels[:10], plate.pixels[:10])
    assert not np.array_equal(pictures[0].pixels, pictures[1].pixels)
    assert np.array_equal(read(take / "final.exr").pixels, pictures[0].pixels)
    assert {kind for part in info(take / "final.exr").parts for kind in part.types} == {"float"}
    assert read(take / "sheet.png").pixels.shape == (40, 60, 3)
    metrics = json.loads((take / "metrics.json").read_text())
    assert metrics["kind"] == "complete" and metrics["scalars"]["kept"] == 0.5
    assert read_provenance(take / "frames" / "candidate_02.png")["config"]["image"] == str(image)


def test_a_candidate_is_made_again_from_its_own_recipe(model: Path, image: Path, tmp_path: Path) -> None:
    config = CompleteConfig(image, str(model), "left:0.3", count=2, seed=7)
    jobs.start("complete", config, tmp_path / "one")
    jobs.redo(tmp_path / "one" / "frames" / "candidate_01.png", tmp_path / "two")
    jobs.redo(tmp_path / "one" / "final.png", tmp_path / "three", changes={"seed": 8, "count": 1})
    first, again = (read(tmp_path / name / "frames" / "candidate_02.exr").pixels for name in ("one", "two"))
    assert np.array_equal(first, again)
    assert np.array_equal(first, read(tmp_path / "three" / "final.exr").pixels)


def test_a_stopped_run_goes_on(model: Path, image: Path, tmp_path: Path) -> None:
    config = CompleteConfig(image, str(model), count=6)
    jobs.start("complete", config, tmp_path / "whole")
    jobs.start("complete", config, tmp_path / "part", stop_after=3)
    kept = tmp_path / "part" / "frames" / "candidate_02.exr"
    before = kept.stat().st_mtime_ns
    assert jobs.resume(tmp_path / "part").status == "finished"
    assert kept.stat().st_mtime_ns == before
    for name in ("frames/candidate_03.exr", "frames/candidate_06.exr", "sheet.exr", "final.exr"):
        assert np.array_equal(read(tmp_path / "part" / name).pixels, read(tmp_path / "whole" / name).pixels)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["--keep", "top:1"], "above 0 and below 1"),
        (["--keep", "bottom:0.5"], "from the top down"),
        (["--keep", "some"], "such as top:0.5"),
        (["--model", "no-such-model"], "no model is named"),
        (["--model", "none/there.safetensors"], "there.safetensors"),
        (["--count", "0"], "count"),
        (["--scorer", "nobody", "--prompt", "a sea"], "scorer is 'nobody'"),
        (["--enlarge", "vae", "--codec", "no-such-codec"], "no model is named"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_leaves_nothing(
    changes: list[str],
    says: str,
    model: Path,
    image: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    take = tmp_path / "take"
    arguments = ["complete", str(image), "--model", str(model), *changes, "--take", str(take)]
    assert cli.main(arguments) in {error.exit_code for error in (ConfigError, ModelError)}
    error = capsys.readouterr().err.strip()
    assert says in error and "\n" not in error
    assert not take.exists()


def test_bad_pictures_leave_nothing(
    model: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, cut = tmp_path / "small.png", tmp_path / "cut.exr"
    write(Plate(np.zeros((5, 9, 3), np.float32), colourspace="srgb_display"), small)
    cut.write_bytes(image.read_bytes()[:900])
    for path, says in ((small, "9 x 5"), (cut, "cut.exr"), (tmp_path / "none.png", "none.png")):
        assert cli.main(["complete", str(path), "--model", str(model), "--take", str(tmp_path / "t")]) == (
            MediaError.exit_code
        )
        error = capsys.readouterr().err.strip()
        assert says in error and "\n" not in error
        assert not (tmp_path / "t").exists()
    assert cli.main(["complete"]) == ConfigError.exit_code
    assert "name a picture" in capsys.readouterr().err


def test_another_network_completes_nothing(image: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="image-gpt is needed"):
        jobs.start("complete", CompleteConfig(image, "dvae-small"), tmp_path / "take")
    assert not (tmp_path / "take").exists()


@pytest.mark.parametrize("name", recipe_names("complete"))
def test_every_recipe_can_be_read(name: str) -> None:
    assert load_recipe(CompleteConfig, name, kind="complete") != CompleteConfig()
