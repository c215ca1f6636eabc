"""What holds for every system: runs go on to the bit, models are built again, and sheets can be drawn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))

from tiny_systems import TINY, examples_for, tiny

from dreamplate.take import Take, run
from dreamplate.take.state import pack, read_state, write_state
from dreamplate.train.draws import Draws
from dreamplate.translate.jobs import TrainJob
from dreamplate.translate.model import load_model
from dreamplate.translate.systems import SYSTEMS


def job(name: str) -> TrainJob:
    return TrainJob(tiny(name), examples=(examples_for(name), examples_for(name, 3)))  # type: ignore[arg-type]


def leaves(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        found: dict[str, Any] = {}
        for name, value in state.items():
            found |= leaves(value, f"{path}/{name}")
        return found
    return {path: state}


def test_every_system_has_a_tiny_form() -> None:
    assert set(TINY) == set(SYSTEMS)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_goes_on_to_the_bit_through_a_file(name: str, tmp_path: Path) -> None:
    whole, first, second = job(name), job(name), job(name)
    for _ in range(len(whole)):
        last = whole.step()
    for _ in range(2):
        first.step()
    write_state(tmp_path / "state", pack(first.state_dict()))
    second.load_state_dict(read_state(tmp_path / "state"))
    while second.position < len(second):
        again = second.step()
    assert again.scalars == last.scalars
    one, other = leaves(second.state_dict()), leaves(whole.state_dict())
    assert one.keys() == other.keys()
    for key, value in one.items():
        if "/budget/" not in key:
            same = torch.equal(value, other[key]) if isinstance(value, torch.Tensor) else value == other[key]
            assert same, key


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_finished_take_holds_a_model_that_makes_the_same(name: str, tmp_path: Path) -> None:
    made = job(name)
    run(made, Take.create(tmp_path / "take", "train", made.config), signals=())
    assert (tmp_path / "take" / "final.png").is_file()
    model = load_model(tmp_path / "take")
    ours = made.loop.generator.state_dict()
    theirs = model.network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
    batch = made.validation.batch([0, 1], None)
    with torch.no_grad():
        first = made.system.make(batch, made.loop.generator, Draws(1))
        second = made.system.make(batch, model.network, Draws(1))
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)
