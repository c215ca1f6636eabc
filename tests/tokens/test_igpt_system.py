"""Laws of how Image GPT learns."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.plate.labels import LabelClass, Palette
from dreamplate.take import load_recipe, recipe_names
from dreamplate.tokens.igpt_config import IgptOptions
from dreamplate.tokens.igpt_system import IgptSystem, build
from dreamplate.tokens.palette import nearest
from dreamplate.train.batch import Batch
from dreamplate.train.draws import Draws
from dreamplate.train.examine import Measures
from dreamplate.train.options import LearnOptions, SourceOptions
from dreamplate.train.port import Port
from dreamplate.train.system import Now, Prepares
from dreamplate.translate.config import TrainConfig

SIDE = 8
COLOURS = torch.tensor([[-0.8, -0.8, 0.9], [0.7, -0.2, -0.5], [0.1, 0.9, 0.2], [-0.3, 0.4, 0.6]])


def config(**igpt: Any) -> Any:
    options = IgptOptions(colours=4, palette_pictures=3, depth=1, width=16, heads=2, keep=0.5, top_k=0)
    return SimpleNamespace(
        seed=1,
        source=SourceOptions(pairing="images", crop=(SIDE, SIDE)),
        learn=LearnOptions(batch=4, rate=1e-2, betas=(0.9, 0.95), decay_from=1.0, precision="float32"),
        igpt=replace(options, **igpt),
    )


class Stripes:
    """Pictures of four colours, in stripes that follow one another in one order."""

    def __init__(self, count: int = 6) -> None:
        self.count = count
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Any, draws: Draws | None) -> Batch:
        assert draws is None
        self.asked += list(indices)
        tokens = torch.stack([(torch.arange(SIDE) + index) % 4 for index in indices])
        return Batch(COLOURS[tokens].permute(0, 2, 1)[:, :, None].expand(-1, -1, SIDE, -1).contiguous())


def system(**igpt: Any) -> IgptSystem:
    made = build(config(**igpt), None, Port())
    made.prepare(Stripes())
    return made


def now(step: int) -> Now:
    return Now(step, 4 * step, 0.0, 0.0, Draws(1, step))


def batch(step: int) -> Batch:
    return Stripes().batch([(step + number) % 4 for number in range(4)], None)


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def test_the_palette_is_that_of_the_training_set() -> None:
    made, stripes = build(config(), None, Port()), Stripes(9)
    assert isinstance(made, Prepares) and isinstance(made, Measures)
    made.prepare(stripes)
    assert stripes.asked == [0, 3, 6]  # spread over the set
    palette = made.generator.palette
    torch.testing.assert_close(palette[nearest(COLOURS, palette)], COLOURS, atol=1e-5, rtol=0)


def test_it_begins_knowing_nothing_and_learns_what_follows_what() -> None:
    made = system()
    sums = made.measure(batch(0), made.generator)
    before = made.figures(sums)
    assert before["bits_per_token"] == pytest.approx(2, abs=0.1)
    assert before["palette_psnr"] > 60
    for step in range(60):
        figures = made.learn(batch(step), now(step))
    assert float(figures["bits_per_token"]) == pytest.approx(float(figures["loss"]) / math.log(2))
    assert made.figures(made.measure(batch(0), made.generator))["bits_per_token"] < 0.15
    # The lower half of a picture is drawn as the upper one goes on.
    made.generator.eval()
    shown = batch(3)
    drawn = made.make(shown, made.generator, Draws(1))
    assert (drawn - shown.image).abs().mean() < 0.05


def test_sums_of_batches_add_up() -> None:
    made = system()
    whole = made.measure(batch(0), made.generator)
    parts = [made.measure(batch(0).part(*span), made.generator) for span in ((0, 1), (1, 4))]
    for name, value in whole.items():
        torch.testing.assert_close(parts[0][name] + parts[1][name], value, rtol=1e-5, atol=1e-9)
        assert value.dtype == torch.float64


def test_training_goes_on_exactly_from_its_state() -> None:
    straight, first, second = system(), system(), system()
    for step in range(5):
        straight.learn(batch(step), now(step))
        if step < 3:
            first.learn(batch(step), now(step))
    second.learn(batch(9), now(9))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for step in range(3, 5):
        second.learn(batch(step), now(step))
    assert equal(second.state_dict(), straight.state_dict())


def test_what_is_made_keeps_the_upper_part() -> None:
    made, shown = system(keep=0.25), batch(0)
    drawn = made.make(shown, made.generator.eval(), Draws(1))
    torch.testing.assert_close(drawn[..., :2, :], shown.image[..., :2, :], atol=1e-5, rtol=0)
    assert not torch.allclose(drawn[..., 2:, :], shown.image[..., 2:, :], atol=0.1)
    assert torch.equal(drawn, made.make(shown, made.generator, Draws(1)))


def test_what_cannot_be_learnt_is_refused() -> None:
    grey = Port(channels=("Y",))
    labels = Port("labels", ("id",), "raw", palette=Palette((LabelClass(0, "sky"),), (255,)))
    for given, made, says in ((None, grey, "red, green and blue"), (labels, Port(), "pairing images")):
        with pytest.raises(ConfigError, match=says):
            build(config(), given, made)
    for wrong, says in (({"heads": 3}, "cannot share"), ({"top_k": 5}, "palette has 4")):
        with pytest.raises(ConfigError, match=says):
            build(config(**wrong), None, Port())
    oblong = config()
    oblong.source = SourceOptions(pairing="images", crop=(8, 6))
    with pytest.raises(ConfigError, match="squares"):
        build(oblong, None, Port())
    with pytest.raises(ConfigError, match=r"source\.crop 8 8"):
        system().learn(Batch(torch.zeros(1, 3, 8, 10)), now(0))


@pytest.mark.parametrize("name", [name for name in recipe_names("train") if name.startswith("igpt")])
def test_every_recipe_builds_its_network(name: str) -> None:
    asked = load_recipe(TrainConfig, name, kind="train")
    assert asked.system == "igpt" and asked.source.shortest == asked.source.crop[0]
    small = replace(asked, igpt=replace(asked.igpt, depth=1, width=asked.igpt.heads * 4))
    made = build(small, None, Port())
    assert made.generator.shape.side == asked.source.crop[0]
