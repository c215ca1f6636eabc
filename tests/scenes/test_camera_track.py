"""Tracks: frames in order, ranges checked, still cameras for ever."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from tracks import moving, plain

from dreamplate.errors import SceneError
from dreamplate.plate import Lens
from dreamplate.scenes import CameraTrack
from dreamplate.scenes.camera_track import numbers_of, track_of_names


def test_frames_are_in_order_whatever_the_input() -> None:
    track = CameraTrack({9: plain(), -3: plain(), 4: plain()})
    assert track.frames == (-3, 4, 9)
    assert len(track) == 3
    with pytest.raises(TypeError):
        track.cameras[4] = plain()  # type: ignore[index]


def test_frames_outside_the_path_are_named() -> None:
    track = moving(first=1001).with_(name="shot")
    assert track.slice((1003, 1005)).frames == (1003, 1005)
    with pytest.raises(SceneError, match=r"frames 999-1000 outside camera 'shot', which has 1001-1012"):
        track.slice(range(999, 1004))
    with pytest.raises(SceneError, match=r"frame 2000 outside"):
        track.at(2000)


def test_a_still_camera_holds_for_every_frame() -> None:
    camera = plain()
    track = CameraTrack({1: camera})
    assert track.still
    assert track.at(-50) is camera
    assert track.slice((7, 8)).frames == (7, 8)


def test_scaling_moves_positions_and_nothing_else() -> None:
    end = plain().camera_to_world.copy()
    end[:3, 3] += 1
    track = CameraTrack({1: plain().with_(end=end)}, near_far=(1.0, 2.0))
    grown = track.scaled(100.0)
    old, new = track.at(1), grown.at(1)
    np.testing.assert_allclose(new.position, old.position * 100)
    np.testing.assert_allclose(new.end[:3, 3], end[:3, 3] * 100)
    np.testing.assert_array_equal(new.camera_to_world[:3, :3], old.camera_to_world[:3, :3])
    assert grown.near_far == (100.0, 200.0)
    points = np.random.default_rng(0).normal(size=(9, 3))
    np.testing.assert_allclose(new.project(points * 100)[0], old.project(points)[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cameras": {}}, "holds no camera"),
        ({"fps": 0.0}, "fps is 0.0"),
        ({"metres_per_unit": math.inf}, "metres_per_unit is inf"),
        ({"up": "x"}, "up is 'x'; choose y or z"),
        ({"near_far": (2.0, 1.0)}, "need 0 < near < far"),
    ],
)
def test_tracks_that_cannot_be(changes: dict, said: str) -> None:
    with pytest.raises(SceneError, match=said):
        CameraTrack(**{"cameras": {1: plain()}, **changes})


def test_frame_numbers_are_the_last_ones_in_names() -> None:
    assert numbers_of(["images/take2/shot.1001.png", "images/take2/shot.1002.exr"]) == (1001, 1002)
    assert numbers_of(["./test/r_8", "./test/r_16"]) == (8, 16)
    assert numbers_of(["a1.png", "b1.png"]) is None
    assert numbers_of(["left.png", "b1.png"]) is None
    cameras = [plain().with_(name=name) for name in ("b.png", "a.png")]
    track = track_of_names(cameras)
    assert [camera.name for camera in track.cameras.values()] == ["a.png", "b.png"]
    assert track.frames == (1, 2)


def test_tracks_are_pickled_and_copied() -> None:
    lens = Lens("perspective", {"k1": 0.1})
    track = moving().map(lambda camera: camera.with_(lens=lens)).with_(fps=24.0, up="z")
    back = pickle.loads(pickle.dumps(track))
    assert (back.frames, back.fps, back.up, back.at(3).lens) == (track.frames, 24.0, "z", lens)
    assert hash(back.at(3).lens) == hash(lens)
    np.testing.assert_array_equal(copy.deepcopy(track).at(5).camera_to_world, track.at(5).camera_to_world)
