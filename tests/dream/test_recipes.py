"""Every named recipe of the package can be loaded, differs from the defaults, and makes a job."""

from __future__ import annotations

import dataclasses

import pytest
from toy import ToyScorer

from dreamplate.dream.config import DreamConfig
from dreamplate.dream.jobs import DreamJob
from dreamplate.take import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names("dream"))
def test_recipes_load_and_run(name: str) -> None:
    config = load_recipe(DreamConfig, name, kind="dream")
    assert config != DreamConfig()
    small = dataclasses.replace(config, prompt="a harbour", size=(48, 40), steps=2, cut_sides=(32, 32, 32))
    job = DreamJob(small, ToyScorer())
    assert [job.step().index for _ in range(2)] == [1, 2]


def test_there_are_recipes() -> None:
    assert {"quick", "siren", "pixels", "texture"} <= set(recipe_names("dream"))
