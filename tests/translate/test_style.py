"""Style: on the way from one to another, drawn or taken from a picture; and models that have none."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamplate.errors import ConfigError, MediaError, ModelError
from dreamplate.plate import LabelClass, Palette, Plate, write
from dreamplate.train import Port
from dreamplate.train.plates import encode_plate
from dreamplate.translate.model import Model
from dreamplate.translate.pix2pixhd import Pix2pixhd
from dreamplate.translate.resnet import Resnet
from dreamplate.translate.spade import Spade, SpadeShape
from dreamplate.translate.style import Style, slerp
from dreamplate.translate.translate_config import TranslateConfig

PALETTE = Palette(tuple(LabelClass(number, f"class {number}") for number in range(3)))
LABELS = Port("labels", ("Y",), palette=PALETTE)
CONFIG = TranslateConfig("m", Path("in.png"), "out.png")


def model(style_width: int = 2, network: torch.nn.Module | None = None) -> Model:
    torch.manual_seed(0)
    shape = SpadeShape(entry=3, width=1, hidden=2, z_dim=5, noise="start", style_width=style_width)
    return Model(
        (network or Spade(shape)).eval().requires_grad_(False), {}, LABELS, Port(), path=Path("m.safetensors")
    )


@given(
    ends=st.tuples(*[st.lists(st.floats(-3, 3), min_size=4, max_size=4) for _ in range(2)]),
    share=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_the_way_turns_and_grows_evenly(ends: tuple[list[float], list[float]], share: float) -> None:
    start, stop = (torch.tensor([values], dtype=torch.float64) for values in ends)
    made, back = slerp(start, stop, share), slerp(stop, start, 1 - share)
    torch.testing.assert_close(made, back, rtol=1e-6, atol=1e-9)
    assert torch.equal(slerp(start, stop, 0), start) and torch.equal(slerp(start, stop, 1), stop)
    long, longer = float(start.norm()), float(stop.norm())
    if min(long, longer) < 1e-3:
        return
    cosine = float((start * stop).sum()) / (long * longer)
    if abs(cosine) > 0.999:
        return
    assert math.isclose(float(made.norm()), long + (longer - long) * share, rel_tol=1e-6)
    turned = float((made * start).sum()) / (float(made.norm()) * long)
    assert math.isclose(
        math.acos(min(1, max(-1, turned))), math.acos(cosine) * share, rel_tol=1e-4, abs_tol=1e-6
    )


def test_a_style_changes_between_the_first_and_the_last_frame() -> None:
    style = Style(replace(CONFIG, style_from="3", style_to="4"), model(), (1001, 1011))
    drawn = [Style(replace(CONFIG, style_seed=seed), model(), (0, 0)).at(0) for seed in (3, 4)]
    assert style.changes
    assert torch.equal(style.at(1001), drawn[0]) and torch.equal(style.at(1011), drawn[1])  # type: ignore[arg-type]
    torch.testing.assert_close(style.at(1006), slerp(drawn[0], drawn[1], 0.5))  # type: ignore[arg-type]
    apart = Style(
        replace(CONFIG, style_from="3", style_to="4", style_span=(1001, 1021)), model(), (1001, 1011)
    )
    torch.testing.assert_close(apart.at(1011), style.at(1006))


def test_without_a_wish_the_style_follows_from_the_seed() -> None:
    plain = Style(replace(CONFIG, seed=3), model(), (0, 0))
    assert torch.equal(plain.at(0), Style(replace(CONFIG, style_seed=3), model(), (0, 0)).at(7))  # type: ignore[arg-type]
    assert not plain.changes
    assert not torch.equal(plain.at(0), Style(CONFIG, model(), (0, 0)).at(0))  # type: ignore[arg-type]


def test_the_style_of_a_picture_is_what_the_encoder_says(tmp_path: Path) -> None:
    plate = Plate(np.random.default_rng(0).random((40, 50, 3), np.float32))
    write(plate, tmp_path / "look.exr", depth="float")
    made = model()
    style = Style(replace(CONFIG, style_image=tmp_path / "look.exr"), made, (0, 0))
    mean, _ = made.network.style(encode_plate(Port(), plate))  # type: ignore[operator]
    torch.testing.assert_close(style.at(0), mean)
    way = Style(replace(CONFIG, style_from="1", style_to=str(tmp_path / "look.exr")), made, (0, 4))
    torch.testing.assert_close(way.at(4), mean)


def test_features_of_pix2pixhd_are_chosen_like_a_style() -> None:
    network = Pix2pixhd(
        given=3, width=2, downs=1, blocks=1, enhancers=1, local_blocks=1, features=2, classes=3
    )
    style = Style(replace(CONFIG, style_seed=1), model(network=network), (0, 0))
    assert style.at(0) is not None and style.at(0).shape == (1, 3)  # type: ignore[union-attr]


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    plain = model(network=Resnet(given=3, width=1, blocks=0))
    assert Style(CONFIG, plain, (0, 0)).at(0) is None
    with pytest.raises(ConfigError, match=r"style_seed is '4': m\.safetensors has no style"):
        Style(replace(CONFIG, style_seed=4), plain, (0, 0))
    write(Plate(np.zeros((8, 8, 3), np.float32)), tmp_path / "look.exr")
    with pytest.raises(ModelError, match="has no style encoder"):
        Style(replace(CONFIG, style_image=tmp_path / "look.exr"), model(style_width=0), (0, 0))
    with pytest.raises(MediaError, match=r"none\.exr"):
        Style(replace(CONFIG, style_from="1", style_to="none.exr"), model(), (0, 0))
    with pytest.raises(ConfigError, match="belong together"):
        replace(CONFIG, style_to="1")
    with pytest.raises(ConfigError, match="one style"):
        replace(CONFIG, style_seed=1, style_image=Path("a.png"))
