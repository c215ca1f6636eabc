"""Which frames of a video are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dreamplate.errors import SceneError
from dreamplate.plate import Plate, VideoWriter, read
from dreamplate.scenes.sharp_frames import FrameScore, choose_frames, score_frames, sharpness, write_frames


def score(number: int, sharp: float, level: float) -> FrameScore:
    """A frame that is one grey all over."""
    return FrameScore(number, sharp, np.full((4, 4), level, np.float32))


def test_blur_makes_less_sharp() -> None:
    picture = np.random.default_rng(0).random((60, 80)).astype(np.float32)
    soft = (picture + np.roll(picture, 1, 0) + np.roll(picture, 1, 1)) / 3
    assert sharpness(picture) > 2 * sharpness(soft) > 0
    assert sharpness(picture * 0) == 0
    assert sharpness(np.zeros((1, 1), np.float32)) == 0


def test_each_stretch_gives_its_sharpest_frame() -> None:
    scores = [score(n, sharp, n / 10) for n, sharp in enumerate([1, 5, 2, 9, 1, 1, 0, 0, 3])]
    assert choose_frames(scores, 3, 0.01) == [1, 3, 8]
    assert choose_frames(scores, 100, 0.01) == list(range(9))


def test_frames_in_which_nothing_moved_are_passed_over() -> None:
    scores = [score(n, 1, level) for n, level in enumerate([0, 0.001, 0.002, 0.5, 0.5])]
    assert choose_frames(scores, 5, 0.01) == [0, 3]


def test_frames_are_those_of_the_video(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=25) as film:
        for level in (0.2, 0.4, 0.6, 0.8):
            film.write(Plate.from_rgb(np.full((32, 48, 3), level, np.float32), "srgb_display"))
    assert [found.number for found in score_frames(tmp_path / "a.mp4", lambda text: None)] == [0, 1, 2, 3]
    made = write_frames(tmp_path / "a.mp4", [1, 3], tmp_path / "frames", lambda text: None)
    assert [path.name for path in made] == ["frame_000001.png", "frame_000003.png"]
    assert abs(read(made[1]).pixels.mean() - 0.8) < 0.03


def test_a_video_of_one_frame_is_an_error(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps=25) as film:
        film.write(Plate.from_rgb(np.full((32, 48, 3), 0.5, np.float32), "srgb_display"))
    with pytest.raises(SceneError, match="has 1 frames"):
        score_frames(tmp_path / "a.mp4", lambda text: None)
