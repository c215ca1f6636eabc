"""Laws of whole dreams: batches, sequences, stories, masks, regions, locks, searches, and their resuming."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import ToyScorer

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.controls import Lock, MotionConfig, Region, SearchConfig, key_value, parse_keys
from dreamplate.dream.evolving import start_seeds
from dreamplate.dream.jobs import DreamJob
from dreamplate.dream.options import CutConfig, SirenConfig
from dreamplate.dream.planning import plan_dreams
from dreamplate.dream.prompts import expand_prompt
from dreamplate.dream.schedule import clock_at
from dreamplate.errors import ConfigError
from dreamplate.plate import Plate, read, write
from dreamplate.take import Take, run

SMALL = DreamConfig(
    prompt="a harbour | gulls:0.5",
    size=(48, 40),
    steps=6,
    cut_sides=(32, 32, 32),
    natural=0.5,
    cuts=CutConfig(number=4),
    siren=SirenConfig(hidden=16, layers=2, learning_rate=0.001, gain=4.0),
)


def job(**changes: Any) -> DreamJob:
    return DreamJob(dataclasses.replace(SMALL, **changes), ToyScorer())


def finish(work: DreamJob) -> torch.Tensor:
    while work.position < len(work):
        work.step()
    return work.render(*work.config.size)


def picture(path: Path, seed: int = 0, low: float = 0.0, high: float = 1.0) -> Path:
    pixels = np.random.default_rng(seed).uniform(low, high, (40, 48, 3)).astype(np.float32)
    write(Plate.from_rgb(pixels), path, **({"depth": "float"} if path.suffix == ".exr" else {}))
    return path


def half_mask(path: Path, *, left: bool = True) -> Path:
    pixels = np.zeros((40, 48, 1), np.float32)
    pixels[:, : 24 if left else 48] = 1
    if not left:
        pixels[:, :24] = 0
    write(Plate(pixels, ("Y",), "raw"), path)
    return path


@pytest.mark.parametrize("generator", ["fft", "siren", "pixels"])
def test_a_batch_makes_what_single_runs_would(generator: str) -> None:
    together = finish(job(generator=generator, batch=3, seed=5))
    for index in range(3):
        alone = finish(job(generator=generator, seed=5 + index))
        assert (together[index : index + 1] - alone).abs().max() < 1e-4


def test_the_best_of_a_batch_becomes_the_final_picture() -> None:
    work = job(batch=3)
    finish(work)
    plates, figures = work.delivery().pictures(), work.delivery().figures()
    scores = [figures[f"score_{n}"] for n in (1, 2, 3)]
    best = int(np.argmax(scores)) + 1
    assert np.array_equal(plates["final"].pixels, plates[f"picture_{best:02}"].pixels)
    assert figures["score"] == pytest.approx(max(scores))


CASES: dict[str, dict[str, Any]] = {
    "sequence": {"frames": 3, "frame_steps": 3, "motion": MotionConfig(zoom="1.1", rotate="3")},
    "story": {"story": ("a mountain", "the sea")},
    "batch": {"batch": 2, "ema": 0.5},
    "best of": {"search": SearchConfig(best_of=5)},
    "cma": {"search": SearchConfig(method="evolve", population=6)},
    "ga": {"search": SearchConfig(method="evolve", algorithm="ga", population=6), "batch": 2},
    "hybrid": {"search": SearchConfig(method="hybrid", population=6, optimiser="adamp")},
    "nsga2": {
        "search": SearchConfig(
            method="evolve", algorithm="nsga2", population=6, objectives=("similarity", "realism")
        )
    },
    "wishes": {"palette": ("#203a5f", "#fc8"), "symmetry": "x", "total_variation": 0.1, "smooth": 0.1},
    "mean": {"mean_share": 0.3, "distance": "spherical", "agreement": 10.0},
}


@pytest.mark.parametrize("name", CASES)
def test_resumed_anywhere_it_is_the_unbroken_one_bit_for_bit(name: str) -> None:
    whole = finish(job(**CASES[name]))
    total = len(job(**CASES[name]))
    for stop in (1, total // 2, total - 1):
        first = job(**CASES[name])
        for _ in range(stop):
            first.step()
        second = job(**CASES[name])
        second.load_state_dict(first.state_dict())
        assert torch.equal(finish(second), whole), stop


def test_the_mean_of_cuts_is_judged_the_same_in_chunks() -> None:
    ends = []
    for chunk in (1, 2, 4):
        work = job(mean_share=0.5, natural=0.0)
        work.judge.chunks.update(dict.fromkeys(work.judge.chunks, chunk))
        ends.append(finish(work))
    assert (ends[0] - ends[2]).abs().max() < 2e-4
    assert (ends[1] - ends[2]).abs().max() < 2e-4
    assert not torch.allclose(ends[2], finish(job(natural=0.0)), atol=1e-3)


def test_what_the_mask_keeps_stays_to_the_last_bit(tmp_path: Path) -> None:
    init = picture(tmp_path / "init.exr", low=-0.5, high=8.0)
    mask = half_mask(tmp_path / "mask.png")
    config = dataclasses.replace(SMALL, init=init, mask=mask)
    take = Take.create(tmp_path / "take", "dream", config)
    run(DreamJob(config, ToyScorer()), take)
    before, after = read(init), read(take.path / "final.exr")
    assert np.array_equal(after.rgb()[:, 24:], before.rgb()[:, 24:])
    assert np.abs(after.rgb()[:, :24] - before.rgb()[:, :24]).mean() > 0.1
    assert after.channel("mask.Y").mean() == pytest.approx(0.5, abs=0.05)


def test_a_sequence_leaves_frames_and_a_film(tmp_path: Path) -> None:
    config = dataclasses.replace(
        SMALL, frames=3, frame_steps=2, first_frame=1001, motion=MotionConfig(pan_x="0.25"), seamless="x"
    )
    take = Take.create(tmp_path / "take", "dream", config)
    assert run(DreamJob(config, ToyScorer()), take, stop_after=7).status == "paused"
    assert (take.path / "frames/frame.1001.exr").is_file()
    assert not (take.path / "frames/frame.1003.exr").exists()
    run(DreamJob(config, ToyScorer()), take)
    names = sorted(path.name for path in (take.path / "frames").glob("*.exr"))
    assert names == ["frame.1001.exr", "frame.1002.exr", "frame.1003.exr"]
    assert (take.path / "film.mp4").stat().st_size > 0
    last, final = read(take.path / "frames/frame.1003.exr"), read(take.path / "final.exr")
    assert np.array_equal(last.pixels, final.pixels)
    whole = Take.create(tmp_path / "whole", "dream", config)
    run(DreamJob(config, ToyScorer()), whole)
    for name in names:
        assert (whole.path / "frames" / name).read_bytes() == (take.path / "frames" / name).read_bytes()


def test_a_pan_moves_the_picture() -> None:
    config = {"frames": 2, "frame_steps": 1, "motion": MotionConfig(pan_x="0.25"), "seamless": "x"}
    work = job(**config, generator="pixels")
    for _ in range(work.config.steps):
        work.step()
    before = work.render(48, 40)
    work._move(clock_at(work.config, work.done))
    assert (work.render(48, 40) - before.roll(12, -1)).abs().max() < 0.02
    assert (work.render(48, 40) - before).abs().max() > 0.02


def test_a_story_goes_from_its_first_prompt_to_its_last() -> None:
    work = job(prompt="the sea", story=("a mountain",), steps=11)
    sea, mountain = ToyScorer().encode_text(["the sea"])[0], ToyScorer().encode_text(["a mountain"])[0]
    assert torch.equal(work.story.at(0.0).vectors[0], sea)
    assert torch.equal(work.story.at(1.0).vectors[0], mountain)
    halfway = work.story.at(0.5)
    assert torch.equal(halfway.vectors, torch.stack([sea, mountain]))
    assert torch.allclose(halfway.weights, torch.tensor([0.5, 0.5]))


def test_a_region_shows_its_own_prompt(tmp_path: Path) -> None:
    region = Region(half_mask(tmp_path / "left.png"), "a mountain")
    plain, told = job(steps=40, natural=0.0), job(steps=40, natural=0.0, regions=(region,))
    finish(plain)
    finish(told)
    critic = told.control.regions[0]
    assert critic.measure(told.render(48, 40)) > critic.measure(plain.render(48, 40)) + 0.05


def test_regions_must_not_overlap(tmp_path: Path) -> None:
    half_mask(tmp_path / "a.png")
    half_mask(tmp_path / "b.png")
    half_mask(tmp_path / "c.png", left=False)
    regions = tuple(Region(tmp_path / name, "x y") for name in ("a.png", "b.png"))
    with pytest.raises(ConfigError, match="overlap"):
        job(regions=regions)
    job(regions=(regions[0], Region(tmp_path / "c.png", "z")))


def test_a_lock_keeps_the_layout(tmp_path: Path) -> None:
    reference = picture(tmp_path / "ref.exr", seed=3)
    lock = Lock("luminance", reference, 20.0)
    free, held = job(steps=30, natural=0.0), job(steps=30, natural=0.0, locks=(lock,))
    finish(free)
    finish(held)
    critic = held.control.locks[0]
    assert float(critic.loss(held.render(48, 40))) < 0.5 * float(critic.loss(free.render(48, 40)))


def test_layers_tell_where_each_part_is_seen() -> None:
    work = job(heat=True)
    plate = work.delivery().plate(0)
    assert plate.channels == ("R", "G", "B", "heat.a_harbour", "heat.gulls")
    heat = plate.channel("heat.a_harbour")
    assert heat.shape == (40, 48) and heat.min() >= 0 and heat.max() <= 1


def test_the_best_of_many_starts_is_better_than_one() -> None:
    one, many = job(natural=0.0), job(natural=0.0, search=SearchConfig(best_of=30))
    one.step()
    many.step()
    assert many.delivery().figures()["score"] > one.delivery().figures()["score"]
    assert start_seeds(7, 3)[0] == 7
    assert start_seeds(7, 3) == start_seeds(7, 5)[:3]


def test_evolution_climbs_and_becomes_its_best() -> None:
    work = job(search=SearchConfig(method="evolve", population=12), steps=15, natural=0.0)
    before = work.delivery().figures()["score"]
    finish(work)
    assert work.delivery().figures()["score"] > before + 0.05


def test_trade_offs_leave_a_gallery() -> None:
    work = job(**CASES["nsga2"])
    finish(work)
    outcome = work.outcome()
    assert set(outcome.plates) == {"final", "front"}
    assert min(outcome.plates["front"].pixels.shape[:2]) > 40
    assert torch.equal(work.render(48, 40), finish(job(**CASES["nsga2"])))  # looking changed nothing


def test_wildcards_files_and_seeds_make_a_run_each(tmp_path: Path) -> None:
    assert expand_prompt("a {red|blue} {door|gate}") == (
        "a red door",
        "a red gate",
        "a blue door",
        "a blue gate",
    )
    config = dataclasses.replace(SMALL, prompt="a {red|blue} door", count=2, seed=3)
    assert [(c.prompt, c.seed, c.count) for c in plan_dreams(config)] == [
        ("a red door", 3, 1),
        ("a red door", 4, 1),
        ("a blue door", 3, 1),
        ("a blue door", 4, 1),
    ]
    lines = tmp_path / "prompts.txt"
    lines.write_text("# by night\nthe moon\n\na {cat|dog}\n")
    config = dataclasses.replace(SMALL, prompt="", prompts=lines, batch=4, count=2)
    assert [(c.prompt, c.seed) for c in plan_dreams(config)][:3] == [
        ("the moon", 0),
        ("the moon", 4),
        ("a cat", 0),
    ]
    with pytest.raises(ConfigError, match="has no prompt"):
        lines.write_text("# nothing\n")
        plan_dreams(config)
    with pytest.raises(ConfigError, match="both set"):
        plan_dreams(dataclasses.replace(config, prompt="x"))


def test_keyframes() -> None:
    keys = parse_keys("0:1, 10:2, 20:2", "zoom")
    assert [key_value(keys, frame) for frame in (-5, 0, 5, 10, 15, 99)] == [1, 1, 1.5, 2, 2, 2]
    assert parse_keys("0.5", "zoom") == ((0, 0.5),)
    for wrong in ("x", "5:1, 5:2", "1:nan, 2:3", ""):
        with pytest.raises(ConfigError, match=r"motion\.zoom"):
            MotionConfig(zoom=wrong)


def test_texts_of_controls_read_back() -> None:
    for text in ("edges:a b.png:2", "palette:/x/y.exr:0.5"):
        assert str(Lock.parse(text)) == text
    assert Region.parse("m.png=a sky | -sun").prompt == "a sky | -sun"
    for wrong in ("edges", "edges:", "hue:a.png", "edges:a.png:0"):
        with pytest.raises(ConfigError, match="lock"):
            Lock.parse(wrong)
    for wrong in ("m.png", "=x", "m.png="):
        with pytest.raises(ConfigError, match="region"):
            Region.parse(wrong)
