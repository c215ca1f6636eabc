"""Augmentation of a discriminator's pictures against reference numbers."""

from __future__ import annotations

from pathlib import Path

from parity import fixture

from dreamplate.train.diffaugment import brightness, contrast, cutout, saturation, translation


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
