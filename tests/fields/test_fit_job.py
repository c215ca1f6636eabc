"""The fit as a job: what it learns, what it leaves, and that stopping changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_scene import ToyMethod, ring, write_toy

from dreamplate.errors import ConfigError, SceneError, TakeError
from dreamplate.fields import FitConfig, FitJob, load_fit
from dreamplate.fields.backgrounds import backgrounds
from dreamplate.plate import read
from dreamplate.take import RunResult, Take, run
from dreamplate.take.budget import Budget


def fit(config: FitConfig, take: Path, **options: Any) -> RunResult:
    folder = Take.open(take) if (take / "take.yaml").exists() else Take.create(take, "fit", config)
    return run(FitJob(config, ToyMethod()), folder, **options)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("ball"))


@pytest.fixture(scope="module")
def finished(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    take = tmp_path_factory.mktemp("fits") / "whole"
    fit(FitConfig(scene, steps=100, previews=2), take)
    return take


def test_a_fit_learns_the_ball_and_says_how_well(finished: Path) -> None:
    found = json.loads((finished / "metrics.json").read_text())["scalars"]
    assert found["psnr"] > 20
    assert 0.7 < found["ssim"] <= 1
    assert found["iterations"] == 100 and found["rays"] == 100 * 160
    assert found["psnr"] == pytest.approx((found["psnr[test/r_0]"] + found["psnr[test/r_1]"]) / 2)
    assert found["train_cpu_seconds"] > 0


def test_a_fit_leaves_pictures(finished: Path) -> None:
    assert read(finished / "final.exr").colourspace == "scene_linear"
    beside = read(finished / "comparison.png")
    assert (beside.width, beside.height) == (3 * 24, 2 * 24)
    previews = sorted(path.name for path in (finished / "previews").iterdir())
    assert previews == ["step_000001.png", "step_000002.png"]
    assert read(finished / "preview.png").width == 48


def test_a_stopped_fit_ends_with_the_same_bits(scene: Path, finished: Path, tmp_path: Path) -> None:
    config = FitConfig(scene, steps=100, previews=2)
    paused = fit(config, tmp_path / "t", stop_after=1)
    assert paused.status == "paused"
    assert fit(config, tmp_path / "t").status == "finished"
    for name in ("final.exr", "comparison.png", "preview.png"):
        np.testing.assert_array_equal(read(tmp_path / "t" / name).pixels, read(finished / name).pixels)
    states = [Take.open(place).load_state() for place in (tmp_path / "t", finished)]
    one, other = (state[1] for state in states if state is not None)
    assert torch.equal(one["method"]["values"], other["method"]["values"])
    assert torch.equal(one["batches"]["draws"], other["batches"]["draws"])


def test_a_budget_of_processor_time_is_kept(scene: Path, tmp_path: Path) -> None:
    result = fit(FitConfig(scene, max_cpu_seconds=4.0, previews=0), tmp_path / "t")
    assert result.steps == 100
    assert result.scalars["progress"] == 1
    assert result.scalars["iterations"] > 1
    assert 1.5 < result.scalars["fit_cpu_seconds"] < 4.5


def test_a_budget_that_is_spent_already_buys_one_step(scene: Path, tmp_path: Path) -> None:
    result = fit(FitConfig(scene, max_cpu_seconds=0.01, previews=0), tmp_path / "t")
    assert result.scalars["iterations"] == 1


def test_the_budget_counts_what_earlier_runs_spent() -> None:
    first = Budget(100.0)
    first.earlier = 40.0
    first.start()
    first.keep(9.0)
    again = Budget(100.0)
    again.load_state_dict(first.state_dict())
    assert again.spent == pytest.approx(40, abs=1)
    again.earlier += 25.0
    assert again.progress == pytest.approx(0.5, abs=0.03)
    again.earlier = 0.0
    assert again.progress == pytest.approx(0.5, abs=0.03)


def test_fog_that_is_slow_to_draw_does_not_end_a_fit() -> None:
    budget = Budget(1000.0)
    budget.start()
    budget.keep(5000.0)
    assert budget.progress < 0.01
    budget.earlier = 750.0
    assert budget.progress == pytest.approx(0.89, abs=0.01)
    budget.keep(5000.0)
    assert budget.progress == 1


def test_without_test_views_the_figures_say_so(tmp_path: Path) -> None:
    scene = write_toy(tmp_path / "s", train=3, test=0)
    config = FitConfig(scene / "transforms_train.json", convention="transforms", holdout=0, steps=2)
    job = FitJob(config, ToyMethod())
    assert any("no view is held out" in text for text in job.notices)
    job.step()
    assert "train_psnr" in job.outcome().scalars and "psnr" not in job.outcome().scalars


def test_held_out_views_are_not_learnt_from(tmp_path: Path) -> None:
    scene = write_toy(tmp_path / "s", train=4, test=0)
    config = FitConfig(scene / "transforms_train.json", convention="transforms", holdout=3)
    job = FitJob(config, ToyMethod())
    assert not set(job.photographs.names) & set(job.held_out.photographs.names)
    assert len(job.photographs) == 2 and len(job.held_out.photographs) == 2


def test_missing_files_are_told_once_and_left_out(tmp_path: Path) -> None:
    scene = write_toy(tmp_path / "s")
    (scene / "train/r_1.png").unlink()
    (scene / "train/r_3.png").unlink()
    job = FitJob(FitConfig(scene), ToyMethod())
    told = [text for text in job.notices if "missing" in text]
    assert len(told) == 1 and "2 listed files" in told[0]
    assert len(job.photographs) == 4


def test_poses_that_are_not_numbers_are_left_out_and_told(tmp_path: Path) -> None:
    scene = write_toy(tmp_path / "s")
    path = scene / "transforms_train.json"
    data = json.loads(path.read_text())
    data["frames"][2]["transform_matrix"][0][3] = float("nan")
    path.write_text(json.dumps(data))
    job = FitJob(FitConfig(scene), ToyMethod())
    assert len(job.photographs) == 5
    assert any("left out" in text and "r_2" in text for text in job.notices)


def test_no_view_to_learn_from_is_told(scene: Path) -> None:
    with pytest.raises(SceneError, match="has no views in val"):
        FitJob(FitConfig(scene, train_on=("val",)), ToyMethod())


def test_a_fit_opens_without_its_photographs(
    scene: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamplate.fields.load.build_method", lambda *_: ToyMethod())
    fitted = load_fit(finished)
    assert fitted.encoding == "srgb_display" and fitted.background == (1.0, 1.0, 1.0)
    assert fitted.splits.count("train") == 6 and len(fitted.names) == len(fitted.cameras) == 8
    rays = fitted.rays(ring(1)[0])
    assert len(rays) == 24 * 24
    state = Take.open(finished).load_state()
    assert state is not None and torch.equal(
        fitted.method.state_dict()["values"], state[1]["method"]["values"]
    )


def test_what_is_no_fit_is_not_opened(scene: Path, tmp_path: Path) -> None:
    Take.create(tmp_path / "t", "fit", FitConfig(scene))
    with pytest.raises(TakeError, match="nothing is learnt yet"):
        load_fit(tmp_path / "t")


def test_backgrounds() -> None:
    white = (1.0, 1.0, 1.0)
    assert backgrounds("auto", white, True, "srgb_display") == (white, white)
    assert backgrounds("auto", None, True, "srgb_display") == (None, (0.0, 0.0, 0.0))
    assert backgrounds("auto", None, False, "srgb_display")[0] == (0.0, 0.0, 0.0)
    assert backgrounds("random", white, True, "srgb_display") == (None, white)
    assert backgrounds("#808080", None, True, "scene_linear")[1][0] == pytest.approx(0.2158, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"background": "blue"}, "background is 'blue'"),
        ({"memory": "some"}, "memory"),
        ({"train_on": ()}, "train_on is empty"),
        ({"lpips_trunk": Path("x")}, "lpips_heads is not set"),
    ],
)
def test_bad_options_are_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        FitConfig(Path("scene"), **changes)


@pytest.mark.parametrize("name", ["fast", "nerf", "nerf-llff", "ngp"])
def test_recipes_are_whole(name: str) -> None:
    from dreamplate.take import load_recipe

    assert load_recipe(FitConfig, name, kind="fit").method == name.partition("-")[0]


def test_the_recipe_for_forward_facing_scenes_is_that_of_the_config() -> None:
    from dreamplate.fields.nerf_config import FORWARD_FACING
    from dreamplate.take import load_recipe

    assert load_recipe(FitConfig, "nerf-llff", kind="fit").nerf == FORWARD_FACING


def test_corrected_cameras_are_kept_with_the_fit(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamplate.fields.load.build_method", lambda *_: ToyMethod())
    config = FitConfig(scene, steps=50, previews=0, refine_poses=True)
    job = FitJob(config, ToyMethod())
    run(job, Take.create(tmp_path / "t", "fit", config))
    fitted, given = load_fit(tmp_path / "t"), job.about.cameras
    learnt = [number for number, split in enumerate(fitted.splits) if split == "train"]
    corrected = job.trainer.refinement.corrected(tuple(given[number] for number in learnt))
    for number, camera in zip(learnt, corrected, strict=True):
        assert not np.array_equal(camera.camera_to_world, given[number].camera_to_world)
        np.testing.assert_array_equal(fitted.cameras[number].camera_to_world, camera.camera_to_world)
    for number in set(range(len(given))) - set(learnt):
        np.testing.assert_array_equal(fitted.cameras[number].camera_to_world, given[number].camera_to_world)
    found = json.loads((tmp_path / "t/metrics.json").read_text())["scalars"]
    assert found["pose_degrees"] > 0 and found["pose_shift"] > 0
