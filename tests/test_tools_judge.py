"""Laws of the judge of generated pictures, of what prompts say, and of how a training becomes built in."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from dreamplate.errors import ModelError
from dreamplate.models.store import Folder, Store
from dreamplate.take.config import replace_fields, to_dict
from dreamplate.take.recipes import load_recipe
from dreamplate.tokens.dual import DualEncoder
from dreamplate.train.port import Port
from dreamplate.translate.config import TrainConfig
from dreamplate.translate.model import Model, save_model

ROOT = Path(__file__).resolve().parents[1]
FACTS = {
    "time": "day",
    "weather": "fog",
    "biome": "hills",
    "landmark": "sailing boat",
    "count": "2",
    "season": "winter",
    "season_seen": "no",
    "water": "none",
    "side": "left",
    "size": "small",
    "site": "sea",
}


@pytest.fixture(scope="module", autouse=True)
def tools():
    """Let the tools import each other, as when they are run."""
    folders = [str(ROOT / name) for name in ("tools", "benchmarks")]
    sys.path[:0] = folders
    yield
    for folder in folders:
        sys.path.remove(folder)


def renders(count: int = 80, side: int = 32):
    """Pictures whose brightness is the time, with or without a red landmark."""
    from world_judge import Renders, shown_facts

    generator = torch.Generator().manual_seed(0)
    images, facts = [], []
    for number in range(count):
        time, there = ("day", "night")[number % 2], number % 3 == 0
        image = torch.full((3, side, side), 0.8 if time == "day" else 0.1)
        image = image + 0.03 * torch.randn(image.shape, generator=generator)
        if there:
            image[:, 12:24, 12:24] = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
        images.append((image.clamp(0, 1) * 255).to(torch.uint8))
        facts.append(shown_facts({"time": time, "landmark": "castle" if there else "none", "count": "1"}))
    return Renders(torch.stack(images), tuple(facts))


def test_the_judge_learns_and_is_read_again(tmp_path: Path) -> None:
    from world_judge import accuracies, load_judge, save_judge, train

    data = renders()
    judge = train(data, 30, batch=16)
    assert judge.figures["time"] == 1.0 and set(judge.classes) == {"time", "landmark"}
    save_judge(judge, tmp_path / "judge.safetensors")
    again = load_judge(tmp_path / "judge.safetensors")
    seen = again.judge(data.images.float() / 255)
    assert seen == judge.judge(data.images.float() / 255) and again.figures == judge.figures
    assert accuracies(seen, data.facts)["time"] > 0.95
    with pytest.raises(ModelError, match="is no judge"):
        load_judge(ROOT / "src/dreamplate/models/builtin/dvae-small.safetensors")


def test_facts_that_a_picture_does_not_show_are_not_asked() -> None:
    from world_judge import accuracies, majority, shown_facts

    shown = shown_facts(FACTS)
    assert shown == {
        "time": "day",
        "weather": "fog",
        "biome": "hills",
        "landmark": "boat",
        "count": "2",
        "water": "none",
    }
    assert "count" not in shown_facts({"landmark": "none", "count": "0"})
    facts = [{"time": "day"}, {"time": "day"}, {"time": "night"}, {}]
    assert majority(facts) == {"time": pytest.approx(2 / 3)}
    assert accuracies([{"time": "day"}] * 4, facts) == {"time": pytest.approx(2 / 3)}


def test_prompts_are_held_to_what_they_say() -> None:
    from world_pictures import said

    assert said("two sailboats on an islet", FACTS) == {"landmark": "boat", "count": "2"}
    assert said("a hilly landscape on a misty day", FACTS) == {
        "biome": "hills",
        "time": "day",
        "weather": "fog",
    }
    assert said("a wintry desert with castles", FACTS) == {}


def test_full_captions_say_time_weather_and_landmark() -> None:
    from world_pictures import said

    from dreamplate.scenes.world.caption import captions

    for seed in range(20):
        (caption,) = captions(FACTS, seed, 1)
        assert {"time", "landmark", "count"} <= said(caption, FACTS).keys(), caption


def test_a_training_becomes_built_in_with_what_its_take_says(tmp_path: Path) -> None:
    from build_in import build_in, halved

    net = DualEncoder(32, 8, 24, 128, 16, 32, 1)
    net.randomise(torch.Generator().manual_seed(0))
    config = load_recipe(TrainConfig, "scorer", kind="train")
    config = replace_fields(config, {"data": "/somewhere/worlds", "learn.max_cpu_seconds": 900.0})
    notes = {
        "training": json.loads(json.dumps(to_dict(config), default=str)),
        "steps": 1200,
        "examples": {"learnt": 7600, "validation": 400},
        "figures": {"accuracy_time": 0.98764, "not": float("nan")},
    }
    take = tmp_path / "take"
    take.mkdir()
    save_model(Model(net, net.settings, None, Port(), notes), take / "model.safetensors")
    metrics = {"scalars": {"train_cpu_seconds": 899.6}, "machine": {"processor": "Abacus"}}
    (take / "metrics.json").write_text(json.dumps(metrics))
    said = {"title": "t", "description": "d", "data": "renders", "figures": {"R@1": 0.5}}
    entry = build_in(take, "a-scorer", said, tmp_path / "store")
    assert entry.card is not None
    assert entry.card.training == (
        "dreamplate train scorer --data worlds --learn.max-cpu-seconds 900.0, 1200 steps of 128,"
        " 7600 examples, 900 processor seconds (Abacus)"
    )
    assert dict(entry.card.figures) == {"accuracy_time": 0.9876, "R@1": 0.5}
    state, card = Store([Folder(tmp_path / "store", "here")]).load("a-scorer")
    assert (
        state["texts.table"].dtype == torch.float16 and state["pictures.norm.weight"].dtype == torch.float32
    )
    again = DualEncoder.from_state(state, card.settings, "a-scorer")
    with torch.no_grad():
        both = net.eval().encode_text(["a castle"]), again.encode_text(["a castle"])
    torch.testing.assert_close(*both, atol=5e-3, rtol=5e-3)
    with pytest.raises(ModelError, match="'w' holds numbers that float16 cannot"):
        halved({"w": torch.full((64, 64), 1e5)})
    with pytest.raises(ModelError, match="training did not write this"):
        build_in(tmp_path / "store" / "a-scorer.safetensors", "b", said, tmp_path / "store")
