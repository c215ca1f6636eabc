"""The still life: its distances can be trusted, its photographs are what its cameras say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from dreamplate.plate import read
from dreamplate.scenes import read_scene

pytest.importorskip("numba")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import still_life


def test_distances_never_reach_beyond_a_surface() -> None:
    draws = np.random.default_rng(1)
    places = draws.uniform(-3, 3, (400, 3)) * [1, 1, 0.8] + [0, 0, 0.6]
    steps = draws.normal(size=(400, 3)) * 0.2
    for place, step in zip(places, steps, strict=True):
        here, there = still_life.distance(*place)[0], still_life.distance(*(place + step))[0]
        # Farther than the way between them on either side of a bound would let a ray step through a thing.
        if here > np.linalg.norm(step):
            assert there > 0, (place, step)


def test_photographs_and_cameras_are_exact(tmp_path: Path) -> None:
    scene = read_scene(still_life.make(tmp_path / "still", 3, (24, 18), alpha=True))
    for view, camera in zip(scene.views, still_life.cameras(3, (24, 18)), strict=True):
        assert np.array_equal(view.camera.camera_to_world, camera.camera_to_world)
        plate = read(view.image)
        assert np.array_equal(plate.pixels, still_life.take(camera, True).pixels.astype(np.float16))
        assert (plate.pixels[plate.alpha() == 0] == 0).all()
        pixels, _ = camera.project([[0.0, 0.0, -0.05]])  # the middle of the table, or what is in front
        column, row = pixels[0].astype(int)
        assert plate.alpha()[row, column] == 1
    assert len(scene.split("test")) == 1


def test_a_room_stands_around_the_table_without_alpha(tmp_path: Path) -> None:
    camera = still_life.cameras(3, (16, 12))[0]
    clear, room = still_life.take(camera, True), still_life.take(camera, False)
    solid = clear.alpha() == 1
    assert np.allclose(clear.rgb()[solid], room.rgb()[solid])
    assert (room.rgb() > 0).all()
