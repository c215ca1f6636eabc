"""Laws of adaptive discriminator augmentation: its strength, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch

from dreamplate.errors import ConfigError
from dreamplate.train.ada import Ada, vary
from dreamplate.train.ada_steps import STEPS, Ranges, draw_steps, steps_of
from dreamplate.train.augmenter import build_augmenter
from dreamplate.train.draws import Draws
from dreamplate.train.options import AugmentOptions
from dreamplate.train.system import Now

IMAGE = torch.rand((6, 3, 16, 24), generator=torch.Generator().manual_seed(0)) * 2 - 1


def now(step: int, batch: int = 8) -> Now:
    return Now(step, step * batch, 0.0, 0.0, Draws(0, step))


def test_nothing_is_touched_at_strength_zero() -> None:
    picture, beside = Ada("bgcfnc")(IMAGE, Draws(0), IMAGE)
    assert picture is IMAGE and beside is IMAGE


def test_draws_decide_and_pictures_are_independent() -> None:
    ada = Ada("bgcfnc", strength=0.5)
    whole, _ = ada(IMAGE, Draws(1))
    assert torch.equal(ada(IMAGE, Draws(1))[0], whole) and not torch.equal(ada(IMAGE, Draws(2))[0], whole)
    shares = [ada(IMAGE[3 * r : 3 * r + 3], Draws(1, rank=r, world=2))[0] for r in (0, 1)]
    torch.testing.assert_close(torch.cat(shares), whole, rtol=0, atol=2e-5)


def test_pictures_that_chance_leaves_alone_are_bit_for_bit_the_same() -> None:
    many = IMAGE.repeat(20, 1, 1, 1)
    out, _ = Ada("bg", strength=0.08)(many, Draws(3))
    same = (out == many).flatten(1).all(1)
    assert 0.2 < same.float().mean() < 0.95


def test_each_step_comes_as_often_as_the_strength_says() -> None:
    count, strength = 20_000, 0.3
    drawn = draw_steps(STEPS, count, strength, Draws(5))
    assert set(drawn) == {step.name for step in STEPS}
    for step in STEPS:
        changed = drawn[step.name] != step.rest
        share = changed.float().mean() if step.apart else changed.any(1).float().mean()
        assert share == pytest.approx(step.chance(strength), abs=0.015), step.name
    either = (drawn["rotate_before"] != 0.5) | (drawn["rotate_after"] != 0.5)
    assert either.float().mean() == pytest.approx(strength, abs=0.015)
    assert drawn["hue"].min() >= 0 and drawn["hue"].max() < 1


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_draw_at_rest_changes_nothing(step) -> None:
    rest = {step.name: torch.full((6, step.numbers), step.rest)}
    out, _ = vary(IMAGE, rest, Ranges(), field=torch.ones_like(IMAGE))
    torch.testing.assert_close(out, IMAGE, rtol=0, atol=1e-6)


def test_what_lies_beside_follows_geometry_and_nothing_else() -> None:
    picture, beside = Ada("bg", strength=1.0)(IMAGE, Draws(4), IMAGE[:, :2])
    assert torch.equal(picture[:, :2], beside) and not torch.equal(picture, IMAGE)
    picture, beside = Ada("cfnc", strength=1.0)(IMAGE, Draws(4), IMAGE[:, :2])
    assert torch.equal(beside, IMAGE[:, :2]) and not torch.equal(picture, IMAGE)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels(channels: int) -> None:
    picture = torch.rand((4, channels, 9, 8), generator=torch.Generator().manual_seed(1))
    out, _ = Ada("bgcfnc", strength=1.0)(picture, Draws(6))
    assert out.shape == picture.shape and torch.isfinite(out).all()
    only_colour, _ = Ada("c", strength=1.0)(picture, Draws(6))
    assert torch.equal(only_colour, picture) == (channels not in (1, 3))


def test_half_precision_outside_does_not_reach_in() -> None:
    ada = Ada("bgc", strength=1.0)
    wanted, _ = ada(IMAGE, Draws(7))
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = ada(IMAGE, Draws(7))
    assert torch.equal(found, wanted)


def test_the_penalty_of_gradients_goes_through() -> None:
    """R1 is taken at the pictures before they are varied, and its own gradient must exist."""
    ada = Ada("bgcfnc", strength=1.0)
    weight = torch.randn(IMAGE[0].shape, generator=torch.Generator().manual_seed(2)).requires_grad_()

    def penalty(image):
        score = (ada(image, Draws(8))[0] * weight).sum((1, 2, 3)).tanh()
        (slope,) = torch.autograd.grad(score.sum(), image, create_graph=True)
        return slope.square().sum()

    image = (0.05 * IMAGE).requires_grad_()
    found = torch.autograd.grad(penalty(image), weight)[0]
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(3))
    values = []
    for step in (1e-2, -1e-2):
        with torch.no_grad():
            weight += step * direction
        values.append(penalty(image).item())
        with torch.no_grad():
            weight -= step * direction
    assert (values[0] - values[1]) / 2e-2 == pytest.approx(float((found * direction).sum()), rel=0.02)


# -- strength ------------------------------------------------------------------------------------------


def test_strength_rises_over_its_thousands_of_pictures_and_falls_again() -> None:
    ada = Ada(target=0.6, kimg=1.0)
    for step in range(100):
        ada.observe(torch.ones(8, 1), now(step))
    assert ada.strength == pytest.approx(99 * 8 / 1000) and ada.sign == 1
    for step in range(100, 120):
        ada.observe([torch.full((8, 1, 2, 2), -1.0), torch.ones(8, 1, 1, 1)], now(step))
    assert ada.sign == 0 and ada.strength == pytest.approx((99 - 20) * 8 / 1000)
    for step in range(120, 400):
        ada.observe(-torch.ones(8, 1), now(step))
    assert ada.strength == 0


def test_strength_is_a_probability() -> None:
    ada = Ada(kimg=0.01)
    for step in range(40):
        ada.observe(torch.ones(8), now(step))
    assert ada.strength == 1


def test_strength_goes_on_exactly_from_its_state() -> None:
    scores = torch.randn(11, 8, generator=torch.Generator().manual_seed(4)) + 2
    straight, first, second = (Ada(kimg=0.2) for _ in range(3))
    for step in range(11):
        straight.observe(scores[step], now(step))
        if step < 6:
            first.observe(scores[step], now(step))
    second.load_state_dict(first.state_dict())
    for step in range(6, 11):
        second.observe(scores[step], now(step))
    assert second.figures == straight.figures and straight.strength > 0
    assert torch.equal(second.state_dict()["window"], straight.state_dict()["window"])


def test_options_are_obeyed() -> None:
    options = AugmentOptions(policy="ada", ada_target=0.7, ada_kimg=500, ada_start=0.25, ada_pipe="bg")
    fresh, again = build_augmenter(options), build_augmenter(options, resumed=True)
    assert isinstance(fresh, Ada) and isinstance(again, Ada)
    assert (fresh.kimg, again.kimg, fresh.target, fresh.strength) == (500, 100, 0.7, 0.25)
    assert {step.group for step in fresh.steps} == {"blit", "geometry"}


def test_groups_are_read_from_letters() -> None:
    groups = lambda pipe: list(dict.fromkeys(step.group for step in steps_of(pipe)))  # noqa: E731
    assert groups("bgc") == ["blit", "geometry", "colour"]
    assert groups("bgnc") == ["blit", "geometry", "noise", "cutout"]
    assert groups("bgcfnc") == ["blit", "geometry", "colour", "filter", "noise", "cutout"]
    for wrong in ("", "gb", "xyz", "bgcolour"):
        with pytest.raises(ConfigError, match="ada_pipe"):
            steps_of(wrong)
