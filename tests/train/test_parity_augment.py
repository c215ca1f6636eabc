"""Augmentation of a discriminator's pictures against reference numbers."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from dreamplate.train.ada import vary
from dreamplate.train.ada_filter import filter_bank
from dreamplate.train.ada_resample import low_pass
from dreamplate.train.ada_steps import STEPS, Ranges
from dreamplate.train.diffaugment import brightness, contrast, cutout, saturation, translation
from parity import Fixture, fixture

RANGES = {
    "xint_max": "xint",
    "scale_std": "scale",
    "rotate_max": "rotate",
    "aniso_std": "aniso",
    "xfrac_std": "xfrac",
    "brightness_std": "brightness",
    "contrast_std": "contrast",
    "hue_max": "hue",
    "saturation_std": "saturation",
    "imgfilter_std": "imgfilter",
    "noise_std": "noise",
    "cutout_size": "cutout",
}
ALIKE = {"rotate": ("rotate_before",)}
GROUPS = {
    "geometry_all": ("blit", "geometry"),
    "colour_all": ("colour",),
    "bgc": ("blit", "geometry", "colour"),
    "bgcfnc": tuple({step.group for step in STEPS}),
    "geometry_no_flip": ("blit", "geometry"),
}


def steps_named(name: str) -> set[str]:
    """Which of our steps a fixture's output means."""
    if name not in GROUPS:
        return set(ALIKE.get(name, (name,)))
    left_out = {"rotate_after"}  # at rest where every draw is at a quantile
    if name == "geometry_no_flip":
        left_out |= {"xflip", "rotate90"}
    return {step.name for step in STEPS if step.group in GROUPS[name]} - left_out


def quantile(step, share: float, count: int) -> torch.Tensor:
    """The draw that the reference uses at a quantile, as its notes say."""
    drawn = torch.full((count, step.numbers), share)
    if step.name == "noise":
        return torch.erfinv(drawn)
    return torch.erfinv(2 * drawn - 1) if step.normal else drawn


def replayed(held: Fixture, strength: float) -> dict[str, torch.Tensor]:
    """Value and gate of each step, in the order of the reference."""
    order = [step for step in STEPS if step.group in GROUPS["bgc"]]
    names = sorted(name for name in held.tensors if name.startswith("in.draw_"))
    assert len(names) == 2 * len(order)
    drawn = {}
    for step, value, gate in zip(order, names[::2], names[1::2], strict=True):
        assert step.normal == value.endswith("randn")
        number = (
            held.tensors[value].flatten(1) if held.tensors[value].dim() > 1 else held.tensors[value][:, None]
        )
        on = held.tensors[gate].flatten()[:, None] < step.chance(strength)
        drawn[step.name] = torch.where(on, number, step.rest)
    return drawn


def test_parity_ada_augment(shared_dir: Path) -> None:
    held = fixture(shared_dir, "ada_augment")
    ranges = Ranges(**{ours: held.arguments[theirs] for theirs, ours in RANGES.items()})
    image, field = held.given("x"), held.given("noise")
    held.check("geometry_filter", low_pass().float())
    held.check("filter_bank", filter_bank())
    for name in [name.removeprefix("out.") for name in held.tensors if name.startswith("out.")]:
        found = re.fullmatch(r"(.+)_p(\d+)", name)
        if found is None:
            continue
        wanted = steps_named(found[1])
        drawn = {s.name: quantile(s, int(found[2]) / 100, len(image)) for s in STEPS if s.name in wanted}
        assert drawn.keys() == wanted, name
        count = len(held.tensors[f"out.{name}"])
        held.check(name, vary(image, drawn, ranges, field=field, exact=False)[0][:count])
    drawn = replayed(held, held.arguments["replay_probability"])
    held.check("replay_bgc", vary(image, drawn, ranges, exact=False)[0])
    held.finish()


def test_parity_diffaugment(shared_dir: Path) -> None:
    held = fixture(shared_dir, "diffaugment")
    image = held.given("x")
    size = tuple(held.arguments["cutout_size"])
    draw = {name.removeprefix("in."): value.flatten() for name, value in held.tensors.items()}

    def colour(x):
        return contrast(saturation(brightness(x, draw["brightness"]), draw["saturation"]), draw["contrast"])

    def shift(x):
        return translation(x, draw["translation_x"], draw["translation_y"])

    def cut(x):
        return cutout(x, draw["cutout_x"], draw["cutout_y"], size)

    held.check("brightness", brightness(image, draw["brightness"]))
    held.check("saturation", saturation(image, draw["saturation"]))
    held.check("contrast", contrast(image, draw["contrast"]))
    held.check("translation", shift(image))
    held.check("cutout", cut(image))
    held.check("color_translation_cutout", cut(shift(colour(image))))
    held.finish()
