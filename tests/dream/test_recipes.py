"""Every named recipe of the package: it loads, differs from the defaults, runs, and resumes to the bit."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import ToyScorer

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.generators import make_generator
from dreamplate.dream.jobs import DreamJob
from dreamplate.dream.painting import Painting
from dreamplate.plate import Plate, write
from dreamplate.take import load_recipe, recipe_names
from dreamplate.take.config import replace_fields

RECIPES = recipe_names("dream")


def small(name: str, folder: Path, **changes: object) -> DreamConfig:
    """Return a recipe cut down to seconds: few pixels, few steps, few of everything that is counted."""
    config = load_recipe(DreamConfig, name, kind="dream")
    assert config != DreamConfig()
    fewer: dict[str, object] = {
        "prompt": "a harbour",
        "size": [48, 40],
        "steps": 4,
        "cut_sides": [32] * len(config.cut_sides),
        "cuts.number": min(config.cuts.number, 6),
        "search.population": min(config.search.population, 6),
        "search.best_of": min(config.search.best_of, 8),
    }
    if name == "paint-by-word":
        rng = np.random.default_rng(0)
        write(Plate.from_rgb(rng.random((40, 48, 3), np.float32)), folder / "init.exr")
        mask = np.zeros((40, 48, 1), np.float32)
        mask[:, :24] = 1
        write(Plate(mask, ("Y",), "raw"), folder / "mask.png")
        fewer |= {"init": str(folder / "init.exr"), "mask": str(folder / "mask.png")}
    return replace_fields(config, fewer | changes)


@functools.cache
def network(generator: str, weights: str) -> Painting:
    """Return a generator whose network is read from disk once for all tests."""
    config = replace_fields(DreamConfig(size=(48, 40), generator=generator), {})  # type: ignore[arg-type]
    return make_generator(replace_fields(config, {f"{generator}.weights": weights}), [0])


def job(config: DreamConfig) -> DreamJob:
    weights = getattr(config.options, "weights", None)
    like = network(config.generator, weights) if weights else None
    seeds = [config.seed + index for index in range(config.batch)]
    return DreamJob(config, ToyScorer(), make_generator(config, seeds, like))


def finish(work: DreamJob) -> torch.Tensor:
    while work.position < len(work):
        work.step()
    return work.render(*work.config.size)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_run_and_resume_to_the_bit(name: str, tmp_path: Path) -> None:
    config = small(name, tmp_path)
    whole = finish(job(config))
    assert whole.shape == (1, 3, 40, 48) and bool(torch.isfinite(whole).all())
    first = job(config)
    first.step()
    first.step()
    second = job(config)
    second.load_state_dict(first.state_dict())
    assert torch.equal(finish(second), whole)


@pytest.mark.parametrize(
    "name", sorted(set(RECIPES) - {"paint-by-word"})
)  # which fits a network for each job
def test_seeds_replay_whatever_the_chunks(name: str, tmp_path: Path) -> None:
    config = small(name, tmp_path, steps=2, seed=3)
    ends = []
    for chunk in (1, 4, 6):
        work = job(config)
        work.judge.chunks.update(dict.fromkeys(work.judge.chunks, chunk))
        ends.append(finish(work))
    assert (ends[0] - ends[2]).abs().max() < 2e-3
    assert (ends[1] - ends[2]).abs().max() < 2e-3
    other = finish(job(dataclasses.replace(config, seed=4)))
    assert (other - ends[0]).abs().max() > 1e-3


def test_there_are_recipes_for_every_system() -> None:
    named = {"bigsleep", "deep-daze", "aleph-gamma", "aleph-delta", "aleph2", "dvae-crowson"}
    named |= {"glass-biggan", "glass-stylegan2", "paint-by-word", "fusedream"}
    own = {"quick", "fine", "siren", "pixels", "texture", "biggan", "stylegan2", "codes"}
    assert named | own <= set(RECIPES)
    assert "glass-gpt2" in recipe_names("caption")
