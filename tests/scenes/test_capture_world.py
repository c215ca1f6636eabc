"""Up, north and size: from cameras, from GPS, from a distance."""

from __future__ import annotations

import numpy as np
import pytest

from dreamplate.plate import look_at
from dreamplate.scenes.capture_report import reasons
from dreamplate.scenes.capture_world import align, local_metres, upright
from dreamplate.scenes.sfm import Matched


def turn(seed: int) -> np.ndarray:
    """Any rotation."""
    found = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return found * np.sign(np.linalg.det(found))


@pytest.mark.parametrize("seed", range(4))
def test_alignment_undoes_a_similarity(seed: int) -> None:
    random = np.random.default_rng(seed)
    source = random.normal(size=(6, 3))
    rotation, shift = turn(seed), random.normal(size=3)
    scale, found, moved = align(source, 2.5 * source @ rotation.T + shift)
    assert scale == pytest.approx(2.5)
    assert np.allclose(found, rotation) and np.allclose(moved, shift)


def test_alignment_of_a_mirror_image_is_no_mirror() -> None:
    source = np.random.default_rng(0).normal(size=(8, 3))
    rotation = align(source, source * [1, 1, -1])[1]
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_level_cameras_give_up_whichever_way_they_look(seed: int) -> None:
    world = turn(seed)
    poses = [look_at([3 * np.cos(a), 3 * np.sin(a), 2.0], [0, 0, 0])[:3, :3] for a in np.linspace(0, 2, 7)]
    rotation = upright(np.stack([world @ pose for pose in poses]))
    assert np.allclose(rotation @ world @ [0, 0, 1], [0, 0, 1], atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_cameras_that_all_look_one_way_give_their_own_up() -> None:
    poses = np.stack([look_at([x, -5, 1], [x, 0, 1])[:3, :3] for x in (0.0, 0.5, 1.0)])
    assert np.allclose(upright(poses) @ poses[0][:, 1], [0, 0, 1], atol=1e-9)
    upside_down = poses * np.array([-1, -1, 1])
    assert np.allclose(upright(upside_down) @ upside_down[0][:, 1], [0, 0, 1], atol=1e-6)


def test_local_metres_of_known_distances() -> None:
    # One second of latitude at 45 degrees is 30.87 m, of longitude 21.91 m (WGS 84 tables).
    origin = (45.0, 7.0, 100.0)
    places = [(45 + 1 / 3600, 7.0, 100.0), (45.0, 7 + 1 / 3600, 100.0), (45.0, 7.0, 103.0)]
    assert local_metres(places, origin) == pytest.approx(
        np.array([[0, 30.87, 0], [21.91, 0, 0], [0, 0, 3]]), abs=0.01
    )


def test_reasons_name_what_was_lacking() -> None:
    names = ["a", "b", "c", "blurred", "far", "pair1", "pair2", "moved"]
    features = dict.fromkeys(names, 900) | {"blurred": 12}
    inliers = {("a", "b"): 200, ("b", "c"): 150, ("far", "a"): 9, ("pair1", "pair2"): 80, ("moved", "b"): 40}
    found = reasons(names, ["a", "b", "c"], Matched(features, inliers), 15)
    assert set(found) == {"blurred", "far", "pair1", "pair2", "moved"}
    assert found["blurred"].startswith("too few features: 12")
    assert found["far"].startswith("no matches: at most 9 with a, 15 are needed")
    assert found["pair1"].startswith("not connected: matches 1 others")
    assert found["moved"].startswith("not placed: 40 matches with b")
