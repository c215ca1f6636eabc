"""Training as a job: what a take holds while it is made and afterwards, and how runs go on."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))

from toy_system import ToyExamples

from dreamplate.errors import CheckpointError, ConfigError, ModelError
from dreamplate.plate import read
from dreamplate.take import Take, run
from dreamplate.take.log import read_entries
from dreamplate.train.options import LearnOptions, MeasureOptions
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.jobs import TrainJob
from dreamplate.translate.model import load_model
from dreamplate.translate.pix2pix_config import Pix2pixOptions

CONFIG = TrainConfig(
    device="cpu",
    previews=2,
    learn=LearnOptions(steps=4, batch=2, ema=0.9, rate=1e-3, precision="float32"),
    measure=MeasureOptions(every=2, sheet=3, features="none"),
    pix2pix=Pix2pixOptions(width=4, width_d=4, depth=3, patch=16),
)


def job(config: TrainConfig = CONFIG, validation: int = 4) -> TrainJob:
    return TrainJob(config, examples=(ToyExamples(6), ToyExamples(validation)))  # type: ignore[arg-type]


def train(path: Path, config: TrainConfig = CONFIG, validation: int = 4, **options: Any) -> Take:
    take = Take.create(path, "train", config)
    run(job(config, validation), take, signals=(), **options)
    return take


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Take:
    return train(tmp_path_factory.mktemp("train") / "take")


def test_a_finished_take_holds_a_model_a_sheet_and_figures(finished: Take) -> None:
    model = load_model(finished.path)
    assert model.given == model.made == ToyExamples.given
    state = finished.load_state()
    assert state is not None
    averaged = state[1]["average"]["network"]
    assert all(torch.equal(value, averaged[name]) for name, value in model.network.state_dict().items())
    metrics = json.loads(finished.metrics_path.read_text())
    assert {"l1", "psnr", "ssim", "steps", "epoch"} <= metrics["scalars"].keys()
    assert model.notes["figures"]["l1"] == metrics["scalars"]["l1"]
    assert model.notes["examples"]["learnt"] == 6
    assert {"model.safetensors", "memory.safetensors", "brittleness.json"} <= set(metrics["outputs"])
    report = json.loads((finished.path / "brittleness.json").read_text())
    assert report["training_examples"] == 6 and report["conditions"] == 4
    assert (finished.path / "brittleness.png").is_file()
    final = read(finished.path / "final.png")
    assert (final.width, final.height) == (3 * 16 + 8, 3 * 16 + 8)
    assert len(list((finished.path / "previews").iterdir())) == 2


def test_figures_on_the_way_and_what_is_to_be_known_are_in_the_log(finished: Take) -> None:
    entries = read_entries(finished.log_path)
    assert any(entry.get("text") == "toy: this is a toy" for entry in entries)
    measured = [entry["step"] for entry in entries if "psnr" in entry.get("scalars", {})]
    assert measured == [2]  # the last is measured by the outcome


def test_a_stopped_take_has_a_model_and_ends_with_the_same_bits(finished: Take, tmp_path: Path) -> None:
    take = train(tmp_path / "take", stop_after=1)
    early = load_model(take.path)
    assert early.notes["steps"] == 1
    train(tmp_path / "take")
    for name in ("model.safetensors", "final.exr", "final.png"):
        if name.endswith("safetensors"):
            one, other = load_model(take.path), load_model(finished.path)
            assert one.notes == other.notes
            for key, value in one.network.state_dict().items():
                assert torch.equal(value, other.network.state_dict()[key]), key
        else:
            assert (read(take.path / name).pixels == read(finished.path / name).pixels).all()


def test_without_anything_held_out_figures_say_so(tmp_path: Path) -> None:
    config = replace(CONFIG, learn=replace(CONFIG.learn, steps=1))
    take = train(tmp_path / "take", config, validation=0)
    figures = json.loads(take.metrics_path.read_text())["scalars"]
    assert "train_l1" in figures and "l1" in figures  # the second is the loss of the last step
    assert any("nothing is held out" in entry.get("text", "") for entry in read_entries(take.log_path))


def test_a_budget_of_time_is_shared_with_the_final_look() -> None:
    config = replace(CONFIG, learn=replace(CONFIG.learn, steps=None, max_cpu_seconds=1.5))
    timed = job(config)
    for _ in range(len(timed)):
        timed.step()
    assert timed.loop.iterations >= 2 and timed.loop.progress == 1
    assert timed.loop.budget.reserve > 0


def test_a_run_begins_with_the_networks_of_another(finished: Take, tmp_path: Path) -> None:
    config = replace(CONFIG, learn=replace(CONFIG.learn, init=finished.path))
    begun = job(config)
    state = finished.load_state()
    assert state is not None
    for name, network in begun.system.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, state[1]["system"][name][key]), key
    assert sum("taken over" in text for text in begun.take_notices()) == 2
    assert begun.take_notices() == ()

    from_file = replace(config, learn=replace(config.learn, init=finished.path / "model.safetensors"))
    assert any("has no discriminator" in text for text in job(from_file).take_notices())


def test_another_architecture_is_refused_by_its_tensor(finished: Take) -> None:
    learn = replace(CONFIG.learn, init=finished.path)
    wider = replace(CONFIG, learn=learn, pix2pix=replace(CONFIG.pix2pix, width=6))
    with pytest.raises(CheckpointError, match=r"tensor '\S+' is \(4, .*needed is \(6, "):
        job(wider)
    deeper = replace(CONFIG, learn=learn, pix2pix=replace(CONFIG.pix2pix, depth=4))
    with pytest.raises(CheckpointError, match=r"tensor '\S+'"):
        job(deeper)
    with pytest.raises(ModelError, match="there is no such model"):
        job(replace(CONFIG, learn=replace(learn, init=Path("/nowhere"))))


def test_options_that_cannot_be_measured_are_refused_before_training() -> None:
    with pytest.raises(ConfigError, match="label maps"):
        job(replace(CONFIG, measure=replace(CONFIG.measure, segmenter=Path("x"))))
