from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("numba")

from dreamplate.errors import ConfigError, SceneError
from dreamplate.scenes.world.classes import CLASSES
from dreamplate.scenes.world.passes import PASSES
from dreamplate.scenes.world.source import WorldPictures, see, seed_of, shown
from dreamplate.scenes.world.words import vocabulary

FIXED = {"biome": "plains", "things": ["house"], "weather": "clear", "trees": "none", "water": "none"}


def pictures(count: int = 4) -> WorldPictures:
    return WorldPictures(5, count, 24, ("label", "depth", "normal", "line"), samples=2, fixed=FIXED)


def test_a_picture_follows_from_its_number_alone() -> None:
    alone = [pictures().read(index) for index in range(3)]
    source = pictures()
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(source.read, (2, 0, 1, 0)))
    for index, sample in zip((2, 0, 1, 0), together, strict=True):
        assert np.array_equal(sample.rgb.pixels, alone[index].rgb.pixels)
        assert sample.captions == alone[index].captions
        assert dict(sample.facts) == dict(alone[index].facts)
        for name, plate in sample.passes.items():
            assert np.array_equal(plate.pixels, alone[index].passes[name].pixels)


def test_pictures_are_as_training_wants_them() -> None:
    sample = pictures().read(1)
    assert sample.rgb.colourspace == "srgb_display"
    levels = sample.rgb.pixels * 255
    assert np.abs(levels - np.rint(levels)).max() < 1e-3
    labels = sample.passes["label"].pixels
    assert labels.shape == (24, 24, 1)
    assert set(np.unique(labels)) <= set(CLASSES.values())
    for name in ("depth", "normal", "line"):
        pixels = sample.passes[name].pixels
        assert pixels.min() >= 0 and pixels.max() <= 1
    assert {word for text in sample.captions for word in text.split()} <= set(vocabulary())


def test_names_splits_and_seeds() -> None:
    source = WorldPictures(5, 400, 16)
    assert len({source.name(index) for index in range(400)}) == 400
    splits = [source.split(index) for index in range(400)]
    assert splits.count("val") == 20 and splits.count("train") == 380
    assert source.spec(0).seed == 5
    assert len({seed_of(5, index) for index in range(400)} & {seed_of(6, index) for index in range(400)}) == 0


def test_depth_is_near_bright_and_sky_black() -> None:
    metres = np.array([[0.0, 20.0, 1e10]], np.float32)
    assert shown("depth", metres).pixels[0, :, 0] == pytest.approx([1, 0.5, 0])


def test_what_cannot_be_is_refused() -> None:
    for size in (0, 7, 9000, (64, 0)):
        with pytest.raises(ConfigError, match="size"):
            WorldPictures(0, 3, size)
    with pytest.raises(ConfigError, match="count"):
        WorldPictures(0, 0)
    with pytest.raises(SceneError, match="did you mean 'label'"):
        WorldPictures(0, 3, 16, ("labels",))
    with pytest.raises(ConfigError, match="did you mean 'biome'"):
        WorldPictures(0, 3, 16, fixed={"bioem": "coast"})
    with pytest.raises(ConfigError, match="there are 4"):
        pictures().spec(4)


def test_every_pass_can_be_shown() -> None:
    seen = see(pictures().spec(0), 16, 16, (*PASSES[:5], "albedo", "instance", "line"), samples=1)
    for name in seen.frame.passes:
        plate = shown(name, seen.frame[name])
        assert (plate.width, plate.height) == (16, 16)
