"""Laws of the dream: chunks, seeds, resuming, controls, and that it climbs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import ToyScorer

from dreamplate.dream import jobs as dream_jobs
from dreamplate.dream.chunks import bytes_per_cut, chunk_size
from dreamplate.dream.config import DreamConfig
from dreamplate.dream.controls import SearchConfig
from dreamplate.dream.jobs import DreamJob
from dreamplate.dream.losses import agreement, roughness, want
from dreamplate.dream.natural import NaturalStatistics, moments
from dreamplate.dream.options import CutConfig, SirenConfig
from dreamplate.dream.schedule import learning_rate, stage_at
from dreamplate.dream.targets import encode_targets, targets_of
from dreamplate.errors import ConfigError, MediaError, ResourceError
from dreamplate.nets.efficientnet_lite import Layer
from dreamplate.plate import Plate, read, write
from dreamplate.take import Take, run

SMALL = DreamConfig(
    prompt="a harbour | -fog | gulls:0.5",
    size=(48, 40),
    steps=9,
    cut_sides=(32, 32, 40),
    natural=0.5,
    cuts=CutConfig(number=5),
    siren=SirenConfig(hidden=32, layers=3, learning_rate=0.001, gain=4.0),
)


def job(**changes: Any) -> DreamJob:
    return DreamJob(dataclasses.replace(SMALL, **changes), ToyScorer())


def finish(work: DreamJob) -> torch.Tensor:
    while work.position < len(work):
        work.step()
    return work.render(*work.config.size)


@pytest.mark.parametrize("generator", ["fft", "siren", "pixels"])
@pytest.mark.parametrize("seamless", ["none", "both"])
def test_the_score_climbs(generator: str, seamless: str) -> None:
    work = job(generator=generator, seamless=seamless, steps=80, natural=0.0)
    before = work.delivery().figures()["score"]
    finish(work)
    after = work.delivery().figures()["score"]
    assert after > before + 0.08


def test_chunking_changes_a_step_only_by_rounding() -> None:
    """Gradients of chunks are summed at the picture: one, two or five chunks make the same step."""
    ends = []
    for chunk in (1, 2, 5):
        work = job(steps=6)
        work.judge.chunks.update(dict.fromkeys(work.judge.chunks, chunk))
        ends.append(finish(work))
    assert (ends[0] - ends[2]).abs().max() < 2e-4
    assert (ends[1] - ends[2]).abs().max() < 2e-4
    assert (ends[2] - job().render(48, 40)).abs().max() > 0.02  # and the steps did something


def test_the_picture_is_rendered_once_a_step() -> None:
    work, count = job(), 0
    work.judge.chunks.update(dict.fromkeys(work.judge.chunks, 1))
    inner = work.generator.forward

    def counted(*arguments: int) -> torch.Tensor:
        nonlocal count
        count += 1
        return inner(*arguments)

    work.generator.forward = counted
    work.step()
    assert count == 1


def test_seeds_decide_and_global_state_does_not() -> None:
    torch.manual_seed(1)
    first = finish(job(seed=4))
    torch.manual_seed(2)
    np.random.seed(3)  # noqa: NPY002
    assert torch.equal(first, finish(job(seed=4)))
    assert not torch.equal(first, finish(job(seed=5)))


@pytest.mark.parametrize("generator", ["fft", "siren", "pixels"])
def test_a_resumed_dream_is_the_unbroken_one_bit_for_bit(generator: str) -> None:
    whole = finish(job(generator=generator, ema=0.5))
    for stop in (0, 1, 4, 8):
        first = job(generator=generator, ema=0.5)
        for _ in range(stop):
            first.step()
        second = job(generator=generator, ema=0.5)
        second.load_state_dict(first.state_dict())
        assert torch.equal(finish(second), whole), stop


def test_a_take_stopped_and_resumed_leaves_the_same_files(tmp_path: Path) -> None:
    config = dataclasses.replace(SMALL, steps=12)
    whole = Take.create(tmp_path / "whole", "dream", config)
    run(DreamJob(config, ToyScorer()), whole)
    broken = Take.create(tmp_path / "broken", "dream", config)
    while run(DreamJob(config, ToyScorer()), broken, stop_after=5).status != "finished":
        pass
    for name in ("final.png", "final.exr", "state.safetensors"):
        assert (whole.path / name).read_bytes() == (broken.path / name).read_bytes(), name
    exr, png = read(whole.path / "final.exr"), read(whole.path / "final.png")
    assert exr.colourspace == "scene_linear" and png.colourspace == "srgb_display"
    assert exr.pixels.shape == png.pixels.shape == (40, 48, 3)
    assert (whole.path / "progress.mp4").stat().st_size > 0


def test_the_running_average_smooths_what_is_shown() -> None:
    plain, averaged = job(ema=0.0), job(ema=0.9)
    jumps = []
    for work in (plain, averaged):
        work.step()
        before = work.render(48, 40)
        work.step()
        jumps.append(float((work.render(48, 40) - before).abs().mean()))
    assert jumps[1] < 0.7 * jumps[0]
    # With a constant parameter the bias-corrected average is that parameter from the first step on.
    assert torch.equal(job(ema=0.0).render(48, 40), job(ema=0.9).render(48, 40))


def test_an_init_picture_is_where_it_starts(tmp_path: Path) -> None:
    ramp = np.linspace(0.2, 0.8, 60, dtype=np.float32)[None, :, None] * np.ones((50, 1, 3), np.float32)
    write(Plate.from_rgb(ramp, colourspace="srgb_display"), tmp_path / "ramp.png")
    image = job(init=tmp_path / "ramp.png").render(48, 40)
    expected = torch.linspace(0.2, 0.8, 48)
    assert (image[0, 0, 20] - expected).abs().max() < 0.03
    with pytest.raises(MediaError, match=r"missing\.png"):
        job(init=tmp_path / "missing.png")


def test_pictures_are_prompts_too(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((40, 60, 3), np.float32)
    write(Plate.from_rgb(pixels, colourspace="srgb_display"), tmp_path / "look.png")
    config = dataclasses.replace(
        SMALL, prompt="", image_prompts=(tmp_path / "look.png",) * 2, image_weights=(2.0, -1.0)
    )
    targets = targets_of(config)
    assert [(t.picture, t.weight, t.avoid) for t in targets] == [(True, 2.0, False), (True, 1.0, True)]
    wanted = encode_targets(ToyScorer(), targets, torch.device("cpu"))
    # What is wanted and avoided at once cancels in part: 1 - 0.5.
    assert torch.allclose(agreement(wanted.vectors[:1], wanted), torch.tensor([0.5]), atol=1e-5)


def test_agreement_rewards_avoided_things_only_down_to_absence() -> None:
    axes = torch.eye(3)
    wanted = want(axes[:2], [3.0, 1.0], [False, True])
    views = torch.stack([axes[0], axes[1], -axes[1], axes[2]])
    expected = torch.tensor([1.0, -1 / 3, 0.0, 0.0])
    assert torch.allclose(agreement(views, wanted), expected)


def test_roughness_sees_the_seam_only_where_the_picture_tiles() -> None:
    ramp = torch.linspace(0, 1, 16).expand(1, 3, 16, 16)
    assert roughness(ramp, (True, False)) > 4 * roughness(ramp, (False, False))
    assert roughness(torch.ones(1, 3, 8, 8), (True, True)) == 0


def test_natural_statistics_pull_moments_towards_those_of_photographs() -> None:
    generator = torch.Generator().manual_seed(0)
    values = (torch.randn((4, 6, 8, 8), generator=generator) * 3 + 1).requires_grad_()
    mean, std = torch.zeros(6), torch.ones(6)
    natural = NaturalStatistics()
    optimiser = torch.optim.Adam([values], lr=0.1)

    def off() -> float:
        now = moments(values.detach())
        return float(now[0].abs().mean() + ((now[1] - now[0] ** 2).sqrt() - 1).abs().mean())

    before = off()
    for _ in range(120):
        optimiser.zero_grad()
        loss = natural.penalty([Layer(values, mean, std)], 1.0)
        if loss.requires_grad:
            loss.backward()
            optimiser.step()
        natural.close_step()
    assert off() < 0.1 * before


def test_natural_statistics_slope_is_the_gradient_of_the_penalty() -> None:
    generator = torch.Generator().manual_seed(1)
    natural = NaturalStatistics(memory=0.0)
    values = torch.randn((3, 4, 5, 5), generator=generator, dtype=torch.float64) + 0.3
    layer = Layer(
        values, torch.randn(4, generator=generator).double(), torch.rand(4, generator=generator).double()
    )
    natural.penalty([layer], 1.0)
    natural.close_step()

    def penalty(now: torch.Tensor) -> torch.Tensor:
        spread = (now[1] - now[0] ** 2).sqrt()
        scale = layer.std + natural.FLOOR
        return (((now[0] - layer.mean) / scale) ** 2 + ((spread - layer.std) / scale) ** 2).mean()

    now = natural.moments[0].double().requires_grad_()
    penalty(now).backward()
    assert now.grad is not None
    assert torch.allclose(natural.slope(0, layer).double(), now.grad, rtol=1e-4, atol=1e-5)


def test_chunks_follow_the_memory_setting() -> None:
    scorer = ToyScorer()
    each = bytes_per_cut(scorer, 64)
    assert each >= 3 * 4 * 64 * 64
    assert chunk_size(scorer, 64, 10 * each) == 10
    assert bytes_per_cut(scorer, 128) == pytest.approx(4 * each, rel=0.05)
    with pytest.raises(ResourceError, match="raise memory"):
        chunk_size(scorer, 64, each // 2)
    scorer.idle = torch.nn.Parameter(torch.zeros(4_000_000))  # weights are there once, whatever the cuts
    assert bytes_per_cut(scorer, 64) == each
    assert job(memory=str(3 * bytes_per_cut(scorer, 32))).judge.chunks[32] == 3
    assert job(memory="1GiB").judge.chunks[32] == job().config.cuts.number


def test_stages_and_rates_follow_the_plan() -> None:
    config = DreamConfig(prompt="x", stages=(0.5, 1.0), stage_starts=(0.0, 0.5), cut_sides=(32, 64))
    assert [stage_at(config, p) for p in (0, 0.49, 0.5, 0.99)] == [0, 0, 1, 1]
    assert learning_rate(config, 0.0) == config.fft.learning_rate
    assert learning_rate(config, 1.0) == pytest.approx(config.fft.learning_rate * config.learning_rate_end)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"device": "cuda:99"}, "device is 'cuda:99'"),
        ({"device": "toaster"}, "device is 'toaster'"),
        ({"stages": (1.0,)}, "stages"),
        ({"stage_starts": (0.1, 0.3, 0.6)}, "begin with 0"),
        ({"image_weights": (1.0,)}, "image_weights"),
        ({"memory": "lots"}, "memory is 'lots'"),
        ({"scorer": "nope"}, "scorer is 'nope'"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "-fog | -gulls"}, "only says what to avoid"),
        ({"prompt": "a {red|blue door"}, "brace without a partner"),
        ({"mask": Path("m.png")}, "give --init"),
        ({"frames": 3, "batch": 2}, "a sequence needs"),
        ({"palette": ("#12",)}, "palette"),
        ({"generator": "siren", "search": SearchConfig(method="evolve")}, "search.method needs a generator"),
        ({"search": SearchConfig(method="evolve", objectives=("structure",))}, "give --locks"),
    ],
)
def test_mistakes_are_named_in_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        DreamJob(dataclasses.replace(SMALL, **changes), None if "scorer" in changes else ToyScorer())
    assert "\n" not in str(caught.value)


def test_every_generator_and_scorer_name_is_a_literal_table() -> None:
    from dreamplate.dream.generators import GENERATORS
    from dreamplate.dream.scorers import SCORERS

    names = {"fft", "siren", "pixels", "biggan", "stylegan2", "dvae", "autoencoder", "dalle"}
    assert names == set(GENERATORS)
    assert "bridge" in SCORERS
    assert dream_jobs.DreamJob.kind == "dream"
